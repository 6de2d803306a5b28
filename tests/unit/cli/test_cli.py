"""Every command, as a shell runs it, against a real gateway."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from taulu.cli.exits import Exit, exit_of
from taulu.model.errors import ERRORS_BY_CODE
from tests.testbed.gateway_process import GatewayProcess
from tests.unit.cli.parts import taulu

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples" / "tables"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    running = GatewayProcess(tmp_path_factory.mktemp("gateway"), [EXAMPLES]).start()
    yield running
    running.close()


def lines(done: subprocess.CompletedProcess) -> list[dict]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def assert_refused(done: subprocess.CompletedProcess, code: Exit, *words: str) -> None:
    """An expected error is its message after `taulu:`, and never a traceback."""
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    if code is not Exit.USAGE:
        (line,) = done.stderr.splitlines()
        assert line.startswith("taulu: ")


def test_rows_go_in_and_come_out(gateway: GatewayProcess, tmp_path: Path) -> None:
    where = {"address": gateway.address}
    order = {
        "customer_id": "ada",
        "ordered_at": "2026-01-02T03:04:05.000006Z",
        "order_id": "o1",
        "amount": "12.50",
        "items": {"pen": 2},
    }
    (written,) = lines(taulu("put", "demo.orders", json.dumps(order), "--json", **where))
    (got,) = lines(taulu("get", "demo.orders", "ada", order["ordered_at"], "o1", "--json", **where))
    assert got["row"] == order
    assert got["version"] == written["version"]
    assert got["consistency"] == "LINEARIZABLE"
    file = tmp_path / "rows.jsonl"
    rows = [{**order, "order_id": f"o{n}", "amount": f"{n}"} for n in range(2, 700)]
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n")
    (done,) = lines(taulu("put", "demo.orders", "--file", str(file), "--json", **where))
    assert done == {"table": "demo.orders", "written": 698, "failed": 0}
    found = lines(taulu("query", "demo.orders", "ada", "--limit", "3", "--json", **where))
    assert [item["row"]["order_id"] for item in found] == ["o1", "o10", "o100"]
    reverse = lines(
        taulu("query", "demo.orders", "ada", "--reverse", "--limit", "1", "--json", **where)
    )
    assert reverse[0]["row"]["order_id"] == "o99"
    bounded = lines(
        taulu(
            *("query", "demo.orders", "ada", "--start", order["ordered_at"], "--start", "o698"),
            *("--end", order["ordered_at"], "--end", "o7", "--json"),
            **where,
        )
    )
    assert [item["row"]["order_id"] for item in bounded] == ["o698", "o699", "o7"]
    everything = lines(taulu("scan", "demo.orders", "--segments", "3", "--json", **where))
    assert len(everything) == 699
    people = taulu("get", "demo.orders", "ada", order["ordered_at"], "o1", **where)
    assert "12.50" in people.stdout
    assert "read at LINEARIZABLE from primary" in people.stderr


def test_rows_of_a_file_that_are_wrong_are_told_by_line(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"user_id": "x"}\nnonsense\n\n{"user_id": "y", "age": "old"}\n')
    done = taulu("put", "demo.users", "--file", str(file), address=gateway.address)
    assert done.returncode == Exit.FAILED
    assert f"{file}:2: a row is a JSON object" in done.stderr
    assert f"{file}:4: " in done.stderr
    assert lines(taulu("get", "demo.users", "x", "--json", address=gateway.address))


def test_an_output_that_cannot_be_written_is_one_clear_line(gateway: GatewayProcess) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "taulu.cli.main", "tables", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TAULU_ADDRESS": gateway.address},
            timeout=60,
            check=False,
        )
    assert done.returncode == Exit.FAILED
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr


def test_counters(gateway: GatewayProcess) -> None:
    def counter(*arguments: str) -> dict:
        return lines(taulu("counter", *arguments, "--json", address=gateway.address))[0]

    assert counter("increment", "demo.credits", "ada", "--by", "10")["value"] == 10
    hold = counter("reserve", "demo.credits", "ada", "--amount", "5", "--hold", "h")
    assert (hold["hold"], hold["held_increase"]) == ("h", 5)
    assert counter("commit", "demo.credits", "ada", "--hold", "h", "--amount", "2")["value"] == 12
    counter("reserve", "demo.credits", "ada", "--amount", "-3", "--hold", "i", "--ttl", "30s")
    assert counter("release", "demo.credits", "ada", "--hold", "i")["held_decrease"] == 0
    assert counter("get", "demo.credits", "ada")["value"] == 12
    over = taulu(
        "counter", "increment", "demo.credits", "ada", "--by", "100000", address=gateway.address
    )
    assert_refused(over, Exit.FAILED, "would pass its ceiling of 100000")


def test_logs(gateway: GatewayProcess) -> None:
    where = {"address": gateway.address}
    record = '{"user_id": "ada", "what": "login", "amount": 3}'
    (first,) = lines(taulu("log", "append", "demo.events", record, "--json", **where))
    (read,) = lines(taulu("log", "read", "demo.events", "--json", **where))
    assert read == {**first, "user_id": "ada", "what": "login", "amount": 3}
    beyond = taulu("log", "read", "demo.events", "--partition", "0", "--offset", "99", **where)
    assert_refused(beyond, Exit.FAILED, "offset 99")


def test_records_that_are_followed_come_at_once_into_a_pipe(gateway: GatewayProcess) -> None:
    environment = {**os.environ, "TAULU_ADDRESS": gateway.address, "PYTHONUNBUFFERED": ""}
    command = [sys.executable, "-m", "taulu.cli.main", "log"]
    append = [*command, "append", "demo.events", '{"user_id": "pipe"}', "--json"]
    appended = json.loads(subprocess.check_output(append, env=environment, timeout=60))
    where = ["--partition", str(appended["partition"]), "--offset", str(appended["offset"])]
    with subprocess.Popen(
        [*command, "read", "demo.events", "--follow", *where, "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as reader:
        try:
            assert reader.stdout is not None
            ready, _, _ = select.select([reader.stdout], [], [], 20)
            assert ready, "the record stayed in a buffer"
            assert json.loads(reader.stdout.readline())["offset"] == appended["offset"]
        finally:
            reader.terminate()


def test_tables_are_listed(gateway: GatewayProcess) -> None:
    found = lines(taulu("tables", "--json", address=gateway.address))
    assert [(info["table"], info["kind"]) for info in found] == [
        ("demo.credits", "counter"),
        ("demo.events", "log"),
        ("demo.orders", "wide"),
        ("demo.prices", "kv"),
        ("demo.users", "kv"),
    ]
    assert "demo.users" in taulu("tables", "demo", address=gateway.address).stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("get", "demo.users", "nobody"), Exit.ABSENT, ()),
        (("get", "demo.userz", "x"), Exit.ABSENT, ("did you mean 'demo.users'",)),
        (("put", "demo.users", '{"user_id": "x", "agee": 1}'), Exit.FAILED, ("'age'",)),
        (("put", "demo.users", "{nonsense"), Exit.FAILED, ("no JSON",)),
        (("put", "demo.users", '{"user_id": "x", "age": 1.5}'), Exit.FAILED, ("age",)),
        (("put", "demo.users", '{"user_id": "a"}', "--ttl", "5"), Exit.USAGE, ("no duration",)),
        (("put", "demo.users"), Exit.USAGE, ("give one ROW",)),
        (("put", "demo.users", "--file", "none.jsonl"), Exit.USAGE, ("cannot be read",)),
        (("get", "demo.orders", "a", "yesterday", "b"), Exit.FAILED, ("of type timestamp",)),
        (("get", "demo.users", "a", "b"), Exit.FAILED, ("takes key values for user_id",)),
        (("query", "demo.users", "a"), Exit.FAILED, ("needs a wide table",)),
        (("get", "demo.users", "a", "--consistency", "strong"), Exit.USAGE, ("LINEARIZABLE",)),
        (("log", "read", "demo.events", "--follow"), Exit.USAGE, ("needs --partition",)),
        (("nonsense",), Exit.USAGE, ("No such command",)),
    ],
)
def test_a_mistake_is_one_clear_line(
    arguments: tuple[str, ...], code: Exit, words: tuple[str, ...], gateway: GatewayProcess
) -> None:
    done = taulu(*arguments, address=gateway.address)
    if words or code is not Exit.ABSENT:
        assert_refused(done, code, *words)
    else:
        assert done.returncode == code


def test_a_put_if_absent_does_not_overwrite(gateway: GatewayProcess) -> None:
    where = {"address": gateway.address}
    row = '{"user_id": "once"}'
    lines(taulu("put", "demo.users", row, "--if-absent", "--json", **where))
    assert_refused(
        taulu("put", "demo.users", row, "--if-absent", **where), Exit.FAILED, "to be absent"
    )


def test_a_gateway_that_is_not_there_is_told() -> None:
    assert_refused(taulu("tables", "--timeout", "30"), Exit.TRY_AGAIN, "is it running?")


def test_schema_check(tmp_path: Path) -> None:
    good = taulu("schema", "check", str(EXAMPLES))
    assert (good.returncode, good.stderr.strip()) == (0, "5 tables are sound")
    bad = tmp_path / "bad.yaml"
    bad.write_text("apiVersion: taulu/v1\nkind: Tabel\n")
    done = taulu("schema", "check", str(bad))
    assert done.returncode == Exit.USAGE
    assert f"{bad}:2:7: 'Tabel' is not known here; did you mean 'Table'?" in done.stderr
    as_json = taulu("schema", "check", str(bad), "--json")
    assert as_json.returncode == Exit.USAGE
    assert {json.loads(line)["line"] for line in as_json.stdout.splitlines()} == {1, 2}


def test_doctor(gateway: GatewayProcess, tmp_path: Path) -> None:
    config = str(gateway.folder / "taulu.yaml")
    beside = lines(taulu("doctor", "--config", config, "--json"))
    assert all(finding["ok"] for finding in beside)
    assert any("is sound" in finding["what"] for finding in beside)
    broken = tmp_path / "taulu.yaml"
    broken.write_text(
        f'tables: ["{EXAMPLES}"]\nstorage: {{embedded: {{adapter: embedded, path: x.db}}}}\n'
    )
    (tmp_path / "x.db").write_text("no database at all, but text " * 50)
    done = taulu("doctor", "--config", str(broken), "--json")
    assert done.returncode == Exit.FAILED
    findings = [json.loads(line) for line in done.stdout.splitlines()]
    assert any(not finding["ok"] and finding["mend"] for finding in findings)


def test_health(gateway: GatewayProcess) -> None:
    served = taulu("health", address=gateway.address)
    assert (served.returncode, served.stdout) == (Exit.OK, "SERVING\n"), served.stderr
    one = taulu("health", "taulu.v1.DataService", address=gateway.address)
    assert (one.returncode, one.stdout) == (Exit.OK, "SERVING\n"), one.stderr
    unknown = taulu("health", "no.such.Service", address=gateway.address)
    assert_refused(unknown, Exit.TRY_AGAIN, gateway.address, "NOT_FOUND")
    nobody = taulu("health", "--timeout", "5", address="127.0.0.1:1")
    assert_refused(nobody, Exit.TRY_AGAIN, "127.0.0.1:1", "UNAVAILABLE")


def test_caches_are_looked_into_where_there_are_any(gateway: GatewayProcess) -> None:
    where = {"address": gateway.address}
    taulu("put", "demo.prices", '{"sku": "tea", "cents": 450}', **where)
    for _ in range(2):
        taulu("get", "demo.prices", "tea", **where)
    done = taulu("verify-cache", **where)
    assert done.returncode == 0
    assert "demo.prices" in done.stdout
    assert "1 copy compared, none beyond" in done.stderr
    (found,) = lines(taulu("cache", "stats", "--json", **where))
    assert (found["worker"], found["workers"]) == (0, 1)
    (table,) = found["tables"]
    assert (table["table"], table["loads"], table["near_hits"]) == ("demo.prices", 1, 1)
    assert (table["checked"], table["beyond"], table["vouched"]) == (1, 0, True)
    refused = taulu("verify-cache", "demo.users", address=gateway.address)
    assert_refused(refused, Exit.FAILED, "demo.users is not cached", "`cache`")
    assert_refused(taulu("cache", "stats"), Exit.TRY_AGAIN)


def test_every_command_explains_itself() -> None:
    top = taulu("--help")
    assert top.returncode == 0
    assert "Exit codes" in top.stdout
    for command in (
        *(("serve",), ("tables",), ("get",), ("put",), ("query",), ("scan",)),
        *(("doctor",), ("health",)),
        *(("verify-cache",), ("cache", "stats"), ("counter", "reserve")),
        *(("log", "read"), ("schema", "check")),
    ):
        done = taulu(*command, "--help")
        assert done.returncode == 0
        assert "Usage" in done.stdout


def test_every_error_has_an_exit_code() -> None:
    codes = {code: exit_of(kind("x")) for code, kind in ERRORS_BY_CODE.items()}
    assert codes["UNKNOWN_TABLE"] is Exit.ABSENT
    assert codes["CONFIG_ERROR"] is Exit.USAGE
    assert codes["WRITE_OUTCOME_UNKNOWN"] is Exit.TRY_AGAIN
    assert codes["CORRUPT"] is Exit.DEFECT
    assert codes["CONDITION_FAILED"] is Exit.FAILED
