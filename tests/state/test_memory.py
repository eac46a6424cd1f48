import pytest

from tasktwin.errors import MisuseError
from tasktwin.state import MemoryStore, Query, Row


def numbers(store: MemoryStore, topic: str) -> list[int]:
    return [event.number for event in store.events(topic)]


@pytest.mark.parametrize("limits", [(0, 1, 1), (1, 0, 1), (1, 1, 0)], ids=["events", "topics", "indexes"])
def test_a_limit_below_one_is_refused(limits: tuple[int, int, int]) -> None:
    with pytest.raises(MisuseError, match="at least 1"):
        MemoryStore(*limits)


def test_the_oldest_events_give_way_and_numbers_go_on() -> None:
    store = MemoryStore(event_limit=2)
    for n in range(4):
        store.append("run", n, "log", n)
    assert numbers(store, "run") == [3, 4]
    assert store.topics() == {"run": (3, 4)}
    assert numbers(store, "run") == [event.number for event in store.events("run", 1)]


def test_a_rollback_brings_back_events_that_had_given_way() -> None:
    store = MemoryStore(event_limit=2, topic_limit=1)
    store.append("run", 1, "log", 1)
    store.append("run", 2, "log", 2)
    store.begin()
    store.append("run", 3, "log", 3)
    store.append("other", 4, "log", 4)
    assert store.topics() == {"other": (1, 1), "run": (4, 3)}
    store.rollback()
    assert numbers(store, "run") == [1, 2]
    assert store.topics() == {"run": (1, 2)}


def test_the_topic_longest_not_written_loses_its_events_but_not_its_number() -> None:
    store = MemoryStore(topic_limit=2)
    for topic in ("a", "b", "a", "c"):
        store.append(topic, 1, "log", None)
    assert (numbers(store, "a"), numbers(store, "b"), numbers(store, "c")) == ([1, 2], [], [1])
    assert store.topics()["b"] == (2, 1)
    assert store.append("b", 2, "log", None).number == 2


def test_a_rollback_makes_a_topic_as_long_unwritten_as_it_was() -> None:
    store = MemoryStore(topic_limit=2)
    store.append("a", 1, "log", None)
    store.append("b", 2, "log", None)
    store.begin()
    store.append("a", 3, "log", None)
    store.rollback()
    store.append("c", 4, "log", None)
    assert (numbers(store, "a"), numbers(store, "b")) == ([], [1])


def test_a_smaller_store_trims_what_it_restores_when_it_writes() -> None:
    big, small = MemoryStore(), MemoryStore(event_limit=3, topic_limit=1)
    for n in range(10):
        big.append("run", n, "log", n)
        big.append(f"once {n}", n, "log", n)
    small.restore(big.snapshot())
    small.append("run", 99, "log", 99)
    assert numbers(small, "run") == [9, 10, 11]
    assert [span for span in small.topics().values() if span[0] <= span[1]] == [(9, 11)]
    assert len(numbers(big, "run")) == 10


def test_more_shapes_of_queries_than_indexes_still_answer_rightly() -> None:
    store = MemoryStore(index_limit=2)
    rows: list[Row] = [{"id": n, **{f"f{m}": n * m % 5 for m in range(6)}} for n in range(20)]
    for row in rows:
        store.put("task", str(row["id"]), row)
    for n in range(30):
        field, order, value = f"f{n % 6}", f"f{n % 5}", n % 4
        store.put("task", "7", {**rows[7], "f1": n % 5})
        expected = sorted((row for row in store.find(Query("task")) if row[field] == value), key=lambda row: row[order])
        assert store.find(Query("task", ((field, value),), order)) == expected


def test_a_row_changed_in_place_is_reported_when_it_is_replaced() -> None:
    store = MemoryStore()
    row = {"status": "open"}
    store.put("task", "a", row)
    store.put("task", "b", {"status": "done"})
    assert store.count(Query("task", (("status", "open"),))) == 1
    row["status"] = "done"
    with pytest.raises(MisuseError, match="'a' was changed in place"):
        store.put("task", "a", {"status": "late"})


def test_a_fork_lists_a_page_without_looking_at_all_rows() -> None:
    looked = 0

    class Watched(dict[str, int]):
        def get(self, key: str, default: object = None) -> object:  # type: ignore[override]
            nonlocal looked
            looked += 1
            return super().get(key, default)

    store, fork = MemoryStore(), MemoryStore()
    for n in range(500):
        store.put("task", str(n), Watched(kind=n % 2, n=n))
    query = Query("task", (("kind", 1),), "n")
    store.find(query, 0, 5)
    looked = 0
    fork.restore(store.snapshot())
    assert [row["n"] for row in fork.find(query, 10, 2)] == [21, 23]
    fork.put("task", "1", {"kind": 1, "n": 600})
    assert (fork.count(query), fork.find(query, 249)[0]["n"], store.find(query, 0, 1)[0]["n"]) == (250, 600, 1)
    assert looked < 5


def test_an_index_made_by_a_fork_serves_its_origin_rightly() -> None:
    store, fork = MemoryStore(), MemoryStore()
    store.put("task", "a", {"n": 1})
    fork.restore(store.snapshot())
    assert fork.count(Query("task", (("n", 1),))) == 1
    store.put("task", "b", {"n": 1})
    assert (store.count(Query("task", (("n", 1),))), fork.count(Query("task", (("n", 1),)))) == (2, 1)
