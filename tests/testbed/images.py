"""The images of the container tests: the official ones, or stand-ins under the same names.

Where no registry can be reached, images are built from what can be: Debian's packages, and the
servers' own jars from Maven Central. A stand-in starts, listens, keeps its data and reads its
variables as the official image does, as far as the tests and deploy/compose go.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.testbed import cassandra_cluster, kafka_cluster
from tests.testbed.docker_engine import Engine
from tests.testbed.provision import KEPT, absent, class_path, program

REDIS = "redis:7.2"
POSTGRES = "postgres:15"
CASSANDRA = "cassandra:5.0"
KAFKA = "apache/kafka:3.9.1"
PYTHON = "python:3.11-slim-bookworm"

PULL_S_MAX = 600.0
BUILD_S_MAX = 600.0
_RECIPES = Path(__file__).parent / "standins"
_DEBIAN = "taulu-testbed/debian:bookworm"
_SUITE = "bookworm"
_PACKAGES = (
    *("ca-certificates", "openjdk-17-jre-headless", "postgresql", "python3", "python3-venv"),
    *("redis-server", "tzdata"),
)
_LABEL = "taulu.testbed.recipe"
"""On stand-ins alone: what they were made from, so that a changed recipe is followed."""


@dataclass(frozen=True, slots=True)
class _StandIn:
    recipe: str
    """Its folder of `standins`."""
    add: Callable[[Path], None] = lambda folder: None
    """Puts what is too large for a repository into the folder that is built from."""


_CASSANDRA_OPTIONS = (
    *("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djdk.attach.allowAttachSelf=true"),
    *("-Djava.net.preferIPv4Stack=true", "-Dcassandra.storagedir=/var/lib/cassandra"),
    *("-Dcassandra.logdir=/var/lib/cassandra/logs", "-Dcassandra.jmx.local.port=7199"),
    *("-Dcassandra.ring_delay_ms=1000", "-Dcassandra.skip_wait_for_gossip_to_settle=0"),
    # Otherwise it closes its output before it says that it is up.
    *("-Dcassandra-foreground=yes", "-Dcassandra.config=file:///etc/cassandra/node.yaml"),
    *cassandra_cluster.OPENINGS,
)


def _add_cassandra(folder: Path) -> None:
    _add_jars(folder, class_path(cassandra_cluster.ARTIFACT, cassandra_cluster.VERSION))
    (folder / "jvm.options").write_text("\n".join(_CASSANDRA_OPTIONS) + "\n")


def _add_kafka(folder: Path) -> None:
    _add_jars(folder, class_path(kafka_cluster.ARTIFACT, kafka_cluster.VERSION))


def _add_jars(folder: Path, path: str) -> None:
    shutil.copytree(
        Path(path).parent, folder / "jars", ignore=shutil.ignore_patterns("pom.xml", "complete")
    )


_STAND_INS: Mapping[str, _StandIn] = {
    REDIS: _StandIn("redis"),
    POSTGRES: _StandIn("postgres"),
    CASSANDRA: _StandIn("cassandra", _add_cassandra),
    KAFKA: _StandIn("kafka", _add_kafka),
    PYTHON: _StandIn("python"),
}


def provide(engine: Engine, *names: str) -> None:
    """See to it that images are there: as they are, pulled, or built as stand-ins."""
    for name in names:
        recipe = _recipe_of(engine, name)
        if recipe is None and (_is_there(engine, name) or _pull(engine, name)):
            continue
        if recipe != _digest(name):
            _build(engine, name)


def is_stand_in(engine: Engine, name: str) -> bool:
    """Return whether an image that is there is a stand-in."""
    return _recipe_of(engine, name) is not None


def _recipe_of(engine: Engine, name: str) -> str | None:
    """Return what a stand-in was made from; None for official images, and for none at all."""
    label = f'{{{{index .Config.Labels "{_LABEL}"}}}}'
    done = engine.run("image", "inspect", "--format", label, name, check=False)
    return (done.stdout.strip() or None) if done.returncode == 0 else None


def _is_there(engine: Engine, name: str) -> bool:
    return engine.run("image", "inspect", name, check=False).returncode == 0


@functools.cache
def _pull(engine: Engine, name: str) -> bool:
    with suppress(subprocess.TimeoutExpired):
        done = engine.run("pull", "--quiet", name, seconds_max=PULL_S_MAX, check=False)
        return done.returncode == 0
    return False


def _digest(name: str) -> str:
    """Return a digest of all that a stand-in is made from."""
    text = hashlib.sha256(repr((_SUITE, _PACKAGES)).encode())
    if name != _DEBIAN:
        parts = (cassandra_cluster.VERSION, _CASSANDRA_OPTIONS, kafka_cluster.VERSION)
        text.update(repr(parts).encode())
        for path in sorted((_RECIPES / _STAND_INS[name].recipe).iterdir()):
            text.update(path.name.encode() + path.read_bytes())
    return text.hexdigest()


def _build(engine: Engine, name: str) -> None:
    if _recipe_of(engine, _DEBIAN) != _digest(_DEBIAN):
        _make_debian(engine)
    stand_in = _STAND_INS[name]
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT) as scratch:
        folder = Path(scratch) / "context"
        shutil.copytree(_RECIPES / stand_in.recipe, folder)
        stand_in.add(folder)
        label = f"{_LABEL}={_digest(name)}"
        engine.build(folder, "--tag", name, "--label", label, seconds_max=BUILD_S_MAX)


def _make_debian(engine: Engine) -> None:
    """Make the image that stand-ins begin with: a small Debian with the servers' packages."""
    if os.geteuid() != 0:
        absent("an image registry", "let this machine reach one, or run the tests as root")
    debootstrap = program("debootstrap", "debootstrap", ["usr/sbin"])
    KEPT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=KEPT) as scratch:
        tree = Path(scratch) / "debian"
        command = [str(debootstrap), "--variant=minbase", f"--include={','.join(_PACKAGES)}"]
        done = subprocess.run(
            [*command, _SUITE, str(tree), _mirror()],
            check=False,
            capture_output=True,
            text=True,
            timeout=BUILD_S_MAX,
        )
        if done.returncode:
            absent("Debian's packages", f"debootstrap said: {done.stdout[-1000:]}")
        for leftover in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(tree / leftover)
        label = f"LABEL {_LABEL}={_digest(_DEBIAN)}"
        with subprocess.Popen(["tar", "-C", tree, "-c", "."], stdout=subprocess.PIPE) as packed:
            subprocess.run(
                [engine.client, "import", "--change", label, "-", _DEBIAN],
                check=True,
                stdin=packed.stdout,
                capture_output=True,
                timeout=BUILD_S_MAX,
                env={**os.environ, **engine.environment},
            )
        assert packed.returncode == 0


def _mirror() -> str:
    """Return where this machine gets Debian's packages from."""
    ask = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]
    wanted = (f"Codename: {_SUITE}", "Component: main")
    found = subprocess.run([*ask, *wanted], check=False, capture_output=True, text=True)
    if found.returncode or not found.stdout:
        absent(f"a mirror of Debian {_SUITE}", "name one among apt's sources")
    return found.stdout.split()[0]
