from __future__ import annotations

from pathlib import Path

import pytest

from taulu.model import ConfigError
from taulu.schema import MetricsSettings, SchemaInvalid, load_settings


def write(folder: Path, text: str) -> Path:
    path = folder / "taulu.yaml"
    path.write_text(text)
    return path


def test_defaults_need_no_file() -> None:
    settings = load_settings(None)
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 7600, 1)
    assert settings.storage["embedded"].adapter == "embedded"
    assert settings.storage["embedded"].options == {"path": "taulu-data/taulu.db"}
    assert settings.token_window == 86_400_000_000
    assert settings.limits.request_bytes == 4 * 1024 * 1024


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "tables: [a, /b]\nstorage:\n  fast: {adapter: embedded, path: x/y.db, readers: 3}\n",
    )
    settings = load_settings(path)
    assert settings.tables == [tmp_path / "a", Path("/b")]
    assert settings.storage["fast"].options == {"path": str(tmp_path / "x/y.db"), "readers": 3}
    assert settings.storage["embedded"].options == {"path": str(tmp_path / "taulu-data/taulu.db")}


def test_one_table_path_needs_no_list(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, "tables: here\n")).tables == [tmp_path / "here"]


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "listen: 127.0.0.1:1\nlimits: {concurrent_calls: 5}\n")
    monkeypatch.setenv("TAULU_LISTEN", "0.0.0.0:2")
    monkeypatch.setenv("TAULU_LIMITS__REQUEST_BYTES", "1MiB")
    monkeypatch.setenv("TAULU_DRAIN", "3s")
    settings = load_settings(path)
    assert settings.listen == "0.0.0.0:2"
    assert settings.limits.concurrent_calls == 5
    assert settings.limits.request_bytes == 1024 * 1024
    assert settings.drain == 3_000_000


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, "workers: 2\n"), {"workers": 3}).workers == 3


def test_the_command_line_wins_over_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAULU_WORKERS", "2")
    monkeypatch.setenv("TAULU_LIMITS__CONCURRENT_CALLS", "7")
    path = write(tmp_path, "workers: 1\nlimits: {request_bytes: 1MiB}\n")
    settings = load_settings(path, {"workers": 3})
    assert settings.workers == 3
    assert (settings.limits.concurrent_calls, settings.limits.request_bytes) == (7, 1024 * 1024)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("TAULU_WORKERS", "lots", "workers: should be a valid integer"),
        ("TAULU_DRAIN", "abc", "'abc' is no duration"),
        ("TAULU_LIMITS__CONCURRENT", "5", "did you mean 'concurrent_calls'"),
        ("TAULU_LOG", '{"level": "loud"}', "'loud' is not known here"),
        ("TAULU_TABLES", "/srv/tables", "written as JSON"),
        ("TAULU_LIMITS", "5", "a mapping of keys to values"),
    ],
)
def test_a_wrong_variable_is_told_by_name_and_not_as_a_line_of_the_file(
    name: str, value: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"environment variable {name} is wrong: .*{says}"):
        load_settings(write(tmp_path, "workers: 2\ndrain: 1s\n"))


def test_what_is_wrong_on_the_command_line_is_not_told_as_a_line_of_the_file(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "listen: 127.0.0.1:1\n")
    with pytest.raises(ConfigError) as wrong:
        load_settings(path, {"listen": "nowhere"})
    assert wrong.value.message.startswith(
        "the 'listen' that was given is wrong: 'nowhere' is no address"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lisen: x\n", "taulu.yaml:1:1: unknown key 'lisen'; did you mean 'listen'?"),
        ("listen: 7600\n", "taulu.yaml:1:9: listen: should be a valid string"),
        ("listen: localhost\n", "taulu.yaml:1:9: 'localhost' is no address"),
        ("listen: a:99999\n", "taulu.yaml:1:9: 'a:99999' is no address"),
        ("workers: 0\n", "taulu.yaml:1:10: workers: should be greater than or equal to 1, not 0"),
        ("limits:\n  request_bytes: big\n", "taulu.yaml:2:18: 'big' is no size"),
        ("limits: {concurent_calls: 1}\n", "1:10: unknown key 'concurent_calls'; did you mean"),
        ("deadline: {max: 5}\n", "taulu.yaml:1:17: 5 is no duration"),
        ("log: {level: loud}\n", "taulu.yaml:1:14: 'loud' is not known here"),
        ("storage: {x: {path: y}}\n", "taulu.yaml:1:14: key 'adapter' is missing"),
        ("- a\n", "settings are a mapping of names"),
        ("a: 1\n---\nb: 2\n", "holds more than one YAML document"),
        ("a: [\n", "is not YAML"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(SchemaInvalid) as invalid:
        load_settings(write(tmp_path, text))
    assert expected in invalid.value.message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SchemaInvalid, match="cannot be read: No such file"):
        load_settings(tmp_path / "none.yaml")


def test_a_wrong_variable_is_told_without_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAULU_STORAGE", "{hunter2")
    with pytest.raises(ConfigError) as wrong:
        load_settings(write(tmp_path, ""))
    assert "hunter2" not in wrong.value.message
    assert "storage" in wrong.value.message.lower()


def test_workers_are_not_scraped_unless_the_settings_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings(None).metrics is None
    assert load_settings(write(tmp_path, "metrics:\n")).metrics is None
    by_default = load_settings(write(tmp_path, "metrics: {}\n")).metrics
    assert by_default == MetricsSettings(host="127.0.0.1", port=9464)
    monkeypatch.setenv("TAULU_METRICS__PORT", "9000")
    assert load_settings(None).metrics == MetricsSettings(port=9000)


def test_every_worker_has_a_port_for_its_metrics(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, "workers: 2\nmetrics: {port: 65534}\n")).metrics
    with pytest.raises(SchemaInvalid, match=r"taulu.yaml:2:\d+.*3 workers need as many ports"):
        load_settings(write(tmp_path, "workers: 3\nmetrics: {port: 65534}\n"))
