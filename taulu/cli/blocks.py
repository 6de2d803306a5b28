"""Rows that are printed while they come, a block at a time, however many there are."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len

from taulu.cli.output import grid_text, page_width, paused, progress, shown, write_out

BLOCK_ROWS = 200
"""How many rows are held back; those of the first block decide how wide columns are."""
_GAP = 3
"""Characters between two columns."""
_MARGIN = 2


@dataclass(slots=True)
class Blocks:
    """One table that is printed in parts: JSON lines, or a grid whose columns stay as wide.

    A value that is wider than its column was in the first block is folded.
    """

    names: Sequence[str]
    """The columns, in order; of JSON lines each has its own."""
    as_json: bool
    _widths: list[int] = field(default_factory=list[int])

    def print(self, records: Sequence[Mapping[str, object]]) -> None:
        """Print some rows below those that were printed before."""
        if self.as_json:
            write_out("".join(_json_line(record) for record in records))
        elif records:
            write_out(self._part([[shown(r.get(name)) for name in self.names] for r in records]))

    def end(self) -> None:
        """Print what stands below the last row."""
        if self._widths:
            write_out("\n")

    def _part(self, rows: Sequence[Sequence[str]]) -> str:
        is_first = not self._widths
        if is_first:
            self._widths = _fitting(_natural(self.names, rows), page_width())
        text = grid_text(self.names, rows, self._widths, has_header=is_first)
        lines = text.splitlines(keepends=True)
        # A grid has an empty line above and below, and this is a part of one.
        return "".join(lines[0 if is_first else 1 : -1])


async def print_all(
    records: AsyncIterator[Mapping[str, object]], blocks: Blocks, what: str, limit: int | None
) -> int:
    """Print records while they come, and return how many there were.

    Args:
        records: What to print; when it fails, all that came before is printed first.
        blocks: How to print it.
        what: Shown on standard error besides the count, when that is a terminal.
        limit: How many to take at most.
    """
    count = 0
    block: list[Mapping[str, object]] = []
    try:
        with progress(what) as bar:
            task = bar.add_task("", total=limit)
            async for record in records:
                count += 1
                block.append(record)
                bar.advance(task)
                if len(block) == BLOCK_ROWS:
                    with paused(bar):
                        blocks.print(block)
                    block.clear()
                if count == limit:
                    break
    finally:
        blocks.print(block)
        blocks.end()
    return count


def _json_line(record: Mapping[str, object]) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"


def _natural(names: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return how wide each column is when no value is folded."""
    return [
        max(cell_len(line) for text in (name, *column) for line in text.splitlines() or [""])
        for name, column in zip(names, zip(*rows, strict=True), strict=True)
    ]


def _fitting(widths: list[int], width: int) -> list[int]:
    """Return widths that fit into a line: the widest columns give way first, down to 1."""
    room = max(len(widths), width - _MARGIN - _GAP * (len(widths) - 1))
    most = max(widths)
    while most > 1 and sum(min(each, most) for each in widths) > room:
        most -= 1
    return [max(1, min(each, most)) for each in widths]
