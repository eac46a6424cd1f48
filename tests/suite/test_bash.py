"""What is pasted into bash sends what was sent."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.suite.recorder import Got, arrived, bash

from tasktwin.suite.bash import LONGEST, PLAIN, WITH_HEAD, WITH_STATUS, curl, expanded, taken, variable, woven
from tasktwin.suite.target import Callers
from tasktwin.suite.traffic import Request

NOBODY = Callers({})


def assert_the_same(got: Got, request: Request) -> None:
    """Nothing is missing, and nothing is there that was not sent."""
    sent = {name.lower(): value.encode().decode("latin-1").strip() for name, value in request.headers.items()}
    assert (got.method, got.path, got.body) == (request.method, request.path, request.body)
    assert {name: got.headers[name].strip() for name in sent} == sent
    assert ("content-type" in got.headers) == ("content-type" in sent)


METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"])
SIGNS = "az'\"\\$`!@;:,[]{}()<>|&*?~=^-_./+"
PATHS = st.lists(st.sampled_from([*SIGNS, "%20", "%2E", "/..", "/./", "%00", "$(ls)", "a-1"]), max_size=8).map("".join)
VALUES = st.text([*SIGNS, " ", "#", "é", "%"], max_size=10)
NAMES = st.sampled_from(["X-Note", "x-empty", "Content-Type", "accept", "If-Match", "User-Agent"])
BODIES = (
    st.binary(max_size=12)
    | st.text(max_size=12).map(str.encode)
    | st.text([*SIGNS, " ", "\n", "\r", "\t"]).map(str.encode)
)
REQUESTS = st.builds(
    Request, METHODS, PATHS.map("/{}".format), st.just(""), st.dictionaries(NAMES, VALUES, max_size=3), BODIES
)


@settings(max_examples=6, deadline=None, derandomize=True, database=None)
@given(st.lists(REQUESTS, min_size=8, max_size=24), st.sampled_from([PLAIN, WITH_STATUS, WITH_HEAD]))
def test_whatever_was_sent_arrives_as_it_was(requests: Sequence[Request], options: str) -> None:
    got = arrived(*[curl(each, NOBODY, {}, f"{options} -o /dev/null") for each in requests])
    assert len(got) == len(requests)
    for each, request in zip(got, requests, strict=True):
        assert_the_same(each, request)


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/", headers={"content-type": "application/json"}, body=b"{}"),
        Request("HEAD", "/"),
        Request("HEAD", "/", body=b"{}"),
        Request("POST", "/"),
        Request("POST", "/", body=b"@/etc/passwd"),
        Request("POST", "/", body=b"\xff\xfe'\\"),
        Request("POST", "/", body=b"\0\xff\r\n"),
        Request("POST", "/", body=b"a\r\n\tb\n\n"),
        Request("POST", "/", body="\u202e\u2028\x1b[31m!".encode()),
        Request("POST", "/", body=b"'%s\\" * (LONGEST // 4 + 1)),
        Request("POST", "/", body=b"\0" * (2 * LONGEST)),
        Request("PUT", "/", headers={"x-empty": "", "x-blank": " "}),
        Request("GET", "/a/../b/%2E%2E/./c"),
        Request("GET", "/?a[b]={c,d}&e=[1-3]"),
    ],
    ids=["get with a body", "head", "head with a body", "no body", "at-sign", "no UTF-8", "NUL", "lines", "unseen signs", "long", "long bytes", "empty headers",
         "dots", "brackets"],
)  # fmt: skip
def test_what_curl_would_change_arrives_as_it_was(request_: Request) -> None:
    (got,) = arrived(curl(request_, NOBODY))
    assert_the_same(got, request_)


def test_a_path_that_was_not_encoded_arrives_encoded() -> None:
    assert arrived(curl(Request("GET", "/a b/ü"), NOBODY))[0].path == "/a%20b/%C3%BC"


def test_a_line_has_no_sign_that_a_report_would_not_show() -> None:
    request = Request("POST", "/\x01", headers={"x-a": "\u202e"}, body="\x00".join(map(chr, range(300))).encode())
    assert curl(request, NOBODY).isprintable()
    assert curl(Request("POST", "/", body=b"a\nb\tc\x7f"), NOBODY).isprintable()


@settings(max_examples=6, deadline=None, derandomize=True, database=None)
@given(st.text("ab'\"$ `\\{}-_", max_size=12), st.from_regex(r"[a-z0-9]{4,8}", fullmatch=True))
def test_what_was_learnt_on_the_way_stands_in_the_next_request(around: str, key: str) -> None:
    request = Request("POST", f"/{key}", headers={"x-of": key}, body=f'{{"of": "{key}", "note": "{around}"}}'.encode())
    (got,) = arrived(curl(request, NOBODY, {key: "id_1"}), id_1="other.key")
    assert (got.path, got.headers["x-of"]) == ("/other.key", "other.key")
    assert got.body == f'{{"of": "other.key", "note": "{around}"}}'.encode()


def test_an_identifier_is_not_replaced_within_a_longer_word() -> None:
    text = bash(
        f"printf %s {woven('abc abcd abc-d abc/abcd-abc', {'abc': 'one', 'abcd-abc': 'two'})}", one="1", two="2"
    )
    assert text == "1 abcd abc-d 1/2"


@pytest.mark.parametrize(
    ("shown", "sent"),
    [
        ("Bearer ${TOKEN}", "Bearer s3cret"),
        ('"$x" `date` $(date) \\ ${TOKEN}', '"$x" `date` $(date) \\ s3cret'),
        ("", ""),
    ],
    ids=["a variable", "and what bash would read otherwise", "nothing"],
)
def test_credentials_are_variables_of_the_shell(shown: str, sent: str) -> None:
    callers = Callers({"ann": {"X-Key": "s3cret"}}, True, {"ann": {"X-Key": shown}})
    line = curl(Request("GET", "/", "ann", {"X-Key": "mine"}), callers)
    assert "s3cret" not in line
    assert arrived(line, TOKEN="s3cret")[0].headers["x-key"] == sent


def test_credentials_of_demo_callers_are_written_out() -> None:
    line = curl(Request("GET", "/", "ann"), Callers({"ann": {"X-Key": "$ann's"}}))
    assert arrived(line)[0].headers["x-key"] == "$ann's"


@pytest.mark.parametrize(
    ("place", "answer", "value"),
    [
        (["id"], '{"id": "a"}', "a"),
        (["data", "items", 0, "id"], '{"data": {"items": [{"id": 7}]}}', "7"),
        ([], '"whole"', "whole"),
        (["it's", 'a "b\\', "c-d", "é"], '{"it\'s": {"a \\"b\\\\": {"c-d": {"é": "odd"}}}}', "odd"),
    ],
    ids=["name", "place", "whole", "odd names"],
)
def test_a_value_is_taken_out_of_an_answer(place: Sequence[str | int], answer: str, value: str) -> None:
    assert bash(f'{taken("it", place)}\nprintf %s "$it"', answer=answer) == value


@pytest.mark.parametrize("text", ["1st-step_id", "a b", "é", "", "id"])
def test_any_text_becomes_a_name_that_bash_takes(text: str) -> None:
    assert bash(f'{variable(text)}=set; printf %s "${variable(text)}"') == "set"


def test_nothing_but_variables_in_braces_is_filled_in() -> None:
    assert bash(f"printf %s {expanded('${A} $A $(ls)')}", A="1") == "1 $A $(ls)"
