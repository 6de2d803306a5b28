from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from taulu.model import (
    TTL_US_MAX,
    Commit,
    Delete,
    Increment,
    InvalidArgument,
    InvalidToken,
    Key,
    NewRecord,
    Release,
    Reserve,
    WriteUnit,
)
from taulu.policy.idempotency import CLOCK_SKEW_US_MAX, Idempotency
from tests.unit.policy.parts import DrivenClock, token

KEY = Key(("a",))
WINDOW_US = 1_000_000
RESERVE = Reserve(KEY, 1, "hold", 1_000, token())


def check_all(check: Idempotency, **how: Any) -> None:
    """Send one token through every kind of write."""
    mark = token(**how)
    check.unit(WriteUnit((Delete(KEY),), mark))
    check.record(NewRecord(("a",), {}, mark))
    for change in (
        Increment(KEY, 1, mark),
        replace(RESERVE, token=mark),
        Commit(KEY, "hold", mark),
        Release(KEY, "hold", mark),
    ):
        check.change(change)


@pytest.mark.parametrize("nonce", ["x" * 8, "x" * 64, "commit:claim-17", "8 blanks"])
def test_good_nonces_pass(nonce: str):
    check_all(Idempotency(DrivenClock(), WINDOW_US), nonce=nonce)


@pytest.mark.parametrize(
    "nonce", ["", "short", "x" * 65, "naïve-nonce", "tab\tinside!", "nul\0inside"]
)
def test_bad_nonces_are_refused(nonce: str):
    with pytest.raises(InvalidToken, match="nonce"):
        check_all(Idempotency(DrivenClock(), WINDOW_US), nonce=nonce)


def test_a_token_is_taken_up_to_the_end_of_its_window():
    check = Idempotency(DrivenClock(wall_us=WINDOW_US), WINDOW_US)
    check_all(check, create_time_us=0)
    with pytest.raises(InvalidToken, match="past the window"):
        check_all(check, create_time_us=-1)


def test_a_token_from_the_future_is_taken_within_the_allowed_skew():
    check = Idempotency(DrivenClock(), WINDOW_US)
    check_all(check, create_time_us=CLOCK_SKEW_US_MAX)
    with pytest.raises(InvalidToken, match="future"):
        check_all(check, create_time_us=CLOCK_SKEW_US_MAX + 1)


@pytest.mark.parametrize(
    "change",
    [
        replace(RESERVE, hold_id=""),
        replace(RESERVE, hold_id="x" * 129),
        replace(RESERVE, ttl_us=0),
        replace(RESERVE, ttl_us=TTL_US_MAX + 1),
        Commit(KEY, "", token()),
        Release(KEY, "", token()),
    ],
)
def test_holds_need_a_name_and_an_end(change: Any):
    with pytest.raises(InvalidArgument, match="hold"):
        Idempotency(DrivenClock(), WINDOW_US).change(change)
