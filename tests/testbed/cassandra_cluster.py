"""A Cassandra cluster of plain processes, each node on a loopback address of its own.

`cassandra-all` from Maven Central holds the server without any configuration; what stands here
is the least that a node needs. Nodes of one cluster share their ports, as Cassandra wants it.
Every node has a proxy on an address of its own, so that a client's way to it can be slowed or
cut; clients find the proxies through `address_map`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.testbed.provision import class_path, java
from tests.testbed.proxy import Proxy
from tests.testbed.server_process import ServerProcess, answers, free_port

ARTIFACT = "org.apache.cassandra:cassandra-all"
VERSION = "5.0.5"
START_S_MAX = 180.0
REPAIR_S_MAX = 120.0
_REPAIR_REST_S = 1.0
_HEAP_MB = {1: 512}
"""By number of nodes; more of them have to share the machine."""
_HEAP_MB_OF_MANY = 320

# What Cassandra's own jvm17-server.options opens of the runtime.
_EXPORTS = (
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.sql/java.sql",
    "java.rmi/sun.rmi.transport.tcp",
)
_OPENS = (
    "java.base/java.lang.module",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.util.jar",
    "jdk.management/com.sun.management.internal",
    "java.base/sun.nio.ch",
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.reflect",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/java.nio",
    "java.rmi/sun.rmi.transport.tcp",
)
OPENINGS = (
    *(f"--add-exports={name}=ALL-UNNAMED" for name in _EXPORTS),
    *(f"--add-opens={name}=ALL-UNNAMED" for name in _OPENS),
)
"""What a Java runtime must be told before it runs Cassandra."""

SYNCED_FIRST = "commitlog_sync: batch"
"""A node has a write on its disk before it acknowledges it, and keeps it when it is killed."""
SYNCED_LATER = "commitlog_sync: periodic\ncommitlog_sync_period: 10000ms"
"""As Cassandra is shipped: a node that is killed loses what it acknowledged in its last 100 ms."""

_YAML = """\
cluster_name: taulu-testbed
num_tokens: 8
allocate_tokens_for_local_replication_factor: 3
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
data_file_directories: ["{folder}/data"]
commitlog_directory: "{folder}/commitlog"
saved_caches_directory: "{folder}/saved_caches"
hints_directory: "{folder}/hints"
cdc_raw_directory: "{folder}/cdc_raw"
{commit_log}
commitlog_segment_size: 8MiB
commitlog_total_space: 128MiB
disk_failure_policy: die
listen_address: {address}
rpc_address: {address}
storage_port: {storage_port}
native_transport_port: {native_port}
endpoint_snitch: GossipingPropertyFileSnitch
seed_provider:
  - class_name: org.apache.cassandra.locator.SimpleSeedProvider
    parameters: [{{seeds: "{seeds}"}}]
authenticator: AllowAllAuthenticator
authorizer: AllowAllAuthorizer
memtable_heap_space: 64MiB
memtable_offheap_space: 64MiB
key_cache_size: 4MiB
file_cache_size: 16MiB
networking_cache_size: 16MiB
concurrent_reads: 8
concurrent_writes: 8
paxos_variant: {paxos}
hinted_handoff_enabled: true
auto_snapshot: false
dynamic_snitch: true
"""

_LOGBACK = """\
<configuration>
  <appender name="OUT" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%-5level [%thread] %date %logger{0} %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="OUT" /></root>
</configuration>
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """What all nodes of a cluster share."""

    native: int
    storage: int


@dataclass
class CassandraNode:
    """One node, and the proxy before it."""

    address: str
    datacenter: str
    process: ServerProcess
    proxy: Proxy
    jmx_port: int


@dataclass
class CassandraCluster:
    """Nodes by data centre; made by `cassandra_cluster`."""

    folder: Path
    ports: Ports
    commit_log: str = SYNCED_FIRST
    paxos: str = "v2"
    nodes: list[CassandraNode] = field(default_factory=list)

    @property
    def contact_points(self) -> list[str]:
        """The nodes' own addresses."""
        return [node.address for node in self.nodes]

    @property
    def address_map(self) -> dict[str, str]:
        """The proxy's address by the node's."""
        return {node.address: node.proxy.host for node in self.nodes}

    def options(self, *, datacenter: str = "dc1", proxied: bool = False) -> dict[str, object]:
        """Return the options of a storage target on this cluster."""
        near = [node for node in self.nodes if node.datacenter == datacenter]
        counts: dict[str, int] = {}
        for node in self.nodes:
            counts[node.datacenter] = counts.get(node.datacenter, 0) + 1
        return {
            "contact_points": [n.proxy.host if proxied else n.address for n in near],
            "port": self.ports.native,
            "local_dc": datacenter,
            "replication": {name: min(count, 3) for name, count in counts.items()},
            "address_map": self.address_map if proxied else {},
        }

    def start(self) -> None:
        """Start every node, one after another, and wait until each serves."""
        for node in self.nodes:
            try:
                node.process.start()
            except AssertionError:
                # On a busy machine a node that joins may not hear of the others in time.
                node.process.kill()
                shutil.rmtree(node.process.folder / "data", ignore_errors=True)
                shutil.rmtree(node.process.folder / "commitlog", ignore_errors=True)
                node.process.start()

    def repair(self, keyspace: str) -> None:
        """Bring the copies of a keyspace together, as operators do after nodes were lost."""
        node = self.nodes[0]
        folder = node.process.folder
        command = [
            *_java(folder, 96),
            "org.apache.cassandra.tools.NodeTool",
            *("-h", "127.0.0.1", "-p", str(node.jmx_port), "repair", "-full", keyspace),
        ]
        give_up = time.monotonic() + REPAIR_S_MAX
        while True:
            done = subprocess.run(
                command, check=False, capture_output=True, text=True, timeout=REPAIR_S_MAX
            )
            if done.returncode == 0:
                return
            # A node that has just come back may not be seen as up by this one yet.
            assert time.monotonic() < give_up, done.stdout + done.stderr
            time.sleep(_REPAIR_REST_S)

    def stop(self) -> None:
        """End every node by its pid."""
        for node in self.nodes:
            node.process.kill()


@contextlib.contextmanager
def cassandra_cluster(
    folder: Path,
    datacenters: Sequence[str] = ("dc1",),
    *,
    subnet: int = 1,
    commit_log: str = SYNCED_FIRST,
    paxos: str = "v2",
) -> Generator[CassandraCluster]:
    """Run a cluster with one node per named data centre, in order; names may repeat.

    Args:
        folder: Where the nodes keep their files; removed at the end.
        datacenters: The data centre of each node.
        subnet: Nodes stand on 127.0.SUBNET.1 and up, so that two clusters can run at once.
        commit_log: `SYNCED_FIRST` or `SYNCED_LATER`.
        paxos: The variant of Paxos; Cassandra is shipped with `v1`.
    """
    first = f"127.0.{subnet}.1"
    ports = Ports(free_port(first), free_port(first))
    cluster = CassandraCluster(folder, ports, commit_log, paxos)
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stack.callback(cluster.stop)
        for number, datacenter in enumerate(datacenters, start=1):
            address = f"127.0.{subnet}.{number}"
            jmx_port = free_port()
            process = _node(cluster, address, (datacenter, jmx_port), len(datacenters))
            listen = (f"127.0.{subnet}.{number + 100}", cluster.ports.native)
            proxy = stack.enter_context(Proxy((address, cluster.ports.native), listen))
            cluster.nodes.append(CassandraNode(address, datacenter, process, proxy, jmx_port))
        cluster.start()
        yield cluster


def _node(
    cluster: CassandraCluster, address: str, what: tuple[str, int], node_count: int
) -> ServerProcess:
    datacenter, jmx_port = what
    folder = cluster.folder / address
    config = folder / "conf"
    config.mkdir(parents=True)
    seed = cluster.contact_points[0] if cluster.nodes else address
    values = {
        "folder": folder,
        "commit_log": cluster.commit_log,
        "paxos": cluster.paxos,
        "address": address,
        "storage_port": cluster.ports.storage,
        "native_port": cluster.ports.native,
        "seeds": seed,
    }
    (config / "cassandra.yaml").write_text(_YAML.format(**values))
    (config / "cassandra-rackdc.properties").write_text(f"dc={datacenter}\nrack=r1\n")
    (config / "logback.xml").write_text(_LOGBACK)
    return ServerProcess(
        name=f"cassandra-{address}",
        command=[
            *_java(folder, _HEAP_MB.get(node_count, _HEAP_MB_OF_MANY), jmx_port),
            "org.apache.cassandra.service.CassandraDaemon",
        ],
        folder=folder,
        is_ready=lambda: answers(address, cluster.ports.native),
        start_s_max=START_S_MAX,
        environment={"MALLOC_ARENA_MAX": "4", **os.environ},
    )


def _java(folder: Path, heap_mb: int, jmx_port: int | None = None) -> list[str]:
    """Return the command of Cassandra's runtime, to which a main class is to be added."""
    properties = {
        "cassandra.config": f"file://{folder}/conf/cassandra.yaml",
        "cassandra.storagedir": str(folder),
        "cassandra.logdir": str(folder / "logs"),
        "cassandra.ring_delay_ms": "4000",
        "cassandra.skip_wait_for_gossip_to_settle": "0",
        "logback.configurationFile": f"file://{folder}/conf/logback.xml",
        "jdk.attach.allowAttachSelf": "true",
        "java.net.preferIPv4Stack": "true",
    }
    if jmx_port is not None:
        properties["cassandra.jmx.local.port"] = str(jmx_port)
    return [
        str(java()),
        *(f"-Xm{end}{heap_mb}m" for end in "sx"),
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        *OPENINGS,
        *(f"-D{name}={value}" for name, value in properties.items()),
        "-cp",
        f"{folder}/conf:{class_path(ARTIFACT, VERSION)}",
    ]
