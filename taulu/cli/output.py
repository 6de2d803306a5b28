"""What commands print: tables for people, JSON lines for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from taulu.cli.exits import Exit

PLAIN_WIDTH = 200
"""Of tables that go into a file or a pipe, in characters."""


@dataclass(slots=True)
class Output:
    """Prints results to standard output, and all else to standard error."""

    as_json: bool
    _columns: list[str] = field(default_factory=list[str])
    _rows: list[list[str]] = field(default_factory=list[list[str]])

    def record(self, record: Mapping[str, object]) -> None:
        """Print one result, as a JSON object or as a row of a table."""
        if self.as_json:
            write_out(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
            return
        if list(record) != self._columns:
            self.end()
            self._columns = list(record)
        self._rows.append([shown(value) for value in record.values()])

    def end(self) -> None:
        """Print the table that `record` has filled; what was printed is there to be read now."""
        if self._rows:
            write_out(grid_text(self._columns, self._rows))
        self._rows = []

    def rows(self, records: Sequence[Mapping[str, object]]) -> None:
        """Print results that are all there, with one table for all their columns."""
        names = list(dict.fromkeys(name for record in records for name in record))
        for record in records:
            self.record(record if self.as_json else {name: record.get(name) for name in names})
        self.end()

    def say(self, text: str) -> None:
        """Tell people something that programs need not know."""
        if not self.as_json:
            Console(stderr=True, highlight=False).print(escape(text))


def progress(what: str) -> Progress:
    """Return a progress line on standard error; it vanishes when it ends."""
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn(escape(what)),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_interactive,
    )


@contextmanager
def paused(bar: Progress) -> Generator[None]:
    """Take a progress line away while something is printed, maybe on the same terminal."""
    bar.stop()
    try:
        yield
    finally:
        bar.start()


def write_out(text: str) -> None:
    """Write to standard output, at once.

    Raises:
        typer.Exit: Nobody reads it any more; what else is written goes nowhere.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        raise typer.Exit(Exit.UNREAD) from None


def page_width() -> int:
    """Return how many characters a line of standard output has."""
    return _console().width


def grid_text(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[int] = (),
    *,
    has_header: bool = True,
) -> str:
    """Return a table for people, with an empty line above and below.

    Args:
        names: The columns.
        rows: A text for each column, for each row.
        widths: How wide columns are, in characters; as wide as it takes when there are none.
        has_header: Whether the names stand above the rows.
    """
    grid = Grid(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, show_header=has_header)
    for number, name in enumerate(names):
        width = widths[number] if widths else None
        grid.add_column(escape(name), overflow="fold", width=width)
    for row in rows:
        grid.add_row(*map(escape, row))
    console = _console()
    with console.capture() as captured:
        console.print(grid)
    return captured.get()


def shown(value: object) -> str:
    """Return a value as people see it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
