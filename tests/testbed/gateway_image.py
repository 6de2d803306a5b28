"""The gateway's own image, built from this checkout as `deploy/image/Dockerfile` says.

The build asks the package index that this machine's pip is set to. What pip has to be told goes
in as a secret, so that neither the index nor a certificate becomes a part of the image.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.testbed.docker_engine import Engine
from tests.testbed.images import PYTHON, provide
from tests.testbed.provision import ROOT

NAME = "taulu-gateway:testbed"
BUILD_S_MAX = 900.0
_CERTIFICATES = "/run/secrets/certificates"
_TOLD = {"index-url", "extra-index-url", "trusted-host", "timeout", "default-timeout"}


def provide_gateway(engine: Engine) -> str:
    """Build the image, with what is unchanged from the last time, and return its name."""
    provide(engine, PYTHON)
    with tempfile.TemporaryDirectory() as scratch:
        secrets = _secrets(Path(scratch))
        recipe = str(ROOT / "deploy" / "image" / "Dockerfile")
        words = ("--file", recipe, "--tag", NAME, *secrets)
        engine.build(ROOT, *words, seconds_max=BUILD_S_MAX)
    return NAME


def _secrets(folder: Path) -> Sequence[str]:
    """Write what pip has to be told here, and return the words that give it to a build."""
    lines = ["[global]"]
    words: list[str] = []
    for name, value in _pip_settings().items():
        if name == "cert":
            words += ["--secret", f"id=certificates,src={value}"]
            lines.append(f"cert = {_CERTIFICATES}")
        elif name in _TOLD:
            lines.append(f"{name} = {value}")
    settings = folder / "pip.conf"
    settings.touch(mode=0o600)
    settings.write_text("\n".join(lines) + "\n")
    return [*words, "--secret", f"id=pip_conf,src={settings}"]


def _pip_settings() -> dict[str, str]:
    """Return pip's settings on this machine, with those of the environment over the others."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    found: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        where, _, value = line.partition("=")
        section, _, name = where.rpartition(".")
        if section == "global":
            found.setdefault(name, value.strip("'\""))
        elif section == ":env:":
            found[name] = value.strip("'\"")
    return found
