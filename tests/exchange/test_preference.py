"""``Prefer`` by the rows of RFC 7240, and whatever else stands in such a header."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tasktwin.exchange.preference import MOST, preferences

quiet = settings(derandomize=True, deadline=None, database=None)


def said(*lines: str) -> dict[str, str]:
    """The wishes of a request with these header lines."""
    return preferences([(b"accept", b"*/*"), *((b"prefer", line.encode("latin-1")) for line in lines)])


RFC = {
    "a token": ("respond-async", {"respond-async": ""}),
    "a value": ("wait=100", {"wait": "100"}),
    "a quoted value": ('return="minimal"', {"return": "minimal"}),
    "a value that is not given and an empty one": ('foo=, bar="", baz', {"foo": "", "bar": "", "baz": ""}),
    "several": ("respond-async, wait=100", {"respond-async": "", "wait": "100"}),
    "a parameter": ("foo; bar", {"foo": ""}),
    "a parameter with a value": ('foo; bar=""', {"foo": ""}),
    "a parameter that is named like a wish": ("foo; stream=bounded", {"foo": ""}),
    "a value and parameters": ('foo=1; some="x"; other, bar', {"foo": "1", "bar": ""}),
    "white space": ('  foo = "a b"\t,bar =2 ;x', {"foo": "a b", "bar": "2"}),
    "empty members": (",, foo,\t, bar,", {"foo": "", "bar": ""}),
    "an escaped quote": (r'foo="say \"hi\" \\ there"', {"foo": r'say "hi" \ there'}),
    "capitals in the name": ("STREAM=bounded", {"stream": "bounded"}),
    "capitals in the value": ("stream=Bounded", {"stream": "Bounded"}),
    "the first of two": ("wait=10, wait=20, WAIT=30", {"wait": "10"}),
    "all marks of a token": ("a!#$%&'*+-.^_`|~9=1", {"a!#$%&'*+-.^_`|~9": "1"}),
    "a comma inside quotes": ('foo="a, stream=bounded", bar', {"foo": "a, stream=bounded", "bar": ""}),
    "a comma inside a quoted parameter": ('foo; x="a, stream=bounded", bar', {"foo": "", "bar": ""}),
    "an escaped quote before a comma": (r'foo="a\", stream=bounded", bar', {"foo": 'a", stream=bounded', "bar": ""}),
}


@pytest.mark.parametrize(("line", "wishes"), RFC.values(), ids=RFC)
def test_a_line_is_read_by_the_rfc(line: str, wishes: dict[str, str]) -> None:
    assert said(line) == wishes


def test_several_lines_are_one_list_and_the_first_of_a_name_counts() -> None:
    assert said("handling=lenient, wait=1", "stream=bounded", "wait=2") == {
        "handling": "lenient",
        "wait": "1",
        "stream": "bounded",
    }


def test_other_headers_wish_for_nothing() -> None:
    assert preferences([(b"accept", b"stream=bounded"), (b"preference-applied", b"stream=bounded")]) == {}


@pytest.mark.parametrize("line", ["", " ", ",", "=", "=bounded", '"stream"=bounded', ";stream", "(x)", "\x00", "ä=1"])
def test_rubbish_is_passed_over_and_what_stands_beside_it_counts(line: str) -> None:
    assert said(line) == {}
    assert said(f"{line}, wait=1")["wait"] == "1"


@pytest.mark.parametrize("line", ['x="a', '"', 'x="a\\', '"a, b'])
def test_a_quote_that_is_never_closed_spoils_no_wish_before_it(line: str) -> None:
    assert said(f"stream=bounded, {line}")["stream"] == "bounded"


@pytest.mark.parametrize(
    "line",
    [
        ",".join(f"wish{n}=1" for n in range(10_000)),
        "," * 60_000,
        '"' * 60_000,
        'x="' + "\\" * 60_000,
        " " * 60_000 + "=",
        "a" * 60_000,
        ",".join('x="' for _ in range(15_000)),
    ],
    ids=["wishes", "commas", "quotes", "escapes", "spaces", "letters", "open-quotes"],
)
def test_an_endless_line_is_read_to_a_bounded_number_of_wishes(line: str) -> None:
    begun = time.process_time()
    assert len(said(line)) <= MOST
    assert time.process_time() - begun < 0.2


@quiet
@given(st.lists(st.tuples(st.sampled_from([b"prefer", b"accept"]), st.binary(max_size=60)), max_size=4))
@example([(b"prefer", b'a="\xff\\"')])
def test_no_bytes_are_too_wild(headers: list[tuple[bytes, bytes]]) -> None:
    found = preferences(headers)
    assert len(found) <= MOST
    assert all(name == name.lower() and name for name in found)


TOKENS = st.text("abcdefghijklmnopqrstuvwxyz-!#9", min_size=1, max_size=8)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)


@quiet
@given(st.dictionaries(TOKENS, VALUES, max_size=MOST))
def test_what_is_quoted_by_the_rules_is_read_back(wishes: dict[str, str]) -> None:
    quoted = {name: value.replace("\\", r"\\").replace('"', r"\"") for name, value in wishes.items()}
    assert said(", ".join(f'{name}="{value}"; q="1, 2"' for name, value in quoted.items())) == wishes
