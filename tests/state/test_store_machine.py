"""Any sequence of calls, on two stores that exchange snapshots, against a model that scans and copies everything."""
# ruff: noqa: D102 - a rule is described by its name, as a test is

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import product
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule
from tests.state.redis_server import redis_store

from tasktwin.errors import MisuseError
from tasktwin.state import Event, MemoryStore, Query, Row, Snapshot, Store, Timer
from tasktwin.wire import Json

EVENT_LIMIT, TOPIC_LIMIT, INDEX_LIMIT = 3, 2, 6

WHICH = st.integers(0, 1)
COLLECTIONS = st.sampled_from(["task", "bid"])
IDS = st.sampled_from("abcdefgh")
FIELDS = st.sampled_from(["s", "t", "u"])
SCALARS = st.sampled_from([None, True, 1, 1.0, 2.5, "z"])
VALUES = SCALARS | st.sampled_from([[1], {"k": None}])
ROWS = st.dictionaries(FIELDS, VALUES)
TOPICS = st.sampled_from(["run", "feed", "hook"])
LIFECYCLES = st.sampled_from(["task", "bid"])
DUES = st.integers(0, 6)
INSTANTS = st.sampled_from([7, 8, 1007, 1999])
TESTS = st.sampled_from([None, lambda row: "s" in row, lambda row: row.get("t") == 1, lambda _: []])
EQUALS = st.dictionaries(FIELDS, SCALARS, max_size=2).map(lambda fields: tuple(sorted(fields.items())))
WATCHED = [Query("task"), *(Query("task", (("s", value),), "t") for value in (None, True, 1, "z"))]
EITHERS = st.lists(EQUALS, max_size=2).map(tuple)
SEARCHES = st.none() | st.tuples(st.lists(FIELDS, max_size=2).map(tuple), st.sampled_from(["", "z", "Z", "zz"]))
QUERIES = st.builds(Query, COLLECTIONS, EQUALS, st.just("") | FIELDS, st.booleans(), TESTS, EITHERS, SEARCHES)


@dataclass
class State:
    """All that a store should hold: rows by creation, timers by arming, topics by their last event."""

    rows: list[tuple[str, str, Row]] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    topics: list[tuple[str, list[Event]]] = field(default_factory=list)
    newest: dict[str, int] = field(default_factory=dict)
    written: list[tuple[str, int]] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)


@dataclass
class Model:
    """A state, and what to go back to: the state at ``begin`` and at each mark."""

    state: State = field(default_factory=State)
    begun: State | None = None
    marks: list[State] = field(default_factory=list)


def serial(written: list[tuple[str, int]], topic: str, instant: int) -> int:
    """How many events of a topic stand without a break in the same millisecond before this one."""
    count = 0
    for name, moment in reversed(written):
        if name == topic:
            if moment != instant // 1000:
                break
            count += 1
    return count


def same(one: Json, other: Json) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def type_order(value: Json) -> int:
    kinds: list[type | tuple[type, ...]] = [type(None), list, bool, (int, float), dict, str]
    return next(n for n, kind in enumerate(kinds) if isinstance(value, kind))


def in_order(rows: list[Row], name: str) -> list[Row]:
    """Insertion by comparison, so that not even the sorting is shared with what is tested."""
    done: list[Row] = []
    for row in rows:
        at = len(done)
        while at and less(row.get(name), done[at - 1].get(name)):
            at -= 1
        done.insert(at, row)
    return done


def less(one: Json, other: Json) -> bool:
    if type_order(one) != type_order(other):
        return type_order(one) < type_order(other)
    return one is not None and bool(str(one) < str(other) if isinstance(one, (list, dict)) else one < other)


def is_found(row: Row, fields: tuple[str, ...], text: str) -> bool:
    values = [row.get(name) for name in fields]
    texts = [value.lower() for value in values if isinstance(value, str)]
    return any(text.lower() in value for value in texts) or any(
        text in value for value in values if isinstance(value, list)
    )


def select(state: State, query: Query) -> list[Row]:
    rows = [
        row
        for collection, _, row in state.rows
        if collection == query.collection
        and any(all(same(row.get(name), value) for name, value in equal) for equal in (query.equal, *query.either))
        and (query.keep is None or query.keep(row))
        and (query.search is None or is_found(row, *query.search))
    ]
    rows = in_order(rows, query.order) if query.order else rows
    return rows[::-1] if query.descending else rows


def firing(state: State) -> list[Timer]:
    return [timer for due in range(7) for timer in state.timers if timer.due == due]


def without_timer(state: State, lifecycle: str, row: str) -> list[Timer]:
    return [timer for timer in state.timers if (timer.lifecycle, timer.row) != (lifecycle, row)]


class StoreMachine(RuleBasedStateMachine):
    """Each rule acts on one of two stores and on its model, and compares what comes back."""

    make_store: ClassVar[Callable[[], Store]] = lambda: MemoryStore(EVENT_LIMIT, TOPIC_LIMIT, INDEX_LIMIT)
    snapshots = Bundle[tuple[Snapshot, State]]("snapshots")

    def __init__(self) -> None:
        super().__init__()
        self.stores: list[Store] = [type(self).make_store() for _ in range(2)]
        self.models = [Model(), Model()]

    # Rows

    @rule(which=WHICH, collection=COLLECTIONS, rows=st.dictionaries(IDS, ROWS, min_size=1))
    def put(self, which: int, collection: str, rows: dict[str, Row]) -> None:
        known = self.models[which].state.rows
        for key, row in rows.items():
            self.stores[which].put(collection, key, row)
            at = [n for n, entry in enumerate(known) if entry[:2] == (collection, key)]
            known[slice(at[0], at[0] + 1) if at else slice(len(known), None)] = [(collection, key, row)]

    @rule(which=WHICH, collection=COLLECTIONS, key=IDS)
    def delete(self, which: int, collection: str, key: str) -> None:
        state = self.models[which].state
        left = [entry for entry in state.rows if entry[:2] != (collection, key)]
        assert self.stores[which].delete(collection, key) == (len(left) < len(state.rows))
        state.rows = left

    @rule(which=WHICH, query=QUERIES)
    def find(self, which: int, query: Query) -> None:
        store, expected = self.stores[which], select(self.models[which].state, query)
        assert store.find(query) == expected
        for offset, limit in product(range(4), (None, 0, 1, 2)):
            assert store.find(query, offset, limit) == expected[offset:][:limit]
        assert store.count(query) == len(expected)
        assert store.first(query) == (expected[0] if expected else None)

    # Counters, events, timers

    @rule(which=WHICH, name=COLLECTIONS)
    def number(self, which: int, name: str) -> None:
        counters = self.models[which].state.counters
        counters[name] = counters.get(name, 0) + 1
        assert self.stores[which].number(name) == counters[name]

    @rule(which=WHICH, topic=TOPICS, data=VALUES, instant=INSTANTS)
    def append(self, which: int, topic: str, data: Json, instant: int) -> None:
        state = self.models[which].state
        state.newest[topic] = state.newest.get(topic, 0) + 1
        event = Event(topic, state.newest[topic], instant, "kind", data, serial(state.written, topic, instant))
        state.written = [*state.written, (topic, instant // 1000)]
        assert self.stores[which].append(topic, instant, "kind", data) == event
        kept = dict(state.topics).get(topic, [])
        others = [entry for entry in state.topics if entry[0] != topic]
        state.topics = [*others, (topic, [*kept, event][-EVENT_LIMIT:])][-TOPIC_LIMIT:]

    @rule(which=WHICH, topic=TOPICS, after=st.integers(-1, 8), limit=st.none() | st.integers(0, 3))
    def events(self, which: int, topic: str, after: int, limit: int | None) -> None:
        kept = dict(self.models[which].state.topics).get(topic, [])
        expected = [event for event in kept if event.number > after][:limit]
        assert self.stores[which].events(topic, after, limit) == expected

    @rule(which=WHICH, due=DUES, lifecycle=LIFECYCLES, row=IDS)
    def arm(self, which: int, due: int, lifecycle: str, row: str) -> None:
        state, timer = self.models[which].state, Timer(due, lifecycle, row, "fire")
        self.stores[which].arm(timer)
        state.timers = [*without_timer(state, lifecycle, row), timer]

    @rule(which=WHICH, lifecycle=LIFECYCLES, row=IDS)
    def disarm(self, which: int, lifecycle: str, row: str) -> None:
        state = self.models[which].state
        self.stores[which].disarm(lifecycle, row)
        state.timers = without_timer(state, lifecycle, row)

    @rule(which=WHICH, now=DUES)
    def pop_due(self, which: int, now: int) -> None:
        state = self.models[which].state
        due = [timer for timer in firing(state) if timer.due <= now]
        assert self.stores[which].pop_due(now) == (due[0] if due else None)
        if due:
            state.timers.remove(due[0])

    # Transactions

    @rule(which=WHICH)
    def begin_or_commit(self, which: int) -> None:
        store, model = self.stores[which], self.models[which]
        if model.begun is None:
            store.begin()
            model.begun = deepcopy(model.state)
        else:
            store.commit()
            model.begun, model.marks = None, []

    @precondition(lambda self: any(model.begun for model in self.models))
    @rule(which=WHICH)
    def mark(self, which: int) -> None:
        model = self.models[which]
        if model.begun is not None:
            model.marks.append(deepcopy(model.state))
            assert self.stores[which].mark() == len(model.marks)

    @precondition(lambda self: any(model.begun for model in self.models))
    @rule(which=WHICH)
    def rollback(self, which: int) -> None:
        model = self.models[which]
        if model.begun is not None:
            self.stores[which].rollback()
            self.models[which] = Model(model.begun)

    @precondition(lambda self: any(model.marks for model in self.models))
    @rule(which=WHICH, to=st.integers(1, 4))
    def rollback_to_a_mark(self, which: int, to: int) -> None:
        model = self.models[which]
        if model.begun is not None and to > len(model.marks):
            with pytest.raises(MisuseError):
                self.stores[which].rollback(to)
        elif model.begun is not None:
            self.stores[which].rollback(to)
            model.marks = model.marks[:to]
            model.state = deepcopy(model.marks[-1])

    # Snapshots

    @rule(target=snapshots, which=WHICH)
    def snapshot(self, which: int) -> Json:
        return self.stores[which].snapshot(), deepcopy(self.models[which].state)

    @rule(which=WHICH, taken=snapshots)
    def restore(self, which: int, taken: tuple[Snapshot, State]) -> None:
        snapshot, state = taken
        self.stores[which].restore(snapshot)
        self.models[which].state = deepcopy(state)

    @invariant()
    def stores_hold_what_the_models_hold(self) -> None:
        for store, model in zip(self.stores, self.models, strict=True):
            state = model.state
            names = [collection for collection, _, _ in state.rows]
            assert store.sizes() == {name: names.count(name) for name in names}
            assert [store.get(collection, key) for collection, key, _ in state.rows] == [
                row for _, _, row in state.rows
            ]
            assert [store.find(query) for query in WATCHED] == [select(state, query) for query in WATCHED]
            assert store.timers() == firing(state)
            assert store.next_due() == min((timer.due for timer in state.timers), default=None)
            kept = {topic: events[0].number for topic, events in state.topics}
            assert [store.span(name) for name in ("run", "none")] == [
                (kept.get("run", state.newest.get("run", 0) + 1), state.newest.get("run", 0)),
                (1, 0),
            ]
            assert store.topics() == {name: (kept.get(name, last + 1), last) for name, last in state.newest.items()}


class RedisStoreMachine(StoreMachine):
    """The same, asked of stores upon Redis."""

    make_store = lambda: redis_store(EVENT_LIMIT, TOPIC_LIMIT, INDEX_LIMIT)  # noqa: E731 - as above


for machine, examples in ((StoreMachine, 200), (RedisStoreMachine, 50)):
    machine.TestCase.settings = settings(
        derandomize=True, deadline=None, database=None, max_examples=examples, stateful_step_count=50
    )
test_store_machine = StoreMachine.TestCase
test_redis_store_machine = RedisStoreMachine.TestCase
