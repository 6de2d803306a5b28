"""A Taulu client."""
