from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from taulu.conformance.tables import TTL_S
from taulu.model import (
    AppendRecords,
    ChangeCounters,
    Contention,
    DeadlineExceeded,
    Failed,
    GetRows,
    Increment,
    Key,
    NewRecord,
    Overloaded,
    Reserve,
    Row,
    StorageFull,
    Unavailable,
    Written,
)
from tests.unit.taulu_embedded.parts import (
    ITEMS,
    ShiftedClock,
    context,
    opened,
    put,
    token,
    write,
)

HOLD_THE_LOCK = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""


def rows_in(path: Path, table: str) -> int:
    file = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    (count,) = file.execute(f"SELECT count(*) FROM {table}").fetchone()
    file.close()
    return count


async def test_a_full_file_refuses_writes_and_still_reads(tmp_path: Path) -> None:
    path = tmp_path / "taulu.db"
    clock = ShiftedClock()
    async with opened(path, clock, options={"file_bytes_max": 512 * 1024}) as adapter:
        written: list[str] = []
        full: StorageFull | None = None
        for n in range(1_000):
            unit = put(f"{n:06}" + "x" * 900, n)
            try:
                (outcome,) = (await adapter.execute(write(unit), context(clock))).outcomes
            except StorageFull as error:
                full = error
                break
            if isinstance(outcome, Failed):
                assert isinstance(outcome.error, StorageFull)
                full = outcome.error
                break
            written.append(unit.mutations[0].key.partition[0])
        assert full is not None
        assert "is full" in full.message
        assert written
        keys = tuple(Key((name,)) for name in written)
        reads = await adapter.execute(GetRows(ITEMS.full_name, keys), context(clock))
        assert all(isinstance(row, Row) for row in reads.outcomes)


async def test_a_full_queue_refuses_before_any_work(tmp_path: Path) -> None:
    clock = ShiftedClock()
    options = {"write_queue_max": 2}
    async with opened(tmp_path / "taulu.db", clock, options=options) as adapter:
        calls = [
            adapter.execute(write(put(f"{n}", nonce=f"queue-{n}")), context(clock))
            for n in range(50)
        ]
        done = await asyncio.gather(*calls, return_exceptions=True)
        refused = [error for error in done if isinstance(error, Overloaded)]
        assert refused
        assert refused[0].details["limit"] == "write_queue_max"
        assert refused[0].retry_after_s is not None
        written = [n for n, result in enumerate(done) if not isinstance(result, Exception)]
        keys = tuple(Key((f"{n}",)) for n in range(50))
        reads = await adapter.execute(GetRows(ITEMS.full_name, keys), context(clock))
        present = [n for n, row in enumerate(reads.outcomes) if isinstance(row, Row)]
        assert present == written


async def test_a_write_past_its_deadline_is_not_begun(tmp_path: Path) -> None:
    clock = ShiftedClock()
    async with opened(tmp_path / "taulu.db", clock) as adapter:
        with pytest.raises(DeadlineExceeded):
            await adapter.execute(write(put("late")), context(clock, timeout_s=-1))
        reads = await adapter.execute(GetRows(ITEMS.full_name, (Key(("late",)),)), context(clock))
        assert not isinstance(reads.outcomes[0], Row)


async def test_writes_wait_for_another_processs_lock_and_then_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taulu_embedded.adapter._TURN_S_MAX", 0.2)
    path = tmp_path / "taulu.db"
    clock = ShiftedClock()
    async with opened(path, clock) as adapter:
        other = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs on this loop
            [sys.executable, "-c", HOLD_THE_LOCK, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Contention, match="being written by other processes"):
            await adapter.execute(write(put("a")), context(clock))
        other.communicate()
        results = await adapter.execute(write(put("a")), context(clock))
        assert isinstance(results.outcomes[0], Written)


async def test_many_writes_share_commits_and_keep_their_own_outcomes(tmp_path: Path) -> None:
    clock = ShiftedClock()
    async with opened(tmp_path / "taulu.db", clock) as adapter:
        calls = [
            adapter.execute(write(put(f"{n % 40}", n, f"group-{n}")), context(clock))
            for n in range(400)
        ]
        results = await asyncio.gather(*calls)
        versions = [result.outcomes[0].version for result in results]
        assert len(set(versions)) == 400


async def test_a_cancelled_write_that_still_waits_is_dropped_or_done_whole(tmp_path: Path) -> None:
    clock = ShiftedClock()
    async with opened(tmp_path / "taulu.db", clock) as adapter:
        tasks = [
            asyncio.create_task(
                adapter.execute(write(put(f"{n}", n), put(f"{n}+", n)), context(clock))
            )
            for n in range(60)
        ]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for n in range(60):
            keys = (Key((f"{n}",)), Key((f"{n}+",)))
            reads = await adapter.execute(GetRows(ITEMS.full_name, keys), context(clock))
            present = [isinstance(row, Row) for row in reads.outcomes]
            assert present in ([True, True], [False, False])
            if n % 2:
                assert all(present)


async def test_closing_finishes_what_was_accepted(tmp_path: Path) -> None:
    path = tmp_path / "taulu.db"
    clock = ShiftedClock()
    async with opened(path, clock) as adapter:
        tasks = [
            asyncio.create_task(adapter.execute(write(put(f"{n}", n)), context(clock)))
            for n in range(100)
        ]
        await asyncio.sleep(0)
        await adapter.close()
        done = await asyncio.gather(*tasks, return_exceptions=True)
    acknowledged = [n for n, result in enumerate(done) if not isinstance(result, Exception)]
    assert all(isinstance(e, Unavailable) for e in done if isinstance(e, Exception))
    async with opened(path, clock) as adapter:
        keys = tuple(Key((f"{n}",)) for n in acknowledged)
        reads = await adapter.execute(GetRows(ITEMS.full_name, keys), context(clock))
        assert all(isinstance(row, Row) for row in reads.outcomes)


async def test_what_expired_is_purged_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "taulu.db"
    clock = ShiftedClock()
    options = {"purge_interval_s": 3_600}
    async with opened(path, clock, options=options) as adapter:
        await adapter.execute(
            write(*(put(f"{n}", n, ttl_us=1_000_000) for n in range(1_500)), put("stays")),
            context(clock),
        )
        changes = (
            Increment(Key(("a",)), 1, token("increment")),
            Reserve(Key(("a",)), 1, "hold", 1_000_000, token("reserve")),
        )
        await adapter.execute(ChangeCounters("conformance.credits", changes), context(clock))
        records = tuple(NewRecord(("s",), {"count": n}, token(f"r{n}")) for n in range(5))
        await adapter.execute(AppendRecords("conformance.short_log", records), context(clock))
        assert rows_in(path, "rows") == 1_501
        clock.shift_us += TTL_S * 1_000_000
        while await adapter.purge():
            pass
        assert rows_in(path, "rows") == 1
        assert rows_in(path, "holds") == 0
        assert rows_in(path, "log_records") == 0
        assert rows_in(path, "tokens") == 1_501 + 2 + 5
        clock.shift_us += 25 * 3_600 * 1_000_000
        while await adapter.purge():
            pass
        assert rows_in(path, "tokens") == 0
        assert rows_in(path, "counters") == 1


async def test_purging_goes_on_in_the_background(tmp_path: Path) -> None:
    path = tmp_path / "taulu.db"
    clock = ShiftedClock()
    async with opened(path, clock, options={"purge_interval_s": 0.02}) as adapter:
        await adapter.execute(write(put("a", ttl_us=1_000)), context(clock))
        clock.shift_us += 1_000_000
        async with asyncio.timeout(10):
            while rows_in(path, "rows"):  # noqa: ASYNC110 - the file is what is waited for
                await asyncio.sleep(0.02)
