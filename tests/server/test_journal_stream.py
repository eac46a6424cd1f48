"""The journal as a stream, read over real HTTP while requests are made."""

from collections.abc import Iterator

import pytest
from tests.server.front import ALICE, ALICES_TASK, TASKS, World, ask, assert_problem

from tasktwin.wire import Json, loads

BOUNDED = {"Prefer": "stream=bounded"}


def events(lines: Iterator[str]) -> Iterator[tuple[str, Json]]:
    """Id and entry of each event, as soon as it came."""
    held: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            held[name] = value
        elif "data" in held:
            yield held["id"], loads(held["data"].encode())
            held = {}


def read(world: World, query: str = "?since=0", **headers: str) -> list[tuple[str, Json]]:
    """What a bounded reader gets."""
    answer = world.control.get(f"/journal/stream{query}", headers={**BOUNDED, **headers})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    return list(events(iter(answer.text.split("\n"))))


def test_each_exchange_arrives_while_the_stream_is_open(world: World) -> None:
    with world.control.stream("GET", "/journal/stream") as stream:
        arriving = events(stream.iter_lines())
        world.api.get(TASKS + ALICES_TASK, headers=ALICE)
        assert next(arriving)[1]["operation"] == "getTask"
        world.post_task(title="")
        number, entry = next(arriving)
        assert (number, entry["number"], entry["status"]) == ("2", 2, 422)
        assert entry == world.entries()[1]


def test_a_bounded_reader_gets_what_there_is_in_order(busy: World) -> None:
    found = read(busy)
    assert [number for number, _ in found] == ["1", "2", "3", "4", "5"]
    assert [entry for _, entry in found] == busy.entries()


def test_without_a_place_to_begin_it_begins_with_what_is_next(busy: World) -> None:
    assert read(busy, "") == []


@pytest.mark.parametrize(("query", "headers"), [("?since=3", {}), ("?since=1", {"Last-Event-ID": "3"})])
def test_it_goes_on_after_an_entry_and_the_header_wins(busy: World, query: str, headers: dict[str, str]) -> None:
    assert [number for number, _ in read(busy, query, **headers)] == ["4", "5"]


def test_filters_are_those_of_the_journal(busy: World) -> None:
    assert [entry["status"] for _, entry in read(busy, "?since=0&status=4xx")] == [422, 404]
    assert [entry["operation"] for _, entry in read(busy, "?since=0&operation=get*")] == ["getTask"]


def test_what_was_forgotten_is_told_in_a_comment(busy: World) -> None:
    busy.control.delete("/journal")
    answer = busy.control.get("/journal/stream?since=2", headers=BOUNDED)
    assert answer.text == ": 3 entries are no longer kept\n\n"


def test_a_status_that_is_none_is_refused_before_anything_is_sent(world: World) -> None:
    assert_problem(world.control.get("/journal/stream?status=9yy"), 400)


def test_secrets_are_redacted_here_too(busy: World) -> None:
    assert "human-alice-token" not in busy.control.get("/journal/stream?since=0", headers=BOUNDED).text


def test_head_tells_the_headers_and_ends(world: World) -> None:
    reply = ask(world.origin, "HEAD", f"/_tasktwin/worlds/{world.name}/control/journal/stream")
    assert (reply.status, reply.headers["cache-control"], reply.body) == (200, "no-cache", b"")


@pytest.mark.parametrize("way", ["reset", "delete"])
def test_a_world_that_begins_again_or_is_no_more_ends_the_stream(world: World, way: str) -> None:
    with world.control.stream("GET", "/journal/stream") as stream:
        if way == "reset":
            world.control.post("/reset")
        else:
            assert ask(world.origin, "DELETE", f"/_tasktwin/worlds/{world.name}").status == 204
        assert list(stream.iter_lines()) == []


def test_a_restored_world_has_the_same_journal_and_the_stream_goes_on(busy: World) -> None:
    busy.control.post("/snapshots", json={"name": "here"})
    with busy.control.stream("GET", "/journal/stream?since=4") as stream:
        arriving = events(stream.iter_lines())
        assert next(arriving)[0] == "5"
        assert busy.control.post("/snapshots/here/restore").is_success
        busy.api.get(TASKS + ALICES_TASK, headers=ALICE)
        number, entry = next(arriving)
    assert (number, entry["operation"]) == ("6", "getTask")
