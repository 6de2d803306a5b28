"""Random programs, run on the subject and on the memory adapter, with equal outcomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from taulu.conformance.harness import Harness
from taulu.conformance.promises import Promises
from taulu.conformance.subject import Subject
from taulu.conformance.tables import BOUNDED, ORDERS, tables_for
from taulu.model import (
    WHOLE_PARTITION,
    Bound,
    Bounds,
    ClusteringRange,
    Commit,
    Condition,
    CounterChange,
    Delete,
    DeleteRange,
    IdempotencyToken,
    IfAbsent,
    IfColumns,
    IfPresent,
    Increment,
    Key,
    Kind,
    Mutation,
    Partition,
    Put,
    Release,
    Reserve,
    Row,
    TauluError,
    Update,
    WriteUnit,
)
from taulu.spi import Environment, Feature, load_adapter, partition_of

_SETTINGS = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
    ],
)
_TTL_US = 1_000_000_000
"""Long enough that nothing expires by itself while a program runs."""

_OWNERS = ("p", "q")
_owners = st.sampled_from([*_OWNERS, _OWNERS[0]])
_days = st.integers(0, 1)
_names = st.sampled_from(["", "b\x00"])
_keys = st.builds(Key, st.tuples(_owners), st.tuples(_days, _names))
_columns = st.fixed_dictionaries(
    {},
    optional={
        "count": st.one_of(st.none(), st.integers(0, 2)),
        "text": st.one_of(st.none(), st.sampled_from(["", "x"])),
    },
)
_ttls = st.sampled_from([None, None, _TTL_US])
_bounds = st.one_of(
    st.none(),
    st.builds(
        Bound,
        st.one_of(st.just(()), st.tuples(_days), st.tuples(_days, _names)),
        st.booleans(),
    ),
)
_spans = st.builds(ClusteringRange, _bounds, _bounds)
_puts = st.builds(Put, _keys, _columns, _ttls)
_updates = st.builds(Update, _keys, _columns, _ttls)
_deletes = st.builds(Delete, _keys)
_range_deletes = st.builds(DeleteRange, st.tuples(_owners), _spans)
# Writes come more often than deletes, so that programs meet what they wrote.
_mutations: st.SearchStrategy[Mutation] = st.sampled_from(range(10)).flatmap(
    lambda roll: (*[_puts] * 3, *[_updates] * 5, _deletes, _range_deletes)[roll]
)
_conditions = st.one_of(
    st.builds(IfAbsent, _keys),
    st.builds(IfPresent, _keys),
    st.builds(IfColumns, _keys, _columns),
)


@dataclass(frozen=True, slots=True)
class _Write:
    mutations: tuple[Mutation, ...]
    conditions: tuple[Condition, ...]
    nonce: int
    """Small, so that programs send again, and use one token for two effects."""


@dataclass(frozen=True, slots=True)
class _Change:
    make: Callable[[Key, IdempotencyToken], CounterChange]
    nonce: int


_nonces = st.integers(0, 200)
_writes = st.builds(
    _Write,
    st.lists(_mutations, min_size=1, max_size=3).map(tuple),
    st.one_of(st.just(()), st.just(()), st.lists(_conditions, max_size=2).map(tuple)),
    _nonces,
)
_hold_ids = st.sampled_from(["a", "b"])
_limits = st.sampled_from([Bounds(), Bounds(ceiling=20), Bounds(floor=5)])


def _increment(delta: int, limits: Bounds) -> Callable[[Key, IdempotencyToken], CounterChange]:
    return lambda key, token: Increment(key, delta, token, limits)


def _reserve(
    amount: int, hold_id: str, limits: Bounds
) -> Callable[[Key, IdempotencyToken], CounterChange]:
    return lambda key, token: Reserve(key, amount, hold_id, _TTL_US, token, limits)


def _commit(hold_id: str, amount: int | None) -> Callable[[Key, IdempotencyToken], CounterChange]:
    return lambda key, token: Commit(key, hold_id, token, amount)


def _release(hold_id: str) -> Callable[[Key, IdempotencyToken], CounterChange]:
    return lambda key, token: Release(key, hold_id, token)


_increments = st.builds(_increment, st.integers(-60, 60), _limits)
_reserves = st.builds(_reserve, st.integers(-50, 50), _hold_ids, _limits)
_commits = st.builds(_commit, _hold_ids, st.one_of(st.none(), st.integers(-30, 30)))
_releases = st.builds(_release, _hold_ids)
_changes = st.builds(
    _Change,
    st.sampled_from(range(10)).flatmap(
        lambda roll: (*[_increments] * 2, *[_reserves] * 4, *[_commits] * 3, _releases)[roll]
    ),
    _nonces,
)


class ModelPromises(Promises):
    """Promises shown by comparison with the reference model, on programs nobody chose."""

    @_SETTINGS
    @given(program=st.lists(_writes, min_size=6, max_size=20), span=_spans)
    async def test_rows_are_as_the_model_says(
        self, subject: Subject, program: list[_Write], span: ClusteringRange
    ) -> None:
        subject.need(Kind.WIDE, Feature.DELETE_RANGE, Feature.REVERSE_QUERY)
        model = await _model_of(subject)
        run = subject.token().nonce
        has = subject.harness.capabilities.features
        for number, planned in enumerate(program):
            step = _fitted(planned, number, has)
            note(str(step))
            outcomes = [await _write(side, step, run) for side in (subject, model)]
            assert outcomes[0] == outcomes[1]
            await _compare(subject, model, run + "p", WHOLE_PARTITION)
        for owner in _OWNERS:
            await _compare(subject, model, run + owner, WHOLE_PARTITION)
            await _compare(subject, model, run + owner, span)
            await _compare(subject, model, run + owner, span, reverse=True)

    @_SETTINGS
    @given(program=st.lists(_changes, min_size=8, max_size=24))
    async def test_counters_are_as_the_model_says(
        self, subject: Subject, program: list[_Change]
    ) -> None:
        subject.need(Kind.COUNTER, Feature.HOLDS)
        model = await _model_of(subject)
        run = subject.token().nonce
        key = Key((run,))
        for step in program:
            token = IdempotencyToken(subject.clock.now_us(), f"{run}-{step.nonce}")
            change = step.make(key, token)
            note(str(change))
            outcomes = [await _change(side, change) for side in (subject, model)]
            assert outcomes[0] == outcomes[1]
            counters = [
                replace(await side.counter(BOUNDED, key), version=0) for side in (subject, model)
            ]
            assert counters[0] == counters[1]


def _fitted(step: _Write, number: int, has: frozenset[Feature]) -> _Write:
    """Return as much of a step as a subject with these features can be asked to do."""
    mutations = tuple(_fitted_mutation(mutation, has) for mutation in step.mutations)
    conditions = step.conditions if Feature.CONDITIONS in has else ()
    if Feature.TRANSACTIONS not in has:
        owner = partition_of(mutations[0])
        mutations = tuple(_moved(mutation, owner) for mutation in mutations)
        conditions = tuple(replace(c, key=replace(c.key, partition=owner)) for c in conditions)
    nonce = step.nonce
    if Feature.TRANSACTIONS not in has:
        # Only within one partition is a token sure to be known again.
        nonce += 1_000 * (1 + _OWNERS.index(str(partition_of(mutations[0])[0])))
    if Feature.WRITE_ORDER not in has:
        # Where the time in a token is its place in the order, a token names one effect only.
        nonce = number
    return _Write(mutations, conditions, nonce)


def _fitted_mutation(mutation: Mutation, has: frozenset[Feature]) -> Mutation:
    if isinstance(mutation, Update) and Feature.PARTIAL_UPDATE not in has:
        mutation = Put(mutation.key, mutation.columns, mutation.ttl_us)
    if isinstance(mutation, Put | Update) and Feature.ROW_TTL not in has:
        return replace(mutation, ttl_us=None)
    return mutation


def _moved(mutation: Mutation, owner: Partition) -> Mutation:
    if isinstance(mutation, DeleteRange):
        return replace(mutation, partition=owner)
    return replace(mutation, key=replace(mutation.key, partition=owner))


async def _compare(
    subject: Subject, model: Subject, owner: str, span: ClusteringRange, *, reverse: bool = False
) -> None:
    rows = await subject.query(ORDERS, (owner,), span, reverse=reverse, rows_max=4)
    expected = await model.query(ORDERS, (owner,), span, reverse=reverse, rows_max=4)
    assert _shown(rows) == _shown(expected)


async def _model_of(subject: Subject) -> Subject:
    """Return the memory adapter as a subject with the same clock."""
    adapter = load_adapter("memory").create({}, Environment(clock=subject.clock))
    for table in tables_for(adapter.capabilities):
        await adapter.prepare(table)
    harness = Harness(subject.harness.start, adapter.capabilities)
    return Subject(harness, adapter.execute, subject.clock)


async def _write(side: Subject, step: _Write, run: str) -> str:
    """Apply a unit to keys of this run only; return its outcome without the version."""
    token = IdempotencyToken(side.clock.now_us(), f"{run}-{step.nonce}")
    unit = WriteUnit(
        tuple(_own_mutation(mutation, run) for mutation in step.mutations),
        token,
        tuple(_own_condition(condition, run) for condition in step.conditions),
    )
    try:
        await side.write(ORDERS, *unit.mutations, conditions=unit.conditions, token=unit.token)
    except TauluError as error:
        return f"{error.code} {error.details.get('index')}"
    return "written"


def _own(key: Key, run: str) -> Key:
    return Key((run + str(key.partition[0]),), key.clustering)


def _own_mutation(mutation: Mutation, run: str) -> Mutation:
    if isinstance(mutation, DeleteRange):
        return replace(mutation, partition=(run + str(mutation.partition[0]),))
    return replace(mutation, key=_own(mutation.key, run))


def _own_condition(condition: Condition, run: str) -> Condition:
    return replace(condition, key=_own(condition.key, run))


def _shown(rows: list[Row]) -> list[tuple[object, ...]]:
    return [(row.key.clustering, dict(row.columns), row.expire_us is not None) for row in rows]


async def _change(side: Subject, change: CounterChange) -> tuple[object, ...]:
    try:
        done = await side.change(BOUNDED, change)
    except TauluError as error:
        return error.code, sorted(error.details.items())
    return replace(done.counter, version=0), done.hold_expire_us is not None
