"""Every backend that the refund system's tables belong on, as real servers on loopback.

Three nodes of Cassandra, three brokers of Kafka, one Redis and one PostgreSQL, with the durability
of production. What is killed meanwhile is started again, as a service manager would.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.testbed.cassandra_cluster import CassandraCluster, cassandra_cluster
from tests.testbed.kafka_cluster import KafkaCluster, kafka_cluster
from tests.testbed.postgres_server import PostgresServer, postgres_server
from tests.testbed.redis_servers import Standalone
from tests.testbed.server_process import ServerProcess

NODES = 3
REST_S = 10.0
"""How long a server stays down before it is started again."""
_SUBNET = 9

CASSANDRA, REDIS, POSTGRES, KAFKA = "cassandra", "redis", "postgres", "kafka"
TABLES = {
    "features.history": CASSANDRA,
    "features.online": REDIS,
    "refunds.decision_by_claim": CASSANDRA,
    "refunds.budgets": POSTGRES,
    "refunds.decisions": CASSANDRA,
    "refunds.policies": CASSANDRA,
    "refunds.models": CASSANDRA,
    "audit.events": KAFKA,
}
"""Which table lives where."""


@dataclass(slots=True)
class Restarts:
    """Starts servers again that ended, each after a rest."""

    servers: list[ServerProcess]
    rest_s: float = REST_S
    done: dict[str, ServerProcess] = field(default_factory=dict[str, ServerProcess])
    """The servers that ended and were started again, by name."""
    _down_since: dict[str, float] = field(default_factory=dict[str, float])

    def look(self) -> None:
        """Notice what has ended; start what has been down for long enough."""
        for server in self.servers:
            if server.is_running:
                continue
            since = self._down_since.setdefault(server.name, time.monotonic())
            if time.monotonic() - since >= self.rest_s:
                del self._down_since[server.name]
                server.process = None
                server.launch()
                self.done[server.name] = server

    def wait_ready(self) -> None:
        """Wait until every server that ended serves again."""
        self.rest_s = 0.0
        self.look()
        for server in self.done.values():
            server.wait_ready()


@dataclass(frozen=True, slots=True)
class DemoBackends:
    """The servers, all of them up."""

    cassandra: CassandraCluster
    kafka: KafkaCluster
    redis: Standalone
    postgres: PostgresServer

    def placement(self) -> dict[str, object]:
        """Return what `taulu-refunds demo --placement` reads."""
        return {
            "storage": {
                CASSANDRA: {"adapter": "cassandra", **self.cassandra.options()},
                REDIS: {"adapter": "redis", **self.redis.options},
                POSTGRES: {"adapter": "postgres", **self.postgres.options()},
                KAFKA: {"adapter": "kafka", "servers": self.kafka.bootstrap},
            },
            "tables": dict(TABLES),
            "options": {"audit.events": {"replication": NODES, "min_insync": NODES - 1}},
        }

    def trouble(self) -> str:
        """Return the command that kills a node of Cassandra and a broker of Kafka."""
        victims = (self.cassandra.nodes[0].process, self.kafka.brokers[0].process)
        pids = " ".join(str(v.process.pid) for v in victims if v.process is not None)
        return f"sh -c 'kill -9 {pids}'"

    def restarts(self) -> Restarts:
        """Return what keeps the nodes and brokers up."""
        nodes = [node.process for node in self.cassandra.nodes]
        return Restarts(nodes + [broker.process for broker in self.kafka.brokers])


@contextmanager
def demo_backends(folder: Path, say: Callable[[str], None]) -> Iterator[DemoBackends]:
    """Run all of them until the context is left.

    Args:
        folder: Where they keep their files.
        say: Is told of each that is up.
    """
    with ExitStack() as stack:
        up = _Up(say)
        redis = Standalone(folder / REDIS)
        stack.callback(redis.stop)
        redis.start()
        up(f"Redis, one server, every write on disk, on {redis.server.address}")
        postgres = stack.enter_context(postgres_server())
        up(f"PostgreSQL, one server, on 127.0.0.1:{postgres.port}")
        kafka = stack.enter_context(kafka_cluster(folder / KAFKA, NODES))
        up(f"Kafka, {NODES} brokers, on {kafka.bootstrap}")
        cassandra = stack.enter_context(
            cassandra_cluster(folder / CASSANDRA, ("dc1",) * NODES, subnet=_SUBNET)
        )
        points = ", ".join(cassandra.contact_points)
        up(f"Cassandra, {NODES} nodes, on port {cassandra.ports.native} of {points}")
        yield DemoBackends(cassandra, kafka, redis, postgres)
        say("Stopping every server")


class _Up:
    """Says what is up, and how long it took."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._began = time.monotonic()

    def __call__(self, what: str) -> None:
        now = time.monotonic()
        self._say(f"  {now - self._began:5.1f} s  {what}")
        self._began = now
