"""Rows that are printed a block at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from taulu.cli.blocks import BLOCK_ROWS, Blocks, print_all
from taulu.cli.exits import Exit
from tests.testbed.gateway_process import GatewayProcess
from tests.unit.cli.parts import taulu

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples" / "tables"
ROWS = 2_000
WIDE = "x" * 10_000
"""So that all rows together are far more than what pipes and windows of gRPC hold."""


def printed(blocks: Blocks, *parts: list[Mapping[str, object]]) -> None:
    for part in parts:
        blocks.print(part)
    blocks.end()


def test_blocks_are_one_table_whose_columns_stay_where_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [{"name": "ada", "age": 36}, {"name": "bob", "version": 7}]
    printed(Blocks(["name", "age", "version"], as_json=False), rows, [{"name": "eve"}])
    split = capsys.readouterr().out
    printed(Blocks(["name", "age", "version"], as_json=False), [*rows, {"name": "eve"}])
    assert split == capsys.readouterr().out
    assert [line.split() for line in split.splitlines() if line.strip(" ─")] == [
        ["name", "age", "version"],
        ["ada", "36"],
        ["bob", "7"],
        ["eve"],
    ]


def test_a_value_that_is_wider_than_its_column_was_is_folded_and_whole(
    capsys: pytest.CaptureFixture[str],
) -> None:
    blocks = Blocks(["id", "n"], as_json=False)
    printed(blocks, [{"id": "ada", "n": 1}], [{"id": "abcdefgh", "n": 2}])
    *_, first, second, third, _ = capsys.readouterr().out.splitlines()
    assert [first.split(), second.split(), third.split()] == [["abc", "2"], ["def"], ["gh"]]


def test_columns_share_a_line_that_is_too_short_for_all(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row = {"id": "ada", "doc": "#" * 400, "more": "@" * 300}
    printed(Blocks(list(row), as_json=False), [row])
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 200
    assert (out.count("#"), out.count("@")) == (400, 300)
    assert " ada " in out


async def counted(count: int) -> AsyncIterator[Mapping[str, object]]:
    for n in range(count):
        yield {"n": n}


@pytest.mark.parametrize("count", [0, 1, BLOCK_ROWS, BLOCK_ROWS + 1])
async def test_every_record_is_printed_once_in_order(
    count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await print_all(counted(count), Blocks((), as_json=True), "", None) == count
    assert [json.loads(line)["n"] for line in capsys.readouterr().out.splitlines()] == [
        *range(count)
    ]
    assert await print_all(counted(count), Blocks(["n"], as_json=False), "", limit=2) == min(
        count, 2
    )


async def test_what_came_before_a_failure_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    async def failing() -> AsyncIterator[Mapping[str, object]]:
        yield {"n": 1}
        raise ConnectionError("cut off")

    with pytest.raises(ConnectionError):
        await print_all(failing(), Blocks(["n"], as_json=False), "", None)
    assert capsys.readouterr().out.split() == ["n", "─", "1"]


def scanning(address: str, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "taulu.cli.main", "scan", "demo.users", "--timeout", "30", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TAULU_ADDRESS": address},
    )


def test_rows_are_printed_while_a_scan_goes_on_and_a_reader_may_leave(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = ({"user_id": f"{n:04}", "name": WIDE} for n in range(ROWS))
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    gateway = GatewayProcess(tmp_path / "gateway", [EXAMPLES]).start()
    try:
        put = taulu("put", "demo.users", "--file", str(file), address=gateway.address)
        assert put.returncode == Exit.OK, put.stderr
        for options in ((), ("--json",)):
            with scanning(gateway.address, *options) as left:
                assert left.stdout is not None
                assert left.stderr is not None
                assert left.stdout.readline()
                left.stdout.close()
                assert (left.stderr.read(), left.wait(60)) == ("", Exit.UNREAD)
        with scanning(gateway.address) as cut_off:
            assert cut_off.stdout is not None
            assert cut_off.stderr is not None
            lines = [cut_off.stdout.readline() for _ in range(4)]
            # Its first rows are here, and it never gets to the last ones.
            gateway.kill()
            lines += cut_off.stdout.readlines()
            assert (cut_off.wait(60), "Traceback" in cut_off.stderr.read()) == (
                Exit.TRY_AGAIN,
                False,
            )
    finally:
        gateway.close()
    found = [word for line in lines for word in line.split()[:1] if word.isdecimal()]
    assert BLOCK_ROWS <= len(found) < ROWS
