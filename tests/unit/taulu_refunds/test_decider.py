"""A decider that dies at any step leaves nothing that the next one cannot finish.

Runs on a real gateway with the memory adapter, whose clock the test moves. A death is an
exception that no step catches, so that whatever was sent before it stands.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from taulu.conformance import ShiftedClock
from taulu.gateway import StorageTarget
from taulu.schema import load_tables
from taulu_client import Client, Item, errors
from taulu_refunds.budget_key import BudgetKey
from taulu_refunds.budgets import fund_budgets, plan_budgets, shard_of
from taulu_refunds.checks import Check
from taulu_refunds.claims import COPIES, Claim, Delivery, deliveries
from taulu_refunds.decider import HOLD_MS, Decider
from taulu_refunds.failure import JobError
from taulu_refunds.moments import utc_now
from taulu_refunds.online import SPEND_VIEW, OnlineRow, read_online, write_online
from taulu_refunds.pin import Pin, Pins, State
from taulu_refunds.policy import Arm
from taulu_refunds.stores import Stores, open_stores, tables_folder
from taulu_refunds.training import first_policy
from taulu_refunds.verify_money import check_books, read_books
from tests.testbed.live_gateway import live_gateway

NOON = datetime(1998, 7, 1, 12, tzinfo=UTC)
POLICY = replace(first_policy(), explore_percent=0)
AWAY_S = 2.0
STEPS = ("pin", "reserve", "grant", "decided", "commit", "decision", "settled", "settle")


class Death(BaseException):
    """Ends a decider where it stands."""


def claim(number: int, asked_cents: int = 1_000) -> Claim:
    return Claim(
        f"claim-{number:04}",
        f"{number % 7:04}",
        f"line-{number}",
        "late",
        "east",
        asked_cents,
        NOON,
    )


def delivery(of: Claim, copy: int = 1) -> Delivery:
    return Delivery(of, copy, of.claimed_at + timedelta(hours=13 * (copy - 1)))


@asynccontextmanager
async def stores_on(clock: ShiftedClock) -> AsyncGenerator[Stores]:
    storage = {"embedded": StorageTarget("memory", {})}
    tables = load_tables([tables_folder()])
    async with live_gateway(tables, storage, clock) as address, Client(address) as client:
        yield open_stores(client)


async def prepare(
    stores: Stores, claims: list[Claim], spend: float = 5_000
) -> dict[BudgetKey, int]:
    rows = [
        OnlineRow(f"{n:04}", SPEND_VIEW, NOON, POLICY.model, array("f", [1, 1, 1, 1, 1, spend]))
        for n in range(7)
    ]
    async for _ in write_online(stores.online, rows):
        pass
    plan = plan_budgets(claims, days=2)
    await fund_budgets(stores.budgets, stores.events, plan, utc_now)
    return plan


async def check(stores: Stores, claims: list[Claim], plan: dict[BudgetKey, int]) -> list[Check]:
    return check_books(await read_books(stores, list(plan)), claims, plan)


def assert_sound(checks: list[Check]) -> None:
    assert [check for check in checks if not check.ok] == []


async def test_claims_are_settled_once_and_the_books_agree() -> None:
    claims = [claim(n) for n in range(60)]
    async with stores_on(ShiftedClock()) as stores:
        plan = await prepare(stores, claims)
        sent = deliveries(claims, seed=1)
        assert len(sent) == COPIES * len(claims)
        deciders = [Decider(stores, POLICY, utc_now) for _ in range(3)]
        parts = [sent[at::3] for at in range(3)]
        await asyncio.gather(*(d.decide(part) for d, part in zip(deciders, parts, strict=True)))
        assert_sound(await check(stores, claims, plan))
        pins = await stores.pins.read([one.claim_id for one in claims])
        arms = {item.row.arm for item in pins.values()}
        # Budgets hold 30 % of what is asked, so some claims get less than was chosen.
        assert arms == {Arm.FULL.value, Arm.PART.value, Arm.NONE.value}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("hold_runs_out", [False, True])
async def test_a_death_before_any_step_is_mended_by_the_next_decider(
    step: str, hold_runs_out: bool
) -> None:
    clock = ShiftedClock()
    claims = [claim(n) for n in range(12)]
    async with stores_on(clock) as stores:
        plan = await prepare(stores, claims)
        reached: list[str] = []

        def die(at: str) -> None:
            reached.append(at)
            if at == step:
                raise Death

        with pytest.raises(Death):
            await Decider(stores, POLICY, utc_now, before_step=die).decide(
                [delivery(one) for one in claims]
            )
        assert reached[-1] == step
        if hold_runs_out:
            clock.shift_us += HOLD_MS * 1_000 + 1
        second = Decider(stores, POLICY, utc_now)
        pins = await second.decide([delivery(one, 2) for one in claims])
        assert {pin.state for pin in pins} == {State.SETTLED.value}
        # The day was pinned by the first who saw the claim, unless that one died before.
        days = {pin.day for pin in pins}
        assert days == ({"1998-07-02"} if step == "pin" else {"1998-07-01"})
        again = await Decider(stores, POLICY, utc_now).decide([delivery(c, 3) for c in claims])
        assert again == pins
        assert_sound(await check(stores, claims, plan))


async def test_deaths_at_every_step_in_turn_are_mended_together() -> None:
    clock = ShiftedClock()
    claims = [claim(n) for n in range(10)]
    async with stores_on(clock) as stores:
        plan = await prepare(stores, claims)
        for count in range(1, 30):
            left = count

            def die(at: str) -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    raise Death

            try:
                await Decider(stores, POLICY, utc_now, before_step=die).decide(
                    [delivery(one) for one in claims]
                )
            except Death:
                clock.shift_us += HOLD_MS * 600
                continue
            break
        assert_sound(await check(stores, claims, plan))


async def test_an_old_decider_cannot_pay_after_its_hold_ran_out() -> None:
    """The first sleeps with its hold granted; the second pays; the first wakes up."""
    clock = ShiftedClock()
    claims = [claim(1)]
    async with stores_on(clock) as stores:
        plan = await prepare(stores, claims)
        asleep, awake = asyncio.Event(), asyncio.Event()

        class Sleeper(Decider):
            async def _commit(self, item):
                asleep.set()
                await awake.wait()
                return await Decider._commit(self, item)

        first = Sleeper(stores, POLICY, utc_now)
        task = asyncio.create_task(first.decide([delivery(claims[0])]))
        await asleep.wait()
        clock.shift_us += HOLD_MS * 1_000 + 1
        (paid,) = await Decider(stores, POLICY, utc_now).decide([delivery(claims[0], 2)])
        awake.set()
        (seen,) = await task
        assert seen == paid
        assert paid.attempt == 2
        assert_sound(await check(stores, claims, plan))


async def test_a_claim_left_for_longer_than_tokens_are_remembered_is_never_paid_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = ShiftedClock()
    claims = [claim(n) for n in range(12)]
    late = timedelta(hours=25)

    def die(at: str) -> None:
        if at == "decision":
            raise Death

    async with stores_on(clock) as stores:
        plan = await prepare(stores, claims)
        with pytest.raises(Death):
            await Decider(stores, POLICY, utc_now, before_step=die).decide(
                [delivery(one) for one in claims[:6]]
            )
        paid = {key: (await stores.budgets.get(key)).value for key in plan}
        # All clocks go on by more than a day: the gateway's, the client's and the decider's.
        clock.shift_us += late // timedelta(microseconds=1)
        now = SimpleNamespace(time_ns=lambda: time.time_ns() + clock.shift_us * 1_000)
        monkeypatch.setattr("taulu_client.items.time", now)
        second = Decider(stores, POLICY, lambda: utc_now() + late)
        with pytest.raises(JobError, match=r"claim-0000 among them.*by hand"):
            await second.decide([delivery(one, 2) for one in claims[:6]])
        assert {key: (await stores.budgets.get(key)).value for key in plan} == paid
        # Claims that nobody left alone are settled as ever.
        pins = await second.decide([delivery(one, 2) for one in claims[6:]])
        assert {pin.state for pin in pins} == {State.SETTLED.value}


class PinsAway(Pins):
    """Pins of a gateway that cannot be reached before a monotonic time."""

    def __init__(self, there: Pins) -> None:
        super().__init__(there.table)
        self.asked_at: list[float] = []
        self.back_s = float("inf")

    async def read(self, claim_ids: Sequence[str]) -> dict[str, Item[Pin]]:
        self.asked_at.append(time.monotonic())
        if self.asked_at[-1] < self.back_s:
            raise errors.Unavailable("the gateway is away")
        return await super().read(claim_ids)


async def test_a_batch_is_given_up_once_nothing_moves_for_too_long_and_not_before() -> None:
    claims = [claim(n) for n in range(12)]
    async with stores_on(ShiftedClock()) as there:
        plan = await prepare(there, claims)
        pins = PinsAway(there.pins)
        stores = replace(there, pins=pins)
        hasty = Decider(stores, POLICY, utc_now, stalled_s_max=AWAY_S / 2)
        with pytest.raises(JobError, match=r"12 of 12 claims .* nothing has moved"):
            await hasty.decide([delivery(one) for one in claims])
        pins.back_s = time.monotonic() + AWAY_S
        patient = Decider(stores, POLICY, utc_now)
        settled = await patient.decide([delivery(one, 2) for one in claims])
        assert {pin.state for pin in settled} == {State.SETTLED.value}
        # They rested between their tries, instead of trying as fast as they could.
        in_vain = [at for at in pins.asked_at if at < pins.back_s]
        assert len(in_vain) < 5 * (pins.back_s - pins.asked_at[0]) + 3
        assert_sound(await check(there, claims, plan))


async def test_a_newer_view_is_never_replaced_by_an_older_one() -> None:
    async with stores_on(ShiftedClock()) as stores:
        new = OnlineRow("0001", SPEND_VIEW, NOON, "m", array("f", [2] * 6))
        old = replace(new, event_time=NOON - timedelta(days=1), features=array("f", [1] * 6))
        for row in (new, old, new):
            async for _ in write_online(stores.online, [row]):
                pass
        found = await read_online(stores.online, ["0001", "none"])
        assert {customer: item.row for customer, item in found.items()} == {"0001": new}


async def test_the_books_notice_what_is_wrong() -> None:
    claims = [claim(n) for n in range(12)]
    async with stores_on(ShiftedClock()) as stores:
        plan = await prepare(stores, claims)
        pins = await Decider(stores, POLICY, utc_now).decide([delivery(one) for one in claims])
        assert_sound(await check(stores, claims, plan))
        paid = next(pin for pin in pins if pin.amount_cents)
        key = (paid.customer_id, 1998, paid.decided_at, paid.claim_id)
        await stores.decisions.update(key, {"amount_cents": paid.amount_cents + 1})
        wrong = {c.what for c in await check(stores, claims, plan) if not c.ok}
        assert wrong == {"cents decided, against the ledger", "budgets whose three books differ"}
        await stores.decisions.delete(key)
        wrong = {c.what for c in await check(stores, claims, plan) if not c.ok}
        assert "claims decided" in wrong
        await stores.budgets.increment(paid.budget, -1)
        wrong = {c.what for c in await check(stores, claims, plan) if not c.ok}
        assert "cents audited, against the ledger" in wrong


def test_a_claims_shard_is_always_the_same() -> None:
    assert shard_of("claim-1", 4) == shard_of("claim-1", 4)
    assert {shard_of(f"claim-{n}", 4) for n in range(100)} == {0, 1, 2, 3}
