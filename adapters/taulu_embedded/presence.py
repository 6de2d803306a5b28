"""Whether an open file is still the one at its path.

SQLite goes on writing to a file that was deleted or moved away, and what it acknowledges there
is lost when the last process closes it. So every commit, and every read, first looks whether
the path still leads to the file that was opened; the look costs about a microsecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from taulu.model import Unavailable


@dataclass(frozen=True, slots=True)
class Presence:
    """An open file as it was found at its path."""

    path: Path
    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Presence:
        """Remember the file that was just opened."""
        found = path.stat()
        return cls(path, found.st_dev, found.st_ino)

    def check(self) -> None:
        """Look whether it is still there.

        Raises:
            Unavailable: It was deleted, moved away or replaced.
        """
        try:
            found = self.path.stat()
            problem = (
                "" if (found.st_dev, found.st_ino) == (self.device, self.inode) else "replaced"
            )
        except FileNotFoundError:
            problem = "deleted or moved away"
        except OSError as error:
            problem = f"made unreachable ({error.strerror})"
        if problem:
            raise Unavailable(
                f"{self.path} was {problem} while the server had it open, so nothing was read or "
                "written; stop the server, put the file back or restore it, and start again",
                details={"file": str(self.path)},
            )
