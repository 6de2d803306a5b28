"""The tables of the job, opened on one client."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from taulu_client import Client, CounterTable, LogTable, Table
from taulu_refunds import budgets, decisions, events, models, online, pin, policy
from taulu_refunds.decisions import Decision
from taulu_refunds.history import HistoryRow, open_history
from taulu_refunds.models import ModelRow
from taulu_refunds.online import OnlineRow
from taulu_refunds.pin import Pin, Pins
from taulu_refunds.policy import Policy


@dataclass(frozen=True, slots=True)
class Stores:
    """Every table of the job."""

    history: Table[HistoryRow]
    online: Table[OnlineRow]
    pins: Pins
    budgets: CounterTable
    decisions: Table[Decision]
    policies: Table[Policy]
    models: Table[ModelRow]
    events: LogTable


def open_stores(client: Client) -> Stores:
    """Return the tables on a client."""
    return Stores(
        history=open_history(client),
        online=client.table(online.TABLE, OnlineRow),
        pins=Pins(client.table(pin.TABLE, Pin)),
        budgets=client.counter(budgets.TABLE),
        decisions=client.table(decisions.TABLE, Decision),
        policies=client.table(policy.TABLE, Policy),
        models=client.table(models.TABLE, ModelRow),
        events=client.log(events.TABLE),
    )


def tables_folder() -> Path:
    """Return the folder with the YAML of these tables, for the gateway's settings."""
    return Path(str(resources.files("taulu_refunds"))) / "tables"
