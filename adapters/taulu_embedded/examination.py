"""What `taulu doctor` is told of a database file. It works beside a running server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from taulu.model import Corrupt, SchemaConflict, Table, TauluError
from taulu.spi import Finding
from taulu_embedded._driver import Connection, DriverError, sqlite_version
from taulu_embedded.mapping import to_taulu
from taulu_embedded.opening import check_format, check_place, check_sqlite, free_bytes, open_reader
from taulu_embedded.shape import check_table

_FREE_BYTES_WARN = 256 * 1024 * 1024
_MIB = 1024 * 1024


def examine(path: Path, tables: Sequence[Table]) -> list[Finding]:
    """Look the file over, and whether tables fit what it holds, without changing it."""
    findings = [_sqlite()]
    if not tables and not path.exists():
        findings.append(Finding(ok=True, what=f"{path} is not there, and no table is kept in it"))
        return findings
    try:
        check_place(path)
    except TauluError as error:
        findings.append(Finding(ok=False, what=error.message, mend="mend the folder or `path`"))
        return findings
    if not path.exists():
        findings.append(Finding(ok=True, what=f"{path} is not there yet; the server makes it"))
        return findings
    findings.append(_room(path))
    try:
        connection = open_reader(path)
    except TauluError as error:
        findings.append(Finding(ok=False, what=error.message, mend="mend the file or its rights"))
        return findings
    try:
        findings += _contents(connection, path, tables)
    except DriverError as error:
        findings.append(_refusal(to_taulu(error, path, "see which processes have it open")))
    except TauluError as error:
        findings.append(_refusal(error))
    finally:
        connection.close()
    return findings


def _refusal(error: TauluError) -> Finding:
    return Finding(ok=False, what=error.message, mend="set `path` to another file, or restore it")


def _sqlite() -> Finding:
    version = sqlite_version()
    try:
        check_sqlite(version)
    except TauluError as error:
        return Finding(ok=False, what=error.message, mend="upgrade the package `apsw`")
    return Finding(ok=True, what=f"SQLite {version}")


def _room(path: Path) -> Finding:
    free = free_bytes(path)
    what = f"{free // _MIB} MiB are free on the disk of {path}"
    if free < _FREE_BYTES_WARN:
        return Finding(ok=False, what=what, mend="free disk space before writes are refused")
    return Finding(ok=True, what=what)


def _contents(connection: Connection, path: Path, tables: Sequence[Table]) -> list[Finding]:
    if not check_format(connection, path):
        return [Finding(ok=True, what=f"{path} is empty; the server will make its format")]
    verdict = str(connection.pragma("quick_check"))
    wal = path.with_name(path.name + "-wal")
    wal_bytes = wal.stat().st_size if wal.exists() else 0
    sizes = f"{path.stat().st_size // 1024} KiB, write-ahead log {wal_bytes // 1024} KiB"
    if verdict != "ok":
        return [
            Finding(
                ok=False,
                what=f"{path} is damaged: {verdict}",
                mend="stop the server and restore the file from a backup",
            )
        ]
    findings = [Finding(ok=True, what=f"{path} is sound ({sizes})")]
    for table in tables:
        try:
            check_table(connection, table)
        except (Corrupt, SchemaConflict) as error:
            findings.append(Finding(ok=False, what=error.message, mend="mend the table's file"))
    return findings
