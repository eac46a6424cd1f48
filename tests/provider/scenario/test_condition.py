"""Arazzo's simple conditions, taken apart and judged."""

import pytest

from tasktwin.provider.scenario.condition import parse_condition
from tasktwin.provider.scenario.expression import Expression, expressions_in, fill, parse_expression
from tasktwin.wire import Json

BODY = {"state": "open", "n": 3, "yes": True, "items": [{"id": "a/b"}], "none": None, "text": "it's"}


def look(each: Expression) -> Json:
    return {"response.body": BODY, "statusCode": 200, "inputs": "K"}.get(each.root)


@pytest.mark.parametrize(
    "text",
    [
        "$statusCode == 200",
        "$statusCode != 404 && $response.body#/n >= 3",
        "$statusCode == 404 || $response.body#/state == 'open'",
        "$statusCode == 404 && $statusCode == 404 || $statusCode == 200",
        "!($statusCode == 404)",
        "$response.body#/state == 'OPEN'",
        '$response.body#/state == "open"',
        "$response.body#/text == 'it''s'",
        "$response.body#/yes == true",
        "$response.body#/yes",
        "$response.body#/none == null",
        "$response.body#/missing == null",
        "$response.body#/items/0/id == 'a/b'",
        "$response.body.items[0].id == 'a/b'",
        "$response.body#/n < 3.5",
        "(($statusCode > 199) && ($statusCode < 300))",
    ],
)
def test_a_condition_that_is_so_holds(text: str) -> None:
    assert parse_condition(text).holds(look)


@pytest.mark.parametrize(
    "text",
    [
        "$response.body#/n == '3'",
        "$response.body#/yes == 1",
        "$response.body#/n == true",
        "$response.body#/state > 1",
        "$response.body#/missing > 1",
        "$response.body#/none",
        "$statusCode == 404 || $statusCode == 500",
        "!$response.body#/yes",
    ],
)
def test_values_of_different_kinds_are_never_equal(text: str) -> None:
    assert not parse_condition(text).holds(look)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$statusCode ==", "ends too early"),
        ("$statusCode == 200 200", "'200' is not expected"),
        ("($statusCode == 200", "a ) is missing"),
        ("$statusCode == open", "put texts in single quotes"),
        ("$status == 200", "is no runtime expression"),
        ("", "ends too early"),
        ("'a", "is not expected"),
        ("!" * 60 + "true", "nested deeper than 50"),
        ("(" * 5_000 + "true", "nested deeper than 50"),
    ],
)
def test_what_is_no_condition_is_told(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(").replace(")", r"\)")):
        parse_condition(text)


@pytest.mark.parametrize(
    ("text", "root", "name", "owner", "pointer"),
    [
        ("$inputs.api-key", "inputs", "api-key", "", ()),
        ("$steps.post.outputs.id", "steps", "id", "post", ()),
        ("$steps.post.outputs.task#/items/0", "steps", "task", "post", ("items", "0")),
        ("$workflows.a.outputs.b", "workflows.outputs", "b", "a", ()),
        ("$request.header.X-Key", "request.header", "X-Key", "", ()),
        ("$response.body#/a~1b", "response.body", "", "", ("a/b",)),
        ("$sourceDescriptions.uumit.url", "sourceDescriptions", "url", "uumit", ()),
        ("$statusCode", "statusCode", "", "", ()),
    ],
)
def test_an_expression_is_taken_apart(text: str, root: str, name: str, owner: str, pointer: tuple[str, ...]) -> None:
    found = parse_expression(text)
    assert (found.root, found.name, found.owner, found.pointer) == (root, name, owner, pointer)


def test_a_template_is_filled_with_values_of_their_kind_and_texts_around_them() -> None:
    template = {"n": "$response.body#/n", "key": "Bearer {$inputs.key}", "price": "$5", "list": ["$statusCode", 1]}
    assert fill(template, look) == {"n": 3, "key": "Bearer K", "price": "$5", "list": [200, 1]}
    assert list(expressions_in(template)) == ["$response.body#/n", "$inputs.key", "$statusCode"]
