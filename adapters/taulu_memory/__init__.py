"""A Taulu adapter."""
