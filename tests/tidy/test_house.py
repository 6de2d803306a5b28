"""House rules that no linter knows."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES_MAX = 400
FUNCTION_LINES_MAX = 60
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "misc", "manager", "managers"}
SOURCES = ("taulu", "adapters", "clients", "docs", "deploy", "tests", "proto", ".ci")


def tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        # Not a checkout, for instance an unpacked sdist.
        paths = [path for top in SOURCES for path in (ROOT / top).rglob("*") if path.is_file()]
    else:
        paths = [ROOT / name for name in listed.stdout.splitlines()]
    return [path for path in paths if path.suffix in suffixes and path.exists()]


def own_python() -> list[Path]:
    return [path for path in tracked(".py") if path.parent.name != "v1"]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_files_and_functions_are_short() -> None:
    long: list[str] = []
    for path in own_python():
        text = path.read_text()
        if len(text.splitlines()) > LINES_MAX:
            long.append(name_of(path))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                end = node.end_lineno or node.lineno
                if end - node.lineno >= FUNCTION_LINES_MAX:
                    long.append(f"{name_of(path)}:{node.lineno} {node.name}")
    assert long == []


def test_files_are_named_for_what_they_do() -> None:
    assert [name_of(path) for path in own_python() if path.stem.strip("_") in VAGUE] == []


def test_exports_are_what_is_there() -> None:
    wrong: list[str] = []
    for path in own_python():
        if path.name != "__init__.py":
            continue
        tree = ast.parse(path.read_text())
        imported: set[str] = set()
        exported: list[str] = []
        for node in tree.body:
            if isinstance(node, ast.ImportFrom) and node.module != "__future__":
                imported |= {alias.asname or alias.name for alias in node.names}
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                exported = ast.literal_eval(node.value)
        if set(exported) != imported:
            wrong.append(f"{name_of(path)}: {set(exported) ^ imported}")
    assert wrong == []


def test_nothing_speaks_of_one_machine() -> None:
    # Spelled in parts, so that this file does not find itself.
    words = ["/ro" + "ot/", "/ho" + "me/", "/wo" + "rk/", ".." + "/shared"]
    found = [
        f"{name_of(path)}: {word}"
        for path in tracked(".py", ".md", ".yaml", ".yml", ".toml", ".proto", ".txt", ".sh", "")
        for word in words
        if word in path.read_text(errors="ignore")
    ]
    assert found == []


def test_no_work_is_left_marked_as_undone() -> None:
    marks = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX"]) + r")\b")
    assert [name_of(p) for p in tracked(".py", ".proto") if marks.search(p.read_text())] == []


def test_tasks_are_owned() -> None:
    """A task that nothing holds may vanish: create them in groups, or keep them."""
    bare = re.compile(r"^\s*(asyncio\.|loop\.)create_task\(", re.MULTILINE)
    gateway = [path for path in own_python() if "tests" not in path.relative_to(ROOT).parts]
    assert [name_of(path) for path in gateway if bare.search(path.read_text())] == []


def test_every_adapter_is_registered_packed_and_described() -> None:
    folders = sorted(path.name for path in (ROOT / "adapters").iterdir() if path.is_dir())
    registered = {point.name: point.value for point in entry_points(group="taulu.adapters")}
    pyproject = (ROOT / "pyproject.toml").read_text()
    for folder in folders:
        name = folder.removeprefix("taulu_")
        assert registered[name].startswith(f"{folder}:")
        assert f'"adapters/{folder}"' in pyproject
        assert (ROOT / "adapters" / folder / "README.md").exists()
        assert (ROOT / "adapters" / folder / "py.typed").exists()
        assert (ROOT / "tests" / "conformance" / f"test_{name}.py").exists()
    assert sorted(f"taulu_{name}" for name in registered) == folders


def test_promises_in_readmes_name_tests_that_exist() -> None:
    functions = {
        node.name
        for path in own_python()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    named = [
        (name_of(path), name)
        for path in tracked(".md")
        for name in re.findall(r"`(test_\w+)`", path.read_text())
    ]
    assert named
    assert [(path, name) for path, name in named if name not in functions] == []


def test_links_between_pages_lead_somewhere() -> None:
    broken: list[str] = []
    for path in tracked(".md"):
        targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text())
        broken += [
            f"{name_of(path)} -> {target}"
            for target in targets
            if "://" not in target and not (path.parent / target).exists()
        ]
    assert broken == []


@pytest.mark.parametrize("proto", sorted(path.name for path in (ROOT / "proto").rglob("*.proto")))
def test_generated_messages_are_fresh(proto: str, tmp_path: Path) -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", "-I", str(ROOT / "proto")),
            *(f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", f"taulu/v1/{proto}"),
        ],
        check=True,
    )
    for path in (tmp_path / "taulu" / "v1").iterdir():
        kept = ROOT / "taulu" / "v1" / path.name
        assert kept.read_text() == path.read_text(), "run `make proto`"


def test_a_breaking_change_of_the_wire_is_noticed(tmp_path: Path) -> None:
    buf = Path(sys.executable).parent / "buf"
    (tmp_path / "proto").symlink_to(ROOT / "proto")
    (tmp_path / "buf.yaml").write_text((ROOT / "buf.yaml").read_text())
    released = str(ROOT / "proto" / "released" / "taulu.v1.binpb")
    command = [str(buf), "breaking", "--against", released]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == 0
    (tmp_path / "proto").unlink()
    changed = tmp_path / "proto" / "taulu" / "v1"
    changed.mkdir(parents=True)
    for path in (ROOT / "proto" / "taulu" / "v1").iterdir():
        text = path.read_text()
        if path.name == "value.proto":
            text = text.replace("bytes bytes_value = 6;", "bytes bytes_value = 60;")
        (changed / path.name).write_text(text)
    broken = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert broken.returncode != 0
    assert "bytes_value" in broken.stdout + broken.stderr
