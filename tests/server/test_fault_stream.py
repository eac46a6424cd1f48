"""Trouble with answers that stream."""

from json import JSONDecodeError

import pytest
from tests.server.front import ALICE, World, message, talk
from tests.server.trouble import DRAFT, DRAFTS, ask_for_stream, lines, order, parted

from tasktwin.wire import Json, dumps, loads


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_stream_that_is_dropped_gives_no_byte(world: World, when: str) -> None:
    order(world, {"drop": when})
    assert ask_for_stream(world) == b""
    assert len(world.rows("generation")) == (when == "after")


def test_a_truncated_stream_ends_after_so_many_bytes_of_its_body(world: World) -> None:
    order(world, {"truncate": 10})
    head, body = parted(ask_for_stream(world))
    assert (head["status"], head["content-type"].partition(";")[0]) == ("200", "text/event-stream")
    assert body == b"a\r\nevent: sta\r\n", "one chunk, and no last one: the answer is not whole"


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_truncated_stream_of_nothing_is_its_head(world: World, version: str) -> None:
    order(world, {"truncate": 0})
    sent = message("POST", DRAFTS, lines(world, **{"Content-Type": "application/json"}), dumps(DRAFT))
    head, body = parted(talk(world.origin, sent.replace(b"HTTP/1.1", f"HTTP/{version}".encode(), 1)))
    assert (head["status"], body) == ("200", b"")


def bounded(world: World) -> tuple[dict[str, str], list[Json]]:
    """The head of a stream, and the data of the events it has by now."""
    made = world.api.post(DRAFTS, json=DRAFT, headers={**ALICE, "Prefer": "stream=bounded"})
    return dict(made.headers), [line[6:] for line in made.text.splitlines() if line.startswith("data: ")]


def test_the_events_of_a_corrupt_stream_are_no_json(world: World) -> None:
    order(world, {"corrupt": "json"})
    _, events = bounded(world)
    assert events
    for event in events:
        with pytest.raises(JSONDecodeError):
            loads(event.encode())


def test_the_events_of_a_stream_have_unknown_fields(world: World) -> None:
    order(world, {"corrupt": "unknown-fields"})
    _, events = bounded(world)
    assert events
    assert all("tasktwin_unknown" in loads(event.encode()) for event in events)


def test_the_events_of_a_stream_break_the_contract(world: World) -> None:
    _, right = bounded(world)
    order(world, {"corrupt": "schema"})
    _, wrong = bounded(world)
    assert len(right) == len(wrong) > 0
    assert all(a != b and isinstance(loads(b.encode()), object) for a, b in zip(right, wrong, strict=True))


def test_a_stream_with_a_wrong_media_type_streams_all_the_same(world: World) -> None:
    order(world, {"corrupt": "content-type"})
    head, events = bounded(world)
    assert (head["content-type"], bool(events)) == ("text/html", True)
