"""Events of a stream, however it is cut into pieces."""

import pytest

from tasktwin.suite.proxy.events import LONGEST, EventReader

STREAM = b'\xef\xbb\xbf: hello\n\nid: 1\r\nevent: a\r\ndata: {"x":\r\ndata: 1}\r\n\r\ndata:two\rdata\r\rretry: 5\n\nevent: b\n\ndata: 3\n\ndata: cut'
EVENTS = [{"id": "1", "event": "a", "data": {"x": 1}}, {"data": "two\n"}, {"data": 3}]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1_000])
def test_events_are_the_same_in_any_pieces(size: int) -> None:
    reader = EventReader()
    found = [event for at in range(0, len(STREAM), size) for event in reader.take(STREAM[at : at + size])]
    assert found == EVENTS


def test_an_event_that_is_too_long_is_skipped_and_the_next_is_read() -> None:
    reader = EventReader()
    found = reader.take(b"data: ")
    for _ in range(40):
        found += reader.take(b"x" * (LONGEST // 10))
    found += reader.take(b"\ndata: more\n\ndata: 1\n\n")
    assert (found, reader.skipped) == ([{"data": 1}], 1)
