from __future__ import annotations

from pathlib import Path

import pytest

from taulu.schema import load_tables
from taulu_refunds.failure import JobError
from taulu_refunds.placement import ALL_EMBEDDED, Placement, place_tables, read_placement
from taulu_refunds.stores import tables_folder


def test_a_table_moves_by_one_word_and_nothing_else(tmp_path: Path) -> None:
    placement = Placement(
        {"kafka": {"adapter": "kafka"}},
        {"audit.events": "kafka"},
        {"audit.events": {"replication": 3}},
    )
    place_tables(placement, tmp_path)
    before = {table.full_name: table for table in load_tables([tables_folder()])}
    after = {table.full_name: table for table in load_tables([tmp_path])}
    assert before.keys() == after.keys()
    moved = after.pop("audit.events")
    assert (moved.storage, moved.options) == ("kafka", {"replication": 3})
    stayed = before.pop("audit.events")
    assert (moved.columns, moved.limits, moved.kind) == (stayed.columns, stayed.limits, stayed.kind)
    assert after == before


def test_a_placement_is_read_from_yaml(tmp_path: Path) -> None:
    path = tmp_path / "placement.yaml"
    path.write_text("storage: {redis: {adapter: redis}}\ntables: {features.online: redis}\n")
    placement = read_placement(path)
    assert placement.storage["redis"] == {"adapter": "redis"}
    assert placement.storage["embedded"] == ALL_EMBEDDED.storage["embedded"]
    assert placement.in_words == "1 table on redis"
    assert read_placement(None).in_words == "a fresh embedded store"


@pytest.mark.parametrize("text", ["[]", "tables: {}", "storage: {}\nother: 1", "storage: [", ""])
def test_what_is_no_placement_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "placement.yaml"
    path.write_text(text)
    with pytest.raises(JobError, match="placement"):
        read_placement(path)


def test_a_table_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"features\.nothing"):
        place_tables(Placement({}, {"features.nothing": "redis"}), tmp_path)
