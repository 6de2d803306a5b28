"""What `storage.options` of one table may say, in Cassandra's own words."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from taulu.model import Kind, Level, Table
from taulu_cassandra._driver import Native

_GLOBAL = frozenset({Native.QUORUM, Native.EACH_QUORUM, Native.ALL})
_MAJORITIES = _GLOBAL | {Native.LOCAL_QUORUM}
_ANY = _MAJORITIES | {Native.LOCAL_ONE, Native.ONE, Native.TWO, Native.THREE}
_SERIAL = frozenset({Native.SERIAL, Native.LOCAL_SERIAL})


class TableOptions(BaseModel):
    """Options of one table, checked when tables are loaded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    compaction: dict[str, str | int] | None = None
    """As in `WITH compaction = {...}`; by default it follows from kind and time to live."""
    gc_grace_seconds: int | None = Field(default=None, ge=0)
    read: Native | None = None
    """The level of reads, where the default for the table's level is not enough."""
    write: Native | None = None
    """The level of writes; on a table written by Paxos that of its commits."""
    serial: Native = Native.SERIAL
    """`LOCAL_SERIAL` where all writers of the table are in one data centre."""
    partial_updates: bool | None = None
    """Whether columns are written by themselves, and then no row expires; plain tables only."""

    @field_validator("read", "write", "serial", mode="before")
    @classmethod
    def _by_name(cls, value: object) -> object:
        if isinstance(value, str) and value in Native.__members__:
            return Native[value]
        known = ", ".join(sorted(Native.__members__))
        raise ValueError(f"{value!r} is no consistency level; known: {known}")


@dataclass(frozen=True, slots=True)
class Levels:
    """The native levels that one table uses."""

    quorum: Native
    """What every acknowledged write of the table meets."""
    write: Native
    """Of plain writes, or of the commits of Paxos."""
    serial: Native
    read: Native | None = None
    """The table's own level for reads, where it has one."""

    def of_read(self, level: Level) -> Native:
        """Return the native level of a read."""
        if level is Level.LINEARIZABLE:
            return self.serial
        if self.read is not None:
            return self.read
        return Native.LOCAL_ONE if level is Level.EVENTUAL else self.quorum


def is_serial(table: Table) -> bool:
    """Return whether every write of a table goes through Paxos.

    Counters and logs always do; rows do where the table writes at LINEARIZABLE. The two ways
    never meet on one table.
    """
    return table.kind in (Kind.COUNTER, Kind.LOG) or table.write_level is Level.LINEARIZABLE


def options_of(table: Table) -> TableOptions:
    """Return a table's options. `wrong_options` has said before whether they can be read."""
    return TableOptions.model_validate(dict(table.options))


def levels_of(table: Table, options: TableOptions) -> Levels:
    """Return the native levels of a table."""
    if is_serial(table):
        quorum = Native.QUORUM if options.serial is Native.SERIAL else Native.LOCAL_QUORUM
        return Levels(quorum, options.write or quorum, options.serial, options.read)
    quorum = Native.LOCAL_QUORUM
    weakest = Native.LOCAL_ONE if table.write_level is Level.EVENTUAL else quorum
    return Levels(quorum, options.write or weakest, options.serial, options.read)


def has_partial_updates(table: Table, options: TableOptions) -> bool:
    """Return whether a plain table takes updates of single columns, and then no expiry.

    Without reading first, an update cannot tell whether the row it changes has expired.
    """
    if options.partial_updates is None:
        return table.ttl_us is None
    return options.partial_updates


def wrong_options(table: Table) -> list[str]:
    """Return what is wrong with a table's options, one sentence each."""
    try:
        options = options_of(table)
    except ValidationError as error:
        return [
            f"its option {'.'.join(str(part) for part in found['loc'])!r} is wrong: {found['msg']}"
            for found in error.errors(include_input=False, include_url=False)
        ]
    return [*_wrong_levels(table, options), *_wrong_updates(table, options)]


def _wrong_levels(table: Table, options: TableOptions) -> list[str]:
    wrong: list[str] = []
    if "serial" in options.model_fields_set and not is_serial(table):
        wrong.append("its option 'serial' is for tables that write at LINEARIZABLE")
    if options.serial not in _SERIAL:
        wrong.append(f"its option 'serial' is {options.serial.name}, not SERIAL or LOCAL_SERIAL")
    strong_enough = _strong_enough(table, options)
    for name, level, least in (
        ("read", options.read, strong_enough if table.read_level > Level.EVENTUAL else _ANY),
        ("write", options.write, strong_enough),
    ):
        if level is not None and level not in least:
            names = ", ".join(sorted(native.name for native in least))
            wrong.append(
                f"its option {name!r} is {level.name}, which is weaker than its levels promise; "
                f"use one of {names}"
            )
    return wrong


def _strong_enough(table: Table, options: TableOptions) -> frozenset[Native]:
    if is_serial(table):
        return _GLOBAL if options.serial is Native.SERIAL else _MAJORITIES
    return _ANY if table.write_level is Level.EVENTUAL else _MAJORITIES


def _wrong_updates(table: Table, options: TableOptions) -> list[str]:
    if options.partial_updates is None:
        return []
    if is_serial(table):
        return ["its option 'partial_updates' is for tables that write below LINEARIZABLE"]
    if options.partial_updates and table.ttl_us is not None:
        return [
            (
                "its rows expire, so that single columns cannot be updated without reading first; "
                "leave out 'partial_updates', drop the ttl, or write at LINEARIZABLE"
            )
        ]
    return []
