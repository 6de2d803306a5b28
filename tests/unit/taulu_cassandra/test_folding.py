from __future__ import annotations

from taulu.model import (
    WHOLE_PARTITION,
    Bound,
    ClusteringRange,
    Delete,
    DeleteRange,
    Key,
    Mutation,
    Put,
    Update,
)
from taulu_cassandra.folding import NoRow, PlainFold, SomeColumns, WholeRow
from tests.unit.taulu_cassandra.parts import layout

A, B = Key(("p",), (1, "a")), Key(("p",), (1, "b"))


def folded(*mutations: Mutation) -> PlainFold:
    fold = PlainFold(layout("orders").keys)
    for mutation in mutations:
        fold.add(mutation)
    return fold


def test_the_last_whole_write_of_a_row_stands() -> None:
    fold = folded(Put(A, {"count": 1}), Delete(A), Put(A, {"text": "x"}))
    assert fold.changes == {A.clustering: WholeRow({"text": "x"}, None)}


def test_an_update_keeps_what_is_not_known() -> None:
    fold = folded(Update(A, {"count": 1}), Update(A, {"text": None}))
    assert fold.changes == {A.clustering: SomeColumns({"count": 1, "text": None})}


def test_an_update_behind_a_put_or_a_delete_is_a_whole_row() -> None:
    fold = folded(Put(A, {"count": 1}, 5), Update(A, {"text": "x"}), Delete(B), Update(B, {}))
    assert fold.changes == {
        A.clustering: WholeRow({"count": 1, "text": "x"}, 5),
        B.clustering: WholeRow({}, None),
    }


def test_a_range_takes_the_rows_before_it_and_leaves_those_behind_it() -> None:
    fold = folded(
        Put(A, {"count": 1}), DeleteRange(("p",), WHOLE_PARTITION), Update(B, {"count": 2})
    )
    assert fold.changes == {B.clustering: WholeRow({"count": 2}, None)}
    cut = Bound(B.clustering, exclusive=True)
    assert fold.deleted() == [ClusteringRange(None, cut), ClusteringRange(cut, None)]


def test_a_deleted_row_behind_nothing_is_one_deletion() -> None:
    assert folded(Update(A, {"count": 1}), Delete(A)).changes == {A.clustering: NoRow()}
