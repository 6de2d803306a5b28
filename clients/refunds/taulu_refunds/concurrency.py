"""Many calls at once, but never more than a few."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

ArgumentT = TypeVar("ArgumentT")
ResultT = TypeVar("ResultT")


async def map_bounded(
    call: Callable[[ArgumentT], Awaitable[ResultT]], arguments: Sequence[ArgumentT], limit: int
) -> list[ResultT]:
    """Call once per argument, at most `limit` at a time; return results in order.

    The first failure cancels the rest and is raised as it is, not in a group.
    """
    slots = asyncio.Semaphore(limit)

    async def one(argument: ArgumentT) -> ResultT:
        async with slots:
            return await call(argument)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(argument)) for argument in arguments]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]
