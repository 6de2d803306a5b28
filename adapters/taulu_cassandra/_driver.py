"""A Cassandra session as this adapter uses it: the only file that touches `cassandra`.

The driver answers on a thread of its own; answers are handed to the event loop by callback, so
that no call has a thread. It is set up to send each request once: nothing is retried or sent
twice behind the adapter's back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias, cast

from cassandra import (
    ConsistencyLevel,
    CoordinationFailure,
    DriverException,
    InvalidRequest,
    OperationTimedOut,
    ReadFailure,
    ReadTimeout,
    RequestExecutionException,
    Unauthorized,
    WriteFailure,
    WriteTimeout,
)
from cassandra import Unavailable as NotEnoughReplicas
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import (
    EXEC_PROFILE_DEFAULT,
    Cluster,
    ExecutionProfile,
    NoHostAvailable,
)
from cassandra.connection import ConnectionException
from cassandra.policies import (
    AddressTranslator,
    ConstantReconnectionPolicy,
    DCAwareRoundRobinPolicy,
    FallthroughRetryPolicy,
    TokenAwarePolicy,
)
from cassandra.protocol import ErrorMessage
from cassandra.query import UNSET_VALUE, BatchStatement, BatchType
from cassandra.query import tuple_factory as _tuple_factory  # pyright: ignore[reportUnknownVariableType] - the driver has no types

__all__ = [
    "UNSET",
    "Bound",
    "ConnectionException",
    "CoordinationFailure",
    "CqlRow",
    "CqlValue",
    "DriverException",
    "ErrorMessage",
    "InvalidRequest",
    "Native",
    "NoHostAvailable",
    "NotEnoughReplicas",
    "OperationTimedOut",
    "Peer",
    "Prepared",
    "ReadFailure",
    "ReadTimeout",
    "RequestExecutionException",
    "Session",
    "SessionOptions",
    "Unauthorized",
    "WriteFailure",
    "WriteTimeout",
    "is_before_consensus",
]

_SCHEMA_ATTEMPTS = 3
_SCHEMA_REST_S = 0.3

CqlValue: TypeAlias = object
UNSET: CqlValue = UNSET_VALUE
"""Bound in place of a value, it leaves the column as it is."""
CqlRow: TypeAlias = tuple[Any, ...]
"""One result row; what its fields are is known where its statement is."""


class Native(IntEnum):
    """Cassandra's own consistency levels, under its own names."""

    ONE = ConsistencyLevel.ONE
    TWO = ConsistencyLevel.TWO
    THREE = ConsistencyLevel.THREE
    QUORUM = ConsistencyLevel.QUORUM
    ALL = ConsistencyLevel.ALL
    LOCAL_QUORUM = ConsistencyLevel.LOCAL_QUORUM
    EACH_QUORUM = ConsistencyLevel.EACH_QUORUM
    SERIAL = ConsistencyLevel.SERIAL
    LOCAL_SERIAL = ConsistencyLevel.LOCAL_SERIAL
    LOCAL_ONE = ConsistencyLevel.LOCAL_ONE


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How to reach a cluster."""

    contact_points: Sequence[str]
    port: int
    local_dc: str
    address_map: Mapping[str, str]
    username: str
    password: str
    connect_timeout_s: float
    heartbeat_s: float
    reconnect_s: float


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement that the cluster has compiled; values are bound in their order in the text."""

    statement: Any
    text: str


@dataclass(frozen=True, slots=True)
class Bound:
    """A prepared statement with its values."""

    prepared: Prepared
    values: tuple[CqlValue, ...]

    def to_driver(self) -> Any:  # noqa: ANN401 - the driver has no types
        """Return the driver's bound statement."""
        return self.prepared.statement.bind(self.values)


@dataclass(frozen=True, slots=True)
class Peer:
    """A node as the driver sees it."""

    address: str
    datacenter: str
    is_up: bool


def is_before_consensus(error: NotEnoughReplicas) -> bool:
    """Return whether a conditional batch was refused before Paxos began.

    The commit, which comes after the decision, has replicas and a level of its own to miss.
    """
    missed: Any = cast("Any", error).consistency
    return missed in (Native.SERIAL, Native.LOCAL_SERIAL)


class _MappedAddresses(AddressTranslator):
    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses

    def translate(self, addr: str) -> str:
        return self._addresses.get(addr, addr)


class Session:
    """One session on one cluster, shared by all calls of an adapter."""

    def __init__(self, options: SessionOptions) -> None:
        profile = ExecutionProfile(
            load_balancing_policy=TokenAwarePolicy(
                DCAwareRoundRobinPolicy(local_dc=options.local_dc)
            ),
            retry_policy=FallthroughRetryPolicy(),
            row_factory=_tuple_factory,
            request_timeout=None,  # pyright: ignore[reportArgumentType] - each call has its own
        )
        auth = (
            PlainTextAuthProvider(options.username, options.password) if options.username else None
        )
        self._cluster: Any = Cluster(
            list(options.contact_points),
            port=options.port,
            auth_provider=auth,
            execution_profiles={EXEC_PROFILE_DEFAULT: profile},
            address_translator=_MappedAddresses(options.address_map),
            reconnection_policy=ConstantReconnectionPolicy(
                options.reconnect_s,
                max_attempts=None,  # pyright: ignore[reportArgumentType] - None is without end
            ),
            connect_timeout=options.connect_timeout_s,  # pyright: ignore[reportArgumentType] - a float will do
            control_connection_timeout=options.connect_timeout_s,
            idle_heartbeat_interval=options.heartbeat_s,  # pyright: ignore[reportArgumentType] - likewise
            idle_heartbeat_timeout=options.heartbeat_s,  # pyright: ignore[reportArgumentType] - likewise
            # Tables are read from the system's own when they are prepared; nothing else is wanted.
            schema_metadata_enabled=True,
            compression=False,
            # Spoken since Cassandra 4.0; left to itself the driver tries later ones first.
            protocol_version=5,
        )
        self._session: Any = None
        self._local_dc = options.local_dc

    def connect(self) -> None:
        """Connect; it blocks until one node answers. Raises `NoHostAvailable`."""
        self._session = self._cluster.connect()
        self._session.default_fetch_size = None

    def close(self) -> None:
        """Let go of every connection and thread; it blocks. Safe to call twice."""
        self._cluster.shutdown()

    def prepare(self, text: str) -> Prepared:
        """Have a statement compiled; it blocks."""
        return Prepared(self._session.prepare(text), text)

    def run(
        self, text: str, values: Sequence[CqlValue] = (), timeout_s: float = 30.0
    ) -> list[CqlRow]:
        """Run a statement on the schema; it blocks until there is an answer.

        All of them go to one node, the same for every gateway that sees the same nodes: two
        nodes that make one table at the same moment give it two identities.
        """
        for host in self._schema_hosts():
            try:
                found = self._session.execute(
                    text, tuple(values) or None, timeout=timeout_s, host=host
                )
            except NoHostAvailable:
                if host is None:
                    raise
                # It is called up before it can be reached, for a moment after it came back.
                time.sleep(_SCHEMA_REST_S)
            else:
                return cast("list[CqlRow]", list(found))
        raise AssertionError("the last attempt returns or raises")

    def ask_each(self, text: str, timeout_s: float) -> dict[str, list[CqlRow]]:
        """Ask every node of the local data centre that is up, in turn; it blocks.

        Returns:
            The rows of each, by its address.
        """
        return {
            str(host.address): list(self._session.execute(text, timeout=timeout_s, host=host))
            for host in self._near_hosts()
        }

    def _schema_hosts(self) -> list[Any]:
        """Return which node to ask, and which when it cannot be reached; None is any."""
        near = self._near_hosts()
        return [*near[:1] * _SCHEMA_ATTEMPTS, *near[1:], None]

    def _near_hosts(self) -> list[Any]:
        """Return the nodes of the local data centre that are up, by their address."""
        hosts: list[Any] = list(self._cluster.metadata.all_hosts())
        near = [h for h in hosts if h.is_up and h.datacenter == self._local_dc]
        return sorted(near, key=lambda host: str(host.address))

    def agree(self, timeout_s: float) -> bool:
        """Wait until all nodes have the same schema; it blocks. Return whether they do."""
        return bool(self._cluster.control_connection.wait_for_schema_agreement(wait_time=timeout_s))

    def peers(self) -> list[Peer]:
        """Return every node that the driver knows of."""
        hosts: list[Any] = list(self._cluster.metadata.all_hosts())
        return [Peer(str(host.address), str(host.datacenter), bool(host.is_up)) for host in hosts]

    async def execute(self, bound: Bound, level: Native, timeout_s: float) -> list[CqlRow]:
        """Run one statement and return its rows."""
        statement = bound.to_driver()
        statement.consistency_level = int(level)
        return await self._send(statement, timeout_s)

    async def execute_batch(self, batch: Sequence[Bound], level: Native, timeout_s: float) -> None:
        """Apply statements of one partition as one mutation."""
        await self._send(self._batch(batch, level), timeout_s)

    async def execute_conditional(
        self, batch: Sequence[Bound], levels: tuple[Native, Native], timeout_s: float
    ) -> bool:
        """Apply statements of one partition if the condition in one of them holds.

        Args:
            batch: The statements.
            levels: That of the commit, and the serial one.
            timeout_s: How long to wait for an answer.
        """
        statement = self._batch(batch, levels[0])
        statement.serial_consistency_level = int(levels[1])
        rows = await self._send(statement, timeout_s)
        return bool(rows[0][0])

    def _batch(self, batch: Sequence[Bound], level: Native) -> Any:  # noqa: ANN401 - no types
        statement: Any = BatchStatement(BatchType.UNLOGGED, consistency_level=int(level))
        for bound in batch:
            statement.add(bound.to_driver())
        return statement

    async def _send(self, statement: Any, timeout_s: float) -> list[CqlRow]:  # noqa: ANN401
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[list[CqlRow]] = loop.create_future()

        def hand_over(rows: Any, error: Exception | None) -> None:  # noqa: ANN401
            if waiter.done():
                return
            if error is not None:
                waiter.set_exception(error)
            else:
                waiter.set_result(cast("list[CqlRow]", list(rows or ())))

        def answer(rows: Any, error: Exception | None = None) -> None:  # noqa: ANN401
            if not loop.is_closed():
                loop.call_soon_threadsafe(hand_over, rows, error)

        def refuse(error: Exception) -> None:
            answer(None, error)

        sent: Any = self._session.execute_async(statement, timeout=timeout_s)
        sent.add_callbacks(answer, refuse)
        return await waiter
