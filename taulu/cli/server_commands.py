"""`taulu serve`, `tables` and `schema check`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from taulu.cli.exits import Exit
from taulu.cli.options import ADDRESS, TIMEOUT_S, Address, AsJson, Timeout, with_client
from taulu.cli.output import Output
from taulu.cli.storage import Storage
from taulu.model.table import Table
from taulu.schema import Settings, check_tables, load_settings, load_tables
from taulu.server.serve import run_server

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
    code = run_server(load_settings(given_or_here(config), overrides), _announce)
    raise typer.Exit(code)


def _announce(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def given_or_here(given: Path | None) -> Path | None:
    """Return the settings file that was given, or the one of this folder if there is one."""
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
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Check table files: each by itself, and all against the storage of a settings file.

    What is wrong in a file is told with its line and column. No backend is asked.
    """
    output = Output(as_json)
    problems = check_tables(paths)
    for problem in problems:
        if as_json:
            _tell_json(output, problem.message, problem.file, problem.line, problem.column)
        else:
            typer.echo(str(problem), err=True)
    if problems:
        raise typer.Exit(Exit.USAGE)
    tables, file = load_tables(paths), given_or_here(config)
    refused = [] if file is None else _refused(tables, load_settings(file))
    for message in refused:
        if as_json:
            _tell_json(output, message)
        else:
            typer.echo(message, err=True)
    if refused:
        raise typer.Exit(Exit.USAGE)
    output.say(sound(len(tables)) + ("" if file is None else f", also on the storage of {file}"))


def _refused(tables: Sequence[Table], settings: Settings) -> list[str]:
    storage = Storage.of(settings)
    named = {table.storage for table in tables}
    troubles = [error.message for name, error in storage.troubles.items() if name in named]
    return troubles + [refusal.what for refusal in storage.refusals(tables)]


def _tell_json(
    output: Output,
    message: str,
    file: str | None = None,
    line: int | None = None,
    column: int | None = None,
) -> None:
    output.record({"file": file, "line": line, "column": column, "message": message})


def sound(count: int) -> str:
    """Say that so many tables are sound."""
    return "1 table is sound" if count == 1 else f"{count} tables are sound"
