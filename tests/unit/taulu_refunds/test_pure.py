from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from taulu_refunds.bgnbd import Model, fit, log_likelihood, outlook
from taulu_refunds.checks import at_least, equal, from_json, near, to_json
from taulu_refunds.claims import (
    COPIES,
    deliveries,
    delivery_from_json,
    delivery_to_json,
    generate,
)
from taulu_refunds.failure import JobError
from taulu_refunds.features import Behaviour, behaviour
from taulu_refunds.history import HistoryRow, late, latest_known, on_time
from taulu_refunds.moments import CALIBRATION_DAY, end_of_day
from taulu_refunds.nonces import nonce
from taulu_refunds.policy import ARMS, Arm, Policy, amount_cents, cheaper, choose
from taulu_refunds.purchases import Purchase, parse_purchases, parse_summary
from taulu_refunds.source import read_wheel

POLICY = Policy("credit", 1, 1.0, 0.3, 50, 0, "m")
LINES = "00004 0001 19970101  2   29.33\n00004 0001 19970118  2   29.73\n"


def purchase(number: int, day: date = date(1997, 1, 1), cents: int = 1_000) -> Purchase:
    return Purchase(f"{number:04}", f"line-{number:05}", day, 1, cents)


def row(event: str, day: int, known: int, cents: int = 100) -> HistoryRow:
    start = datetime(1997, 1, 1, tzinfo=UTC)
    return HistoryRow(
        "c",
        "purchases",
        start + timedelta(days=day),
        start + timedelta(days=known),
        event,
        1,
        cents,
    )


def test_lines_of_the_file_are_purchases() -> None:
    first, second = parse_purchases(LINES)
    assert first == Purchase("0001", "line-00001", date(1997, 1, 1), 2, 2_933)
    assert second.event_time == datetime(1997, 1, 18, tzinfo=UTC)
    with pytest.raises(ValueError, match="line 1 has 2 columns instead of 5"):
        parse_purchases("a b\n")
    summary = parse_summary("ID,frequency,recency,T\n1,2,30.43,38.86\n")
    assert summary["0001"].frequency == 2


def test_behaviour_counts_days_and_weeks() -> None:
    rows = [row("a", 0, 1), row("b", 14, 15), row("c", 14, 16), row("d", 21, 22)]
    found = behaviour(rows, date(1997, 1, 1) + timedelta(days=70))
    assert found == Behaviour(2, 3.0, 10.0, 4, 400)
    assert behaviour([], CALIBRATION_DAY) is None


def test_only_what_was_known_counts_and_the_latest_of_it() -> None:
    first, corrected = row("a", 0, 1, 100), row("a", 0, 9, 60)
    start = datetime(1997, 1, 1, tzinfo=UTC)
    assert latest_known([first, corrected], start + timedelta(days=5)) == [first]
    assert latest_known([first, corrected], start + timedelta(days=9)) == [corrected]
    assert latest_known([first, corrected], start) == []


def test_late_corrections_are_five_percent_and_known_only_later() -> None:
    purchases = [purchase(n) for n in range(200)]
    known_after = end_of_day(CALIBRATION_DAY)
    rows = late(purchases, 7, known_after)
    assert len(rows) == 10
    assert all(r.ingest_time > known_after for r in rows)
    assert all(0 < r.amount_cents < 1_000 for r in rows)
    assert rows == late(purchases, 7, known_after)
    assert rows != late(purchases, 8, known_after)
    assert all(r.ingest_time < known_after for r in on_time(purchases))


def test_the_fit_finds_the_parameters_that_made_the_data() -> None:
    rng = np.random.default_rng(5)
    customers = []
    for _ in range(3_000):
        rate, leave = rng.gamma(0.8, 1 / 5.0), rng.beta(1.2, 2.5)
        age, at, count, last = 40.0, 0.0, 0, 0.0
        while True:
            at += rng.exponential(1 / rate)
            if at > age:
                break
            count, last = count + 1, at
            if rng.random() < leave:
                break
        customers.append(Behaviour(count, last, age, count + 1, 0))
    model = fit(customers)
    assert model.r == pytest.approx(0.8, rel=0.25)
    assert model.alpha == pytest.approx(5.0, rel=0.3)
    assert model.a / (model.a + model.b) == pytest.approx(1.2 / 3.7, rel=0.25)


def test_the_likelihood_of_one_customer_is_that_of_the_paper() -> None:
    # x = 0: (alpha / (alpha + T)) ** r, by equation 6 with A1 = A2 = 1.
    x = np.array([0.0])
    found = log_likelihood(np.array([0.5, 4.0, 1.0, 2.0]), x, x, np.array([12.0]))
    assert found == pytest.approx(0.5 * np.log(4.0 / 16.0))


def test_who_bought_more_and_later_is_expected_to_buy_more() -> None:
    model = Model(0.243, 4.414, 0.793, 2.426, 0.0)
    customers = [Behaviour(0, 0, 38, 1, 1), Behaviour(5, 35, 38, 6, 6), Behaviour(5, 5, 38, 6, 6)]
    found = outlook(model, customers, 26.0)
    assert found.alive[0] == 1.0
    assert found.purchases[1] > found.purchases[0] > 0
    assert found.alive[1] > found.alive[2]


def test_the_policy_offers_by_worth_and_explores_by_a_hash() -> None:
    assert [choose(POLICY, "c", 1_000, worth).arm for worth in (1_000, 300, 299)] == list(ARMS)
    assert choose(POLICY, "c", 1_000, 5_000).propensity == 1.0
    curious = Policy("credit", 1, 1.0, 0.3, 50, 30, "m")
    choices = [choose(curious, f"claim-{n}", 1_000, 5_000) for n in range(3_000)]
    full = [c for c in choices if c.arm is Arm.FULL]
    assert len(full) / len(choices) == pytest.approx(0.8, abs=0.03)
    assert {round(c.propensity, 3) for c in full} == {0.8}
    assert {round(c.propensity, 3) for c in choices if c.arm is not Arm.FULL} == {0.1}
    assert choices == [choose(curious, f"claim-{n}", 1_000, 5_000) for n in range(3_000)]
    assert [amount_cents(POLICY, arm, 1_001) for arm in ARMS] == [1_001, 500, 0]
    assert [cheaper(arm) for arm in ARMS] == [Arm.PART, Arm.NONE, Arm.NONE]


def test_claims_follow_from_the_seed_and_are_sent_three_times() -> None:
    purchases = [purchase(n) for n in range(50)] + [purchase(99, cents=499)]
    claims = generate(purchases, 3, 40, 2)
    assert claims == generate(purchases, 3, 40, 2)
    assert len({c.event_id for c in claims}) == 40
    assert all(c.asked_cents >= 500 for c in claims)
    sent = deliveries(claims, 3)
    assert len(sent) == COPIES * 40
    assert [d.delivered_at for d in sent] == sorted(d.delivered_at for d in sent)
    assert [delivery_from_json(delivery_to_json(d)) for d in sent] == sent
    with pytest.raises(ValueError, match="need as many purchases"):
        generate(purchases, 3, 51, 2)


def test_nonces_fit_and_tell_effects_apart() -> None:
    assert nonce("reserve", "claim-1", 2) == "reserve:claim-1:2"
    long = nonce("reserve", "x" * 100)
    assert len(long) <= 64
    assert long != nonce("reserve", "x" * 101)


def test_checks_say_what_was_found_and_wanted() -> None:
    checks = [
        equal("a", "b", 1_000, 1_000),
        near("a", "c", 0.24262, 0.243, 0.0005),
        near("a", "d", 0.2436, 0.243, 0.0005),
        at_least("a", "e", 3, 4),
    ]
    assert [check.ok for check in checks] == [True, True, False, False]
    assert checks[0].found == "1,000"
    assert checks[1].found == "0.2426"
    assert from_json(to_json(checks)) == checks


def test_a_wheel_that_is_none_is_refused(tmp_path) -> None:
    wheel = tmp_path / "lifetimes-0.11.3-py3-none-any.whl"
    wheel.write_bytes(b"no zip")
    with pytest.raises(JobError, match="cannot be read"):
        read_wheel(wheel)
