"""Steps: what they refer to, and the requests that they become on either side."""

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.suite.market import create, good, job

from tasktwin.contract.violation import token
from tasktwin.suite.story.step import Ref, Step, at, filled, refs_in
from tasktwin.wire import loads

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=6)
REFS = st.builds(Ref, st.integers(1, 4), st.just("/id"))


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    )


def nowhere(ref: Ref) -> object:
    raise KeyError(ref.pointer)


def places(value: Any, pointer: str = "") -> dict[str, Any]:
    """Every value within a value, by its JSON pointer."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {pointer: value} | {
        key: one for name, each in inner for key, one in places(each, pointer + token(str(name))).items()
    }


@given(nested(SCALARS))
def test_a_pointer_leads_to_every_value(value: Any) -> None:
    assert all(at(value, pointer) is found for pointer, found in places(value).items())


@given(nested(SCALARS), st.text(st.sampled_from("/01²a~"), max_size=6))
def test_a_pointer_that_leads_nowhere_is_told(value: Any, pointer: str) -> None:
    try:
        at(value, pointer)
    except KeyError as error:
        assert error.args == (pointer,)  # noqa: PT017 - either way is right


@given(nested(SCALARS))
def test_what_has_no_references_is_filled_with_itself(value: Any) -> None:
    assert filled(value, nowhere) == value
    assert list(refs_in(value)) == []


@given(nested(SCALARS | REFS))
def test_every_reference_is_found_and_filled(value: Any) -> None:
    looked: list[Ref] = []

    def look(ref: Ref) -> str:
        looked.append(ref)
        return "known"

    found = filled(value, look)
    assert sorted(each.step for each in looked) == sorted(each.step for each in refs_in(value))
    assert list(refs_in(found)) == []


@given(st.text(min_size=1, max_size=12), st.dictionaries(st.sampled_from(["state", "text"]), st.text(max_size=8)))
def test_whatever_names_a_row_it_stays_one_part_of_the_path(key: str, query: dict[str, str]) -> None:
    request = Step(2, "getJob", "ann", {"job_id": Ref(1, "/id")}, query).request(
        good().rules.contract, lambda _ref: key
    )
    path, _, text = request.path.partition("?")
    assert path.isascii()
    assert path.count("/") == 2
    assert unquote(path) == f"/jobs/{key}"
    assert dict(parse_qsl(text, keep_blank_values=True)) == query


def test_a_step_is_the_request_of_its_operation() -> None:
    request = job(2, "updateJob", "ben", body={"title": Ref(1, "/title")}).request(
        replace(good().rules.contract, prefix="/v1"), lambda ref: f"({ref.pointer})"
    )
    assert (request.method, request.path, request.as_, request.operation) == (
        "PATCH",
        "/v1/jobs/%28%2Fid%29",
        "ben",
        "updateJob",
    )
    assert loads(request.body) == {"title": "(/title)"}
    assert request.headers == {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("step", "body", "media"),
    [
        (Step(1, "createJob"), b"", None),
        (Step(1, "createJob", body={"a": 1}), b'{"a":1}', "application/json"),
        (Step(1, "createJob", body={}), b"{}", "application/json"),
        (Step(1, "createJob", body={"a": 1}, raw=b"{"), b"{", "application/json"),
        (Step(1, "createJob", raw=b""), b"", None),
        (Step(1, "createJob", raw=b"a", media="text/plain"), b"a", "text/plain"),
        (Step(1, "createJob", raw=b"a", headers={"Content-Type": "text/x"}), b"a", "text/x"),
    ],
    ids=["none", "JSON", "empty object", "raw", "raw and empty", "media", "its own header"],
)
def test_a_body_is_sent_as_what_it_is(step: Step, body: bytes, media: str | None) -> None:
    request = step.request(good().rules.contract, nowhere)
    assert request.body == body
    assert {name.lower(): value for name, value in request.headers.items()}.get("content-type") == media


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (3, "3"), ("a b&c", "a+b%26c"), ("", "")], ids=["boolean", "number", "text", "empty"]
)  # fmt: skip
def test_query_values_are_written_as_forms_are(value: object, text: str) -> None:
    request = Step(1, "listJobs", query={"state": value, "text": None}).request(good().rules.contract, nowhere)
    assert request.path == f"/jobs?state={text}"


def test_a_step_says_which_steps_it_needs() -> None:
    step = job(
        9,
        "updateJob",
        made=3,
        query={"q": Ref(4, "/id")},
        headers={"X": Ref(5, "/id")},
        body={"a": [{"b": Ref(6, "/id")}]},
    )
    assert step.refs() == {3, 4, 5, 6}
    assert create().refs() == set()
    assert step.renamed(12).refs() == step.refs()


def test_a_value_that_is_not_there_is_an_error_of_the_story() -> None:
    with pytest.raises(KeyError, match="/id"):
        job(2, "getJob").request(good().rules.contract, nowhere)
