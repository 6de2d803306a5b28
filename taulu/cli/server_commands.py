"""`taulu serve`, `tables`, `schema check` and `doctor`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from taulu.cli.exits import Exit
from taulu.cli.options import ADDRESS, TIMEOUT_S, Address, AsJson, Timeout, with_client
from taulu.cli.output import Output
from taulu.model.errors import TauluError
from taulu.schema import Settings, check_tables, load_settings, load_tables
from taulu.server.serve import run_server
from taulu.spi import Environment, Finding, load_adapter

SETTINGS_FILE = Path("taulu.yaml")

Config: TypeAlias = Annotated[
    Path | None, typer.Option(help=f"The settings file; ./{SETTINGS_FILE} when it is there.")
]

schema_app = typer.Typer(no_args_is_help=True, help="Work on table files.")


def serve(
    config: Config = None,
    tables: Annotated[
        list[Path] | None, typer.Option(help="Files and folders of table YAML; repeatable.")
    ] = None,
    listen: Annotated[str | None, typer.Option(help="host:port to listen on.")] = None,
    data: Annotated[Path | None, typer.Option(help="The file of the embedded store.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes.")] = None,
) -> None:
    """Run the gateway until SIGTERM or Ctrl-C."""
    overrides: dict[str, Any] = {}
    if tables:
        overrides["tables"] = [path.absolute() for path in tables]
    if listen is not None:
        overrides["listen"] = listen
    if workers is not None:
        overrides["workers"] = workers
    if data is not None:
        target = {"adapter": "embedded", "path": str(data.absolute())}
        overrides["storage"] = {"embedded": target}
    code = run_server(load_settings(_config(config), overrides), _announce)
    raise typer.Exit(code)


def _announce(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _config(given: Path | None) -> Path | None:
    if given is not None:
        return given
    return SETTINGS_FILE if SETTINGS_FILE.is_file() else None


def list_tables(
    namespace: Annotated[str, typer.Argument(help="One namespace only.")] = "",
    address: Address = ADDRESS,
    timeout: Timeout = TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """List the tables that a gateway serves."""
    found = with_client(address, timeout, lambda client: client.tables(namespace))
    Output(as_json).rows(
        [
            {
                "table": info.name,
                "kind": info.kind,
                "key": ", ".join(c.name for c in info.columns if c.role != "data"),
                "adapter": info.adapter,
                "read": info.read_level.name,
                "write": info.write_level.name,
                "ttl": "" if info.ttl is None else str(info.ttl),
                "owner": info.owner,
            }
            for info in found
        ]
    )


@schema_app.command()
def check(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders of table YAML.")],
    as_json: AsJson = False,
) -> None:
    """Check table files, with file, line and column of everything that is wrong."""
    problems = check_tables(paths)
    output = Output(as_json)
    for problem in problems:
        if as_json:
            output.record(
                {
                    "file": problem.file,
                    "line": problem.line,
                    "column": problem.column,
                    "message": problem.message,
                }
            )
        else:
            typer.echo(str(problem), err=True)
    if problems:
        raise typer.Exit(Exit.USAGE)
    output.say(_sound(len(load_tables(paths))))


def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """Look over settings, tables and every storage target, and say what is wrong."""
    settings = load_settings(_config(config))
    findings = [("settings", Finding(ok=True, what="the settings are sound"))]
    findings += [("tables", finding) for finding in _table_findings(settings)]
    findings += asyncio.run(_storage_findings(settings))
    Output(as_json).rows(
        [
            {
                "of": of,
                "ok": finding.ok if as_json else "ok" if finding.ok else "WRONG",
                "what": finding.what,
                "mend": finding.mend,
            }
            for of, finding in findings
        ]
    )
    if not all(finding.ok for _, finding in findings):
        raise typer.Exit(Exit.FAILED)


def _table_findings(settings: Settings) -> Iterator[Finding]:
    try:
        tables = load_tables(settings.tables)
    except TauluError as error:
        yield Finding(ok=False, what=error.message, mend="mend the table files")
        return
    wrong = 0
    for table in tables:
        target = settings.storage.get(table.storage)
        if target is None:
            wrong += 1
            what = f"table {table.full_name} names storage {table.storage!r}, which is not set"
            yield Finding(ok=False, what=what, mend="name it under `storage` in the settings")
            continue
        try:
            adapter = load_adapter(target.adapter).create(target.options, Environment())
            reasons = adapter.refusals(table)
        except TauluError as error:
            reasons = [error.message]
        for reason in reasons:
            wrong += 1
            what = f"table {table.full_name} cannot live on {target.adapter}: {reason}"
            yield Finding(ok=False, what=what, mend="change the table, or its storage")
    if not wrong:
        yield Finding(ok=True, what=_sound(len(tables)))


async def _storage_findings(settings: Settings) -> list[tuple[str, Finding]]:
    findings: list[tuple[str, Finding]] = []
    for name, target in settings.storage.items():
        of = f"storage {name}"
        try:
            adapter = load_adapter(target.adapter).create(target.options, Environment())
            findings += [(of, finding) for finding in await adapter.examine()]
        except TauluError as error:
            finding = Finding(ok=False, what=error.message, mend="mend the settings")
            findings.append((of, finding))
    return findings


def _sound(count: int) -> str:
    return "1 table is sound" if count == 1 else f"{count} tables are sound"
