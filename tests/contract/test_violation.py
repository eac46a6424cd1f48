"""Findings are readable and small."""

from typing import Any

import pytest
from tests.contract.documents import contract

from tasktwin.contract import Violation
from tasktwin.contract.violation import clipped, quoted


def check(schema: Any, value: Any) -> tuple[Violation, ...]:
    return contract({}, components={"schemas": {"It": schema}}).schema("It").check(value)


@pytest.mark.parametrize(
    ("schema", "value", "violation"),
    [
        ({"required": ["a"]}, {}, Violation("body", "/a", "required", "a is required")),
        (
            {"properties": {"a": {"maxLength": 2}}},
            {"a": "xyz"},
            Violation("body", "/a", "maxLength", '"xyz" is longer than 2 characters', 2, "xyz"),
        ),
        ({"enum": ["a", "b"]}, "c", Violation("body", "", "enum", '"c" is not one of "a" or "b"', ["a", "b"], "c")),
        ({"type": "integer"}, "7", Violation("body", "", "type", '"7" is not of type "integer"', "integer", "7")),
        (
            {"format": "int32"},
            2**31,
            Violation("body", "", "format", '2147483648 is not a valid "int32"', "int32", 2**31),
        ),
        (
            {"properties": {"a~b/c": {}}, "additionalProperties": False},
            {"x/y": 1},
            Violation("body", "/x~1y", "additionalProperties", "x/y is not allowed here"),
        ),
    ],
    ids=lambda value: value.keyword if isinstance(value, Violation) else "",
)
def test_a_violation_says_what_was_expected(schema: Any, value: Any, violation: Violation) -> None:
    assert check(schema, value) == (violation,)


def test_a_violation_reads_as_a_sentence() -> None:
    assert str(check({"required": ["a"]}, {})[0]) == "body/a: a is required"


def test_no_more_than_fifty_are_reported() -> None:
    assert len(check({"items": {"type": "integer"}}, ["x"] * 1000)) == 50
    assert len(check({"properties": {"a": {}}, "additionalProperties": False}, {f"x{n}": 1 for n in range(1000)})) == 50


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, list("x" * 10**5), {"a" * 10**6: 1}, [[["x" * 10**5]]], 10**4000],
    ids=["text", "list", "object", "nested", "integer"],
)
def test_huge_values_are_quoted_in_short(value: Any) -> None:
    (violation,) = check({"const": "a"}, value)
    assert len(repr(violation)) < 1000


def test_what_is_no_json_breaks_every_schema_that_looks_at_it() -> None:
    assert [item.keyword for item in check({"type": "object"}, b"bytes")] == ["json"]
    assert [item.keyword for item in check({"type": "string"}, "\ud800")] == ["json"]


@pytest.mark.parametrize(
    ("value", "small"),
    [
        (None, None),
        (1.5, 1.5),
        ([1, "a"], [1, "a"]),
        ([[1]], "a list of 1 items"),
        ({}, {}),
        ({"a": 1}, "an object with 1 properties"),
        (2**70, "a very large integer"),
        ("\ud800", "?"),
        (b"ab", "2 bytes"),
    ],
)
def test_quoting(value: Any, small: Any) -> None:
    assert quoted(value) == small


def test_clipping_marks_the_cut() -> None:
    assert clipped("abcdef", 4) == "abc…"
