from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taulu.model import Corrupt
from taulu_postgres.escape import escape, unescape

texts = st.text(st.sampled_from("\x00\x01\x02a\u00e9\U0001f9ea"))


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("", ""),
        ("plain \u00e9 \x02", "plain \u00e9 \x02"),
        ("\x00", "\x01\x01"),
        ("\x01", "\x01\x02"),
        ("a\x00b\x01", "a\x01\x01b\x01\x02"),
    ],
)
def test_texts_stay_what_they_are_but_for_two_characters(text: str, stored: str) -> None:
    assert escape(text) == stored
    assert unescape(stored) == text


@given(texts, texts)
def test_the_order_of_bytes_and_prefixes_are_kept(one: str, other: str) -> None:
    assert unescape(escape(one)) == one
    assert "\x00" not in escape(one)
    assert (escape(one).encode() < escape(other).encode()) == (one.encode() < other.encode())
    assert escape(one + other) == escape(one) + escape(other)


@pytest.mark.parametrize("stored", ["\x01", "a\x01b", "\x01\x01\x01"])
def test_what_was_never_stored_is_corrupt(stored: str) -> None:
    with pytest.raises(Corrupt):
        unescape(stored)
