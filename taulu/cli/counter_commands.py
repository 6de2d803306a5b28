"""`taulu counter get`, `increment`, `reserve`, `commit` and `release`."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, TypeAlias

import typer

from taulu.cli.options import (
    ADDRESS,
    TIMEOUT_S,
    Address,
    AsJson,
    KeyWords,
    TableName,
    Timeout,
    with_client,
)
from taulu.cli.output import Output
from taulu.cli.values import key_from_words, row_to_json
from taulu.schema import parse_duration
from taulu_client import Client, Counter, Hold

HoldId: TypeAlias = Annotated[str, typer.Option("--hold", help="The hold's id.")]
Floor: TypeAlias = Annotated[int | None, typer.Option(help="Besides the table's own floor.")]
Ceiling: TypeAlias = Annotated[int | None, typer.Option(help="Besides the table's own ceiling.")]

app = typer.Typer(no_args_is_help=True, help="Read and change bounded counters.")


@app.command()
def get(
    table: TableName,
    key: KeyWords,
    address: Address = ADDRESS,
    timeout: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Read a counter; one that was never written is 0."""

    async def use(client: Client) -> Counter:
        info = await client.describe(table)
        return await client.counter(table).get(key_from_words(info, key, ""))

    _print(with_client(address, timeout, use), Output(as_json))


@app.command()
def increment(
    table: TableName,
    key: KeyWords,
    by: Annotated[int, typer.Option(help="How much to add; below zero to take away.")] = 1,
    floor: Floor = None,
    ceiling: Ceiling = None,
    address: Address = ADDRESS,
    timeout: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Add to a counter, if value and holds stay in bounds."""

    async def use(client: Client) -> Counter:
        info = await client.describe(table)
        values = key_from_words(info, key, "")
        return await client.counter(table).increment(values, by, floor=floor, ceiling=ceiling)

    _print(with_client(address, timeout, use), Output(as_json))


@app.command()
def reserve(
    table: TableName,
    key: KeyWords,
    amount: Annotated[int, typer.Option(help="How much to set aside.")],
    ttl: Annotated[str, typer.Option(help="How long the hold lasts, like 30s.")] = "5m",
    hold: Annotated[str | None, typer.Option(help="The hold's id; a new one by default.")] = None,
    address: Address = ADDRESS,
    timeout: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Set an amount aside until it is committed, released or expired."""
    try:
        lasts = timedelta(microseconds=parse_duration(ttl))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error

    async def use(client: Client) -> Hold:
        info = await client.describe(table)
        values = key_from_words(info, key, "")
        return await client.counter(table).reserve(values, amount, ttl=lasts, hold_id=hold)

    done = with_client(address, timeout, use)
    output = Output(as_json)
    output.record(
        {
            "hold": done.hold_id,
            "amount": done.amount,
            "expire_time": done.expire_time.isoformat(),
            **_described(done.counter),
        }
    )
    output.end()


@app.command()
def commit(
    table: TableName,
    key: KeyWords,
    hold: HoldId,
    amount: Annotated[int | None, typer.Option(help="Less than all of it.")] = None,
    address: Address = ADDRESS,
    timeout: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Add a hold, or a part of it, to the counter and end the hold."""

    async def use(client: Client) -> Counter:
        info = await client.describe(table)
        values = key_from_words(info, key, "")
        return await client.counter(table).commit(values, hold, amount=amount)

    _print(with_client(address, timeout, use), Output(as_json))


@app.command()
def release(
    table: TableName,
    key: KeyWords,
    hold: HoldId,
    address: Address = ADDRESS,
    timeout: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """End a hold without effect on the counter."""

    async def use(client: Client) -> Counter:
        info = await client.describe(table)
        return await client.counter(table).release(key_from_words(info, key, ""), hold)

    _print(with_client(address, timeout, use), Output(as_json))


def _described(counter: Counter) -> dict[str, object]:
    return {
        "value": counter.value,
        "held_increase": counter.held_increase,
        "held_decrease": counter.held_decrease,
        "version": counter.version,
    }


def _print(counter: Counter, output: Output) -> None:
    values = counter.key.partition
    key = row_to_json({f"key {at}": value for at, value in enumerate(values, start=1)})
    output.record({**key, **_described(counter)})
    output.end()
