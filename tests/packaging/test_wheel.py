"""What users install: one wheel, with everything in it and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import apsw
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return folder


def test_the_wheel_holds_every_package_and_its_data(built: Path) -> None:
    (wheel,) = built.glob("taulu_gateway-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "taulu",
        "taulu_cassandra",
        "taulu_client",
        "taulu_embedded",
        "taulu_kafka",
        "taulu_memory",
        "taulu_postgres",
        "taulu_redis",
        "taulu_refunds",
    }
    for name in (
        *("taulu/v1/data_pb2.py", "taulu/v1/data_pb2.pyi", "taulu/py.typed"),
        *("taulu_client/sync.py", "taulu_client/py.typed", "taulu_refunds/tables/refunds.yaml"),
    ):
        assert name in names
    (metadata,) = [name for name in names if name.endswith("entry_points.txt")]
    points = zipfile.ZipFile(wheel).read(metadata).decode()
    assert "taulu = taulu.cli.main:main" in points
    assert "embedded = taulu_embedded:EmbeddedAdapter" in points


def test_the_sdist_holds_what_builds_and_tests_it(built: Path) -> None:
    (sdist,) = built.glob("taulu_gateway-*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in (
        *("pyproject.toml", "README.md", "LICENSE", "Makefile"),
        *("proto/taulu/v1/data.proto", "tests/conformance/test_memory.py"),
    ):
        assert name in names
    assert not [name for name in names if name.startswith(("build/", ".venv/", ".git/"))]


def test_the_wheel_works_where_the_checkout_is_not(built: Path, tmp_path: Path) -> None:
    """Its own environment sees the dependencies of this one, but not the checkout."""
    (wheel,) = built.glob("taulu_gateway-*.whl")
    home = tmp_path / "venv"
    venv.create(home, symlinks=True)
    site = next((home / "lib").glob("python*")) / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    dependencies = Path(apsw.__file__).parents[1]
    code = (
        "import sys; sys.path.append(sys.argv[1]); "
        "import taulu, taulu_client, taulu_embedded, taulu_memory; "
        "from taulu.cli.main import app; print(taulu.__file__)"
    )
    done = subprocess.run(
        [str(home / "bin" / "python"), "-c", code, str(dependencies)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(home))
