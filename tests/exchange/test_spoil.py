"""Right answers, spoilt: never JSON, JSON that breaks the contract, or a member more in each object."""

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasktwin.behaviour.telling import Told
from tasktwin.contract import Violation
from tasktwin.exchange.spoil import (
    MOST_TRIED,
    UNKNOWN,
    UnspoiltError,
    broken,
    spoil_answer,
    spoil_event,
    torn,
    with_unknown,
)
from tasktwin.wire import Json, dumps, loads

quiet = settings(derandomize=True, deadline=None, database=None)
WRONG = (Violation("response", "", "type", "wrong"),)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


def fine(_value: Json) -> tuple[Violation, ...]:
    """A contract that allows all."""
    return ()


@quiet
@given(VALUES)
def test_what_is_torn_is_text_but_no_json(value: Json) -> None:
    spoilt = torn(dumps(value))
    spoilt.decode()
    with pytest.raises(ValueError, match=r".+"):
        loads(spoilt)


@quiet
@given(VALUES)
def test_unknown_members_are_in_each_object_and_change_nothing_else(value: Json) -> None:
    assert dumps(with_unknown(value)).count(dumps(UNKNOWN)[1:-1]) == _objects(value)


def _objects(value: Json) -> int:
    """How many objects there are in a value."""
    if isinstance(value, dict):
        return 1 + sum(map(_objects, value.values()))
    return sum(map(_objects, value)) if isinstance(value, list) else 0


def test_a_required_member_goes_first() -> None:
    def check(value: Json) -> tuple[Violation, ...]:
        return () if isinstance(value, dict) and "id" in value else WRONG

    assert broken({"about": "x", "id": 1}, check) == {"about": "x"}


def test_what_is_deep_inside_is_found() -> None:
    def check(value: Json) -> tuple[Violation, ...]:
        return () if isinstance(value["items"][0]["price"], str) else WRONG

    value = {"items": [{"price": "1.00"}, {"price": "2.00"}]}

    def shallow(changed: Json) -> tuple[Violation, ...]:
        try:
            return check(changed)
        except (KeyError, TypeError, IndexError):
            return ()

    assert broken(value, shallow) == {"items": [{"price": 0}, {"price": "2.00"}]}
    assert value == {"items": [{"price": "1.00"}, {"price": "2.00"}]}, "the value itself is left as it is"


@pytest.mark.parametrize("check", [fine, lambda _value: WRONG], ids=["allows all", "allows nothing"])
def test_a_contract_that_cannot_be_broken_is_told(check: object) -> None:
    assert callable(check)
    with pytest.raises(UnspoiltError, match="the contract cannot be broken here"):
        broken({"a": [{"b": 1}]}, check)


def test_the_search_for_a_break_ends_on_a_huge_answer() -> None:
    tries = count()

    def check(_value: Json) -> tuple[Violation, ...]:
        next(tries)
        return ()

    with pytest.raises(UnspoiltError):
        broken({str(number): {str(inner): 0 for inner in range(50)} for number in range(50)}, check)
    assert next(tries) <= MOST_TRIED + 1


UNSPOILT = {
    "no body": ("json", "application/json", b"", "the answer has no body"),
    "no body and a type": ("content-type", "", b"", "the answer has no body"),
    "a page": ("schema", "text/html; charset=utf-8", b"<p>", "the answer is no JSON"),
    "a picture": ("unknown-fields", "image/png", b"\x89", "the answer is no JSON"),
}


@pytest.mark.parametrize(("what", "media", "body", "told"), UNSPOILT.values(), ids=UNSPOILT)
def test_what_cannot_be_spoilt_says_why(what: Json, media: str, body: bytes, told: str) -> None:
    with pytest.raises(UnspoiltError, match=told):
        spoil_answer(what, media, body, fine)


@pytest.mark.parametrize("media", ["application/json", "application/problem+json", "application/json; charset=utf-8"])
def test_any_json_keeps_its_media_type(media: str) -> None:
    assert spoil_answer("json", media, b'{"a":1}', fine) == (media, b'{"a,')


@pytest.mark.parametrize("what", ["json", "schema", "unknown-fields"])
@pytest.mark.parametrize("told", [Told("[DONE]"), Told(comment="beat", beat=True)], ids=["a text", "a comment"])
def test_an_event_without_json_passes_as_it_is(what: Json, told: Told) -> None:
    assert spoil_event(what, told, fine) is told


def test_an_event_is_spoilt_for_one_reader_only() -> None:
    told = Told({"a": 1}, "done", "7", written=b"kept")
    spoilt = spoil_event("unknown-fields", told, fine)
    assert (spoilt.data, spoilt.event, spoilt.id, spoilt.written) == ({"a": 1, **UNKNOWN}, "done", "7", b"")
    assert (told.data, told.written) == ({"a": 1}, b"kept")
