from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasktwin.state.store import Query
from tasktwin.state.table import MOST_ALTERNATIVES, Equal, Table, comparable, rank
from tasktwin.wire import Json

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2)
)
EQUALS = st.dictionaries(st.sampled_from("abc"), st.sampled_from([None, True, 1, 1.0]), max_size=3).map(
    lambda fields: tuple(sorted(fields.items()))
)
quiet = settings(derandomize=True, deadline=None, database=None)


@quiet
@given(st.lists(VALUES))
def test_any_values_can_be_sorted_and_hashed(values: list[Json]) -> None:
    assert len(sorted(map(rank, values))) == len(values)
    assert len({comparable(value) for value in values}) <= len(values)


@pytest.mark.parametrize(
    ("one", "other"), [(True, 1), (False, 0), ("1", 1), (None, 0), (None, False), (None, "")], ids=repr
)
def test_values_that_json_holds_apart_are_held_apart(one: Json, other: Json) -> None:
    assert comparable(one) != comparable(other)
    assert rank(one) != rank(other)


@pytest.mark.parametrize("copied", [False, True])
def test_a_bucket_that_empties_is_forgotten(*, copied: bool) -> None:
    table = Table(era=None)
    table.change("a", {"n": 1}, 1)
    assert table.count(Query("task", (("n", 1),)), 64) == 1
    table = table.copy(era=None) if copied else table
    for n in range(2, 50):
        table.change("a", {"n": n}, 1)
    (index,) = table.indexes.values()
    assert list(index.buckets) == [(49,)]
    assert index.owned == ({(49,)} if copied else None)


def test_the_index_longest_unused_is_dropped_first() -> None:
    table = Table(era=None)
    for order in ("a", "b", "a", "c"):
        table.find(Query("task", order=order), 0, 1, 2)
    assert {order for _, order in table.indexes} == {"a", "c"}


@quiet
@given(EQUALS, st.lists(EQUALS, max_size=MOST_ALTERNATIVES + 1).map(tuple))
def test_a_row_that_fits_several_alternatives_counts_once(equal: Equal, either: tuple[Equal, ...]) -> None:
    table = Table(era=None)
    for n, (a, b, c) in enumerate(product([None, True, 1, 2], repeat=3)):
        table.change(str(n), {"a": a, "b": b, "c": c}, n)
    query = Query("task", equal, either=either)
    assert table.count(query, 64) == len(table.find(query, 0, None, 64))


def test_alternatives_are_counted_without_looking_at_the_rows() -> None:
    table = Table(era=None)
    for n in range(100):
        table.change(str(n), {"a": n % 2, "b": n % 3}, n)
    query = Query("task", (("a", 1),), either=((("b", 1),), (("b", 2),)))
    before = table.count(query, 64)
    table.rows.clear()
    assert table.count(query, 64) == before == 50 + 16 + 17
