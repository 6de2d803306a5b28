from __future__ import annotations

from pathlib import Path

import pytest

from taulu.model import Unavailable
from taulu_embedded._driver import Connection
from taulu_embedded._driver import IOError as DriverIOError
from taulu_embedded.readers import Readers
from tests.unit.taulu_embedded.parts import opened


async def test_an_error_that_ends_the_snapshot_is_told_itself(tmp_path: Path) -> None:
    path = tmp_path / "taulu.db"
    async with opened(path):
        readers = Readers(path, 1, 10)

        def fail(connection: Connection) -> None:
            connection.execute("ROLLBACK")
            raise DriverIOError("the disk is gone")

        try:
            with pytest.raises(Unavailable, match="the disk is gone"):
                await readers.read(fail)
            assert await readers.read(lambda connection: connection.one("SELECT 1")) == (1,)
        finally:
            readers.close()
