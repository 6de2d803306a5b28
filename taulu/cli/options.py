"""Options and arguments that several commands share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias, TypeVar

import typer

from taulu_client import Client, Level

ResultT = TypeVar("ResultT")

Address: TypeAlias = Annotated[
    str,
    typer.Option(envvar="TAULU_ADDRESS", help="The gateway's host:port."),
]
Timeout: TypeAlias = Annotated[float, typer.Option(help="Seconds that a call may take.")]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON lines.")]
TableName: TypeAlias = Annotated[str, typer.Argument(metavar="TABLE", help="namespace.table")]
KeyWords: TypeAlias = Annotated[
    list[str], typer.Argument(metavar="KEY...", help="Key values, in the order of the key.")
]
Columns: TypeAlias = Annotated[
    list[str] | None, typer.Option("--column", "-c", help="Read this column only; repeatable.")
]
LevelName: TypeAlias = Annotated[
    str | None,
    typer.Option("--consistency", help=f"One of {', '.join(level.name for level in Level)}."),
]

ADDRESS = "127.0.0.1:7600"
TIMEOUT_S = 10.0


def level_of(name: str | None) -> Level | None:
    """Return a consistency level by name; None for the table's own."""
    if name is None:
        return None
    try:
        return Level[name.upper().replace("-", "_")]
    except KeyError:
        known = ", ".join(level.name for level in Level)
        raise typer.BadParameter(f"{name!r} is no consistency level; use {known}") from None


def with_client(
    address: str, timeout_s: float, use: Callable[[Client], Awaitable[ResultT]]
) -> ResultT:
    """Open a client, use it, and close it."""

    async def run() -> ResultT:
        async with Client(address, timeout_s=timeout_s) as client:
            return await use(client)

    return asyncio.run(run())
