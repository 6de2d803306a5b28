from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from taulu.model import ConfigError, GetRows, Key, Unavailable, Written
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
