import pytest

from tasktwin.behaviour.condition import ALWAYS, Condition, compile_condition
from tasktwin.behaviour.expression import Scope
from tasktwin.errors import DataError
from tasktwin.state import Row, contains
from tasktwin.wire import Json

SCOPE: Scope = {"now": 0, "principal": {"user": "ann", "role": "boss"}, "request.query": {"role": None}}
ROW: Row = {"owner": "ann", "state": "open", "price": None, "tags": ["red", "blue"], "title": "Über Paint", "n": 1}


@pytest.mark.parametrize(
    ("spec", "fits"),
    [
        ({}, True),
        ({"owner": "ann"}, True),
        ({"owner": "ben"}, False),
        ({"owner": "$principal#/user"}, True),
        ({"owner": "$principal#/user", "state": "done"}, False),
        ({"price": None}, True),
        ({"missing": None}, True),
        ({"state": ["done", "open"]}, True),
        ({"state": []}, False),
        ({"state": ["$principal#/user", {"not": "open"}]}, False),
        ({"owner": {"not": "$principal#/user"}}, False),
        ({"owner": {"not": ["ben", "cid"]}}, True),
        ({"state": {"not": {"not": "open"}}}, True),
        ({"price": {"set": False}}, True),
        ({"price": {"set": True}}, False),
        ({"title": {"contains": "über p"}}, True),
        ({"title": {"contains": "$principal#/user"}}, False),
        ({"tags": {"contains": "blue"}}, True),
        ({"tags": {"contains": "BLUE"}}, False),
        ({"n": {"contains": "1"}}, False),
        ({"n": {"fits": {"type": "integer"}}}, True),
        ({"title": {"fits": {"type": "string", "maxLength": 3}}}, False),
        ({"missing": {"fits": {"type": ["null", "string"]}}}, True),
        ({"n": {"above": 0.5}}, True),
        ({"n": {"above": 1}}, False),
        ({"owner": {"above": "$principal#/user"}}, False),
        ({"state": {"above": "$principal#/user"}}, True),
        ({"n": {"above": "0"}}, False),
        ({"price": {"above": 0}}, False),
        ({"$principal#/role": "boss"}, True),
        ({"$principal#/role": {"not": "boss"}}, False),
        ({"$request.query.role": ["buyer", None]}, True),
        ([{"owner": "ben"}, {"state": "open"}], True),
        ([{"owner": "ben"}, {"state": "done"}], False),
        ([{"owner": "ann", "$principal#/role": "clerk"}, {"owner": "ben", "$principal#/role": "boss"}], False),
    ],
    ids=repr,
)
def test_a_condition_holds_or_not(spec: Json, *, fits: bool) -> None:
    assert compile_condition(spec).holds(SCOPE, ROW) is fits


def test_what_an_index_can_answer_is_kept_apart_and_in_order() -> None:
    found = compile_condition(
        {"state": "open", "owner": "$principal#/user", "n": {"set": True}, "$principal#/role": "x"}
    )
    equal, keep = found.selection(SCOPE)
    assert equal == (("owner", "ann"), ("state", "open"))
    assert keep is not None
    assert keep(ROW)
    assert not found.applies(SCOPE), "the caller is no x, whatever the row"


def test_a_value_that_no_index_holds_is_compared_row_by_row() -> None:
    scope = {**SCOPE, "request.body": {"tags": ["red", "blue"]}}
    equal, keep = compile_condition({"tags": "$request.body#/tags", "owner": "ann"}).selection(scope)
    assert equal == (("owner", "ann"),)
    assert keep is not None
    assert (keep(ROW), keep({**ROW, "tags": ["red"]})) == (True, False)


def test_alternatives_stand_for_themselves() -> None:
    found = compile_condition([{"owner": "ann"}, {"owner": "ben"}])
    assert (found.equal, found.rest, found.guards, len(found.alternatives)) == ((), None, (), 2)
    assert Condition() == ALWAYS


@pytest.mark.parametrize(
    ("spec", "pointer"),
    [
        ({"owner": {"nt": 1}}, "/owner"),
        ({"owner": {"not": 1, "set": True}}, "/owner"),
        ({"owner": {"set": "yes"}}, "/owner"),
        ({"owner": {}}, "/owner"),
        ({"owner": {"fits": {"type": "text"}}}, "/owner"),
        ({"owner": {"fits": 1}}, "/owner"),
        ({"owner": {"fits": {"$ref": "http://elsewhere.example/x"}}}, "/owner"),
        ({"owner": {"above": "$nix"}}, "/owner"),
        ({"owner": ["$nix"]}, "/owner"),
        ({"$nix": 1}, "/$nix"),
        ([{}, {"owner": "$nix"}], "/1/owner"),
    ],
    ids=repr,
)
def test_what_is_no_condition_is_told_with_its_pointer(spec: Json, pointer: str) -> None:
    with pytest.raises(DataError) as caught:
        compile_condition(spec)
    assert caught.value.problems[0].pointer == pointer


@pytest.mark.parametrize(
    ("value", "part", "held"),
    [
        ("Straße", "STRASSE", True),
        ("abc", "", True),
        (None, "a", False),
        ([1, "a"], 1, True),
        ("1", 1, False),
        (5, "5", False),
    ],
)
def test_containing_is_of_texts_in_any_case_and_of_items(value: Json, part: Json, *, held: bool) -> None:
    assert contains(value, part) is held
