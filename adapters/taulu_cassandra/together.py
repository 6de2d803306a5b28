"""Several requests at once, with the first error as itself."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

ResultT = TypeVar("ResultT")


async def together(jobs: Iterable[Coroutine[Any, Any, ResultT]]) -> list[ResultT]:
    """Run jobs at once and return their results in order.

    When one raises, the others are cancelled and its error is raised, not a group of errors.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(job) for job in jobs]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]
