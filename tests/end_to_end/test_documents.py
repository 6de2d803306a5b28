"""What the pages tell people to run does run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from taulu.schema import check_tables
from tests.testbed.gateway_process import GatewayProcess

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "docs/tutorial/README.md",
    "clients/python/README.md",
    "docs/guides/consistency.md",
)


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def tables_of(page: str, folder: Path) -> list[Path]:
    paths: list[Path] = []
    for number, text in enumerate(blocks(page, "yaml")):
        if "kind: Table" in text:
            path = folder / f"table{number}.yaml"
            path.write_text(text)
            paths.append(path)
    return paths


@pytest.mark.parametrize("page", PAGES)
def test_the_code_on_a_page_runs(page: str, tmp_path: Path) -> None:
    own = tables_of(page, tmp_path)
    assert check_tables(own) == []
    examples = [
        path
        for path in sorted((ROOT / "docs" / "examples" / "tables").iterdir())
        if "users" not in path.name or page != "README.md"
    ]
    programs = [
        code for code in blocks(page, "python") if "asyncio.run(" in code or "SyncClient(" in code
    ]
    assert programs
    gateway = GatewayProcess(tmp_path / "gateway", [*own, *examples]).start()
    try:
        for code in programs:
            patient = f'"{gateway.address}", timeout_s=60'
            done = subprocess.run(
                [sys.executable, "-c", code.replace('"127.0.0.1:7600"', patient)],
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert done.stdout
    finally:
        gateway.close()


def test_the_guides_suite_runs_on_a_strangers_adapter(pytester: pytest.Pytester) -> None:
    (code,) = blocks("docs/guides/conformance.md", "python")
    own = "from taulu_embedded import EmbeddedAdapter as MyAdapter"
    pytester.makepyfile(code.replace("from taulu_mine import MyAdapter", own))
    result = pytester.runpytest_subprocess("-q", "-k", "linearizable or unit or refused")
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] > 10
    assert "failed" not in outcomes


def test_the_example_settings_are_sound() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "taulu.cli.main", "doctor", "--config", "docs/examples/taulu.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
