"""What the tests of the command line share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def taulu(*arguments: str, address: str = "", folder: Path | None = None):
    environment = {**os.environ, "TAULU_ADDRESS": address or "127.0.0.1:1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, "-m", "taulu.cli.main", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder,
        timeout=60,
        check=False,
    )
