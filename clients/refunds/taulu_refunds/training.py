"""From history to decisions: fit the model, write online features, publish the policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from taulu_refunds.bgnbd import fit
from taulu_refunds.concurrency import map_bounded
from taulu_refunds.features import Behaviour, behaviour
from taulu_refunds.history import read_as_of
from taulu_refunds.models import keep_model
from taulu_refunds.moments import LAST_DAY, end_of_day
from taulu_refunds.online import online_rows, write_online
from taulu_refunds.policy import POLICY_NAME, Policy, publish
from taulu_refunds.stores import Stores

MODEL_NAME = "bgnbd-1998-06-30"
_READS_IN_FLIGHT = 24


async def train(stores: Stores, customers: Sequence[str], progress: Callable[[int], None]) -> None:
    """Read every customer's history as of the last day, and put model and features online."""
    moment = end_of_day(LAST_DAY)
    done = 0

    async def read(customer: str) -> Behaviour | None:
        nonlocal done
        rows = await read_as_of(stores.history, customer, moment, moment)
        done += 1
        progress(done)
        return behaviour(rows, LAST_DAY)

    found = await map_bounded(read, customers, _READS_IN_FLIGHT)
    behaviours = {c: b for c, b in zip(customers, found, strict=True) if b is not None}
    model = fit(list(behaviours.values()))
    await keep_model(stores.models, MODEL_NAME, model, moment)
    rows = online_rows(behaviours, model, MODEL_NAME, moment)
    async for _ in write_online(stores.online, rows):
        pass
    await publish(stores.policies, first_policy())


def first_policy() -> Policy:
    """Return the policy of the demo. Its terms are assumed, not learned."""
    return Policy(
        name=POLICY_NAME,
        revision=1,
        full_above=1.0,
        part_above=0.3,
        part_percent=50,
        explore_percent=10,
        model=MODEL_NAME,
    )
