"""`taulu log append` and `read`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from taulu.cli.blocks import Blocks, print_all
from taulu.cli.options import (
    ADDRESS,
    TIMEOUT_S,
    Address,
    AsJson,
    TableName,
    Timeout,
    with_client,
)
from taulu.cli.output import Output
from taulu.cli.values import row_from_text, row_to_json
from taulu.model.errors import InvalidArgument
from taulu_client import Appended, Client, LogRecord, LogTable

_FACTS = ("partition", "offset", "append_time")

app = typer.Typer(no_args_is_help=True, help="Append to logs and read them.")


@app.command()
def append(
    table: TableName,
    record: Annotated[str, typer.Argument(help="One record as a JSON object, key included.")],
    address: Address = ADDRESS,
    timeout: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Append one record."""

    async def use(client: Client) -> Appended:
        info = await client.describe(table)
        row = row_from_text(info, record)
        names = [column.name for column in info.columns if column.role == "partition"]
        missing = [name for name in names if name not in row]
        if missing:
            raise InvalidArgument(f"a record of {table} lacks its key column {missing[0]}")
        key: Any = {name: row.pop(name) for name in names}
        return await client.log(table).append(key, row)

    done = with_client(address, timeout, use)
    output = Output(as_json)
    output.record(
        {
            "partition": done.partition,
            "offset": done.offset,
            "append_time": done.append_time.isoformat(),
        }
    )
    output.end()


@app.command()
def read(
    table: TableName,
    partition: Annotated[
        int | None, typer.Option(min=0, help="One partition; all of them by default.")
    ] = None,
    offset: Annotated[int | None, typer.Option(min=0, help="Begin at this offset.")] = None,
    time: Annotated[
        str | None, typer.Option(help="Begin at this time, like 2026-01-31T12:00:00Z.")
    ] = None,
    latest: Annotated[bool, typer.Option("--latest", help="Begin at the end.")] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Wait for new records.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="How many records at most.")] = None,
    address: Address = ADDRESS,
    timeout: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Read records in offset order, partition by partition."""
    if follow and partition is None:
        raise typer.BadParameter("--follow needs --partition")
    moment = None if time is None else _moment(time)

    def records_of(log: LogTable, number: int) -> AsyncGenerator[LogRecord]:
        return log.read(
            number, offset=offset, time=moment, latest=latest, follow=follow, limit=limit
        )

    async def use(client: Client) -> None:
        log = client.log(table)
        if follow and partition is not None:
            await _follow(records_of(log, partition), Output(as_json))
            return
        count = await log.partition_count()
        parts = [records_of(log, n) for n in (range(count) if partition is None else [partition])]
        info = await client.describe(table)
        blocks = Blocks([*_FACTS, *(column.name for column in info.columns)], as_json)
        async with aclosing(_one_after_another(parts)) as records:
            await print_all(records, blocks, f"reading {table}", limit=None)

    with_client(address, timeout, use)


async def _follow(records: AsyncGenerator[LogRecord], output: Output) -> None:
    """Print each record at once."""
    async with aclosing(records):
        async for record in records:
            output.record(_described(record))
            output.end()


async def _one_after_another(
    partitions: Iterable[AsyncGenerator[LogRecord]],
) -> AsyncGenerator[Mapping[str, object]]:
    for records in partitions:
        async with aclosing(records):
            async for record in records:
                yield _described(record)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no time: {error}") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _described(record: LogRecord) -> Mapping[str, object]:
    return {
        "partition": record.partition,
        "offset": record.offset,
        "append_time": record.append_time.isoformat(),
        **row_to_json(dict(record.key)),
        **row_to_json(record.columns),
    }
