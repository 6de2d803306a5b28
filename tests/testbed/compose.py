"""`deploy/compose` as a project of its own: set up, looked at, taken down."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import yaml

from tests.testbed.docker_engine import Engine
from tests.testbed.provision import ROOT, program

FILE = ROOT / "deploy" / "compose" / "compose.yaml"
UP_S_MAX = 600.0
CALL_S_MAX = 120.0


@dataclass(frozen=True, slots=True)
class Project:
    """The services of the file, under a name that no other project has."""

    engine: Engine
    command: Sequence[str]
    name: str
    variables: Mapping[str, str]
    """What an operator would write into .env."""

    def run(
        self, *words: str, seconds_max: float = CALL_S_MAX, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run one command of Compose; fail with what it said when it fails."""
        # Version 1 gives up calls by itself.
        patient = {"COMPOSE_HTTP_TIMEOUT": f"{UP_S_MAX:.0f}"}
        given = {**os.environ, **patient, **self.engine.environment, **self.variables}
        done = subprocess.run(
            [*self.command, "--project-name", self.name, "--file", str(FILE), *words],
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=seconds_max,
            env=given,
        )
        said = f"compose {' '.join(words)}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        assert done.returncode == 0 or not check, said
        return done

    def config(self) -> Mapping[str, Mapping[str, Mapping[str, object]]]:
        """Return the file as Compose understands it."""
        return yaml.safe_load(self.run("config").stdout)

    def up(self) -> None:
        """Create and start what is not there, in order, from images that are here."""
        self.run("up", "--detach", "--no-build", seconds_max=UP_S_MAX)

    def down(self, *words: str) -> None:
        """Remove the containers and networks."""
        self.run("down", "--timeout", "60", *words, seconds_max=UP_S_MAX)

    def container(self, service: str) -> str:
        """Return the id of a service's container."""
        return self.run("ps", "--quiet", service).stdout.strip()


@contextmanager
def project(engine: Engine, name: str, variables: Mapping[str, str]) -> Generator[Project]:
    """Yield a project that is not up; take it down in the end, data included."""
    made = Project(engine, program_of(engine), name, variables)
    try:
        yield made
    finally:
        made.down("--volumes")


def program_of(engine: Engine) -> Sequence[str]:
    """Return Docker's plugin where it is, else the older program of Debian."""
    if engine.run("compose", "version", check=False).returncode == 0:
        return (engine.client, "compose")
    return (str(program("docker-compose", "docker-compose")),)
