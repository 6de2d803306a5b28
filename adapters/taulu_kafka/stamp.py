"""What a record says of itself in its headers, and what follows from it.

Two workers can append one token at the same moment, and nothing in Kafka stops the second.
So every record says up to where its writer had read the partition when it sent it (`checked`)
and had not found the token. Whatever has the same token must then stand between `checked` and
the record itself: a reader who looks at that stretch knows for certain whether the record is
the first, and every reader comes to the same answer. Times are made to grow the same way.

The headers are stored for good and pinned by tests.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from taulu_kafka._driver import Headers

TOKEN = "taulu-token"  # noqa: S105 - the name of a header
EFFECT = "taulu-effect"
TIME = "taulu-time"
CHECKED = "taulu-checked"
SCHEMA = "taulu-schema"

LOOK_BACK_MAX = 16_384
"""A record that landed further behind `checked` than this is void: no reader shows it, and its
writer knows and says so. It bounds how far a reader has to look back."""

_TOKEN_BYTES = 16


class Stamp(NamedTuple):
    """The headers of one record."""

    token: str
    """The nonce of its idempotency token."""
    effect: str
    """The fingerprint of its effect, in hexadecimal."""
    time_us: int
    """When its writer appended it, by the writer's clock or the latest time it had read."""
    checked: int
    """The offset up to which its writer had looked for the token."""

    def is_void(self, offset: int) -> bool:
        """Return whether the record landed too far behind to count."""
        return offset - self.checked > LOOK_BACK_MAX


def write_stamp(stamp: Stamp, schema: str) -> Headers:
    """Return the headers of a record."""
    return (
        (TOKEN, stamp.token.encode()),
        (EFFECT, stamp.effect.encode()),
        (TIME, str(stamp.time_us).encode()),
        (CHECKED, str(stamp.checked).encode()),
        (SCHEMA, schema.encode()),
    )


def read_stamp(headers: Headers) -> Stamp | None:
    """Return what the headers say; None when Taulu did not write them."""
    found = dict(headers)
    try:
        return Stamp(
            found[TOKEN].decode("ascii"),
            found[EFFECT].decode("ascii"),
            int(found[TIME]),
            int(found[CHECKED]),
        )
    except (KeyError, ValueError, AttributeError, TypeError):
        return None


def token_digest(nonce: str) -> bytes:
    """Return the short form under which a token is remembered."""
    return hashlib.blake2b(nonce.encode(), digest_size=_TOKEN_BYTES).digest()
