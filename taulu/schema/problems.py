"""What is wrong with a file, and where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from taulu.model.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, at a place that an editor can jump to."""

    file: str
    line: int
    """From 1."""
    column: int
    """From 1."""
    message: str

    def __str__(self) -> str:
        """Spell the problem as compilers do."""
        return f"{self.file}:{self.line}:{self.column}: {self.message}"


class SchemaInvalid(ConfigError):
    """Table files or settings are wrong; the message has one line per problem."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint at the known word that is most like a wrong one."""
    words = sorted(known)
    near = difflib.get_close_matches(word.lower(), [known.lower() for known in words], n=1)
    if near:
        match = next(known for known in words if known.lower() == near[0])
        return f"did you mean {match!r}?"
    return f"known: {', '.join(words)}" if words else "nothing may stand here"
