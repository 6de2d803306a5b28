"""The embedded adapter: every kind of table in one SQLite file, with nothing to install."""

from taulu_embedded.adapter import EmbeddedAdapter

__all__ = ["EmbeddedAdapter"]
