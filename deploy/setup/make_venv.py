"""Make a virtual environment with pip in it, also where the system has neither.

Debian ships Python without `ensurepip`, so `python3 -m venv` fails there until another package
is installed. This takes pip's own wheel from the package index instead: the index that
PIP_INDEX_URL names, or PyPI. Standard library only.

Usage: python3 deploy/setup/make_venv.py FOLDER
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import venv
from pathlib import Path

PYTHON_MIN = (3, 11)
INDEX = "https://pypi.org/simple"
RESTS_S = (1, 4, 15)
"""How long to rest after each try in vain, but for the last."""
SERVER_ERRORS = 500
WHEEL_LINK = re.compile(
    r'href="(?P<url>[^"#]*/pip-[0-9.]+-py3-none-any\.whl)#sha256=(?P<sha256>\w+)"'
)


def main(folder: Path) -> None:
    """Make the environment, unless it is there and has pip."""
    if sys.version_info < PYTHON_MIN:
        sys.exit(
            f"Taulu needs Python 3.11 or newer; this is {sys.version.split()[0]}. "
            "Name another with: make PYTHON=/path/to/python3.11"
        )
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=False, symlinks=True)
    if subprocess.run(
        [python, "-m", "pip", "--version"], capture_output=True, check=False
    ).returncode:
        with tempfile.TemporaryDirectory() as scratch:
            wheel = fetch_pip(Path(scratch))
            subprocess.run([python, wheel / "pip", "install", "--quiet", wheel], check=True)


def fetch_pip(folder: Path) -> Path:
    """Download the newest stable wheel of pip, check its hash, and return its path."""
    index = os.environ.get("PIP_INDEX_URL", INDEX).rstrip("/") + "/pip/"
    links = list(WHEEL_LINK.finditer(read(index).decode()))
    if not links:
        sys.exit(f"no wheel of pip is listed at {index}; set PIP_INDEX_URL to a package index")
    newest = max(links, key=lambda link: version_of(link["url"]))
    url = urllib.parse.urljoin(index, newest["url"])
    data = read(url)
    if hashlib.sha256(data).hexdigest() != newest["sha256"]:
        sys.exit(f"{url} does not have the hash that the index gives; nothing was installed")
    wheel = folder / url.rpartition("/")[2]
    wheel.write_bytes(data)
    return wheel


def read(url: str) -> bytes:
    """Return what lies at an address; an index that does not answer is asked again."""
    rests = iter(RESTS_S)
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60) as reply:
                return reply.read()
        except (OSError, http.client.HTTPException) as error:
            is_final = isinstance(error, urllib.error.HTTPError) and error.code < SERVER_ERRORS
            rest_s = next(rests, None)
            if is_final or rest_s is None:
                raise
            sys.stderr.write(f"{url}: {error}; trying again in {rest_s} s\n")
            time.sleep(rest_s)


def version_of(url: str) -> tuple[int, ...]:
    """Return the version in a wheel's address, as numbers."""
    return tuple(int(part) for part in url.rpartition("/")[2].split("-")[1].split("."))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
