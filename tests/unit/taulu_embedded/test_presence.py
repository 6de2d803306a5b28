from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from taulu.model import ConfigError, GetRows, Key, Row, Unavailable, Written
from tests.unit.taulu_embedded.parts import ITEMS, ShiftedClock, context, opened, put, write

READ = GetRows(ITEMS.full_name, (Key(("before",)),))


@pytest.mark.parametrize(
    ("harm", "told"), [("delete", "deleted or moved"), ("move", "deleted"), ("replace", "replaced")]
)
async def test_a_file_that_is_gone_takes_no_write_and_gives_no_read(
    tmp_path: Path, harm: str, told: str
) -> None:
    path, clock = tmp_path / "data" / "taulu.db", ShiftedClock()
    async with opened(path, clock) as adapter:
        await adapter.execute(write(put("before")), context(clock))
        if harm == "delete":
            shutil.rmtree(path.parent)
        elif harm == "move":
            path.parent.rename(tmp_path / "elsewhere")
        else:
            copy = path.with_name("copy.db")
            copy.write_bytes(path.read_bytes())
            copy.replace(path)
        with pytest.raises(Unavailable, match=rf"was {told}.*stop the server"):
            await adapter.execute(write(put("after")), context(clock))
        with pytest.raises(Unavailable, match=rf"was {told}"):
            await adapter.execute(READ, context(clock))


async def test_a_file_that_is_put_back_is_used_again(tmp_path: Path) -> None:
    path, clock = tmp_path / "data" / "taulu.db", ShiftedClock()
    async with opened(path, clock) as adapter:
        path.parent.rename(tmp_path / "elsewhere")
        with pytest.raises(Unavailable):
            await adapter.execute(write(put("lost")), context(clock))
        (tmp_path / "elsewhere").rename(path.parent)
        results = await adapter.execute(write(put("found")), context(clock))
        assert isinstance(results.outcomes[0], Written)


@pytest.mark.parametrize("harm", ["delete", "empty"])
async def test_a_worker_that_comes_later_begins_no_store_in_place_of_one_that_is_gone(
    tmp_path: Path, harm: str
) -> None:
    path, clock = tmp_path / "data" / "taulu.db", ShiftedClock()
    async with opened(path, clock) as adapter, opened(path, clock, makes_storage=False) as later:
        await adapter.execute(write(put("before")), context(clock))
        (row,) = (await later.execute(READ, context(clock))).outcomes
        assert isinstance(row, Row)
    shutil.rmtree(path.parent)
    if harm == "empty":
        path.parent.mkdir()
        path.touch()
    with pytest.raises(ConfigError, match=r"deleted, moved away or emptied.*start the server"):
        async with opened(path, clock, makes_storage=False):
            pass
    assert path.exists() is (harm == "empty")
    async with opened(path, clock) as adapter:
        assert not isinstance((await adapter.execute(READ, context(clock))).outcomes[0], Row)


@pytest.mark.parametrize("beside", [".lock", ".turn"])
async def test_what_the_system_refuses_at_the_start_is_one_clear_error(
    tmp_path: Path, beside: str
) -> None:
    path = tmp_path / "taulu.db"
    # A folder where a file belongs cannot be opened, whoever runs this.
    path.with_name(path.name + beside).mkdir()
    with pytest.raises(ConfigError, match=rf"taulu\.db{beside} gives .*directory.*; check"):
        async with opened(path):
            pass
