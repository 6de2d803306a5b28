"""`taulu doctor`: settings, tables and every storage target looked over."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import typer

from taulu.cli.exits import Exit
from taulu.cli.options import AsJson
from taulu.cli.output import Output
from taulu.cli.server_commands import Config, given_or_here, sound
from taulu.model.errors import TauluError
from taulu.model.table import Table
from taulu.schema import Settings, load_settings, load_tables
from taulu.spi import Adapter, Environment, Finding, load_adapter

EXAMINE_S_MAX = 30.0
"""How long one storage target may take; adapters give up well before."""

_Found = tuple[str, Finding]
"""What a finding is of, and the finding."""


def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """Look over settings, tables and every storage target, and say what is wrong."""
    settings = load_settings(given_or_here(config))
    found: list[_Found] = [("settings", Finding(ok=True, what="the settings are sound"))]
    adapters, unmade = _make_adapters(settings)
    found += [("tables", finding) for finding in _look_at_tables(settings, adapters)]
    found += unmade
    found += asyncio.run(_look_at_storage(adapters))
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


def _make_adapters(settings: Settings) -> tuple[dict[str, Adapter], list[_Found]]:
    """Return the adapter of each storage target, and what is wrong with those that have none."""
    environment = Environment(
        token_window_s=settings.token_window / 1_000_000, workers=settings.workers
    )
    adapters: dict[str, Adapter] = {}
    unmade: list[_Found] = []
    for name, target in settings.storage.items():
        try:
            adapters[name] = load_adapter(target.adapter).create(target.options, environment)
        except TauluError as error:
            finding = Finding(ok=False, what=error.message, mend="mend the settings")
            unmade.append((f"storage {name}", finding))
    return adapters, unmade


def _look_at_tables(settings: Settings, adapters: Mapping[str, Adapter]) -> list[Finding]:
    try:
        tables = load_tables(settings.tables)
    except TauluError as error:
        return [Finding(ok=False, what=error.message, mend="mend the table files")]
    wrong = [finding for table in tables for finding in _look_at_table(table, settings, adapters)]
    return wrong or [Finding(ok=True, what=sound(len(tables)))]


def _look_at_table(
    table: Table, settings: Settings, adapters: Mapping[str, Adapter]
) -> list[Finding]:
    if table.storage not in settings.storage:
        what = f"table {table.full_name} names storage {table.storage!r}, which is not set"
        return [Finding(ok=False, what=what, mend="name it under `storage` in the settings")]
    adapter = adapters.get(table.storage)
    if adapter is None:
        what = f"table {table.full_name} cannot be checked: storage {table.storage!r} is wrong"
        return [Finding(ok=False, what=what, mend="mend that storage, see below")]
    return [
        Finding(
            ok=False,
            what=f"table {table.full_name} cannot live on {adapter.name}: {reason}",
            mend="change the table, or its storage",
        )
        for reason in adapter.refusals(table)
    ]


async def _look_at_storage(adapters: Mapping[str, Adapter]) -> list[_Found]:
    """Ask every backend at once, so that some that are dead take the time of one."""
    async with asyncio.TaskGroup() as group:
        asked = {
            name: group.create_task(_examine(name, adapter)) for name, adapter in adapters.items()
        }
    return [
        (f"storage {name}", finding) for name, task in asked.items() for finding in task.result()
    ]


async def _examine(name: str, adapter: Adapter) -> Sequence[Finding]:
    try:
        async with asyncio.timeout(EXAMINE_S_MAX):
            return await adapter.examine()
    except TimeoutError:
        what = f"{name} ({adapter.name}) gave no answer within {EXAMINE_S_MAX:.0f} s"
        return [Finding(ok=False, what=what, mend="look after it, and at the way to it")]
    except TauluError as error:
        return [Finding(ok=False, what=error.message, mend="mend the settings")]
