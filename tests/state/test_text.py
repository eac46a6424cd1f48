"""Searches against rows that are looked at one by one."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasktwin.state.store import Query, Row
from tasktwin.state.table import MOST_TEXTS, Table
from tasktwin.state.text import CHUNK, MOST_WRITTEN
from tasktwin.wire import Json

FIELDS = ("title", "labels")
TEXTS = st.text("aAbß\0 ", max_size=4)
VALUES = TEXTS | st.none() | st.integers() | st.lists(TEXTS, max_size=2)
ROWS = st.fixed_dictionaries({"title": VALUES, "labels": VALUES, "n": st.integers(0, 2), "s": st.sampled_from("xy")})
IDS = st.sampled_from([str(n) for n in range(0, 3 * CHUNK, CHUNK // 2)])
STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "put", "put", "remove", "fork", "search"]), IDS, ROWS), min_size=1, max_size=30
)


def is_found(row: Row, text: str) -> bool:
    for name in FIELDS:
        value = row[name]
        if isinstance(value, str) and text.casefold() in value.casefold():
            return True
        if isinstance(value, list) and text in value:
            return True
    return False


def expected(rows: Iterable[Row], text: str, query: Query) -> list[Json]:
    alternatives = [dict(equal) for equal in (query.equal, *query.either)]
    fits = [row for row in rows if any(row.items() >= each.items() for each in alternatives) and is_found(row, text)]
    return sorted(fits, key=lambda row: (row["n"] if query.order else 0, row["at"]), reverse=query.descending)


@settings(derandomize=True, deadline=None, database=None, max_examples=300)
@given(
    steps=STEPS,
    text=TEXTS,
    ordered=st.booleans(),
    descending=st.booleans(),
    either=st.sampled_from([(), ((("s", "y"),),)]),
)
def test_a_search_finds_what_each_row_says(
    steps: list[tuple[str, str, Row]],
    text: str,
    *,
    ordered: bool,
    descending: bool,
    either: tuple[tuple[tuple[str, Json], ...], ...],
) -> None:
    table, rows = Table(era=None), dict[str, Row]()
    query = Query("task", (("s", "x"),), "n" if ordered else "", descending, either=either, search=(FIELDS, text))
    for what, key, row in steps:
        sequence = int(key) + 1
        if what == "put":
            rows[key] = {**row, "at": sequence}
            table.change(key, rows[key], sequence)
        elif what == "remove" and key in rows:
            del rows[key]
            table.change(key, None, sequence)
        elif what == "fork":
            former, table = table, table.copy(era=None)
            former.change("other", {"title": text, "labels": [], "n": 0, "s": "x", "at": 0}, 0)
        elif what == "search":
            table.count(query, 64)
    whole = expected(rows.values(), text, query)
    assert table.find(query, 0, None, 64) == whole
    assert table.find(query, 1, 2, 64) == whole[1:3]
    assert table.count(query, 64) == len(whole)
    assert table.first(query, 64) == (whole[0] if whole else None)


@pytest.mark.parametrize("text", ["", "row", "row 77", "nowhere"])
def test_many_and_few_are_found_in_the_same_order(text: str) -> None:
    table = Table(era=None)
    for n in range(2 * CHUNK):
        table.put(str(n), {"title": f"Row {n}", "n": -n, "even": n % 2})
    found = table.find(Query("task", (("even", 1),), "n", search=(("title",), text)), 0, None, 64)
    numbers = [n for n in reversed(range(1, 2 * CHUNK, 2)) if text in f"row {n}"]
    assert [row["n"] for row in found] == [-n for n in numbers]


def test_a_write_joins_only_the_rows_beside_it_anew() -> None:
    table, query = Table(era=None), Query("task", search=(("title",), "x"))
    for n in range(4 * CHUNK):
        table.put(str(n), {"title": "x"})
    table.count(query, 64)
    (texts,) = table.texts.values()
    before = texts.chunks.copy()
    table.put("5", {"title": "y"})
    assert table.count(query, 64) == 4 * CHUNK - 1
    changed = [number for number, chunk in texts.chunks.items() if chunk is not before[number]]
    assert changed == [0]


def test_writes_that_nobody_searches_are_forgotten() -> None:
    table, query = Table(era=None), Query("task", search=(("title",), "x"))
    table.put("stays", {"title": "x"})
    assert table.count(query, 64) == 1
    for n in range(MOST_WRITTEN + 5):
        table.put(f"{n}", {"title": "x"})
        table.change(f"{n}", None, n + 2)
    (texts,) = table.texts.values()
    assert not texts.chunks
    assert table.count(query, 64) == 1


def test_only_so_many_fields_are_kept_joined() -> None:
    table = Table(era=None)
    for n in range(MOST_TEXTS + 3):
        assert table.count(Query("task", search=((f"field{n}",), "x")), 64) == 0
    assert len(table.texts) == MOST_TEXTS
