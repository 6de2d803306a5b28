"""Text without the one character that PostgreSQL cannot hold.

NUL is written as two SOH, and SOH as SOH and STX. All other text, that is nearly all text, is
stored as it is. Comparing the bytes of what is stored compares the texts, and a prefix stays a
prefix, so key columns keep their order. The format is stored and pinned by tests.
"""

from __future__ import annotations

from taulu.model import Corrupt

_NUL, _SOH, _STX = "\x00", "\x01", "\x02"


def escape(text: str) -> str:
    """Return the text as it is stored."""
    if _NUL not in text and _SOH not in text:
        return text
    return text.replace(_SOH, _SOH + _STX).replace(_NUL, _SOH + _SOH)


def unescape(stored: str) -> str:
    """Return the text that was stored.

    Raises:
        Corrupt: `escape` never made this.
    """
    if _SOH not in stored:
        return stored
    parts: list[str] = []
    at = 0
    while (mark := stored.find(_SOH, at)) >= 0:
        following = stored[mark + 1 : mark + 2]
        if following not in (_SOH, _STX) or not following:
            raise Corrupt(f"a stored text has a bare control character at {mark}")
        parts += [stored[at:mark], _NUL if following == _SOH else _SOH]
        at = mark + 2
    return "".join([*parts, stored[at:]])
