"""What a request does, alone and with others at once, and what proves it."""
