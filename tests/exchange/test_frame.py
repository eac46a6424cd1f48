"""Events as bytes, read back by a parser that is written from the rules of WHATWG HTML §9.2.6, and by nothing else."""

import json
import re
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasktwin.behaviour.telling import Told
from tasktwin.exchange.frame import encode
from tasktwin.wire import Json

quiet = settings(derandomize=True, deadline=None, database=None)

NEWLINES = {"lf": b"\n", "crlf": b"\r\n", "cr": b"\r"}
LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)
NAME = LINE.filter(bool)
ID = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20)
LEAF = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
DATA = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\r\n:\0\u2028\u2029\x85\ufeff "), max_size=30
)
EVENTS = st.builds(Told, TEXT | DATA.filter(lambda value: value is not None), event=LINE, id=ID)
COMMENTS = st.builds(Told, comment=NAME, beat=st.just(True))
RETRIES = st.builds(Told, retry=st.integers(0, 10**9), beat=st.just(True))


class Read(NamedTuple):
    """One dispatched event: its type, its data, and the last event id."""

    event: str
    data: str
    id: str


def parse(raw: bytes) -> tuple[list[Read], int | None]:
    """The events that a reader dispatches, and the last reconnection time that it was told."""
    text = raw.decode("utf-8", "replace").removeprefix("\ufeff")
    found, data, event, last, retry = [], "", "", "", None
    for line in re.split(r"\r\n|\n|\r", text)[:-1]:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                found.append(Read(event or "message", data.removesuffix("\n"), last))
            data = event = ""
        elif name == "data":
            data += value + "\n"
        elif name == "event":
            event = value
        elif name == "id" and "\0" not in value:
            last = value
        elif name == "retry" and value.isascii() and value.isdigit():
            retry = int(value)
    return found, retry


def text_of(data: Json) -> str:
    """What a reader has as data: the lines of a text end in LF, whatever they ended in."""
    return re.sub(r"\r\n|\r", "\n", data) if isinstance(data, str) else json.dumps(data)


def same(read: str, data: Json) -> bool:
    """Whether the data that was read is the data that was told."""
    return read == text_of(data) if isinstance(data, str) else json.loads(read) == data


TEXTS = {
    "one line": ("abc", b"data: abc\n\n"),
    "nothing": ("", b"data: \n\n"),
    "a line end": ("\n", b"data: \ndata: \n\n"),
    "lf": ("a\nb", b"data: a\ndata: b\n\n"),
    "cr": ("a\rb", b"data: a\ndata: b\n\n"),
    "crlf": ("a\r\nb", b"data: a\ndata: b\n\n"),
    "lf and cr": ("a\n\rb", b"data: a\ndata: \ndata: b\n\n"),
    "a line end behind": ("a\n", b"data: a\ndata: \n\n"),
    "a space before": (" a", b"data:  a\n\n"),
    "a forged event": ("a\n\ndata: b", b"data: a\ndata: \ndata: data: b\n\n"),
    "separators of lines elsewhere": ("a\u2028b\x85c\x0bd", "data: a\u2028b\x85c\x0bd\n\n".encode()),
    "json": ({"a": ["\n", "\u2028", None]}, 'data: {"a":["\\n","\u2028",null]}\n\n'.encode()),
    "a number": (0, b"data: 0\n\n"),
    "no": (False, b"data: false\n\n"),
}


@pytest.mark.parametrize(("data", "raw"), TEXTS.values(), ids=TEXTS)
def test_data_are_written_line_by_line(data: Json, raw: bytes) -> None:
    assert encode(Told(data)) == raw


def test_the_lines_of_an_event_have_an_order() -> None:
    told = Told({"n": 1}, "log", "7", comment="why", retry=3_000)
    assert encode(told) == b': why\nretry: 3000\nevent: log\nid: 7\ndata: {"n":1}\n\n'


@pytest.mark.parametrize(("told", "raw"), [(Told(comment="ping"), b": ping\n\n"), (Told(retry=20), b"retry: 20\n\n")])
def test_what_is_no_event_dispatches_nothing(told: Told, raw: bytes) -> None:
    assert encode(told) == raw
    assert parse(raw)[0] == []


@pytest.mark.parametrize("newline", NEWLINES.values(), ids=NEWLINES)
def test_an_event_is_kept_as_it_is_usually_written(newline: bytes) -> None:
    told = Told("a\nb", "log", "1")
    usual = encode(told)
    assert encode(told, newline) == usual.replace(b"\n", newline)
    assert encode(told) is usual


@pytest.mark.parametrize("newline", NEWLINES.values(), ids=NEWLINES)
@quiet
@given(told=EVENTS)
def test_whatever_is_told_is_read_back(newline: bytes, told: Told) -> None:
    (read,), _ = parse(encode(told, newline))
    assert (read.event, read.id) == (told.event or "message", told.id)
    assert same(read.data, told.data)


@pytest.mark.parametrize("newline", NEWLINES.values(), ids=NEWLINES)
@quiet
@given(frames=st.lists(EVENTS | COMMENTS | RETRIES, max_size=8))
def test_many_frames_one_after_the_other_are_read_back_as_they_were_told(newline: bytes, frames: list[Told]) -> None:
    read, retry = parse(b"".join([encode(each, newline) for each in frames]))
    events = [each for each in frames if each.data is not None]
    assert [each.event for each in read] == [each.event or "message" for each in events]
    assert all(same(one.data, told.data) for one, told in zip(read, events, strict=True))
    assert retry == next((each.retry for each in reversed(frames) if each.retry is not None), None)
    ids = [next((each.id for each in reversed(events[: n + 1]) if each.id), "") for n in range(len(events))]
    assert [each.id for each in read] == ids


@quiet
@given(comment=TEXT, data=TEXT)
def test_a_comment_of_several_lines_is_no_part_of_the_event(comment: str, data: str) -> None:
    (read,), _ = parse(encode(Told(data, comment=comment)))
    assert read == ("message", text_of(data), "")


@quiet
@given(frames=st.lists(EVENTS, min_size=1, max_size=4), cut=st.integers(1, 200))
def test_a_cut_inside_the_last_event_dispatches_none_of_it(frames: list[Told], cut: int) -> None:
    last = encode(frames[-1])
    whole = b"".join([encode(each) for each in frames[:-1]])
    assert parse(whole + last[: max(0, len(last) - cut)])[0] == parse(whole)[0]
