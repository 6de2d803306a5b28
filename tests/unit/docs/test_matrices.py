"""The matrices say what tests found out, and a page that says otherwise is noticed."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.results import Results

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def matrices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(str(DOCS))
    import matrices  # noqa: PLC0415 - it stands outside of every package

    monkeypatch.setattr(matrices, "FOLDER", tmp_path)
    monkeypatch.setattr(matrices, "KEPT", tmp_path / "matrices.json")
    monkeypatch.delenv("CI", raising=False)
    return matrices


def suite_test(test: str, needs: list[str], **changes: Any) -> dict[str, Any]:
    record = {
        "adapter": "small",
        "way": "Small",
        "path": "direct",
        "test": test,
        "needs": needs,
        "kinds": ["kv"],
        "features": ["scan"],
        "read_levels": ["EVENTUAL", "QUORUM"],
        "write_levels": ["QUORUM"],
    }
    return {"record": record, "outcome": "passed", "reason": "", **changes}


def cell(backend: str, **changes: Any) -> dict[str, Any]:
    record = {
        "backend": backend,
        "fault": "kill",
        "extent": "one node",
        "serves": {"notes": True, "lines": False},
        "held": True,
        "seed": 1,
        **changes,
    }
    return {"record": record, "outcome": "passed", "reason": ""}


SUITE = {
    "a": suite_test("test_rows", ["kv"]),
    "b": suite_test("test_scans", ["kv", "scan"]),
    "c": suite_test("test_replies_say_what_they_delivered", ["kv"]),
    "d": suite_test("test_every_undeclared_feature_is_refused", []),
    "e": suite_test("test_logs", ["log"], outcome="skipped", reason="not declared: log"),
    "f": suite_test("test_kills", [], outcome="skipped", reason="it cannot be killed"),
}
CELLS = {"tests/faults/test_small.py::test_it": cell("small")}


def take_over(
    matrices: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *arguments: str,
    suite: dict[str, Any] = SUITE,
    cells: dict[str, Any] = CELLS,
) -> int:
    results = folder / "results"
    results.mkdir(exist_ok=True)
    (results / "conformance.json").write_text(json.dumps(suite))
    (results / "faults.json").write_text(json.dumps(cells))
    monkeypatch.setattr("sys.argv", ["matrices.py", *arguments, str(results)])
    return matrices.main()


def test_cells_are_what_was_found(
    matrices: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert take_over(matrices, monkeypatch, tmp_path) == 0
    page = (tmp_path / "capabilities.md").read_text()
    for line in (
        "| `kv` | 3 |",
        "| `scan` | 1 |",
        "| `conditions` | refused |",
        "| `log` | **not shown to be refused** |",
        "| `holds` | - |",
        "| `EVENTUAL` | 1 |",
        "| `QUORUM` | 4 |",
        "| Small | direct | 4 | 1 | 1: it cannot be killed | 0 |",
    ):
        assert line in page.splitlines()
    faults = (tmp_path / "faults.md").read_text()
    assert "| small | kill | held; refuses: lines; serves: notes |" in faults.splitlines()
    assert take_over(matrices, monkeypatch, tmp_path, "--check") == 0


def test_what_varies_from_run_to_run_is_left_out(
    matrices: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    take_over(matrices, monkeypatch, tmp_path)
    other = {"tests/faults/test_small.py::test_it": cell("small", seed=2, recovery_s=3.5)}
    assert take_over(matrices, monkeypatch, tmp_path, "--check", cells=other) == 0


def test_what_is_broken_is_shown_and_is_a_failure(
    matrices: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    suite = {**SUITE, "b": suite_test("test_scans", ["kv", "scan"], outcome="failed")}
    cells = {"tests/faults/test_small.py::test_it": cell("small", held=False)}
    assert take_over(matrices, monkeypatch, tmp_path, suite=suite, cells=cells) == 1
    assert "| `scan` | **BROKEN** |" in (tmp_path / "capabilities.md").read_text()
    assert "| small | kill | **BROKEN**;" in (tmp_path / "faults.md").read_text()


def test_a_difference_from_what_is_kept_is_named(
    matrices: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    take_over(matrices, monkeypatch, tmp_path)
    suite = {**SUITE, "g": suite_test("test_more", ["kv"])}
    cells = {**CELLS, "tests/faults/test_new.py::test_it": cell("new")}
    assert take_over(matrices, monkeypatch, tmp_path, "--check", suite=suite, cells=cells) == 1
    said = capsys.readouterr().err
    assert "suite: Small, direct was found to be otherwise" in said
    assert "fault: new, kill, one node" in said
    assert "fault: small" not in said


def test_a_typed_cell_is_noticed(
    matrices: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    take_over(matrices, monkeypatch, tmp_path)
    page = tmp_path / "faults.md"
    page.write_text(page.read_text().replace("held;", "held always;"))
    assert take_over(matrices, monkeypatch, tmp_path, "--check") == 1


def test_what_did_not_run_stays_but_in_ci_must_run(
    matrices: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    take_over(matrices, monkeypatch, tmp_path)
    assert take_over(matrices, monkeypatch, tmp_path, "--check", cells={}) == 0
    assert "not run here, so not checked: fault: small" in capsys.readouterr().out
    monkeypatch.setenv("CI", "true")
    assert take_over(matrices, monkeypatch, tmp_path, "--check", cells={}) == 1
    assert "fault: small, kill, one node" in capsys.readouterr().err


def test_results_of_a_session_are_kept_test_by_test(
    pytester: pytest.Pytester, tmp_path: Path
) -> None:
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def note(request):
            request.node.user_properties.append(("faults", {"held": True}))

        def test_good(note): pass
        def test_bad(note): assert False
        def test_skipped(note): pytest.skip("no server")
        def test_other(): pass
        """
    )
    pytester.inline_run("-q", plugins=[Results(tmp_path)])
    pytester.inline_run("-q", "-k", "good", plugins=[Results(tmp_path)])
    kept = json.loads((tmp_path / "faults.json").read_text())
    outcomes = {test.split("::")[1]: found["outcome"] for test, found in kept.items()}
    assert outcomes == {"test_good": "passed", "test_bad": "failed", "test_skipped": "skipped"}
    assert {found["reason"] for found in kept.values()} == {"", "no server"}
    assert not (tmp_path / "conformance.json").exists()
