from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from taulu.model import (
    ConfigError,
    Contention,
    Corrupt,
    GetRows,
    Key,
    Row,
    SchemaConflict,
    Unavailable,
    Written,
)
from taulu.model.table import Column
from taulu.model.value import ColumnType, TypeName
from taulu.spi import Environment
from taulu_embedded import EmbeddedAdapter
from taulu_embedded import adapter as adapter_module
from taulu_embedded.opening import check_sqlite
from tests.unit.taulu_embedded.parts import (
    ITEMS,
    ShiftedClock,
    context,
    opened,
    put,
    renamed,
    write,
)

ENDING_S = 1.0
COUNT_ROWS = """
import sqlite3, sys
print(sqlite3.connect(sys.argv[1]).execute("SELECT count(*) FROM rows").fetchone()[0])
"""


async def test_a_second_server_on_the_same_file_is_refused_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "taulu.db"
    async with opened(path):
        with pytest.raises(ConfigError, match=rf"in use by another server .*{os.getpid()}"):
            async with opened(path, server_id="two"):
                pass
        async with opened(path, server_id="one"):
            pass
    async with opened(path, server_id="two"):
        pass


async def test_a_server_that_is_just_ending_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taulu_embedded.lock._WAIT_S_MAX", 60.0)
    path = tmp_path / "taulu.db"
    async with asyncio.TaskGroup() as group, opened(path):
        starting = group.create_task(opened_once(path, "two"))
        await asyncio.sleep(ENDING_S)
        assert not starting.done()


async def opened_once(path: Path, server_id: str) -> None:
    async with opened(path, server_id=server_id):
        pass


async def test_a_second_server_is_refused_by_whatever_link_it_reaches_the_file(
    tmp_path: Path,
) -> None:
    path, link = tmp_path / "a" / "taulu.db", tmp_path / "b" / "link.db"
    link.parent.mkdir()
    link.symlink_to(path)
    async with opened(path):
        with pytest.raises(ConfigError, match="in use by another server"):
            async with opened(link, server_id="two"):
                pass


async def test_a_circle_of_links_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(link)
    with pytest.raises(Unavailable, match=r"link\.db cannot be opened"):
        async with opened(link):
            pass


async def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but a text of more than sixteen bytes\n" * 100)
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"notes\.txt is not a database"):
        async with opened(path):
            pass
    assert path.read_bytes() == before


async def test_another_programs_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    with pytest.raises(ConfigError, match="another program's database"):
        async with opened(path):
            pass
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]
    other.close()


async def test_a_later_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "taulu.db"
    async with opened(path):
        pass
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA user_version = 99")
    file.close()
    with pytest.raises(ConfigError, match="has format 99"):
        async with opened(path):
            pass


async def test_a_folder_is_no_file_and_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        async with opened(tmp_path):
            pass
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(ConfigError, match="cannot be made"):
        async with opened(blocked / "taulu.db"):
            pass


def test_an_old_sqlite_is_refused() -> None:
    check_sqlite("3.51.3")
    check_sqlite("4.0.0")
    with pytest.raises(ConfigError, match=r"SQLite 3\.51\.2 can damage"):
        check_sqlite("3.51.2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "option 'path'"),
        ({"path": "x", "reader": 2}, "did you mean 'readers'"),
        ({"path": "x", "readers": 0}, "option 'readers'"),
        ({"path": "x", "durability": "none"}, "option 'durability'"),
        ({"path": "x", "file_bytes_max": 10}, "option 'file_bytes_max'"),
    ],
)
def test_wrong_options_are_refused_by_name(options: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EmbeddedAdapter.create(options, Environment())


async def test_calls_before_open_and_after_close_are_refused(tmp_path: Path) -> None:
    clock = ShiftedClock()
    adapter = EmbeddedAdapter.create({"path": str(tmp_path / "t.db")}, Environment(clock=clock))
    with pytest.raises(Unavailable, match="is not open"):
        await adapter.prepare(ITEMS)
    await adapter.open()
    await adapter.prepare(ITEMS)
    await adapter.close()
    await adapter.close()
    with pytest.raises(Unavailable, match="is not open"):
        await adapter.execute(write(put("a")), context(clock))


async def test_a_description_that_does_not_fit_is_refused_with_each_difference(
    tmp_path: Path,
) -> None:
    path = tmp_path / "taulu.db"
    async with opened(path):
        pass
    text = Column("count", ColumnType(TypeName.STRING))
    others = tuple(c for c in ITEMS.columns if c.name != "count")
    async with opened(path, tables=()) as adapter:
        other = renamed(ITEMS, columns=(text, *others))
        with pytest.raises(SchemaConflict, match="column count is int64 in the file and string"):
            await adapter.prepare(other)
        wrong = [finding for finding in await adapter.examine([other, ITEMS]) if not finding.ok]
        assert ["column count is int64 in the file" in finding.what for finding in wrong] == [True]
        key = Column("id", ColumnType(TypeName.BYTES))
        with pytest.raises(SchemaConflict, match=r"partition key is \[id string\] in the file"):
            await adapter.prepare(renamed(ITEMS, partition_key=(key,)))


async def test_columns_can_be_added_and_come_back_under_their_type(tmp_path: Path) -> None:
    path = tmp_path / "taulu.db"
    clock = ShiftedClock()
    added = Column("added", ColumnType(TypeName.INT64))
    wider = renamed(ITEMS, columns=(*ITEMS.columns, added))
    async with opened(path, clock) as adapter:
        await adapter.execute(write(put("a", 7)), context(clock))
    async with opened(path, clock, tables=(wider,)) as adapter:
        reads = await adapter.execute(GetRows(ITEMS.full_name, (Key(("a",)),)), context(clock))
        (row,) = reads.outcomes
        assert isinstance(row, Row)
        assert dict(row.columns) == {"count": 7}
    wrong = renamed(ITEMS, columns=(*ITEMS.columns, Column("added", ColumnType(TypeName.STRING))))
    async with opened(path, tables=()) as adapter:
        with pytest.raises(SchemaConflict, match="column added"):
            await adapter.prepare(wrong)


async def test_a_damaged_file_is_reported_and_never_served_as_data(tmp_path: Path) -> None:
    path = tmp_path / "taulu.db"
    clock = ShiftedClock()
    async with opened(path, clock) as adapter:
        units = [put(f"{n:04}", n) for n in range(500)]
        await adapter.execute(write(*units), context(clock))
    data = bytearray(path.read_bytes())
    for page in range(4, len(data) // 4096):
        data[page * 4096 : page * 4096 + 2048] = b"\xa5" * 2048
    path.write_bytes(data)
    damaged = EmbeddedAdapter.create({"path": str(path)}, Environment(clock=clock))
    findings = await damaged.examine()
    assert not all(finding.ok for finding in findings)
    async with opened(path, clock) as adapter:
        keys = tuple(Key((f"{n:04}",)) for n in range(500))
        with pytest.raises(Corrupt, match="restore"):
            await adapter.execute(GetRows(ITEMS.full_name, keys), context(clock))


async def test_a_file_that_others_write_all_the_time_is_told_as_such_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter_module, "_TURN_S_MAX", 0.05)
    path = tmp_path / "taulu.db"
    async with opened(path, tables=()) as adapter:
        with path.with_name("taulu.db.turn").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            with pytest.raises(Contention) as refused:
                await adapter.prepare(ITEMS)
    assert "could not be prepared" in refused.value.message
    assert "see which processes have it open" in refused.value.message
    assert "send" not in refused.value.message


async def test_examination_works_beside_a_server_and_without_one(tmp_path: Path) -> None:
    path = tmp_path / "taulu.db"
    doctor = EmbeddedAdapter.create({"path": str(path)}, Environment(server_id="doctor"))
    before = await doctor.examine()
    assert any("is not there" in finding.what for finding in before)
    async with opened(path) as adapter:
        clock = ShiftedClock()
        results = await adapter.execute(write(put("a")), context(clock))
        assert isinstance(results.outcomes[0], Written)
        during = await doctor.examine()
        assert all(finding.ok for finding in during)
        assert any("is sound" in finding.what for finding in during)


async def test_other_tools_can_read_the_file_while_the_server_runs(tmp_path: Path) -> None:
    path = tmp_path / "taulu.db"
    clock = ShiftedClock()
    async with opened(path, clock) as adapter:
        await adapter.execute(write(put("a"), put("b")), context(clock))
        told = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", COUNT_ROWS, str(path)],
            capture_output=True,
            text=True,
        )
        assert told.stdout == "2\n"
