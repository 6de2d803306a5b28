"""Tables and layouts for the tests of what needs no server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from taulu.conformance.tables import CONFORMANCE_TABLES
from taulu.model import Level, Table
from taulu_cassandra.layout import Layout, layout_of

BY_NAME = {table.name: table for table in CONFORMANCE_TABLES}
SERIAL = Level.LINEARIZABLE


def table(stem: str, /, **changes: Any) -> Table:
    return replace(BY_NAME[stem], **changes)


def layout(stem: str, /, **changes: Any) -> Layout:
    return layout_of(table(stem, **changes), "")
