"""The server as its operators meet it: real processes, real sockets, bad input and kills."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from taulu.v1 import data_pb2
from taulu_client import Client, ClientOptions, RetryOptions, errors
from taulu_client.sync import SyncClient
from tests.testbed.gateway_process import GatewayProcess

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples" / "tables"
IMPATIENT = ClientOptions(retry=RetryOptions(attempts_max=1))
PATIENT = ClientOptions(retry=RetryOptions(attempts_max=200, budget=2_000))


@pytest.fixture
def gateway(tmp_path: Path):
    running = GatewayProcess(tmp_path / "gateway", [EXAMPLES])
    running.start()
    yield running
    running.close()


@pytest.fixture
def pair(tmp_path: Path):
    running = GatewayProcess(tmp_path / "gateway", [EXAMPLES], workers=2)
    running.start()
    yield running
    running.close()


def refused(gateway: GatewayProcess) -> tuple[int, str]:
    """Start a gateway that must not start; return its exit code and what it said."""
    process = gateway.launch()
    out, _ = process.communicate(timeout=60)
    assert out == ""
    return process.returncode, gateway.errors()


async def test_workers_share_a_port_and_see_each_others_writes(pair: GatewayProcess) -> None:
    async def use(number: int) -> None:
        # Each client has a connection of its own, and the kernel gives it a worker.
        async with Client(pair.address, timeout_s=60) as client:
            await client.table("demo.users").put({"user_id": f"{number}", "age": number})
            await client.counter("demo.credits").increment("all", 1)

    await asyncio.gather(*(use(number) for number in range(24)))
    async with Client(pair.address, timeout_s=60) as client:
        found = await client.table("demo.users").batch_get([f"{n}" for n in range(24)])
        assert [item.row["age"] for item in found if item] == list(range(24))
        assert (await client.counter("demo.credits").get("all")).value == 24


async def test_a_killed_worker_is_replaced_and_nothing_is_lost(pair: GatewayProcess) -> None:
    workers = pair.worker_pids()
    assert len(workers) == 2
    async with Client(pair.address, timeout_s=150, options=PATIENT) as client:
        counter = client.counter("demo.credits")
        for number in range(60):
            if number in (20, 40):
                os.kill(workers[number // 40], signal.SIGKILL)
            await counter.increment("a", 1)
        assert (await counter.get("a")).value == 60
    assert pair.stop() == 0
    assert "starting another" in pair.errors()


async def test_sigterm_lets_calls_finish_and_tells_streams_where_to_go_on(
    gateway: GatewayProcess,
) -> None:
    async with Client(
        gateway.address, options=ClientOptions(retry=RetryOptions(attempts_max=1))
    ) as client:
        await client.log("demo.events").append("ada", {"what": "login"})
        done = asyncio.Event()

        async def follow() -> type[Exception] | None:
            try:
                async for _ in client.log("demo.events").read(0, latest=True, follow=True):
                    pass
            except errors.Unavailable as error:
                return type(error)
            finally:
                done.set()
            return None

        following = asyncio.create_task(follow())
        await asyncio.sleep(0.3)
        writes = [
            asyncio.create_task(client.table("demo.users").put({"user_id": f"{n}"}))
            for n in range(50)
        ]
        await asyncio.sleep(0)
        code = await asyncio.to_thread(gateway.stop)
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        assert await following is errors.Unavailable
    assert code == 0
    written = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, Exception)]
    gateway.start()
    async with Client(gateway.address, timeout_s=60) as client:
        found = await client.table("demo.users").batch_get([f"{n}" for n in written])
        assert all(found)


async def test_a_client_lives_through_a_kill_of_everything(gateway: GatewayProcess) -> None:
    async with Client(gateway.address, timeout_s=150, options=PATIENT) as client:
        counter = client.counter("demo.credits")

        async def add() -> None:
            for _ in range(30):
                await counter.increment("a", 1)

        tasks = [asyncio.create_task(add()) for _ in range(4)]
        await asyncio.sleep(0.1)
        gateway.kill()
        await asyncio.to_thread(gateway.start)
        await asyncio.gather(*tasks)
        assert (await counter.get("a")).value == 120


def test_a_second_server_on_the_same_file_is_refused(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    path = gateway.folder / "taulu-data" / "taulu.db"
    assert path.exists()
    second = GatewayProcess(
        tmp_path / "second",
        [EXAMPLES],
        settings=f"storage: {{embedded: {{adapter: embedded, path: '{path}'}}}}",
    )
    code, said = refused(second)
    assert code == 2
    assert "is in use by another server" in said
    assert "Traceback" not in said
    with SyncClient(gateway.address, timeout_s=60) as client:
        client.table("demo.users").put({"user_id": "still"})


def test_a_second_server_on_the_same_port_is_refused(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    second = GatewayProcess(tmp_path / "second", [EXAMPLES], port=gateway.port)
    code, said = refused(second)
    assert code == 2
    assert f"cannot listen on 127.0.0.1:{gateway.port}" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("settings", "table", "words"),
    [
        ("worker: 2", "", "unknown key 'worker'; did you mean 'workers'?"),
        ("storage: {embedded: {adapter: embeded}}", "", "did you mean 'embedded'?"),
        ("storage: {embedded: {adapter: embedded, pth: x}}", "", "did you mean 'path'?"),
        ("", "storage: {adapter: cassandra}", "names storage 'cassandra', which the settings"),
        ("", "consistency: {write: SESSION}", "it cannot write at SESSION"),
        ("", "ttl: soon", "'soon' is no duration"),
    ],
)
def test_what_is_wrong_at_start_is_said_in_one_line(
    settings: str, table: str, words: str, tmp_path: Path
) -> None:
    tables = EXAMPLES
    if table:
        tables = tmp_path / "tables"
        tables.mkdir()
        text = (EXAMPLES / "users.yaml").read_text()
        (tables / "users.yaml").write_text(f"{text}  {table}\n")
    code, said = refused(GatewayProcess(tmp_path / "gateway", [tables], settings=settings))
    assert code == 2
    assert words in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1


def test_workers_that_would_each_have_tables_of_their_own_are_refused(tmp_path: Path) -> None:
    settings = "storage: {embedded: {adapter: memory}}"
    two = GatewayProcess(tmp_path / "gateway", [EXAMPLES], workers=2, settings=settings)
    code, said = refused(two)
    assert code == 2
    assert "each of the 2 workers would have its own; set `workers: 1`" in said
    assert len(said.splitlines()) == 1


def test_a_schema_that_no_longer_fits_the_store_is_refused(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    with SyncClient(gateway.address, timeout_s=60) as client:
        client.table("demo.users").put({"user_id": "a", "age": 1})
    gateway.stop()
    changed = tmp_path / "changed"
    shutil.copytree(EXAMPLES, changed)
    users = changed / "users.yaml"
    users.write_text(users.read_text().replace("age: int64", "age: string"))
    gateway.tables = [changed]
    code, said = refused(gateway)
    assert code != 0
    assert "column age is int64 in the file and string in the description" in said
    gateway.tables = [EXAMPLES]
    gateway.start()


def test_garbage_on_the_port_hurts_no_one(gateway: GatewayProcess) -> None:
    host, port = gateway.address.split(":")
    for garbage in (
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x00" * 5_000,
        bytes(range(256)) * 200,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 3_000,
    ):
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            connection.settimeout(0.5)
            try:
                connection.sendall(garbage)
                connection.recv(4_096)
            except OSError:
                continue
    with SyncClient(gateway.address, timeout_s=60) as client:
        client.table("demo.users").put({"user_id": "fine"})
        assert client.table("demo.users").get("fine") is not None


def call(channel: grpc.Channel, path: str, data: bytes) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as failed:
        channel.unary_unary(path)(data, timeout=10)
    return failed.value


def test_bytes_that_are_no_request_are_refused_with_a_typed_error(gateway: GatewayProcess) -> None:
    with grpc.insecure_channel(gateway.address) as channel:
        bad = call(channel, "/taulu.v1.DataService/Get", b"\xff\xff\xff")
        assert bad.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "are no taulu.v1.GetRequest" in bad.details()
        assert any(key == "grpc-status-details-bin" for key, _ in bad.trailing_metadata())
        unknown = call(channel, "/taulu.v1.DataService/Nothing", b"")
        assert unknown.code() is grpc.StatusCode.UNIMPLEMENTED
        empty = call(channel, "/taulu.v1.DataService/Get", b"")
        assert empty.code() is grpc.StatusCode.INVALID_ARGUMENT
        huge = data_pb2.GetRequest(table="x" * 5_000_000).SerializeToString()
        assert call(channel, "/taulu.v1.DataService/Get", huge).code() in (
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            grpc.StatusCode.INVALID_ARGUMENT,
        )
        no_token = data_pb2.WriteRequest(table="demo.users").SerializeToString()
        refusal = call(channel, "/taulu.v1.DataService/Write", no_token)
        assert "has no idempotency token" in refusal.details()


async def test_bad_values_get_typed_errors_and_nothing_is_written(gateway: GatewayProcess) -> None:
    async with Client(gateway.address, timeout_s=60) as client:
        users, orders = client.table("demo.users"), client.table("demo.orders")
        with pytest.raises(errors.InvalidArgument, match="age"):
            await users.put({"user_id": "a", "age": "old"})
        with pytest.raises(errors.LimitExceeded):
            await users.put({"user_id": "k" * 5_000})
        with pytest.raises(errors.LimitExceeded):
            await users.put({"user_id": "a", "name": "x" * 100_000})
        with pytest.raises(errors.InvalidPageToken):
            await orders.query_page("a", page_token="nonsense")
        with pytest.raises(errors.UnknownTable):
            await client.table("demo.none").get("a")
        with pytest.raises(errors.InvalidArgument):
            await users.query_page("a")
        assert [item async for item in users.scan()] == []


def test_a_full_store_refuses_writes_loses_nothing_and_still_reads(tmp_path: Path) -> None:
    store = "{adapter: embedded, path: taulu.db, file_bytes_max: 1000000}"
    gateway = GatewayProcess(tmp_path, [EXAMPLES], settings=f"storage: {{embedded: {store}}}")
    gateway.start()
    try:
        with SyncClient(gateway.address, timeout_s=60) as client:
            users = client.table("demo.users")
            written: list[str] = []

            def fill() -> None:
                for number in range(2_000):
                    users.put({"user_id": f"{number}", "name": "x" * 2_000})
                    written.append(f"{number}")

            with pytest.raises(errors.StorageFull, match="is full"):
                fill()
            assert all(users.batch_get(written))
        gateway.kill()
        gateway.start()
        with SyncClient(gateway.address, timeout_s=60) as client:
            assert all(client.table("demo.users").batch_get(written))
    finally:
        gateway.close()


def test_health_and_reflection_are_on(gateway: GatewayProcess) -> None:
    with grpc.insecure_channel(gateway.address) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        )
        for service in ("", "taulu.v1.DataService", "taulu.v1.LogService"):
            reply = check(health_pb2.HealthCheckRequest(service=service), timeout=5)
            assert reply.status == health_pb2.HealthCheckResponse.SERVING
        info = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            reflection_pb2.ServerReflectionRequest.SerializeToString,
            reflection_pb2.ServerReflectionResponse.FromString,
        )
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        (reply,) = list(info(asked, timeout=5))
        for symbol, is_known in (
            ("taulu.v1.DataService", True),
            ("taulu.v1.DataService.Get", True),
            ("taulu.v1.Value", True),
            ("taulu.v1.DataService.Nothing", False),
            ("nothing", False),
        ):
            question = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
            (found,) = list(info(iter([question]), timeout=5))
            assert found.HasField("file_descriptor_response") is is_known, symbol
        names = {service.name for service in reply.list_services_response.service}
        assert {
            "taulu.v1.DataService",
            "taulu.v1.CounterService",
            "taulu.v1.LogService",
            "taulu.v1.CatalogService",
            "grpc.health.v1.Health",
        } <= names


def test_grpcurl_needs_no_files(gateway: GatewayProcess) -> None:
    grpcurl = shutil.which("grpcurl")
    if grpcurl is None:
        pytest.skip("GRPCURL IS NOT INSTALLED: only grpcio's own client has tried reflection here")

    def run(method: str, request: dict) -> dict:
        done = subprocess.run(
            [grpcurl, "-plaintext", "-d", json.dumps(request), gateway.address, method],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return json.loads(done.stdout)

    key = {"partition": [{"stringValue": "ada"}]}
    put = {"put": {"key": key, "columns": {"age": {"int64Value": 36}}}}
    token = {"createTimeUs": time.time_ns() // 1_000, "nonce": "grpcurl-0001"}
    run("taulu.v1.DataService/Write", {"table": "demo.users", "mutations": [put], "token": token})
    got = run("taulu.v1.DataService/Get", {"table": "demo.users", "key": key})
    # Python's descriptors carry no JSON names, so grpcurl prints those of the proto.
    assert got["row"]["columns"]["age"] == {"int64_value": "36"}
    assert got["facts"]["session_token"].startswith("v1:")


def test_help_needs_no_gateway() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "taulu.cli.main", "serve", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Run the gateway" in done.stdout
