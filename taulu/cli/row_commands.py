"""`taulu get`, `put`, `query` and `scan`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from taulu.cli.blocks import Blocks, print_all
from taulu.cli.exits import Exit
from taulu.cli.options import (
    ADDRESS,
    TIMEOUT_S,
    Address,
    AsJson,
    Columns,
    KeyWords,
    LevelName,
    TableName,
    Timeout,
    level_of,
    with_client,
)
from taulu.cli.output import Output, progress
from taulu.cli.values import key_from_words, row_from_text, row_to_json
from taulu.model.errors import ConfigError, TauluError
from taulu.model.value import Value
from taulu.schema import parse_duration
from taulu_client import Client, IfAbsent, Item, TableInfo

PIECE_ROWS = 500
"""How many rows `put --file` sends at once."""

_Item = Item[dict[str, Value]]


def get(
    table: TableName,
    key: KeyWords,
    column: Columns = None,
    consistency: LevelName = None,
    address: Address = ADDRESS,
    timeout: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Read one row by its key."""

    async def use(client: Client) -> _Item | None:
        info = await client.describe(table)
        values = key_from_words(info, key, "")
        opened = client.table(table)
        level = level_of(consistency)
        return await opened.get(values, columns=column or (), consistency=level)

    item = with_client(address, timeout, use)
    output = Output(as_json)
    if item is None:
        output.say(f"no row of {table} has this key")
        raise typer.Exit(Exit.ABSENT)
    if as_json:
        output.record(_described(item))
        return
    output.rows([{"column": n, "value": v} for n, v in row_to_json(item.row).items()])
    facts = item.facts
    output.say(
        f"version {item.version}, read at {facts.level.name} from {facts.source.value}"
        + ("" if item.expire_time is None else f", expires {item.expire_time:%Y-%m-%d %H:%M:%S}Z")
    )


def put(
    table: TableName,
    row: Annotated[str | None, typer.Argument(help="One row as a JSON object.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="Put every row of a file of JSON lines instead.")
    ] = None,
    ttl: Annotated[str | None, typer.Option(help="How long rows live, like 30s or 90d.")] = None,
    if_absent: Annotated[
        bool, typer.Option("--if-absent", help="Put a row only where there is none.")
    ] = False,
    address: Address = ADDRESS,
    timeout: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Write whole rows."""
    output = Output(as_json)
    if row is not None and file is None:
        output.record(with_client(address, timeout, _put_one(table, row, ttl, if_absent)))
        output.end()
        return
    if row is not None or file is None or if_absent:
        raise typer.BadParameter("give one ROW as JSON, or --file with JSON lines and no ROW")
    written, failures = with_client(address, timeout, _put_file(table, file, ttl))
    output.record({"table": table, "written": written, "failed": len(failures)})
    output.end()
    for line, error in failures[:10]:
        typer.echo(f"taulu: {file}:{line}: {error.message}", err=True)
    if failures:
        raise typer.Exit(Exit.FAILED)


def query(
    table: TableName,
    partition: KeyWords,
    start: Annotated[
        list[str] | None, typer.Option(help="First clustering values; repeat for a longer prefix.")
    ] = None,
    end: Annotated[list[str] | None, typer.Option(help="Last clustering values.")] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="Against the order.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="How many rows at most.")] = None,
    column: Columns = None,
    consistency: LevelName = None,
    address: Address = ADDRESS,
    timeout: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Read rows of one partition of a wide table, in clustering order."""

    async def use(client: Client) -> None:
        info = await client.describe(table)
        rows = client.table(table).query(
            key_from_words(info, partition, "partition"),
            start=key_from_words(info, start, "clustering") if start else None,
            end=key_from_words(info, end, "clustering") if end else None,
            reverse=reverse,
            limit=limit,
            columns=column or (),
            consistency=level_of(consistency),
        )
        async with aclosing(rows):
            await _print_rows(rows, info, column, as_json, limit)

    with_client(address, timeout, use)


def scan(
    table: TableName,
    segments: Annotated[int, typer.Option(min=1, max=1024, help="Into how many parts.")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="How many rows at most.")] = None,
    column: Columns = None,
    address: Address = ADDRESS,
    timeout: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Read every row of a table, in no order that means anything."""

    async def use(client: Client) -> None:
        info = await client.describe(table)
        rows = client.table(table).scan(segments=segments, columns=column or ())
        async with aclosing(rows):
            await _print_rows(rows, info, column, as_json, limit)

    with_client(address, timeout, use)


async def _print_rows(
    items: AsyncIterator[_Item], info: TableInfo, columns: Columns, as_json: bool, limit: int | None
) -> None:
    """Print rows while they come; a grid has the columns that were asked for, or all."""
    wanted = {column.name for column in info.columns if column.role != "data"}
    wanted.update(columns or (column.name for column in info.columns))
    names = [column.name for column in info.columns if column.name in wanted]
    records = (
        _described(item) if as_json else {**row_to_json(item.row), "version": item.version}
        async for item in items
    )
    blocks = Blocks([*names, "version"], as_json)
    count = await print_all(records, blocks, f"reading {info.name}", limit)
    Output(as_json).say("1 row" if count == 1 else f"{count} rows")


def _described(item: _Item) -> dict[str, object]:
    return {
        "row": row_to_json(item.row),
        "version": item.version,
        "expire_time": None if item.expire_time is None else item.expire_time.isoformat(),
        "consistency": item.facts.level.name,
        "source": item.facts.source.value,
    }


def _put_one(table: str, text: str, ttl: str | None, if_absent: bool) -> Any:  # noqa: ANN401
    async def use(client: Client) -> dict[str, object]:
        info = await client.describe(table)
        row = row_from_text(info, text)
        opened = client.table(table)
        names = [column.name for column in info.columns if column.role != "data"]
        key: Any = {name: row[name] for name in names if name in row}
        conditions = [IfAbsent(key)] if if_absent else []
        written = await opened.put(row, ttl=_ttl(ttl), conditions=conditions)
        return {"table": table, "version": written.version}

    return use


def _put_file(table: str, file: Path, ttl: str | None) -> Any:  # noqa: ANN401
    async def use(client: Client) -> tuple[int, list[tuple[int, TauluError]]]:
        info = await client.describe(table)
        opened = client.table(table)
        written, failures = 0, list[tuple[int, TauluError]]()
        with progress(f"writing {table}") as bar:
            task = bar.add_task("", total=None)
            for piece in _pieces(_lines(file)):
                rows: list[tuple[int, dict[str, Value]]] = []
                for line, text in piece:
                    try:
                        rows.append((line, row_from_text(info, text)))
                    except TauluError as error:
                        failures.append((line, error))
                outcomes = await opened.batch_put([row for _, row in rows], ttl=_ttl(ttl))
                for (line, _), outcome in zip(rows, outcomes, strict=True):
                    if isinstance(outcome, TauluError):
                        failures.append((line, outcome))
                    else:
                        written += 1
                bar.advance(task, len(piece))
        return written, sorted(failures, key=lambda failure: failure[0])

    return use


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, line
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error


def _pieces(lines: Iterator[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    piece: list[tuple[int, str]] = []
    for line in lines:
        piece.append(line)
        if len(piece) >= PIECE_ROWS:
            yield piece
            piece = []
    if piece:
        yield piece


def _ttl(text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        return timedelta(microseconds=parse_duration(text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
