"""The Lua scripts, one per kind of step; each runs whole in one hash slot.

A script is atomic but is not undone when it fails: each checks everything first and writes
afterwards, and its first write is a SET, which a server without memory refuses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from taulu_redis._driver import Argument


@dataclass(frozen=True, slots=True)
class Script:
    """One script and the name under which a server that has loaded it knows it."""

    text: str
    sha: str

    def call(self, keys: Sequence[bytes], arguments: Sequence[Argument]) -> tuple[Argument, ...]:
        """Return the command that runs it."""
        return ("EVALSHA", self.sha, len(keys), *keys, *arguments)

    def with_text(self, command: Sequence[Argument]) -> tuple[Argument, ...]:
        """Return the command for a server that has not loaded it."""
        return ("EVAL", self.text, *command[2:])


def _load(*names: str) -> Script:
    folder = files("taulu_redis") / "lua"
    text = "\n".join((folder / f"{name}.lua").read_text(encoding="utf-8") for name in names)
    return Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


WRITE_ROW = _load("moment", "tokens", "conditions", "write_row")
WRITE_PARTITION = _load("moment", "tokens", "conditions", "write_partition")
QUERY_PARTITION = _load("query_partition")
CHANGE_COUNTER = _load("moment", "tokens", "int64", "change_counter")
READ_COUNTER = _load("read_counter")
APPEND_RECORD = _load("moment", "tokens", "append_record")
READ_LOG = _load("read_log")
FORGET_GONE = _load("forget_gone")
DESCRIBE_TABLE = _load("describe_table")
GET_CACHED = _load("cached", "get_cached")
FILL_CACHED = _load("cached", "fill_cached")
RELEASE_CACHED = _load("cached", "release_cached")

ALL_SCRIPTS = (
    *(WRITE_ROW, WRITE_PARTITION, QUERY_PARTITION, CHANGE_COUNTER, READ_COUNTER),
    *(APPEND_RECORD, READ_LOG, FORGET_GONE, DESCRIBE_TABLE),
    *(GET_CACHED, FILL_CACHED, RELEASE_CACHED),
)
