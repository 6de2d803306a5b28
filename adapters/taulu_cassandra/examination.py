"""What `taulu doctor` is told of a cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from taulu.model import Corrupt, SchemaConflict, Table, TauluError, Unavailable
from taulu.spi import Finding
from taulu_cassandra._driver import InvalidRequest, Session, Unauthorized
from taulu_cassandra.layout import layout_of
from taulu_cassandra.mapping import DRIVER_ERRORS
from taulu_cassandra.opening import check_table, connect_error, connected
from taulu_cassandra.options import is_serial
from taulu_cassandra.settings import CassandraSettings

_ANSWER_S_MAX = 3.0
_MAJOR_MIN = 5
_LOCAL = "SELECT cluster_name, release_version FROM system.local"
_LOCAL_SCHEMA = "SELECT schema_version FROM system.local"
_PEER_SCHEMAS = "SELECT schema_version FROM system.peers_v2"
_COMMIT_LOG = "SELECT value FROM system_views.settings WHERE name = 'commitlog_sync'"
_COMMENTS = "SELECT keyspace_name, comment FROM system_schema.tables"
_KEYSPACES = "SELECT keyspace_name, durable_writes, replication FROM system_schema.keyspaces"
_OURS = "Taulu"
"""How the comments of our tables begin."""
_SYNCED_FIRST = {"batch", "group"}
"""Where a node has a write on its disk before it says so."""


def examine(settings: CassandraSettings, tables: Sequence[Table]) -> list[Finding]:
    """Connect, look the cluster over and whether tables fit what it holds, and let go.

    It changes nothing, and blocks.
    """
    try:
        session = connected(settings)
    except Unavailable as error:
        return [_unreached(error)]
    try:
        return [
            _cluster(session),
            _nodes(session, settings),
            _schema(session),
            *_copies(session, settings),
            *_keyspaces(session, settings),
            _commit_logs(session, settings, tables),
            *_misfits(session, settings, tables),
        ]
    except DRIVER_ERRORS as error:
        return [_unreached(connect_error(error, settings))]
    finally:
        session.close()


def _unreached(error: TauluError) -> Finding:
    return Finding(ok=False, what=error.message, mend="start the nodes, or mend the settings")


def _cluster(session: Session) -> Finding:
    name, version = session.run(_LOCAL, timeout_s=_ANSWER_S_MAX)[0]
    what = f"cluster {name!r} runs Cassandra {version}"
    if int(str(version).split(".")[0]) < _MAJOR_MIN:
        mend = f"upgrade to Cassandra {_MAJOR_MIN}, which has vectors and the default compaction"
        return Finding(ok=False, what=what, mend=mend)
    return Finding(ok=True, what=what)


def _nodes(session: Session, settings: CassandraSettings) -> Finding:
    near = [peer for peer in session.peers() if peer.datacenter == settings.local_dc]
    down = sorted(peer.address for peer in near if not peer.is_up)
    what = f"{len(near) - len(down)} of {len(near)} nodes of {settings.local_dc} are up"
    if down or not near:
        return Finding(ok=False, what=what, mend=f"look after {', '.join(down) or 'local_dc'}")
    return Finding(ok=True, what=what)


def _schema(session: Session) -> Finding:
    versions = {row[0] for row in session.run(_LOCAL_SCHEMA, timeout_s=_ANSWER_S_MAX)}
    versions |= {row[0] for row in session.run(_PEER_SCHEMAS, timeout_s=_ANSWER_S_MAX)}
    if len(versions) > 1:
        what = f"the nodes have {len(versions)} versions of the schema"
        return Finding(ok=False, what=what, mend="look at `nodetool describecluster`")
    return Finding(ok=True, what="all nodes have one schema")


def _copies(session: Session, settings: CassandraSettings) -> list[Finding]:
    """Compare the copies that are asked for with the nodes that are there."""
    findings: list[Finding] = []
    peers = session.peers()
    for datacenter, copies in sorted(settings.replication.items()):
        count = sum(peer.datacenter == datacenter for peer in peers)
        what = f"{copies} copies in {datacenter}, which has {count} nodes"
        if count < copies:
            mend = f"add nodes to {datacenter}, or lower `replication`"
            findings.append(Finding(ok=False, what=what, mend=mend))
        else:
            findings.append(Finding(ok=True, what=what))
    return findings


def _keyspaces(session: Session, settings: CassandraSettings) -> list[Finding]:
    """Compare keyspaces that are there, which are left as they are, with the settings."""
    commented = session.run(_COMMENTS, timeout_s=_ANSWER_S_MAX)
    ours = {name for name, comment in commented if str(comment).startswith(_OURS)}
    findings: list[Finding] = []
    for name, is_logged, replication in session.run(_KEYSPACES, timeout_s=_ANSWER_S_MAX):
        if name not in ours or not str(name).startswith(settings.keyspace_prefix):
            continue
        for datacenter, copies in sorted(settings.replication.items()):
            there = _copies_in(dict(replication), datacenter)
            if there < copies:
                what = f"keyspace {name} has {there} copies in {datacenter}, not {copies}"
                mend = "ALTER KEYSPACE and repair, or set `replication` to what there is"
                findings.append(Finding(ok=False, what=what, mend=mend))
        if not is_logged:
            what = f"keyspace {name} is not in the commit log: a node that dies loses its writes"
            mend = "ALTER KEYSPACE … WITH durable_writes = true"
            findings.append(Finding(ok=False, what=what, mend=mend))
    return findings


def _copies_in(replication: Mapping[str, str], datacenter: str) -> int:
    """Return how many copies a keyspace has there; a simple one says it for all of them."""
    copies = replication.get(datacenter) or replication.get("replication_factor") or "0"
    # As 3/1, of which one is transient.
    return int(copies.partition("/")[0])


def _misfits(
    session: Session, settings: CassandraSettings, tables: Sequence[Table]
) -> list[Finding]:
    findings: list[Finding] = []
    for table in tables:
        try:
            check_table(session, layout_of(table, settings.keyspace_prefix))
        except (Corrupt, SchemaConflict) as error:
            findings.append(Finding(ok=False, what=error.message, mend="mend the table's file"))
    return findings


def _commit_logs(session: Session, settings: CassandraSettings, tables: Sequence[Table]) -> Finding:
    """Say what becomes of an acknowledged write when nodes that took it die the next moment."""
    try:
        answers = session.ask_each(_COMMIT_LOG, _ANSWER_S_MAX)
    except (InvalidRequest, Unauthorized) as error:
        what = f"commitlog_sync is not known: system_views.settings cannot be read ({error})"
        return Finding(ok=True, what=what)
    late = sorted(node for node, ((value,),) in answers.items() if value not in _SYNCED_FIRST)
    if not late:
        return Finding(ok=True, what="a node has a write on its disk before it acknowledges it")
    what = (
        f"commitlog_sync is periodic on {', '.join(late)}: a node that dies loses its last writes"
    )
    mend = "set `commitlog_sync: batch` in cassandra.yaml"
    if sum(settings.replication.values()) == 1:
        return Finding(ok=False, what=f"{what}, and no other has them", mend=mend)
    by_paxos = sorted(table.full_name for table in tables if is_serial(table))
    if by_paxos:
        forgotten = f"with them its part in steps of {', '.join(by_paxos)} that were acknowledged"
        return Finding(ok=False, what=f"{what}, {forgotten}", mend=mend)
    kept = "other copies keep them, and until a repair a quorum without those may lack them"
    return Finding(ok=True, what=f"{what}; {kept}")
