"""A real deployment, judged. Never imports the server."""
