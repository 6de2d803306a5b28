"""The BG/NBD model: how often customers buy, and whether they still do.

Fader, Hardie, Lee (2005), "Counting your customers" the easy way: an alternative to the
Pareto/NBD model, Marketing Science 24(2). While alive, a customer buys at a Poisson rate
λ ~ Gamma(r, α); after each purchase they leave with probability p ~ Beta(a, b).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from taulu_refunds._scipy import Floats, gammaln, hyp2f1, minimize
from taulu_refunds.failure import JobError
from taulu_refunds.features import Behaviour


@dataclass(frozen=True, slots=True)
class Model:
    """Fitted parameters, and the log-likelihood at them."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the model expects of customers; arrays in the order in which they were given."""

    alive: Floats
    """Probability that the customer still buys at all."""
    purchases: Floats
    """Expected number of purchases in the weeks ahead."""


def _columns(customers: Sequence[Behaviour]) -> tuple[Floats, Floats, Floats]:
    x = np.array([c.frequency for c in customers], dtype=np.float64)
    recency = np.array([c.recency_weeks for c in customers], dtype=np.float64)
    age = np.array([c.age_weeks for c in customers], dtype=np.float64)
    return x, recency, age


def log_likelihood(parameters: Floats, x: Floats, recency: Floats, age: Floats) -> float:
    """Return the sample's log-likelihood at (r, α, a, b); equation 6 of the paper."""
    r, alpha, a, b = (float(p) for p in parameters)
    rate = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    leaving = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    still_there = -(r + x) * np.log(alpha + age)
    repeat = np.maximum(x, 1.0)
    left = np.log(a) - np.log(b + repeat - 1.0) - (r + x) * np.log(alpha + recency)
    either = np.where(x > 0, np.logaddexp(still_there, left), still_there)
    return float(np.sum(rate + leaving + either))


def fit(customers: Sequence[Behaviour]) -> Model:
    """Fit by maximum likelihood; parameters are kept above zero by searching their logarithms.

    Raises:
        JobError: The search did not converge.
    """
    x, recency, age = _columns(customers)

    def loss(logs: Floats) -> float:
        return -log_likelihood(np.exp(logs), x, recency, age)

    logs = minimize(loss, np.zeros(4, dtype=np.float64))
    if logs is None:
        raise JobError(f"the BG/NBD fit on {len(customers)} customers did not converge")
    r, alpha, a, b = (float(p) for p in np.exp(logs))
    return Model(r, alpha, a, b, -loss(logs))


def outlook(model: Model, customers: Sequence[Behaviour], weeks: float) -> Outlook:
    """Return what to expect of each customer in the weeks ahead; equation 10 of the paper."""
    x, recency, age = _columns(customers)
    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    repeat = np.maximum(x, 1.0)
    odds_left = np.where(
        x > 0, a / (b + repeat - 1.0) * ((alpha + age) / (alpha + recency)) ** (r + x), 0.0
    )
    alive = 1.0 / (1.0 + odds_left)
    end = alpha + age + weeks
    series = hyp2f1(r + x, b + x, a + b + x - 1.0, weeks / end)
    share = 1.0 - ((alpha + age) / end) ** (r + x) * series
    return Outlook(alive, (a + b + x - 1.0) / (a - 1.0) * share * alive)
