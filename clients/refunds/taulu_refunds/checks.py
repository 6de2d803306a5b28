"""One figure that is checked: what was found, what was wanted, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from taulu_refunds.failure import JobError


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report."""

    part: str
    what: str
    found: str
    wanted: str
    ok: bool


def equal(part: str, what: str, found: object, wanted: object) -> Check:
    """Check that two things are the same."""
    return Check(
        part,
        what,
        f"{found:,}" if isinstance(found, int) else str(found),
        f"{wanted:,}" if isinstance(wanted, int) else str(wanted),
        found == wanted,
    )


def near(part: str, what: str, found: float, wanted: float, tolerance: float) -> Check:
    """Check that a figure is what was published, to the digits that were published."""
    digits = max(0, len(f"{tolerance:g}".partition(".")[2]))
    return Check(
        part,
        what,
        f"{found:.{digits}f}",
        f"{wanted:.{digits}f}",
        abs(found - wanted) <= tolerance,
    )


def at_least(part: str, what: str, found: int, wanted: int) -> Check:
    """Check that there is enough of something."""
    return Check(part, what, f"{found:,}", f"at least {wanted:,}", found >= wanted)


def to_json(checks: Sequence[Check]) -> list[dict[str, object]]:
    """Return checks as plain values."""
    return [asdict(check) for check in checks]


def from_json(fields: Sequence[Mapping[str, object]]) -> list[Check]:
    """Read back what `to_json` made."""
    try:
        return [
            Check(str(f["part"]), str(f["what"]), str(f["found"]), str(f["wanted"]), bool(f["ok"]))
            for f in fields
        ]
    except KeyError as error:
        raise JobError(f"the verifier's result lacks {error}") from error
