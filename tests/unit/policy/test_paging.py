from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taulu.model import Bound, ClusteringRange, InvalidPageToken, Page, QueryRows, ScanRows
from taulu.policy.paging import Paging
from tests.unit.policy.parts import CONTEXT, Recorder

QUERY = QueryRows("shop.orders", ("a",), Page(10, 100))
SCAN = ScanRows("shop.orders", Page(10, 100), segment=1, segment_count=4)


def _after(operation: Any, token: str) -> Any:
    return replace(operation, page=replace(operation.page, token=token))


@pytest.mark.parametrize("operation", [QUERY, SCAN])
async def test_a_token_goes_on_where_the_page_ended(recorder: Recorder, operation: Any):
    paging = Paging(recorder)
    first = await paging(operation, CONTEXT)
    await paging(_after(operation, first.next_token), CONTEXT)
    assert [seen.page.position for seen in recorder.seen] == [b"", b"here"]


@pytest.mark.parametrize("operation", [QUERY, SCAN])
async def test_the_page_size_may_change(recorder: Recorder, operation: Any):
    paging = Paging(recorder)
    token = (await paging(operation, CONTEXT)).next_token
    await paging(replace(operation, page=Page(3, 5, token=token)), CONTEXT)
    assert recorder.seen[-1].page.position == b"here"


@pytest.mark.parametrize(
    ("operation", "other"),
    [
        (QUERY, replace(QUERY, partition=("b",))),
        (QUERY, replace(QUERY, table="shop.others")),
        (QUERY, replace(QUERY, reverse=True)),
        (QUERY, replace(QUERY, columns=("paid",))),
        (QUERY, replace(QUERY, range=ClusteringRange(start=Bound((1,))))),
        (SCAN, replace(SCAN, segment=2)),
        (SCAN, replace(SCAN, segment_count=5)),
        (QUERY, SCAN),
    ],
)
async def test_a_token_is_refused_with_another_query(
    recorder: Recorder, operation: Any, other: Any
):
    paging = Paging(recorder)
    token = (await paging(operation, CONTEXT)).next_token
    with pytest.raises(InvalidPageToken):
        await paging(_after(other, token), CONTEXT)
    assert len(recorder.seen) == 1


@given(st.text(min_size=1))
async def test_made_up_tokens_are_refused(text: str):
    with pytest.raises(InvalidPageToken):
        await Paging(Recorder())(_after(QUERY, text), CONTEXT)


@given(st.integers(0, 200), st.integers(1, 255))
async def test_one_flipped_byte_is_refused(place: int, flip: int):
    paging = Paging(Recorder())
    raw = bytearray(base64.urlsafe_b64decode((await paging(QUERY, CONTEXT)).next_token))
    raw[place % len(raw)] ^= flip
    with pytest.raises(InvalidPageToken):
        await paging(_after(QUERY, base64.urlsafe_b64encode(bytes(raw)).decode()), CONTEXT)
