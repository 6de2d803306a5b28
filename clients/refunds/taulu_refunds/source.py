"""CDNOW's purchases, taken out of a wheel of PyPI's `lifetimes` without installing it.

The wheel is fetched with pip, so that whatever index, mirror or certificate the machine is
set up for applies; it is opened as a zip, and only two text files in it are read. Their
sha256 is pinned, so that every figure of the report is about the same data.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from taulu_refunds.failure import JobError

REQUIREMENT = "lifetimes==0.11.3"
WHEEL_PATTERN = "[Ll]ifetimes-0.11.3-*.whl"
PURCHASES_FILE = "lifetimes/datasets/CDNOW_sample.txt"
SUMMARY_FILE = "lifetimes/datasets/cdnow_customers_summary.csv"
SHA256 = {
    PURCHASES_FILE: "6fae10155c0b0ba363c2c386e30f77990d22328220efd862a5edd1443420d94a",
    SUMMARY_FILE: "09d92ca80daaabe8be0f997d4c539f9c9606106baa5b199081fe01cbce5fa9f6",
}
_DOWNLOAD_SECONDS_MAX = 300.0


@dataclass(frozen=True, slots=True)
class SourceText:
    """The two files, as they stand in the wheel."""

    purchases: str
    summary: str


async def fetch(folder: Path) -> SourceText:
    """Return the data, downloading the wheel into `folder` unless it is there already.

    Raises:
        JobError: The wheel cannot be had, or a file in it is not the pinned one.
    """
    wheel = _cached(folder)
    if wheel is None:
        await _download(folder)
        wheel = _cached(folder)
    if wheel is None:
        raise JobError(f"pip fetched {REQUIREMENT}, but no wheel of it lies in {folder}")
    return read_wheel(wheel)


def read_wheel(wheel: Path) -> SourceText:
    """Read the two files from a wheel and check them.

    Raises:
        JobError: The wheel is damaged, or a file in it is not the pinned one.
    """
    texts: dict[str, str] = {}
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name, expected in SHA256.items():
                data = archive.read(name)
                found = hashlib.sha256(data).hexdigest()
                if found != expected:
                    raise JobError(
                        f"{name} in {wheel} has sha256 {found}, not {expected}; "
                        "remove the wheel and run again"
                    )
                texts[name] = data.decode("ascii")
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise JobError(f"{wheel} cannot be read ({error}); remove it and run again") from error
    return SourceText(texts[PURCHASES_FILE], texts[SUMMARY_FILE])


def _cached(folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob(WHEEL_PATTERN))), None)


def pip_commands() -> list[list[str]]:
    """Return the ways to call pip here, best first: an environment made by uv has none."""
    commands = [[sys.executable, "-m", "pip"]]
    commands += [[found] for name in ("pip3", "pip") if (found := shutil.which(name))]
    if uv := shutil.which("uv"):
        commands.append([uv, "tool", "run", "pip"])
    return commands


async def _download(folder: Path) -> None:
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    # It is put into its place whole: another run may look for it, and this one may be ended.
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        await _download_with_pip(Path(scratch), folder)
        wheel = _cached(Path(scratch))
        if wheel is not None:
            wheel.replace(folder / wheel.name)


async def _download_with_pip(scratch: Path, folder: Path) -> None:
    options = ["download", "--no-deps", "--only-binary=:all:", "--quiet", "--dest", str(scratch)]
    said = ""
    for command in pip_commands():
        process = await asyncio.create_subprocess_exec(
            *command,
            *options,
            REQUIREMENT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_DOWNLOAD_SECONDS_MAX):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            said = f"no answer in {_DOWNLOAD_SECONDS_MAX:.0f} s"
            continue
        if process.returncode == 0:
            return
        said = output.decode(errors="replace").strip()[-600:]
    raise JobError(
        f"the wheel of {REQUIREMENT} cannot be downloaded; put it into {folder} by hand, "
        f"or set pip up to reach an index. pip said: {said}"
    )
