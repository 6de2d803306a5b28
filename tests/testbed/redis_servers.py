"""Redis servers on loopback: one alone, a primary behind Sentinel, and a Cluster."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.testbed.provision import program
from tests.testbed.server_process import ServerProcess, claim_port, free_port

HOST = "127.0.0.1"
SERVICE = "testbed"
SAFE = {"appendonly": "yes", "appendfsync": "always", "save": '""'}
"""What a server needs for durability `always`."""
_FAILOVER_MS = 1_500
"""How long a primary may be silent before another takes over."""
PATIENT: dict[str, object] = {"replication_timeout_s": 15.0}
"""Options for tests in which no replica is broken, on a machine however slow."""
_CALM_MS = 600_000
_SETTLE_S_MAX = 150.0
"""A sentinel whose own clock stood still does nothing for 30 s after it."""
_CALL_S = 30.0
_PROBE_S = 2.0
_REST_S = 0.1
_SLOTS = 16_384
_BUS_OFFSET = 10_000
_GIVEN_OUT_MIN = 32_768
"""From here on the kernel gives ports to clients."""


def call(port: int, *words: object, timeout_s: float = _CALL_S) -> object:
    """Run one command; return its reply as int, text, list or None, or raise `RuntimeError`."""
    with socket.create_connection((HOST, port), timeout=timeout_s) as connection:
        texts = [str(word).encode() for word in words]
        parts = [b"*%d\r\n" % len(texts), *(b"$%d\r\n%s\r\n" % (len(t), t) for t in texts)]
        connection.sendall(b"".join(parts))
        with connection.makefile("rb") as replies:
            return _reply(replies)


def _reply(replies: object) -> object:
    line = replies.readline()[:-2].decode()  # type: ignore[attr-defined]
    kind, rest = line[:1], line[1:]
    if kind == "-":
        raise RuntimeError(rest)
    if kind == ":":
        return int(rest)
    if kind == "$":
        if rest == "-1":
            return None
        data = replies.read(int(rest) + 2)[:-2]  # type: ignore[attr-defined]
        return data.decode(errors="surrogateescape")
    if kind == "*":
        return None if rest == "-1" else [_reply(replies) for _ in range(int(rest))]
    return rest


def info(port: int, timeout_s: float = _CALL_S) -> dict[str, str]:
    """Return the facts of INFO."""
    said = str(call(port, "INFO", timeout_s=timeout_s))
    pairs = (line.partition(":") for line in said.splitlines())
    return {name: value for name, _, value in pairs}


def port_for_cluster() -> int:
    """Return a free port whose bus port, 10000 above, is free and not given out, too."""
    while True:
        port = free_port()
        bus_port = port + _BUS_OFFSET
        with contextlib.suppress(OSError), socket.socket() as bus:
            bus.bind((HOST, bus_port))
            if bus_port < _GIVEN_OUT_MIN:
                claim_port(bus_port)
                return port


def wait_until(what: str, is_so: object) -> None:
    """Wait until a condition holds; fail when it does not in time."""
    give_up = time.monotonic() + _SETTLE_S_MAX
    while time.monotonic() < give_up:
        with contextlib.suppress(OSError, RuntimeError):
            if is_so():  # type: ignore[operator]
                return
        time.sleep(_REST_S)
    raise AssertionError(f"not in time: {what}")


@dataclass
class RedisServer:
    """One server, or one sentinel."""

    folder: Path
    port: int
    config: Mapping[str, str] = field(default_factory=lambda: dict(SAFE))
    is_sentinel: bool = False
    process: ServerProcess | None = None

    def start(self) -> RedisServer:
        """Start the server, with what it had before, and wait until it answers."""
        self.launch().wait_ready()
        return self

    def launch(self) -> ServerProcess:
        """Start the server and wait for nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "redis.conf"
        if not file.exists() or not self.is_sentinel:
            # A sentinel keeps what it has learnt in its configuration.
            lines = [f"port {self.port}", f"bind {HOST}", f"dir {self.folder}"]
            lines += ["daemonize no", *(f"{name} {value}" for name, value in self.config.items())]
            file.write_text("\n".join(lines) + "\n")
        name = "redis-sentinel" if self.is_sentinel else "redis-server"
        command = [str(program(name, name)), str(file)]
        if self.is_sentinel:
            command.append("--sentinel")
        if self.process is None:
            self.process = ServerProcess(
                f"{name}-{self.port}", command, self.folder, self._is_ready
            )
        self.process.launch()
        return self.process

    def _is_ready(self) -> bool:
        return call(self.port, "PING", timeout_s=_PROBE_S) == "PONG" and (
            self.is_sentinel or info(self.port, _PROBE_S)["loading"] == "0"
        )

    @property
    def running(self) -> ServerProcess:
        """The process, to be hurt."""
        assert self.process is not None
        return self.process

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{HOST}:{self.port}"

    def stop(self) -> None:
        """End the server, whatever state it is in; its data is not needed any more."""
        if self.process is not None:
            self.process.kill()


@dataclass
class Standalone:
    """One server."""

    folder: Path
    config: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.server = RedisServer(self.folder, free_port(), {**SAFE, **self.config})

    def start(self) -> Standalone:
        """Start it."""
        self.server.start()
        return self

    @property
    def options(self) -> dict[str, object]:
        """The options of a storage target."""
        return {"nodes": [self.server.address]}

    def stop(self) -> None:
        """End it."""
        self.server.stop()


@dataclass
class SentinelSet:
    """One primary, two replicas, three sentinels."""

    folder: Path
    replicas: int = 2
    sentinels: int = 3

    def __post_init__(self) -> None:
        ports = [free_port() for _ in range(1 + self.replicas)]
        self.servers = [self._server(port, ports[0]) for port in ports]
        self.watchers = [self._watcher(free_port(), ports[0]) for _ in range(self.sentinels)]

    def _server(self, port: int, primary: int) -> RedisServer:
        config = {**SAFE, "repl-diskless-sync-delay": "0"}
        if port != primary:
            config["replicaof"] = f"{HOST} {primary}"
        return RedisServer(self.folder / str(port), port, config)

    def _watcher(self, port: int, primary: int) -> RedisServer:
        quorum = self.sentinels // 2 + 1
        config = {
            "sentinel monitor": f"{SERVICE} {HOST} {primary} {quorum}",
            "sentinel down-after-milliseconds": f"{SERVICE} {_FAILOVER_MS}",
            "sentinel failover-timeout": f"{SERVICE} 6000",
            "sentinel parallel-syncs": f"{SERVICE} 2",
        }
        return RedisServer(self.folder / f"s{port}", port, config, is_sentinel=True)

    def start(self) -> SentinelSet:
        """Start all and wait until they know one another."""
        for server in [*self.servers, *self.watchers]:
            server.launch()
        for server in [*self.servers, *self.watchers]:
            server.running.wait_ready()
        self.wait_whole()
        return self

    def wait_whole(self) -> None:
        """Wait until one primary has all replicas, and every sentinel knows all of them."""
        wait_until("a primary with all its replicas", self._is_whole)

    def _is_whole(self) -> bool:
        facts = info(self.primary().port, _PROBE_S)
        states = [facts.get(f"slave{i}", "") for i in range(self.replicas)]
        return (
            facts["role"] == "master"
            and all("state=online" in state for state in states)
            and all(self._knows_all(watcher) for watcher in self.watchers)
        )

    def _knows_all(self, watcher: RedisServer) -> bool:
        found = call(watcher.port, "SENTINEL", "MASTER", SERVICE, timeout_s=_PROBE_S)
        assert isinstance(found, list)
        facts = dict(zip(found[::2], found[1::2], strict=True))
        return (
            facts["num-slaves"] == str(self.replicas)
            and facts["num-other-sentinels"] == str(self.sentinels - 1)
            and facts["flags"] == "master"
        )

    def primary(self) -> RedisServer:
        """Return the server that the sentinels name now."""
        for watcher in self.watchers:
            with contextlib.suppress(OSError):
                asked = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
                found = call(watcher.port, *asked, timeout_s=_PROBE_S)
                assert isinstance(found, list)
                return next(s for s in self.servers if s.port == int(found[1]))
        raise OSError("no sentinel answers")

    def fail_over_after(self, silent_ms: int) -> None:
        """Set how long the primary may be silent before another takes over."""
        for watcher in self.watchers:
            words = ("SENTINEL", "SET", SERVICE, "down-after-milliseconds", silent_ms)
            call(watcher.port, *words)

    @property
    def options(self) -> dict[str, object]:
        """The options of a storage target, with QUORUM on all replicas."""
        return {
            "mode": "sentinel",
            "service": SERVICE,
            "nodes": [watcher.address for watcher in self.watchers],
            "quorum_replicas": self.replicas,
        }

    def stop(self) -> None:
        """End all."""
        for server in [*self.watchers, *self.servers]:
            server.stop()


@dataclass
class ClusterSet:
    """Primaries that share the hash slots, each with replicas."""

    folder: Path
    primaries: int = 3
    replicas_each: int = 1

    def __post_init__(self) -> None:
        count = self.primaries * (1 + self.replicas_each)
        ports: list[int] = []
        while len(ports) < count:
            port = port_for_cluster()
            if port not in ports and port - _BUS_OFFSET not in ports:
                ports.append(port)
        config = {
            **SAFE,
            "cluster-enabled": "yes",
            "cluster-node-timeout": str(_FAILOVER_MS),
            "cluster-replica-validity-factor": "0",
            "repl-diskless-sync-delay": "0",
        }
        self.servers = [RedisServer(self.folder / str(port), port, config) for port in ports]

    def start(self) -> ClusterSet:
        """Start all, share the slots out, and wait until the cluster is whole."""
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.running.wait_ready()
        first, *others = self.servers
        for i, server in enumerate(self.servers):
            call(server.port, "CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for server in others:
            call(first.port, "CLUSTER", "MEET", HOST, server.port)
        wait_until("that all nodes have met", lambda: all(map(self._has_met_all, self.servers)))
        self._share_slots(self.servers[: self.primaries])
        for i, server in enumerate(self.servers[self.primaries :]):
            primary = self.servers[i % self.primaries]
            node_id = call(primary.port, "CLUSTER", "MYID")
            call(server.port, "CLUSTER", "REPLICATE", node_id)
        self.wait_whole()
        return self

    def _share_slots(self, primaries: Sequence[RedisServer]) -> None:
        for i, server in enumerate(primaries):
            first = i * _SLOTS // len(primaries)
            last = (i + 1) * _SLOTS // len(primaries) - 1
            call(server.port, "CLUSTER", "ADDSLOTSRANGE", first, last)

    def _has_met_all(self, server: RedisServer) -> bool:
        lines = str(call(server.port, "CLUSTER", "NODES")).splitlines()
        return len(lines) == len(self.servers) and not any("handshake" in line for line in lines)

    def wait_whole(self) -> None:
        """Wait until every node sees every slot served, and every primary has its replicas."""
        wait_until("a whole cluster", lambda: all(map(self._is_whole, self.servers)))

    def _is_whole(self, server: RedisServer) -> bool:
        facts = info(server.port, _PROBE_S)
        is_master = facts["role"] == "master"
        state = str(call(server.port, "CLUSTER", "INFO", timeout_s=_PROBE_S))
        nodes = str(call(server.port, "CLUSTER", "NODES", timeout_s=_PROBE_S))
        is_linked = (
            facts["connected_slaves"] == str(self.replicas_each)
            and "state=online" in facts["slave0"]
            if is_master
            else facts["master_link_status"] == "up"
        )
        return (
            is_linked and "cluster_state:ok" in state and "fail" not in nodes.replace("nofail", "")
        )

    def primary_servers(self) -> list[RedisServer]:
        """Return the servers that are primaries now."""
        return [
            s for s in self.servers if s.running.is_running and info(s.port)["role"] == "master"
        ]

    def fail_over_after(self, silent_ms: int) -> None:
        """Set how long a primary may be silent before another takes over."""
        for server in self.servers:
            call(server.port, "CONFIG", "SET", "cluster-node-timeout", silent_ms)

    @property
    def options(self) -> dict[str, object]:
        """The options of a storage target, with QUORUM on all replicas."""
        return {
            "mode": "cluster",
            "nodes": [server.address for server in self.servers],
            "quorum_replicas": self.replicas_each,
        }

    def stop(self) -> None:
        """End all."""
        for server in self.servers:
            server.stop()


@contextlib.contextmanager
def calm(servers: SentinelSet | ClusterSet) -> Generator[None]:
    """Let no server take over meanwhile because another is busy, once all of them are well."""
    servers.wait_whole()
    servers.fail_over_after(_CALM_MS)
    try:
        yield
    finally:
        servers.fail_over_after(_FAILOVER_MS)
