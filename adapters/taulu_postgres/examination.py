"""What `taulu doctor` is told of a database."""

from __future__ import annotations

from collections.abc import Sequence

from taulu.model import Corrupt, SchemaConflict, Table
from taulu.spi import Finding
from taulu_postgres._driver import Call, Connection, DriverError
from taulu_postgres.database import ENCODING
from taulu_postgres.dialect import Dialect
from taulu_postgres.mapping import to_taulu
from taulu_postgres.names import Names
from taulu_postgres.preparing import Preparation
from taulu_postgres.server import VERSION, Server
from taulu_postgres.settings import PostgresSettings

_GIVE_UP_S = 5.0


async def examine(settings: PostgresSettings, tables: Sequence[Table]) -> list[Finding]:
    """Look the database over, and whether tables fit what it holds, without changing it."""
    server = Server(settings)
    try:
        connection = await server.connect(min(_GIVE_UP_S, settings.connect_timeout_s))
    except (DriverError, TimeoutError) as error:
        return [_unreachable(server, error)]
    try:
        dialect = server.dialect
        assert dialect is not None  # noqa: S101 - known since it is connected
        look = Preparation(connection, Names.of(settings), dialect, _GIVE_UP_S)
        return [*await _look(connection, dialect, settings), *await _misfits(look, tables)]
    except (DriverError, TimeoutError) as error:
        return [_unreachable(server, error)]
    finally:
        await connection.close()


def _unreachable(server: Server, error: DriverError | TimeoutError) -> Finding:
    what = f"{server.place} did not answer in time"
    if isinstance(error, DriverError):
        what = to_taulu(error, server.place, advice="").message
    return Finding(
        ok=False, what=what, mend="start it, or mend address, user, password or pg_hba.conf"
    )


async def _look(
    connection: Connection, dialect: Dialect, settings: PostgresSettings
) -> list[Finding]:
    (((version,),),) = await connection.ask([VERSION], _GIVE_UP_S)
    findings = [Finding(ok=True, what=f"{' '.join(version.split()[:2])} answers")]
    findings += await _encoding(connection)
    findings.append(await _rights(connection, Names.of(settings)))
    if not dialect.is_cockroach:
        findings += await _durability(connection)
        findings += await _standbys(connection)
        findings.append(await _connections(connection, settings))
    return findings


async def _encoding(connection: Connection) -> list[Finding]:
    (((encoding,),),) = await connection.ask([Call("SHOW server_encoding")], _GIVE_UP_S)
    if encoding == ENCODING:
        return []
    what = f"the database is encoded in {encoding}, which cannot hold every string"
    return [Finding(ok=False, what=what, mend=f"create one with ENCODING '{ENCODING}'")]


async def _misfits(look: Preparation, tables: Sequence[Table]) -> list[Finding]:
    findings: list[Finding] = []
    for table in tables:
        try:
            await look.check(table)
        except (Corrupt, SchemaConflict) as error:
            findings.append(Finding(ok=False, what=error.message, mend="mend the table's file"))
    return findings


async def _rights(connection: Connection, names: Names) -> Finding:
    call = Call(
        "SELECT has_database_privilege(current_database(), 'CREATE') OR EXISTS (SELECT 1 FROM "
        "information_schema.schemata WHERE schema_name = $1::text)",
        (names.schema,),
    )
    (((can_create,),),) = await connection.ask([call], _GIVE_UP_S)
    if can_create:
        return Finding(ok=True, what="the user may create schemas, or they are there")
    return Finding(
        ok=False,
        what="the user may not create schemas in this database",
        mend="GRANT CREATE ON DATABASE to it, or create the schemas for it",
    )


async def _durability(connection: Connection) -> list[Finding]:
    names = ("fsync", "full_page_writes", "synchronous_commit")
    call = Call(
        "SELECT name, setting FROM pg_settings WHERE name = ANY($1::text[])", (list(names),)
    )
    (rows,) = await connection.ask([call], _GIVE_UP_S)
    settings: dict[str, str] = dict(rows)
    findings = [
        Finding(
            ok=False,
            what=f"{name} is off: acknowledged writes, or the whole database, may be lost with "
            "the machine",
            mend=f"set {name} = on in postgresql.conf",
        )
        for name in names[:2]
        if settings.get(name) == "off"
    ]
    if findings:
        return findings
    commit = settings.get("synchronous_commit", "unknown")
    return [Finding(ok=True, what=f"commits are durable (synchronous_commit {commit})")]


async def _standbys(connection: Connection) -> list[Finding]:
    """Say what a standby that takes over would have; readers of logical changes are none."""
    call = Call(
        "SELECT current_setting('synchronous_standby_names'), count(*) FROM pg_stat_replication "
        "AS r WHERE NOT EXISTS (SELECT 1 FROM pg_replication_slots AS s "
        "WHERE s.active_pid = r.pid AND s.slot_type = 'logical')"
    )
    (((names, count),),) = await connection.ask([call], _GIVE_UP_S)
    if names:
        what = f"commits wait for standbys (synchronous_standby_names {names})"
        return [Finding(ok=True, what=what)]
    if not count:
        return []
    return [
        Finding(
            ok=False,
            what=f"no commit waits for any of {count} standbys (synchronous_standby_names is "
            "empty): one that takes over may lack acknowledged writes",
            mend="set synchronous_standby_names, or let no standby take over",
        )
    ]


async def _connections(connection: Connection, settings: PostgresSettings) -> Finding:
    call = Call(
        "SELECT current_setting('max_connections')::int, "
        "(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"
    )
    (((allowed, used),),) = await connection.ask([call], _GIVE_UP_S)
    what = f"{used} of {allowed} connections are in use; a gateway takes {settings.connections_max}"
    if settings.connections_max > allowed - used:
        mend = "raise max_connections, or lower connections_max"
        return Finding(ok=False, what=what, mend=mend)
    return Finding(ok=True, what=what)
