"""Stretches of a partition, as limits of a lexicographic range."""

from __future__ import annotations

from taulu.codec import Stretch


def lex_limits(stretch: Stretch) -> tuple[bytes, bytes]:
    """Return both ends as ZRANGEBYLEX takes them."""
    return b"[" + stretch.low, b"+" if stretch.high is None else b"(" + stretch.high
