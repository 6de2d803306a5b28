from __future__ import annotations

import pytest

from taulu.codec import Session, session_of, session_token
from taulu.model import InvalidToken


def test_tokens_carry_a_version() -> None:
    assert session_token(7) == "v1:7"
    assert session_of("v1:7") == Session(7, 0)
    assert session_of("") == Session()


def test_tokens_carry_a_time_where_one_is_known() -> None:
    assert session_token(7, 9) == "v1:7:9"
    assert session_of("v1:7:9") == Session(7, 9)


@pytest.mark.parametrize(
    "token", ["7", "v1:", "v1:-1", "v2:7", "v1:7x", "v1:" + "9" * 19, "v1:٣", "v1:7:", "v1:7:x"]
)
def test_damaged_tokens_are_refused(token: str) -> None:
    with pytest.raises(InvalidToken):
        session_of(token)
