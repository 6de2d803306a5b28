"""What every group of checks stands on: the fixture that opens the subject, and the seed."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from taulu.conformance.harness import Harness, ShiftedClock
from taulu.conformance.subject import Subject
from taulu.conformance.tables import tables_for

SEED_VARIABLE = "TAULU_SEED"
"""Set it to the seed that a failed test printed, and the test takes the same choices."""


def seeded() -> random.Random:
    """Return a source of choices whose seed is printed, and shown when the test fails."""
    seed = int(os.environ.get(SEED_VARIABLE) or secrets.randbelow(2**32))
    print(f"{SEED_VARIABLE}={seed}")  # noqa: T201 - pytest shows it with the failure
    return random.Random(seed)


@pytest.mark.asyncio
class Promises:
    """A group of checks. The class that runs them has a fixture `harness`."""

    @pytest_asyncio.fixture
    async def subject(self, harness: Harness) -> AsyncGenerator[Subject]:
        """Return the opened subject with all its tables."""
        clock = ShiftedClock()
        async with harness.start(tables_for(harness.capabilities), clock) as execute:
            yield Subject(harness, execute, clock)
