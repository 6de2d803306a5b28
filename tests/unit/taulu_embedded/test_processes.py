"""Several processes on one file, and processes that are killed while they write."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from taulu.model import GetCounters, GetRows, Key, Row
from tests.unit.taulu_embedded.parts import ITEMS, ShiftedClock, context, opened

ROOT = Path(__file__).parents[3]
ROWS_PER_UNIT = 3
KILLS = 6

WRITER = """
import asyncio, sys
from pathlib import Path
from taulu.model import ChangeCounters, Increment, Key, Put, WriteRows, WriteUnit
from tests.unit.taulu_embedded.parts import ITEMS, ShiftedClock, context, opened, token

CREDITS = "conformance.credits"
path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])

async def run():
    clock = ShiftedClock()
    async with opened(path, clock, options={"durability": "full"}) as adapter:
        print("ready", flush=True)
        for n in range(count):
            puts = tuple(Put(Key((f"{name}-{n}-{part}",)), {"count": n}) for part in range(3))
            unit = WriteUnit(puts, token(f"{name}-{n}"))
            change = Increment(Key(("shared",)), 1, token(f"{name}+{n}"))
            writes = adapter.execute(WriteRows(ITEMS.full_name, (unit,)), context(clock))
            counts = adapter.execute(ChangeCounters(CREDITS, (change,)), context(clock))
            await asyncio.gather(writes, counts)
            print(n, flush=True)

asyncio.run(run())
"""


def start(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


async def test_nothing_acknowledged_is_lost_and_nothing_is_halved_by_kills(tmp_path: Path) -> None:
    path = tmp_path / "taulu.db"
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    choose = random.Random(seed)
    acknowledged: dict[str, int] = {}
    for kill in range(KILLS):
        name = f"run{kill}"
        process = start(path, name, 10_000)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        wanted = choose.randrange(1, 40)
        last = -1
        while last < wanted:
            last = int(process.stdout.readline())
        process.kill()
        rest = process.stdout.read().split()
        process.stdout.close()
        process.wait()
        acknowledged[name] = int(rest[-1]) if rest else last
    clock = ShiftedClock()
    async with opened(path, clock) as adapter:
        total = 0
        for name, last in acknowledged.items():
            # One unit more than was acknowledged may have been under way.
            for n in range(last + 3):
                keys = tuple(Key((f"{name}-{n}-{part}",)) for part in range(ROWS_PER_UNIT))
                reads = await adapter.execute(GetRows(ITEMS.full_name, keys), context(clock))
                present = [isinstance(row, Row) for row in reads.outcomes]
                assert len(set(present)) == 1, (name, n)
                assert present[0] or n > last, (name, n)
                assert not (present[0] and n > last + 1), (name, n)
            total += last + 1
        operation = GetCounters("conformance.credits", (Key(("shared",)),))
        (counter,) = (await adapter.execute(operation, context(clock))).outcomes
        assert total <= counter.value <= total + KILLS


async def test_several_processes_write_one_file_fairly_and_exactly(tmp_path: Path) -> None:
    path = tmp_path / "taulu.db"
    async with opened(path):
        pass
    count, names = 60, ("a", "b", "c")
    processes = [start(path, name, count) for name in names]
    outputs = await asyncio.gather(
        *(asyncio.to_thread(process.communicate, timeout=120) for process in processes)
    )
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert all(out.split()[-1] == str(count - 1) for out, _ in outputs)
    clock = ShiftedClock()
    async with opened(path, clock) as adapter:
        operation = GetCounters("conformance.credits", (Key(("shared",)),))
        (counter,) = (await adapter.execute(operation, context(clock))).outcomes
        assert counter.value == count * len(names)


async def test_a_write_is_seen_at_once_by_another_process(tmp_path: Path) -> None:
    path = tmp_path / "taulu.db"
    clock = ShiftedClock()
    async with opened(path, clock) as reader:
        process = start(path, "w", 5)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for n in range(5):
            assert int(await asyncio.to_thread(process.stdout.readline)) == n
            keys = (Key((f"w-{n}-0",)),)
            reads = await reader.execute(GetRows(ITEMS.full_name, keys), context(clock))
            assert isinstance(reads.outcomes[0], Row)
        process.stdout.close()
        assert process.wait() == 0


@pytest.mark.parametrize("times", [3])
async def test_opening_at_the_same_time_makes_one_format(tmp_path: Path, times: int) -> None:
    path = tmp_path / "taulu.db"
    processes = [start(path, f"p{n}", 1) for n in range(times)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert outputs == ["ready\n0\n"] * times
