"""What commands print: tables for people, JSON lines for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

PLAIN_WIDTH = 200
"""Of tables that go into a file or a pipe, in characters."""


@dataclass(slots=True)
class Output:
    """Prints results to standard output, and all else to standard error."""

    as_json: bool
    _grid: Grid | None = None
    _columns: list[str] = field(default_factory=list[str])

    def record(self, record: Mapping[str, object]) -> None:
        """Print one result, as a JSON object or as a row of a table."""
        if self.as_json:
            sys.stdout.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
            return
        if self._grid is None or list(record) != self._columns:
            self.end()
            self._columns = list(record)
            self._grid = Grid(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
            for name in record:
                self._grid.add_column(escape(name), overflow="fold")
        self._grid.add_row(*(escape(_shown(value)) for value in record.values()))

    def end(self) -> None:
        """Print the table that `record` has filled; what was printed is there to be read now."""
        if self._grid is not None:
            width = None if sys.stdout.isatty() else PLAIN_WIDTH
            Console(width=width).print(self._grid)
        self._grid = None
        sys.stdout.flush()

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
        disable=not console.is_terminal,
    )


def _shown(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
