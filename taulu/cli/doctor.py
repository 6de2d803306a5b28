"""`taulu doctor`: settings, tables and every storage target looked over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import typer

from taulu.cli.exits import Exit
from taulu.cli.options import AsJson
from taulu.cli.output import Output
from taulu.cli.server_commands import Config, given_or_here, sound
from taulu.cli.storage import Storage
from taulu.model.errors import ConfigError, TauluError
from taulu.model.table import Table
from taulu.schema import Settings, load_settings, load_tables
from taulu.server.listener import reserve_port
from taulu.spi import Adapter, Finding

EXAMINE_S_MAX = 30.0
"""How long one storage target may take; adapters give up well before."""

_Found = tuple[str, Finding]
"""What a finding is of, and the finding."""


def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """Look over settings, tables and every storage target, and say what is wrong."""
    settings = load_settings(given_or_here(config))
    storage = Storage.of(settings)
    tables, found = _look_at_tables(storage)
    found = [*_look_at_settings(settings), *found]
    for name, error in storage.troubles.items():
        finding = Finding(ok=False, what=error.message, mend="mend the settings")
        found.append((f"storage {name}", finding))
    found += asyncio.run(_look_at_storage(storage, tables))
    Output(as_json).rows(
        [
            {
                "of": of,
                "ok": finding.ok if as_json else "ok" if finding.ok else "WRONG",
                "what": finding.what,
                "mend": "" if finding.ok else finding.mend,
            }
            for of, finding in found
        ]
    )
    if not all(finding.ok for _, finding in found):
        raise typer.Exit(Exit.FAILED)


def _look_at_settings(settings: Settings) -> list[_Found]:
    """Look whether a server could listen; its port may well be taken, by the server itself."""
    try:
        with reserve_port(settings.host, 0):
            return [("settings", Finding(ok=True, what="the settings are sound"))]
    except ConfigError as error:
        what = f"this machine cannot listen on {settings.host} ({error.__cause__})"
        return [("settings", Finding(ok=False, what=what, mend="set `listen` to one of its own"))]


def _look_at_tables(storage: Storage) -> tuple[list[Table], list[_Found]]:
    """Return the tables that a server would load, and what there is to say of all."""
    try:
        tables = load_tables(storage.settings.tables)
    except TauluError as error:
        finding = Finding(ok=False, what=error.message, mend="mend the table files")
        return [], [("tables", finding)]
    refusals = storage.refusals(tables)
    refused = {refusal.of for refusal in refusals}
    found = [
        ("tables" if refusal.of else "settings", Finding(False, refusal.what, refusal.mend))
        for refusal in refusals
    ]
    if not refused - {""}:
        found.append(("tables", Finding(ok=True, what=sound(len(tables)))))
    return [table for table in tables if table.full_name not in refused], found


async def _look_at_storage(storage: Storage, tables: Sequence[Table]) -> list[_Found]:
    """Ask every backend at once, so that some that are dead take the time of one."""
    async with asyncio.TaskGroup() as group:
        asked = {
            name: group.create_task(
                _examine(name, adapter, [table for table in tables if table.storage == name])
            )
            for name, adapter in storage.adapters.items()
        }
    return [
        (f"storage {name}", finding) for name, task in asked.items() for finding in task.result()
    ]


async def _examine(name: str, adapter: Adapter, tables: Sequence[Table]) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(EXAMINE_S_MAX):
            return await adapter.examine(tables)
    except TimeoutError:
        what = f"{name} ({adapter.name}) gave no answer within {EXAMINE_S_MAX:.0f} s"
        return [Finding(ok=False, what=what, mend="look after it, and at the way to it")]
    except TauluError as error:
        return [Finding(ok=False, what=error.message, mend="mend the settings")]
