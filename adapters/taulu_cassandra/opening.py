"""Making tables, or checking that those which are there fit. All of it blocks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import cast

from taulu.model import Clock, ConfigError, SchemaConflict, TauluError, Unavailable
from taulu.spi import merged_shape
from taulu_cassandra._driver import InvalidRequest, Session, SessionOptions
from taulu_cassandra.definitions import create_keyspace, create_tables
from taulu_cassandra.layout import Layout, quoted
from taulu_cassandra.mapping import DRIVER_ERRORS, read_error
from taulu_cassandra.settings import CassandraSettings
from taulu_cassandra.shape import PLACE, parse_comment, to_comment, wanted_shape
from taulu_cassandra.stored import StoredTable

AGREEMENT_S_MAX = 30.0
HEARD_S_MAX = 5.0
"""How long to wait for nodes that have not heard of a table which another gateway made."""
_REST_S = 0.2
_AT_START = "see that all nodes are up"

_FIND_TABLE = (
    "SELECT comment FROM system_schema.tables WHERE keyspace_name = %s AND table_name = %s"
)
_FIND_COLUMNS = (
    "SELECT column_name, type FROM system_schema.columns "
    "WHERE keyspace_name = %s AND table_name = %s"
)
_FIND_KEYSPACE = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = %s"


def open_table(session: Session, layout: Layout, settings: CassandraSettings) -> None:
    """Make a table's keyspace and tables where they are missing; add its new columns.

    Safe for several gateways at once: every statement says IF NOT EXISTS, and nothing goes on
    before all nodes have the same schema.

    Raises:
        SchemaConflict: What is stored does not fit the description.
        ConfigError: The cluster refuses the table's options.
        Unavailable: The cluster cannot be reached, or does not agree on its schema.
    """
    table = layout.table
    try:
        _make(session, layout, settings)
    except InvalidRequest as error:
        raise ConfigError(
            f"Cassandra refuses table {table.full_name}: {error}; mend its description",
            details={"table": table.full_name},
        ) from error
    except DRIVER_ERRORS as error:
        raise read_error(error, table.full_name, _AT_START) from error


def _make(session: Session, layout: Layout, settings: CassandraSettings) -> None:
    table = layout.table
    wanted = wanted_shape(layout)
    where = (layout.keyspace, table.name)
    found = session.run(_FIND_TABLE, where)
    if not found:
        if not session.run(_FIND_KEYSPACE, where[:1]):
            session.run(create_keyspace(layout, settings.replication))
        # The table itself comes last: where it is seen, its companions are there.
        for statement in _companions_first(create_tables(layout, to_comment(wanted))):
            session.run(statement)
        _agree(session, layout)
        found = session.run(_FIND_TABLE, where)
    else:
        # Another gateway may have made it this very moment, and not all nodes know yet. Whether
        # they agree in time is not asked: a change of some other table is no reason to wait.
        session.agree(HEARD_S_MAX)
    stored = parse_comment(cast(str, found[0][0]), table)
    merged = merged_shape(table, stored, wanted, PLACE)
    columns = _native_columns(session, layout)
    _check_native(layout, columns)
    missing = [field for field in layout.columns if field.name not in columns]
    for field in missing:
        session.run(
            f"ALTER TABLE {layout.name} ADD IF NOT EXISTS {quoted(field.name)} {field.native}"
        )
    if merged != stored:
        comment = to_comment(merged).replace("'", "''")
        session.run(f"ALTER TABLE {layout.name} WITH comment = '{comment}'")
    if missing or merged != stored:
        _agree(session, layout)


def check_table(session: Session, layout: Layout) -> None:
    """Look whether a table fits what is stored of it, if anything is; change nothing.

    Raises:
        SchemaConflict: It does not.
    """
    table = layout.table
    found = session.run(_FIND_TABLE, (layout.keyspace, table.name))
    if found:
        stored = parse_comment(cast(str, found[0][0]), table)
        merged_shape(table, stored, wanted_shape(layout), PLACE)
        _check_native(layout, _native_columns(session, layout))


def _native_columns(session: Session, layout: Layout) -> dict[str, str]:
    found = session.run(_FIND_COLUMNS, (layout.keyspace, layout.table.name))
    return {cast(str, name): cast(str, kind) for name, kind in found}


def compile_statements(stored: StoredTable, texts: Sequence[str], clock: Clock) -> None:
    """Have the statements of a table compiled that `open_table` has made or found.

    A node that refuses one may not have heard of the table yet: it is asked again for a while.

    Raises:
        ConfigError: The user may not use the table.
        Unavailable: No node compiles them.
    """
    give_up = clock.monotonic() + HEARD_S_MAX
    while True:
        try:
            stored.prepare_now(*texts)
        except DRIVER_ERRORS as error:
            refused = read_error(error, stored.name)
            if isinstance(refused, ConfigError):
                raise refused from error
            # A node that hears of it just now may answer with an error of its own.
            if clock.monotonic() >= give_up:
                reason = str(error) if isinstance(error, InvalidRequest) else type(error).__name__
                raise _not_compiled(stored.name, reason) from error
            time.sleep(_REST_S)
        else:
            return


def _not_compiled(table: str, reason: str) -> Unavailable:
    return Unavailable(
        f"no node of Cassandra compiles the statements of {table} ({reason}); look at `nodetool "
        "describecluster`, then start again",
        details={"table": table},
    )


def _companions_first(statements: list[str]) -> list[str]:
    return sorted(statements, key=lambda statement: "comment = 'Taulu table " in statement)


def _check_native(layout: Layout, columns: dict[str, str]) -> None:
    wrong = [
        f"column {field.name} is {columns[field.name]} in Cassandra, not {field.native}"
        for field in layout.columns
        if columns.get(field.name, field.native) != field.native
    ]
    if wrong:
        name = layout.table.full_name
        raise SchemaConflict(
            f"table {name} was changed behind Taulu's back: {'; '.join(wrong)}",
            details={"table": name, "differences": "; ".join(wrong)},
        )


def _agree(session: Session, layout: Layout) -> None:
    if not session.agree(AGREEMENT_S_MAX):
        raise Unavailable(
            f"the nodes do not agree on the schema of {layout.table.full_name} after "
            f"{AGREEMENT_S_MAX:.0f} s; look at `nodetool describecluster`",
            details={"table": layout.table.full_name},
        )


def connected(settings: CassandraSettings) -> Session:
    """Return a session; it blocks until one node answers.

    Raises:
        Unavailable: None answers, or none of the names leads to an address.
    """
    session: Session | None = None
    try:
        session = Session(session_options(settings))
        session.connect()
    except DRIVER_ERRORS as error:
        if session is not None:
            session.close()
        raise connect_error(error, settings) from error
    return session


def session_options(settings: CassandraSettings) -> SessionOptions:
    """Return what the driver is told of the cluster."""
    return SessionOptions(
        contact_points=settings.contact_points,
        port=settings.port,
        local_dc=settings.local_dc,
        address_map=settings.address_map,
        username=settings.username,
        password=settings.password.get_secret_value(),
        connect_timeout_s=settings.connect_timeout_s,
        heartbeat_s=settings.heartbeat_s,
        reconnect_s=settings.reconnect_s,
    )


def connect_error(error: Exception, settings: CassandraSettings) -> TauluError:
    """Return what is said when no node can be reached."""
    points = ", ".join(settings.contact_points)
    return Unavailable(
        f"no Cassandra node answers on port {settings.port} of {points} "
        f"({type(error).__name__}); check `contact_points`, `port`, `local_dc` and the user",
        details={"contact_points": points},
        retry_after_s=settings.reconnect_s,
    )
