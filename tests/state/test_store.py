"""What the protocol promises, asked of every kind of store."""

from collections.abc import Callable

import pytest
from tests.state.redis_server import redis_store

from tasktwin.errors import MisuseError
from tasktwin.state import Event, MemoryStore, Query, Row, Snapshot, Store, Timer
from tasktwin.wire import Json

KINDS: list[Callable[[], Store]] = [MemoryStore, redis_store]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def store(request: pytest.FixtureRequest) -> Store:
    made: Store = request.param()
    return made


def fill(store: Store, *rows: Row) -> None:
    for row in rows:
        store.put("task", row["id"], row)


def ids(rows: list[Row]) -> list[str]:
    return [row["id"] for row in rows]


def test_a_row_is_what_was_put_until_it_is_deleted(store: Store) -> None:
    assert store.get("task", "a") is None
    store.put("task", "a", {"id": "a", "title": "one"})
    store.put("task", "a", {"id": "a", "title": "two"})
    assert store.get("task", "a") == {"id": "a", "title": "two"}
    assert store.get("bid", "a") is None
    assert store.delete("task", "a")
    assert not store.delete("task", "a")
    assert store.get("task", "a") is None


def test_without_an_order_rows_come_as_they_were_created(store: Store) -> None:
    fill(store, {"id": "b"}, {"id": "a"}, {"id": "c"})
    store.put("task", "b", {"id": "b", "again": True})
    assert ids(store.find(Query("task"))) == ["b", "a", "c"]
    store.delete("task", "b")
    store.put("task", "b", {"id": "b"})
    assert ids(store.find(Query("task"))) == ["a", "c", "b"]
    assert ids(store.find(Query("task", descending=True))) == ["b", "c", "a"]


def test_ties_go_by_creation_in_the_direction_of_the_order(store: Store) -> None:
    fill(store, {"id": "c", "pay": 5}, {"id": "b", "pay": 3}, {"id": "a", "pay": 5.0})
    assert ids(store.find(Query("task", order="pay"))) == ["b", "c", "a"]
    assert ids(store.find(Query("task", order="pay", descending=True))) == ["a", "c", "b"]


def test_values_of_mixed_types_are_ordered_by_type(store: Store) -> None:
    values: list[Json] = ["b", 2, None, True, {"k": 1}, 10, "a", False, [1], 1.5, float("nan"), ""]
    for n, value in enumerate(values):
        store.put("task", str(n), {"id": str(n), "v": value})
    store.put("task", "none", {"id": "none"})
    found = [row.get("v") for row in store.find(Query("task", order="v"))]
    assert found[0] is None
    assert str(found[1]) == "nan"
    assert found[2:] == [None, [1], False, True, 1.5, 2, 10, {"k": 1}, "", "a", "b"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, ["int", "float"]),
        (1.0, ["int", "float"]),
        (True, ["yes"]),
        ("1", ["text"]),
        (None, ["null", "none"]),
        (2, []),
    ],
    ids=repr,
)
def test_equality_is_that_of_json(store: Store, value: Json, expected: list[str]) -> None:
    fill(store, {"id": "int", "v": 1}, {"id": "float", "v": 1.0}, {"id": "yes", "v": True}, {"id": "text", "v": "1"})
    fill(store, {"id": "null", "v": None}, {"id": "none"}, {"id": "list", "v": [1]}, {"id": "object", "v": {}})
    query = Query("task", (("v", value),))
    assert ids(store.find(query)) == expected
    assert store.count(query) == len(expected)


def test_an_update_moves_a_row_between_the_answers(store: Store) -> None:
    open_, done = Query("task", (("status", "open"),)), Query("task", (("status", "done"),))
    fill(store, {"id": "a", "status": "open"}, {"id": "b", "status": "open"})
    assert (store.count(open_), store.count(done)) == (2, 0)
    store.put("task", "a", {"id": "a", "status": "done"})
    assert (ids(store.find(open_)), ids(store.find(done))) == (["b"], ["a"])


def test_all_fields_of_a_query_must_match_and_the_test_too(store: Store) -> None:
    for n in range(12):
        store.put("task", str(n), {"id": str(n), "two": n % 2, "three": n % 3, "n": n})
    both = (("three", 0), ("two", 0))
    assert ids(store.find(Query("task", both))) == ["0", "6"]
    small = Query("task", (("two", 1),), order="n", descending=True, keep=lambda row: row["n"] < 8)
    assert ids(store.find(small)) == ["7", "5", "3", "1"]
    assert ids(store.find(small, 1, 2)) == ["5", "3"]
    assert store.count(small) == 4


@pytest.mark.parametrize("descending", [False, True], ids=["up", "down"])
@pytest.mark.parametrize(
    ("offset", "limit"), [(0, None), (0, 0), (0, 3), (3, 3), (8, 5), (10, 5), (99, 1), (4, None), (0, 10**9)]
)
def test_pages_are_slices_of_the_whole(store: Store, offset: int, limit: int | None, *, descending: bool) -> None:
    fill(store, *({"id": str(n), "v": n % 4} for n in range(10)))
    whole = store.find(Query("task", order="v", descending=descending))
    kept = Query("task", order="v", descending=descending, keep=lambda _: True)
    end = None if limit is None else offset + limit
    assert store.find(Query("task", order="v", descending=descending), offset, limit) == whole[offset:end]
    assert store.find(kept, offset, limit) == whole[offset:end]


@pytest.mark.parametrize(("offset", "limit"), [(-1, None), (0, -1)])
def test_a_negative_page_is_refused(store: Store, offset: int, limit: int) -> None:
    with pytest.raises(MisuseError, match="not negative"):
        store.find(Query("task"), offset, limit)


def test_a_comparison_with_a_list_is_refused(store: Store) -> None:
    with pytest.raises(MisuseError, match="'v' with a string"):
        store.count(Query("task", (("v", ["a"]),)))


def test_the_first_row_is_the_first_in_order_or_none(store: Store) -> None:
    assert store.first(Query("task")) is None
    fill(store, {"id": "a", "v": 2}, {"id": "b", "v": 1})
    assert store.first(Query("task", order="v")) == {"id": "b", "v": 1}


def test_sizes_name_the_collections_that_hold_rows(store: Store) -> None:
    fill(store, {"id": "a"}, {"id": "b"})
    store.put("bid", "x", {})
    store.put("gone", "x", {})
    store.delete("gone", "x")
    assert list(store.sizes().items()) == [("bid", 1), ("task", 2)]


def test_counters_count_from_one_each(store: Store) -> None:
    assert [store.number("task"), store.number("task"), store.number("bid")] == [1, 2, 1]


def test_events_are_numbered_per_topic_and_read_from_any_number(store: Store) -> None:
    for n in range(3):
        assert store.append("run", n, "log", {"n": n}).number == n + 1
    other = store.append("other", 9, "log", None)
    assert other == Event("other", 1, 9, "log", None)
    assert [event.number for event in store.events("run")] == [1, 2, 3]
    assert [event.number for event in store.events("run", 1)] == [2, 3]
    assert [event.number for event in store.events("run", 1, 1)] == [2]
    assert store.events("run", -5, 1)[0].number == 1
    assert (store.events("run", 3), store.events("nowhere")) == ([], [])
    assert store.topics() == {"other": (1, 1), "run": (1, 3)}
    with pytest.raises(MisuseError, match="not negative"):
        store.events("run", 0, -1)


def test_timers_fire_by_time_and_then_as_they_were_armed(store: Store) -> None:
    late, first, second = (
        Timer(9, "task", "a", "expire"),
        Timer(5, "task", "z", "expire"),
        Timer(5, "bid", "a", "lapse"),
    )
    for timer in (late, first, second):
        store.arm(timer)
    assert (store.next_due(), store.timers()) == (5, [first, second, late])
    assert store.pop_due(4) is None
    assert [store.pop_due(5), store.pop_due(5), store.pop_due(5)] == [first, second, None]
    assert (store.next_due(), store.pop_due(100), store.next_due(), store.pop_due(100)) == (9, late, None, None)


def test_arming_again_replaces_and_disarming_removes(store: Store) -> None:
    store.arm(Timer(5, "task", "a", "expire"))
    store.arm(Timer(5, "task", "b", "expire"))
    store.arm(Timer(8, "task", "a", "remind"))
    assert [timer.row for timer in store.timers()] == ["b", "a"]
    store.disarm("task", "b")
    store.disarm("task", "unknown")
    assert store.timers() == [Timer(8, "task", "a", "remind")]
    assert store.next_due() == 8


def everything(store: Store) -> Json:
    rows = [store.find(Query("task")), store.find(Query("task", (("s", 1),), "n"))]
    return rows, store.sizes(), store.timers(), store.next_due(), store.topics(), store.events("run")


def write(store: Store) -> None:
    store.put("task", "a", {"id": "a", "s": 2, "n": 0})
    store.delete("task", "b")
    store.put("task", "b", {"id": "b", "s": 1, "n": 7})
    store.put("task", "new", {"id": "new", "s": 1, "n": 1})
    store.put("fresh", "x", {})
    store.append("run", 2, "two", 2)
    store.append("fresh", 2, "two", 2)
    store.arm(Timer(1, "task", "a", "expire"))
    store.arm(Timer(1, "task", "b", "expire"))
    store.disarm("task", "c")
    store.pop_due(3)
    assert store.number("task") == 2
    assert store.number("fresh") == 1


def begun(store: Store) -> Store:
    fill(store, {"id": "a", "s": 1, "n": 2}, {"id": "b", "s": 1, "n": 1}, {"id": "c", "s": 1, "n": 1})
    store.append("run", 1, "one", 1)
    store.arm(Timer(3, "task", "a", "expire"))
    store.arm(Timer(3, "task", "c", "expire"))
    store.number("task")
    return store


def test_a_rollback_leaves_nothing_of_the_transaction(store: Store) -> None:
    before = everything(begun(store))
    store.begin()
    write(store)
    assert everything(store) != before
    store.rollback()
    assert everything(store) == before
    assert (store.number("task"), store.number("fresh")) == (2, 1)


def test_a_commit_keeps_the_transaction(store: Store) -> None:
    begun(store).begin()
    write(store)
    after = everything(store)
    store.commit()
    assert everything(store) == after
    store.begin()
    store.rollback()
    assert everything(store) == after


def test_a_rollback_to_a_mark_keeps_what_was_written_before_it(store: Store) -> None:
    begun(store).begin()
    start = store.mark()
    fill(store, {"id": "d"})
    middle = store.mark()
    for _ in range(2):
        fill(store, {"id": "e"})
        store.rollback(middle)
        assert ids(store.find(Query("task"))) == ["a", "b", "c", "d"]
    store.rollback(start)
    with pytest.raises(MisuseError, match="no mark"):
        store.rollback(middle)
    fill(store, {"id": "f"})
    store.commit()
    assert ids(store.find(Query("task"))) == ["a", "b", "c", "f"]


ENDINGS: dict[str, Callable[[Store], object]] = {
    "commit": lambda store: store.commit(),
    "rollback": lambda store: store.rollback(),
    "rollback to a mark": lambda store: store.rollback(1),
    "mark": lambda store: store.mark(),
}


@pytest.mark.parametrize("act", ENDINGS.values(), ids=ENDINGS)
def test_without_a_transaction_there_is_nothing_to_end(store: Store, act: Callable[[Store], object]) -> None:
    with pytest.raises(MisuseError, match="no transaction"):
        act(store)


@pytest.mark.parametrize("to", [-1, 2])
def test_a_mark_that_was_never_set_is_refused_and_nothing_is_undone(store: Store, to: int) -> None:
    store.begin()
    store.mark()
    fill(store, {"id": "a"})
    with pytest.raises(MisuseError, match=f"no mark {to}"):
        store.rollback(to)
    store.commit()
    assert store.sizes() == {"task": 1}


def test_transactions_do_not_nest(store: Store) -> None:
    store.begin()
    with pytest.raises(MisuseError, match="open already"):
        store.begin()
    store.commit()


def test_a_snapshot_of_what_is_provisional_holds_it_for_good(store: Store) -> None:
    begun(store)
    store.begin()
    write(store)
    within = everything(store)
    snapshot = store.snapshot()
    store.rollback()
    assert everything(store) != within
    store.restore(snapshot)
    assert everything(store) == within


def test_whatever_may_change_a_row_is_seen_by_one_number(store: Store) -> None:
    fill(store, {"id": "a"})
    snapshot = store.snapshot()
    fill(store, {"id": "b"})
    seen = store.written()
    store.find(Query("task"))
    store.get("task", "a")
    store.snapshot()
    assert store.written() == seen
    store.begin()
    writes: list[Callable[[], object]] = [
        lambda: fill(store, {"id": "a", "v": 1}),
        lambda: fill(store, {"id": "c"}),
        lambda: store.delete("task", "b"),
        lambda: store.restore(snapshot),
        store.rollback,
    ]
    for write_ in writes:
        write_()
        assert store.written() != seen
        seen = store.written()


def test_a_restored_snapshot_is_undone_with_its_transaction(store: Store) -> None:
    empty = store.snapshot()
    fill(store, {"id": "a"})
    store.begin()
    fill(store, {"id": "b"})
    mark = store.mark()
    store.restore(empty)
    fill(store, {"id": "c"})
    assert ids(store.find(Query("task"))) == ["c"]
    store.rollback(mark)
    assert ids(store.find(Query("task"))) == ["a", "b"]
    store.restore(empty)
    store.rollback()
    assert ids(store.find(Query("task"))) == ["a"]


def test_a_snapshot_can_be_restored_again_and_again(store: Store) -> None:
    before = everything(begun(store))
    snapshot = store.snapshot()
    for _ in range(3):
        write(store)
        assert everything(store) != before
        store.restore(snapshot)
        assert everything(store) == before


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_fork_and_its_origin_do_not_see_each_other(kind: Callable[[], Store]) -> None:
    origin, fork = begun(kind()), kind()
    before = everything(origin)
    fork.restore(origin.snapshot())
    assert everything(fork) == before
    write(fork)
    assert everything(origin) == before
    after = everything(fork)
    origin.delete("task", "a")
    origin.append("run", 5, "other", None)
    assert everything(fork) == after


def test_a_rollback_after_a_snapshot_leaves_the_snapshot_alone(store: Store) -> None:
    before = everything(begun(store))
    snapshot = store.snapshot()
    store.begin()
    write(store)
    store.rollback()
    write(store)
    store.restore(snapshot)
    assert everything(store) == before


def test_a_foreign_snapshot_is_refused(store: Store) -> None:
    with pytest.raises(MisuseError, match="another kind of store"):
        store.restore(Snapshot())
