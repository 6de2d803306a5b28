"""Durations and sizes as people write them: `90d`, `1h30m`, `64KiB`."""

from __future__ import annotations

import re

from taulu.model.table import TTL_US_MAX
from taulu.model.value import INT64_MAX

_DURATION_US = {
    "us": 1,
    "ms": 1_000,
    "s": 1_000_000,
    "m": 60 * 1_000_000,
    "h": 3_600 * 1_000_000,
    "d": 86_400 * 1_000_000,
}
_SIZE_BYTES = {
    "B": 1,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
}
_DURATION_PART = re.compile(r"(\d{1,18})(us|ms|s|m|h|d)")
_SIZE = re.compile(r"(\d{1,18}) ?(B|KB|MB|GB|KiB|MiB|GiB)")


def parse_duration(text: str) -> int:
    """Return a duration in microseconds, of at most `TTL_US_MAX`.

    Raises:
        ValueError: It is no duration above zero; the message says how one is written.
    """
    parts = _DURATION_PART.findall(text)
    total = sum(int(number) * _DURATION_US[unit] for number, unit in parts)
    is_whole = "".join(number + unit for number, unit in parts) == text
    if not is_whole or not 0 < total <= TTL_US_MAX:
        raise ValueError(
            f"{text!r} is no duration; write one like '250ms', '30s', '1h30m' or '90d', of at "
            "most 36500d"
        )
    return total


def parse_size(text: str | int) -> int:
    """Return a size in bytes; a bare number is bytes.

    Raises:
        ValueError: It is no size above zero; the message says how one is written.
    """
    match = _SIZE.fullmatch(f"{text}B" if isinstance(text, int) else text)
    size = int(match[1]) * _SIZE_BYTES[match[2]] if match else 0
    if not 0 < size <= INT64_MAX:
        raise ValueError(f"{text!r} is no size; write one like '512B', '64KiB' or '4MiB'")
    return size
