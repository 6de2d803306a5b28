"""Apache Kafka in KRaft mode on loopback: one broker, or three that can be hurt one by one.

Every broker is a controller too. Clients reach each through a proxy of its own, which is what
the broker advertises; brokers reach one another directly.
"""

from __future__ import annotations

import base64
import contextlib
import subprocess
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.testbed import provision
from tests.testbed.proxy import Proxy
from tests.testbed.server_process import ServerProcess, answers, free_port

ARTIFACT = "org.apache.kafka:kafka_2.13"
VERSION = "3.9.1"
START_S_MAX = 180.0
_HEAP = "-Xmx320m"
_REST_S = 0.05
_SESSION_MS = 3_000
"""How long a broker may be silent before its partitions get other leaders."""


def _is_up(number: int, port: int) -> bool:
    """Return whether a broker knows itself to be one of its cluster's, unfenced."""
    if not answers("127.0.0.1", port):
        return False
    admin = AdminClient({"bootstrap.servers": f"127.0.0.1:{port}", "log_level": 0})
    return number in admin.list_topics(timeout=3.0).brokers


@dataclass
class Broker:
    """One server, and every connection to it or from it that can be hurt."""

    number: int
    process: ServerProcess
    client: Proxy
    """By which clients reach it."""
    internal: Proxy
    """By which the other brokers reach it."""
    controllers: Sequence[Proxy]
    """By which it reaches the other controllers."""

    @property
    def links(self) -> list[Proxy]:
        """All of them."""
        return [self.client, self.internal, *self.controllers]

    def slow(self, seconds: float) -> None:
        """Hold back everything to the server and its answers, for so long each way."""
        for link in self.links:
            link.slow(seconds)

    def mend(self) -> None:
        """Undo every hurt but death."""
        self.process.resume()
        for link in self.links:
            link.mend()


class KafkaCluster:
    """Brokers that form one cluster."""

    def __init__(self, folder: Path, brokers: Sequence[Broker]) -> None:
        self.folder = folder
        self.brokers = list(brokers)

    @property
    def bootstrap(self) -> str:
        """Where clients begin, by way of the proxies."""
        return ",".join(broker.client.address for broker in self.brokers)

    def leader(self, topic: str, partition: int) -> Broker:
        """Return the broker that leads a partition now."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        give_up = time.monotonic() + START_S_MAX
        while time.monotonic() < give_up:
            # Brokers hear of a new topic one after another.
            with contextlib.suppress(KafkaException):
                topics = admin.list_topics(topic, timeout=10.0).topics
                found = topics[topic].partitions.get(partition)
                if found is not None and found.leader > 0:
                    return self.brokers[found.leader - 1]
            time.sleep(_REST_S)
        raise AssertionError(f"partition {partition} of {topic} has no leader")

    def cut(self, victims: Sequence[Broker]) -> None:
        """Take brokers off the network: no one reaches them, and they reach no controller.

        Brokers that lose all others this way are not reached by them either.
        """
        spared = [broker for broker in self.brokers if broker not in victims]
        links = [link for broker in victims for link in broker.links]
        if len(spared) == 1:
            links.append(spared[0].internal)
        for link in links:
            link.cut()

    def mend(self) -> None:
        """Undo every hurt: resume, mend the connections, start what is dead."""
        for broker in self.brokers:
            broker.mend()
        dead = [broker for broker in self.brokers if not broker.process.is_running]
        for broker in dead:
            broker.process.process = None
            broker.process.launch()
        for broker in dead:
            broker.process.wait_ready()


@contextmanager
def kafka_cluster(folder: Path, count: int = 1) -> Iterator[KafkaCluster]:
    """Run a cluster until the context is left."""
    with ExitStack() as stack:
        brokers = _lay_out(folder, count, stack)
        for broker in brokers:
            stack.callback(broker.process.stop)
            broker.process.launch()
        for broker in brokers:
            broker.process.wait_ready()
        # Whatever was paused must hear that it is to end.
        stack.callback(lambda: [broker.process.resume() for broker in brokers])
        yield KafkaCluster(folder, brokers)


def _lay_out(folder: Path, count: int, stack: ExitStack) -> list[Broker]:
    """Write the files of every broker, and open the proxies."""
    java, jars = str(provision.java()), provision.class_path(ARTIFACT, VERSION)
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    ports = [_Ports(free_port(), free_port(), free_port()) for _ in range(count)]
    brokers: list[Broker] = []
    for number, own in enumerate(ports, start=1):
        home = folder / f"broker-{number}"
        home.mkdir(parents=True)
        client, internal = (
            stack.enter_context(Proxy(("127.0.0.1", port))) for port in (own.client, own.internal)
        )
        # Each broker reaches the other controllers by links of its own, so that it can be cut off
        # both ways.
        controllers = {
            other: stack.enter_context(Proxy(("127.0.0.1", port.controller)))
            for other, port in enumerate(ports, start=1)
            if other != number
        }
        voters = ",".join(
            f"{other}@{controllers[other].address}"
            if other != number
            else f"{number}@127.0.0.1:{own.controller}"
            for other in range(1, count + 1)
        )
        properties = home / "server.properties"
        properties.write_text(
            f"listeners=CLIENT://127.0.0.1:{own.client},CONTROLLER://127.0.0.1:{own.controller},"
            f"INTERNAL://127.0.0.1:{own.internal}\n"
            f"advertised.listeners=CLIENT://{client.address},INTERNAL://{internal.address}\n"
            f"node.id={number}\ncontroller.quorum.voters={voters}\nlog.dirs={home / 'data'}\n"
            + _properties(count)
        )
        _format(java, jars, cluster_id, properties)
        process = ServerProcess(
            name=f"kafka-{number}",
            command=[java, _HEAP, *_JVM, "-cp", jars, "kafka.Kafka", str(properties)],
            folder=home,
            is_ready=partial(_is_up, number, own.client),
            start_s_max=START_S_MAX,
        )
        brokers.append(Broker(number, process, client, internal, list(controllers.values())))
    return brokers


@dataclass(frozen=True)
class _Ports:
    """Where one broker listens."""

    client: int
    controller: int
    internal: int


_JVM = ["-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true"]


def _properties(count: int) -> str:
    replicas = min(count, 3)
    return (
        "process.roles=broker,controller\n"
        "controller.listener.names=CONTROLLER\n"
        "inter.broker.listener.name=INTERNAL\n"
        "listener.security.protocol.map="
        "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT\n"
        f"offsets.topic.replication.factor={replicas}\n"
        "offsets.topic.num.partitions=1\n"
        f"default.replication.factor={replicas}\n"
        f"min.insync.replicas={max(1, replicas - 1)}\n"
        "num.network.threads=2\nnum.io.threads=2\n"
        "log.cleaner.dedupe.buffer.size=8388608\n"
        f"broker.session.timeout.ms={_SESSION_MS}\n"
        "broker.heartbeat.interval.ms=500\n"
        "controller.quorum.election.timeout.ms=1000\n"
        "controller.quorum.fetch.timeout.ms=2000\n"
        "replica.lag.time.max.ms=3000\n"
        "controlled.shutdown.enable=false\n"
        "leader.imbalance.check.interval.seconds=5\n"
    )


def _format(java: str, jars: str, cluster_id: str, properties: Path) -> None:
    command = [java, "-Xmx128m", "-cp", jars, "kafka.tools.StorageTool", "format"]
    # In one word with its option, since one in 64 begins with a dash.
    command += [f"--cluster-id={cluster_id}", "-c", str(properties)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
