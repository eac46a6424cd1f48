"""One module for each bundled API: what its transitions do beyond changing state."""
