"""What a server refuses to load is said by every command that looks, in the same words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from taulu.cli.exits import Exit
from tests.unit.cli.parts import taulu

USERS = """
apiVersion: taulu/v1
kind: Table
metadata: {{namespace: shop, name: users, owner: test}}
spec:
  kind: kv
  key: {{partition: [user_id]}}
  columns: {{user_id: string}}
  {more}
"""
CACHED = "cache: {tiers: [near, shared], ttl: 30s}"
CASSANDRA = "{adapter: cassandra, contact_points: [x], local_dc: d, replication: {d: 1}}"
REDIS = "redis: {adapter: redis, nodes: ['127.0.0.1:1']}"


@pytest.mark.parametrize(
    ("table", "settings", "words"),
    [
        ("consistency: {write: SESSION}", "", "cannot write at SESSION"),
        ("storage: {adapter: nowhere}", "", "names storage 'nowhere', which the settings do not"),
        ("storage: {adapter: kafka}", "kafka: {adapter: kafka, servers: x}", "it serves no kv"),
        (CACHED, "", "its cache: `cache.shared` of the settings names no target"),
        (
            "cache: {tiers: [near], ttl: 30s}\n  consistency: {write: EVENTUAL}",
            "",
            "its cache: it writes at EVENTUAL, which a cache may not see",
        ),
        (
            "storage: {adapter: cassandra}\n  cache: {tiers: [near], ttl: 30s, write: through}",
            f"cassandra: {CASSANDRA}",
            "its cache: its writes have no order",
        ),
    ],
)
def test_a_table_that_is_refused_at_load_is_refused_by_doctor_and_schema_check(
    table: str, settings: str, words: str, tmp_path: Path
) -> None:
    config = written(tmp_path, table, f"storage: {{{settings}}}")
    assert_all_say(words, tmp_path, config, of="tables")


@pytest.mark.parametrize(
    ("shared", "words"),
    [
        ("embedded", "adapter 'embedded' cannot be a shared cache"),
        ("nowhere", "`cache.shared` names storage 'nowhere', which the settings do not have"),
    ],
)
def test_a_shared_tier_that_is_none_is_refused_by_doctor_and_schema_check(
    shared: str, words: str, tmp_path: Path
) -> None:
    config = written(tmp_path, CACHED, f"cache: {{shared: {shared}}}")
    assert_all_say(words, tmp_path, config, of="settings")


def test_a_storage_that_is_wrong_is_told_once_with_the_tables_on_it(tmp_path: Path) -> None:
    config = written(tmp_path, "", "storage: {embedded: {adapter: embedded, pth: x}}")
    done = taulu("schema", "check", str(tmp_path / "users.yaml"), "--config", str(config))
    assert done.returncode == Exit.USAGE
    trouble, table = done.stderr.splitlines()
    assert "did you mean 'path'?" in trouble
    assert table == "table shop.users cannot be checked: storage 'embedded' is wrong"


def test_tables_are_checked_against_the_settings_that_are_there(tmp_path: Path) -> None:
    written(tmp_path, "storage: {adapter: redis}\n  consistency: {read: EVENTUAL}", "workers: 1")
    files = str(tmp_path / "users.yaml")
    refused = taulu("schema", "check", files, "--json", folder=tmp_path)
    (problem,) = map(json.loads, refused.stdout.splitlines())
    assert "names storage 'redis'" in problem["message"]
    assert (problem["file"], problem["line"], problem["column"]) == (None, None, None)
    written(tmp_path, "storage: {adapter: redis}", f"storage: {{{REDIS}}}")
    sound = taulu("schema", "check", files, folder=tmp_path)
    said = "1 table is sound, also on the storage of taulu.yaml"
    assert (sound.returncode, " ".join(sound.stderr.split())) == (Exit.OK, said)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("listen: 192.0.2.1:0", "this machine cannot listen on 192.0.2.1"),
        ("storage: {embedded: {adapter: embedded, path: users.yaml/x.db}}", "is no folder"),
        ("storage: {embedded: {adapter: embedded, path: .}}", "is a folder; set `path`"),
    ],
)
def test_doctor_says_what_a_server_would_stumble_over_on_this_machine(
    settings: str, words: str, tmp_path: Path
) -> None:
    config = written(tmp_path, "", settings)
    serve = taulu("serve", "--config", str(config))
    assert serve.returncode == Exit.USAGE, serve.stdout
    (finding,) = wrong_findings(config)
    assert words in finding["what"]
    assert finding["mend"]


def written(folder: Path, table: str, settings: str) -> Path:
    """Write a table and settings, and return the file of the settings."""
    (folder / "users.yaml").write_text(USERS.format(more=table))
    config = folder / "taulu.yaml"
    # A port of its own: another server may stand on the usual one.
    listen = "" if settings.startswith("listen:") else "listen: 127.0.0.1:0"
    config.write_text(f"tables: [users.yaml]\n{listen}\n{settings}\n")
    return config


def wrong_findings(config: Path) -> list[dict[str, Any]]:
    done = taulu("doctor", "--config", str(config), "--json")
    assert done.returncode == Exit.FAILED, (done.stdout, done.stderr)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    return [finding for finding in found if not finding["ok"]]


def assert_all_say(words: str, folder: Path, config: Path, of: str) -> None:
    serve = taulu("serve", "--config", str(config))
    assert serve.returncode == Exit.USAGE, serve.stdout
    (line,) = serve.stderr.splitlines()
    assert words in line
    refusal = line.removeprefix("taulu: ")
    (finding,) = [found for found in wrong_findings(config) if found["of"] == of]
    assert finding["what"] == refusal
    assert finding["mend"]
    check = taulu("schema", "check", str(folder / "users.yaml"), "--config", str(config))
    assert (check.returncode, check.stderr) == (Exit.USAGE, f"{refusal}\n")
