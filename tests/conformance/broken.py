"""Ways to break the memory adapter, one promise each."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from taulu.model import (
    GetRows,
    IfAbsent,
    Row,
    RowReads,
    WriteUnit,
)
from taulu.spi import Context
from taulu_memory import MemoryAdapter, pages, rows
from taulu_memory.counters import Counters
from taulu_memory.logs import Logs
from taulu_memory.moment import Moment, Versions
from taulu_memory.pages import Pager
from taulu_memory.rows import Rows
from taulu_memory.tokens import TokenBook

Patch = pytest.MonkeyPatch


def inherit_ttl(patch: Patch) -> None:
    honest = Rows._apply_one

    def broken(self: Rows, mutation, version: int, moment: Moment) -> None:
        before = self.held.get(getattr(mutation, "key", None))
        honest(self, mutation, version, moment)
        if before is not None and before.key in self.held:
            self.held[before.key] = replace(self.held[before.key], expire_us=before.expire_us)

    patch.setattr(Rows, "_apply_one", broken)


def overwrite_first_write(patch: Patch) -> None:
    honest = Rows._check

    def broken(self: Rows, index: int, condition, now_us: int) -> None:
        if not isinstance(condition, IfAbsent):
            honest(self, index, condition, now_us)

    patch.setattr(Rows, "_check", broken)


def keep_half_of_a_unit(patch: Patch) -> None:
    honest = Rows.apply

    def broken(self: Rows, unit: WriteUnit, moment: Moment):
        for mutation in unit.mutations[:1]:
            self._apply_one(mutation, moment.version(), moment)
        return honest(self, unit, moment)

    patch.setattr(Rows, "apply", broken)


def forget_tokens(patch: Patch) -> None:
    patch.setattr(TokenBook, "recall", lambda self, effect, now_us: None)


def take_any_effect_for_a_token(patch: Patch) -> None:
    def broken(self: TokenBook, effect, now_us: int):
        known = self._known.get(effect.token.nonce)
        return None if known is None else known[1]

    patch.setattr(TokenBook, "recall", broken)


def show_expired_rows(patch: Patch) -> None:
    patch.setattr(rows, "_is_live", lambda row, now_us: True)


def ignore_holds(patch: Patch) -> None:
    honest = Counters._check

    def broken(self: Counters, now, asked, amount: int) -> None:
        honest(self, replace(now, held_increase=0, held_decrease=0), asked, amount)

    patch.setattr(Counters, "_check", broken)


def take_versions_from_the_clock(patch: Patch) -> None:
    patch.setattr(Versions, "next", lambda self, now_us: now_us)


def number_pages(patch: Patch) -> None:
    """Continue a query at the n-th row, as an offset does."""

    def cut(self: Pager, wanted, columns, page):
        start = int(page.position or 0)
        end = start + page.rows_max
        return tuple(wanted[start:end]), str(end).encode() if end < len(wanted) else b""

    patch.setattr(Pager, "_cut", cut)
    patch.setattr(Pager, "_key_at", lambda self, position: None)


def ignore_exclusive_bounds(patch: Patch) -> None:
    honest = pages.is_inside

    def broken(table, clustering, stretch):
        bounds = [
            None if bound is None else replace(bound, exclusive=False)
            for bound in (stretch.start, stretch.end)
        ]
        return honest(table, clustering, type(stretch)(*bounds))

    patch.setattr(pages, "is_inside", broken)


def keep_expired_holds(patch: Patch) -> None:
    patch.setattr(
        "taulu_memory.counters._State.active",
        lambda self, now_us: {hold: amount for hold, (amount, _) in self.holds.items()},
    )


def spread_records_at_random(patch: Patch) -> None:
    patch.setattr("taulu_memory.logs.log_partition", lambda key, count: random.randrange(count))


def let_log_times_step_back(patch: Patch) -> None:
    honest = Logs.append

    def broken(self: Logs, record, moment: Moment):
        done = honest(self, record, moment)
        return replace(done, time_us=moment.now_us)

    patch.setattr(Logs, "append", broken)


def store_none(patch: Patch) -> None:
    patch.setattr(rows, "_set", dict)


def clear_other_columns(patch: Patch) -> None:
    def broken(self: Rows, update, version: int, moment: Moment) -> None:
        self.held[update.key] = Row(update.key, dict(update.columns), version)

    patch.setattr(Rows, "_update", broken)


def grow_partitions_without_limit(patch: Patch) -> None:
    patch.setattr(Rows, "_check_growth", lambda self, after, unit, now_us: None)


def drop_duplicate_keys(patch: Patch) -> None:
    honest = MemoryAdapter._get_rows

    async def broken(self, operation: GetRows, table, context: Context) -> RowReads:
        unique = replace(operation, keys=tuple(dict.fromkeys(operation.keys)))
        return await honest(self, unique, table, context)

    patch.setattr(MemoryAdapter, "_get_rows", broken)


def wrap_around(patch: Patch) -> None:
    patch.setattr(Counters, "_check", lambda self, now, asked, amount: None)
