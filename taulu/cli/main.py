"""The entry point of `taulu`."""

from __future__ import annotations

import sys

import typer

from taulu.cli import cache_commands, counter_commands, log_commands, row_commands, server_commands
from taulu.cli.doctor import doctor
from taulu.cli.exits import EPILOG, Exit, exit_of
from taulu.cli.health_command import health
from taulu.model.errors import TauluError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog=EPILOG,
    help="A data access layer in front of the stores you already run.",
)
app.command()(server_commands.serve)
app.command("tables")(server_commands.list_tables)
app.command()(row_commands.get)
app.command()(row_commands.put)
app.command()(row_commands.query)
app.command()(row_commands.scan)
app.command("verify-cache")(cache_commands.verify_cache)
app.add_typer(cache_commands.app, name="cache")
app.add_typer(counter_commands.app, name="counter")
app.add_typer(log_commands.app, name="log")
app.add_typer(server_commands.schema_app, name="schema")
app.command()(doctor)
app.command()(health)


def main() -> None:
    """Run a command; an expected error is one line, and the exit code says its kind."""
    try:
        app(prog_name="taulu")
    except TauluError as error:
        sys.stderr.write(f"taulu: {error.message}\n")
        raise SystemExit(exit_of(error)) from None
    except OSError as error:
        sys.stderr.write(f"taulu: the system refused to read or write: {error}\n")
        raise SystemExit(Exit.FAILED) from None


if __name__ == "__main__":
    main()
