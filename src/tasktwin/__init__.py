"""A twin of a task API."""
