"""deploy/compose: the gateway before all four stores, brought up, used, taken down and up again."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from taulu_client.sync import SyncClient
from tests.testbed import images
from tests.testbed.compose import Project, project
from tests.testbed.docker_engine import Engine
from tests.testbed.gateway_image import provide_gateway
from tests.testbed.server_process import free_port

# The first test may have to wait for the engine, and for the images.
pytestmark = [pytest.mark.xdist_group("docker"), pytest.mark.timeout(2_400)]

STORES = {"cassandra", "kafka", "postgres", "redis"}
HEALTHY_S_MAX = 300.0
DOCTOR_S_MAX = 120.0
TIMEOUT_S = 60.0
_REST_S = 0.5
_PASSWORD = "not a secret: loopback only"
_BOUGHT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def compose(docker_engine: Engine) -> Generator[Project]:
    port = free_port()
    variables = {
        "POSTGRES_PASSWORD": _PASSWORD,
        "TAULU_PORT": str(port),
        "TAULU_IMAGE": provide_gateway(docker_engine),
        "CASSANDRA_HEAP": "512M",
        "KAFKA_HEAP_OPTS": "-Xmx320m",
    }
    stores = (images.CASSANDRA, images.KAFKA, images.POSTGRES, images.REDIS)
    images.provide(docker_engine, *stores)
    with project(docker_engine, f"taulu-test-{port}", variables) as made:
        yield made


def test_only_the_gateway_is_published_and_on_loopback(compose: Project) -> None:
    services = compose.config()["services"]
    assert set(services) == {"gateway", *STORES}
    assert [name for name, service in services.items() if service.get("ports")] == ["gateway"]
    (published,) = services["gateway"]["ports"]
    # One version of Compose keeps the text, another takes it apart.
    host = published["host_ip"] if isinstance(published, dict) else published.partition(":")[0]
    assert host == "127.0.0.1"
    for name in STORES:
        assert services[name]["healthcheck"], name
        assert services[name]["volumes"], name
        assert list(services[name]["networks"]) == ["stores"]
    assert compose.config()["networks"]["stores"]["internal"] is True
    assert set(compose.config()["volumes"]) == STORES


def test_it_asks_for_the_password_that_it_needs(compose: Project) -> None:
    bare = Project(compose.engine, compose.command, compose.name, {"POSTGRES_PASSWORD": ""})
    refused = bare.run("config", check=False)
    assert refused.returncode != 0
    assert "POSTGRES_PASSWORD" in refused.stderr
    assert "put it into .env" in refused.stderr


def test_every_store_serves_and_keeps_its_data_in_a_volume(compose: Project) -> None:
    compose.up()
    wait_healthy(compose)
    findings = doctor_says(compose)
    give_up = time.monotonic() + DOCTOR_S_MAX
    # Stores that have just started may be slower than it waits.
    while not is_well_but_for_replicas(findings):
        assert time.monotonic() < give_up, findings
        findings = doctor_says(compose)
    assert {f"storage {name}" for name in STORES} <= {finding["of"] for finding in findings}
    with gateway_of(compose) as client:
        write(client)
        read_back(client)
    compose.down()
    compose.up()
    wait_healthy(compose)
    with gateway_of(compose) as client:
        read_back(client)


def is_well_but_for_replicas(findings: list[dict[str, object]]) -> bool:
    """Return whether all is well, but for what one server of a store cannot give."""
    wrong = [str(finding["what"]) for finding in findings if not finding["ok"]]
    return len(wrong) == 1 and "topic demo.events: 1 replicas" in wrong[0]


def doctor_says(compose: Project) -> list[dict[str, object]]:
    command = ("exec", "-T", "gateway", "taulu", "doctor", "--json")
    said = compose.run(*command, "--config", "/etc/taulu/taulu.yaml", check=False).stdout
    return [json.loads(line) for line in said.splitlines()]


def wait_healthy(compose: Project) -> None:
    container = compose.container("gateway")
    state = ("inspect", "--format", "{{.State.Health.Status}}", container)
    give_up = time.monotonic() + HEALTHY_S_MAX
    while compose.engine.run(*state).stdout.strip() != "healthy":
        said = compose.run("logs", "--tail", "40", "gateway").stdout
        assert time.monotonic() < give_up, said
        time.sleep(_REST_S)


def gateway_of(compose: Project) -> SyncClient:
    return SyncClient(f"127.0.0.1:{compose.variables['TAULU_PORT']}", timeout_s=TIMEOUT_S)


def write(client: SyncClient) -> None:
    """Write to the table of each store."""
    client.table("demo.users").put({"user_id": "ada", "name": "Ada", "age": 36})
    client.table("demo.orders").put(
        {"customer_id": "ada", "ordered_at": _BOUGHT, "order_id": "1", "amount": Decimal("9.90")}
    )
    client.counter("demo.credits").increment("ada", 500)
    client.log("demo.events").append("ada", {"what": "signed up"})


def read_back(client: SyncClient) -> None:
    """Find what `write` wrote."""
    assert client.table("demo.users").get("ada").row["age"] == 36
    (order,) = client.table("demo.orders").query("ada")
    assert order.row["amount"] == Decimal("9.90")
    assert client.counter("demo.credits").get("ada").value == 500
    log = client.log("demo.events")
    records = [record for number in range(log.partition_count()) for record in log.read(number)]
    assert [record.columns["what"] for record in records] == ["signed up"]
