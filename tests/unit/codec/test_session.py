from __future__ import annotations

import pytest

from taulu.codec import session_token, session_version
from taulu.model import InvalidToken


def test_tokens_carry_a_version() -> None:
    assert session_token(7) == "v1:7"
    assert session_version("v1:7") == 7
    assert session_version("") == 0


@pytest.mark.parametrize("token", ["7", "v1:", "v1:-1", "v2:7", "v1:7x", "v1:" + "9" * 19, "v1:٣"])
def test_damaged_tokens_are_refused(token: str) -> None:
    with pytest.raises(InvalidToken):
        session_version(token)
