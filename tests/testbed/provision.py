"""Where the tests get real servers: from the machine, Debian's packages or Maven Central.

What is missing is installed where that can be done (as root, with `apt-get`). Where it cannot,
the tests that need it are skipped with one line that says what to install; in CI nothing may
be skipped, so there it is a failure.
"""

from __future__ import annotations

import fcntl
import functools
import os
import re
import shutil
import subprocess
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "build" / "servers"
"""What was fetched stays here for the next run."""
_FETCHES_MAX = 3
"""How often Maven is asked; it keeps what it has fetched."""
INSTALL_S_MAX = 600.0


def absent(what: str, mend: str) -> NoReturn:
    """Skip the test with one line; in CI, fail it."""
    line = f"{what} is not here, so what needs it does not run; {mend}"
    if os.environ.get("CI"):
        pytest.fail(line)
    pytest.skip(line)


@contextmanager
def one_at_a_time(name: str) -> Generator[None]:
    """Keep the test processes of this checkout from doing the same thing at once."""
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def program(name: str, package: str, folders: Sequence[str] = ()) -> Path:
    """Return a program's path; install its Debian package when it is not here.

    Args:
        name: The program.
        package: The Debian package that has it.
        folders: Where to look besides PATH, as glob patterns from the root folder.
    """
    # What another process is installing may be there before it is of use.
    with one_at_a_time("apt"):
        found = _find(name, folders) or _install(name, package, folders)
    if found is None:
        absent(name, f"install the package {package}")
    return found


def _find(name: str, folders: Sequence[str]) -> Path | None:
    on_path = shutil.which(name)
    if on_path is not None:
        return Path(on_path)
    found = [path for pattern in folders for path in sorted(Path("/").glob(f"{pattern}/{name}"))]
    return max(found, key=_numbers_in) if found else None


def _numbers_in(path: Path) -> list[int]:
    """Return the numbers of a path, so that version 15 comes after version 9."""
    return [int(digits) for digits in re.findall(r"\d+", str(path))]


def _install(name: str, package: str, folders: Sequence[str]) -> Path | None:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return None
    with suppress(subprocess.SubprocessError):
        _apt_update()
    # Another process may be installing something else.
    patient = ["-o", f"DPkg::Lock::Timeout={INSTALL_S_MAX:.0f}"]
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *patient, package]
    # The tests start their own servers; those of the packages stay down.
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with suppress(subprocess.TimeoutExpired):
        subprocess.run(install, check=False, capture_output=True, timeout=INSTALL_S_MAX, env=quiet)
    return _find(name, folders)


@functools.cache
def _apt_update() -> None:
    """Refresh the lists of packages, once per process unless it fails."""
    update = ["apt-get", "update", "-q"]
    subprocess.run(update, check=True, capture_output=True, timeout=INSTALL_S_MAX)


def java() -> Path:
    """Return the Java runtime that the servers written in Java run on."""
    return program("java", "openjdk-17-jre-headless", ["usr/lib/jvm/*/bin"])


def class_path(artifact: str, version: str) -> str:
    """Return the class path of a Maven artifact with all that it depends on.

    Args:
        artifact: `group:name`.
        version: The version.
    """
    group, name = artifact.split(":")
    folder = KEPT / f"{name}-{version}"
    with one_at_a_time(name):
        if not (folder / "complete").exists():
            _fetch(group, name, version, folder)
    return f"{folder}/*"


def _fetch(group: str, name: str, version: str, folder: Path) -> None:
    maven = program("mvn", "maven")
    # Maven takes what a run left that was ended in the middle for whole.
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pom.xml").write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>taulu</groupId>"
        "<artifactId>testbed</artifactId><version>1</version><dependencies><dependency>"
        f"<groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>"
        "</dependency></dependencies></project>\n"
    )
    command = [str(maven), "-q", "-B", "-f", str(folder / "pom.xml")]
    command += ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    said = ""
    for _ in range(_FETCHES_MAX):
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=INSTALL_S_MAX
        )
        said = f"{done.stdout[-500:]}{done.stderr[-500:]}"
        if done.returncode == 0:
            break
    else:
        absent(f"{group}:{name}:{version}", f"mvn said: {said}")
    (folder / "complete").touch()
