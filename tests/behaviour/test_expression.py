import pytest

from tasktwin.behaviour.expression import Scope, compile_expression, compile_template, look_up
from tasktwin.errors import DataError
from tasktwin.state import parse_instant
from tasktwin.wire import Json

SCOPE: Scope = {
    "now": parse_instant("2026-01-01T12:00:00.123456Z"),
    "precision": "milliseconds",
    "request.path": {"id": "7"},
    "request.query": {"page": 2, "filter[a]": "x"},
    "request.header": {"x-tag": "blue"},
    "request.body": {"a": {"b": [10, {"c": None}]}, "x/y": 1, "m~n": 2, "": 3},
    "row": {"title": "Paint", "price": None},
    "task": {"id": "t1"},
    "n": 4,
}
NAMES = frozenset({"task"})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$request.path.id", "7"),
        ("$request.query.page", 2),
        ("$request.header.X-Tag", "blue"),
        ("$request.body", SCOPE["request.body"]),
        ("$request.body#", SCOPE["request.body"]),
        ("$request.body#/a/b/0", 10),
        ("$request.body#/a/b/1/c", None),
        ("$request.body#/a/b/-1", None),
        ("$request.body#/a/b/9", None),
        ("$request.body#/a/b/x", None),
        ("$request.body#/x~1y", 1),
        ("$request.body#/m~0n", 2),
        ("$request.body#/", 3),
        ("$request.body#/a/b/0/c/d", None),
        ("$request.path.other", None),
        ("$row#/title", "Paint"),
        ("$row#/nothing", None),
        ("$task#/id", "t1"),
        ("$principal#/user", None),
        ("$now", "2026-01-01T12:00:00.123Z"),
        ("$now.unix", 1_767_268_800),
        ("$n", 4),
    ],
)
def test_an_expression_reads_what_is_there_or_nothing(text: str, value: Json) -> None:
    assert compile_expression(text, NAMES)(SCOPE) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("$", "no runtime expression"),
        ("$row#title", "no runtime expression"),
        ("$row #/title", "no runtime expression"),
        ("$rwo#/title", "Did you mean $row?"),
        ("$tsak", "Did you mean $task?"),
        ("$request.path", "names nothing known"),
        ("$request.body.title", "Did you mean $request.body?"),
        ("$now.iso", "Did you mean $now or $now.unix?"),
        ("$nowhere", "Did you mean $now or $now.unix?"),
    ],
)
def test_what_names_nothing_is_refused_when_it_is_compiled(text: str, says: str) -> None:
    with pytest.raises(DataError, match=says.replace("$", r"\$").replace("?", r"\?")):
        compile_expression(text, NAMES)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("plain", "plain"),
        ("Job {$row#/title} no. {$n}", "Job Paint no. 4"),
        ("{$row#/price}!", "!"),
        ("{not an expression}", "{not an expression}"),
        ("costs 5$", "costs 5$"),
        ({"a": ["$n", {"b": "$task#/id"}], "c": 1}, {"a": [4, {"b": "t1"}], "c": 1}),
        ({"$map": "$n", "to": {"4": "four"}}, "four"),
        ({"$map": "$row#/title", "to": {"Paint": ["p"]}}, ["p"]),
        ({"$map": "$row#/price", "to": {"null": "free"}}, "free"),
        ({"$map": "$row#/title", "to": {"Cook": 1}}, None),
        ({"$first": ["$row#/price", "$n", "x"]}, 4),
        ({"$first": ["$row#/price", {"$first": []}]}, None),
        ({"$given": {"a": "$n", "b": "$row#/price", "c": {"$given": {"d": None}}}}, {"a": 4, "c": {}}),
        ([], []),
        (None, None),
    ],
    ids=repr,
)
def test_a_template_is_filled_in_wherever_it_holds_an_expression(template: Json, value: Json) -> None:
    assert compile_template(template, NAMES)(SCOPE) == value


@pytest.mark.parametrize(
    ("template", "pointer"),
    [
        ({"a": ["x", {"b": "$nix"}]}, "/a/1/b"),
        ({"a": {"$map": "$n"}}, "/a"),
        ({"$given": []}, ""),
        ({"$first": {}}, ""),
        ({"$first": ["$n", "$nix"]}, "/$first/1"),
        ({"$given": {"a": "$nix"}}, "/$given/a"),
        ({"a": "see {$nix}"}, "/a"),
    ],
    ids=repr,
)
def test_a_mistake_in_a_template_is_told_with_its_pointer(template: Json, pointer: str) -> None:
    with pytest.raises(DataError) as caught:
        compile_template(template)
    assert caught.value.problems[0].pointer == pointer


def test_a_value_of_another_kind_than_a_mapping_has_no_result() -> None:
    read = compile_template({"$map": "$request.body#/a", "to": {"x": 1}})
    assert read(SCOPE) is None


def test_a_digit_of_another_script_is_no_index() -> None:
    assert look_up(["a", "b"], ("\u0661",)) is None
