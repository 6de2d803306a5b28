"""The size of one run, and what follows from it. Two processes that agree on it agree on all."""

from __future__ import annotations

from dataclasses import dataclass

from taulu_refunds.budget_key import BudgetKey
from taulu_refunds.budgets import plan_budgets
from taulu_refunds.claims import Claim, generate
from taulu_refunds.purchases import Purchase, Summary, parse_purchases, parse_summary
from taulu_refunds.source import SourceText


@dataclass(frozen=True, slots=True)
class Size:
    """How much one run does."""

    seed: int = 20_261_124
    customers: int | None = None
    """The first so many customers of the sample; None takes all."""
    claims: int = 2_000
    days: int = 3
    deciders: int = 4
    kills: int = 20
    """How many deciders are killed."""


@dataclass(frozen=True, slots=True)
class Job:
    """The data of one run."""

    size: Size
    purchases: list[Purchase]
    summary: dict[str, Summary]
    claims: list[Claim]
    budgets: dict[BudgetKey, int]
    """Cents of each."""


def plan_job(text: SourceText, size: Size) -> Job:
    """Return the data of a run; it follows from the files and the size alone."""
    purchases, summary = parse_purchases(text.purchases), parse_summary(text.summary)
    if size.customers is not None:
        kept = sorted(summary)[: size.customers]
        summary = {customer: summary[customer] for customer in kept}
        purchases = [purchase for purchase in purchases if purchase.customer_id in summary]
    claims = generate(purchases, size.seed, size.claims, size.days)
    return Job(size, purchases, summary, claims, plan_budgets(claims, size.days))
