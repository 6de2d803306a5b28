"""Keys, rows and tokens as bytes and text, for stores, caches and the wire."""

from taulu.codec.fingerprint import Effect, fingerprint
from taulu.codec.keys import KeyCodec, prefix_end, timestamp_from_us, timestamp_to_us
from taulu.codec.partition import log_partition
from taulu.codec.rows import RowCodec
from taulu.codec.session import Session, session_of, session_token
from taulu.codec.stretch import Stretch, stretch_of

__all__ = [
    "Effect",
    "KeyCodec",
    "RowCodec",
    "Session",
    "Stretch",
    "fingerprint",
    "log_partition",
    "prefix_end",
    "session_of",
    "session_token",
    "stretch_of",
    "timestamp_from_us",
    "timestamp_to_us",
]
