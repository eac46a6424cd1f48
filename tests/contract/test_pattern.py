"""No pattern of a document keeps the twin busy for long, whatever the text."""

import time

import pytest
from tests.contract.documents import contract

from tasktwin.contract.pattern import LONGEST, bounded, fits, looks_around

LINEAR = [r"^(a+)+$", r"^(a|aa)*$", r"^\d{1,3}$", r"^(?:[A-Za-z0-9+/]{4})*$"]
AROUND = [r"(?=a)(a+)+$", r"^(?!x)(a+)+$", r"(?<!b)(a+)+$", r"^(?:(a)\1?)+(a+)+$"]


@pytest.mark.parametrize("pattern", [*LINEAR, *AROUND])
@pytest.mark.parametrize("length", [40, LONGEST, 1_000_000])
def test_every_pattern_is_tried_soon(pattern: str, length: int) -> None:
    schema = {"type": "string", "pattern": pattern}
    document = contract({}, components={"schemas": {"It": schema}})
    started = time.perf_counter()
    assert not document.schema("It").is_valid("a" * (length - 1) + "!")
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    ("pattern", "around"), [*((each, False) for each in LINEAR), *((each, True) for each in AROUND), ("(", False)]
)
def test_which_patterns_look_around(pattern: str, around: bool) -> None:  # noqa: FBT001 - a column of a table
    assert looks_around(pattern) is around


def test_a_look_around_works_as_ever_on_short_texts_and_takes_no_long_ones() -> None:
    schema = {
        "It": {"type": "string", "pattern": "^(?!admin).*$"},
        "Box": {"properties": {"pattern": {"pattern": "^(?=.*[0-9])"}}},
    }
    document = contract({}, components={"schemas": schema})
    it, box = document.schema("It"), document.schema("Box")
    assert (it.is_valid("ann"), it.is_valid("administrator"), it.is_valid(3)) == (True, False, False)
    assert [each.keyword for each in it.check("administrator")] == ["pattern"]
    assert [each.keyword for each in it.check("a" * (LONGEST + 1))] == ["maxLength"]
    assert (box.is_valid({"pattern": "a1"}), box.is_valid({"pattern": "a"})) == (True, False)


def test_a_schema_without_look_arounds_is_left_as_it_is() -> None:
    schema = {"properties": {"a": {"pattern": "^a$"}}, "enum": [{"pattern": "(?=a)"}]}
    assert bounded(schema) is schema


def test_a_text_fits_a_pattern_or_not() -> None:
    assert (fits("^a+$", "aa"), fits("^a+$", "b"), fits("(", "b")) == (True, False, True)
