"""Gets and builds what the container tests need, before they ask for it.

CI runs this beside the linters, which leave the network and most of the disk alone. What cannot
be had is said here in a line, and once more by the tests that miss it.

Usage: python -m tests.testbed.prefetch
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

import pytest

from tests.testbed import images
from tests.testbed.compose import program_of
from tests.testbed.docker_engine import running_engine
from tests.testbed.gateway_image import provide_gateway


def main() -> None:
    """Provide every image, and Compose."""
    signal.signal(signal.SIGTERM, _end)
    stores = (images.CASSANDRA, images.KAFKA, images.POSTGRES, images.REDIS)
    try:
        with running_engine() as engine:
            images.provide(engine, *stores)
            provide_gateway(engine)
            program_of(engine)
    except (pytest.fail.Exception, pytest.skip.Exception, AssertionError) as missing:
        sys.stderr.write(f"prefetch: {missing}\n")


def _end(number: int, frame: FrameType | None) -> None:
    """End by an exception, so that an engine which was started is ended too."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    main()
