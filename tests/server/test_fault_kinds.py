"""Each kind of trouble, as a plain socket meets it; and in process."""

from collections.abc import Iterator
from json import JSONDecodeError
from math import cos, exp, log, pi, sqrt
from time import perf_counter

import httpx2
import pytest
from tests.server.front import ALICE, TASK, TASKS, World, connect, message, replies, talk
from tests.server.trouble import ask, lines, order, parted

from tasktwin import Twin, load
from tasktwin.behaviour.fault import parse_faults
from tasktwin.state import Chance
from tasktwin.wire import Json, dumps


def test_a_delay_comes_before_the_effect(world: World) -> None:
    order(world, {"delay": 0.4}, operation="createTask")
    before = len(world.rows("task"))
    with connect(world.origin) as wire:
        began = perf_counter()
        sent = message("POST", TASKS, lines(world, **{"Content-Type": "application/json"}), dumps(TASK))
        wire.sendall(sent)
        assert len(world.rows("task")) == before, "nothing has happened yet"
        head, _ = parted(wire.recv(65_536))
    assert perf_counter() - began >= 0.4
    assert (head["status"], head["tasktwin-reason"]) == ("200", "fault: fault-1")
    assert len(world.rows("task")) == before + 1


def test_a_delay_by_chance_is_the_same_for_the_same_seed(world: World) -> None:
    world.api.get(TASKS, headers=ALICE)  # so that there is such a world
    known = world.api.get("/_tasktwin/worlds").json()["worlds"]
    seed = next(each["seed"] for each in known if each["name"] == world.name)
    chance, seconds = Chance(seed, "fault:fault-1:delay"), []
    for number in range(1, 5):
        chance.drawn = 2 * number  # each request that matches has two draws of its own
        normal = sqrt(-2 * log(1 - chance.fraction())) * cos(2 * pi * chance.fraction())
        seconds.append(exp(-1.5 + normal))
    order(world, {"delay": {"lognormal": [-1.5, 1]}})
    for drawn in seconds:
        began = perf_counter()
        ask(world)
        assert drawn <= perf_counter() - began + 0.001 < drawn + 2, "a busy machine takes longer, never less"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_dropped_connection_gives_no_byte(world: World, when: str) -> None:
    order(world, {"drop": when})
    before = len(world.rows("task"))
    assert ask(world, "POST", TASKS, TASK, **{"Content-Type": "application/json"}) == b""
    assert len(world.rows("task")) == before + (when == "after")


def test_a_connection_is_dropped_behind_the_answers_before(world: World) -> None:
    order(world, {"drop": "before"}, after=1)
    sent = message("GET", TASKS, lines(world))
    (reply,) = replies(talk(world.origin, sent * 2))
    assert reply.status == 200


@pytest.mark.parametrize("size", [0, 1, 40])
def test_a_truncated_answer_has_a_whole_head_and_so_many_bytes(world: World, size: int) -> None:
    whole, body = parted(ask(world))
    order(world, {"truncate": size})
    head, cut = parted(ask(world))
    assert (head["status"], head["content-length"], cut) == ("200", whole["content-length"], body[:size])


def test_a_client_library_notices_that_an_answer_is_truncated(world: World) -> None:
    order(world, {"truncate": 40})
    with pytest.raises(httpx2.RemoteProtocolError):
        world.api.get(TASKS, headers=ALICE)


def test_an_answer_shorter_than_the_cut_comes_whole(world: World) -> None:
    order(world, {"truncate": 1_000_000})
    (reply,) = replies(ask(world))
    assert reply.json()["code"] == 0


def test_corrupt_json_has_status_media_type_and_length_of_an_answer_but_is_none(world: World) -> None:
    order(world, {"corrupt": "json"})
    (reply,) = replies(ask(world))
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert int(reply.headers["content-length"]) == len(reply.body) > 100
    with pytest.raises(JSONDecodeError):
        reply.json()


@pytest.mark.parametrize(("target", "status"), [(TASKS, 200), (f"{TASKS}nobody-has-this", 404)], ids=["200", "404"])
def test_a_corrupt_schema_breaks_the_contract_and_nothing_else(world: World, target: str, status: int) -> None:
    operation = load("uumit").rules.contract.operations["listTasks" if target == TASKS else "getTask"]
    (whole,) = replies(ask(world, target=target))
    order(world, {"corrupt": "schema"})
    (reply,), (again,) = replies(ask(world, target=target)), replies(ask(world, target=target))
    assert (whole.status, reply.status, reply.headers["content-type"]) == (status, status, "application/json")
    assert operation.check_response(status, "application/json", whole.json()) == ()
    assert operation.check_response(status, "application/json", reply.json()) != ()
    assert again.json().keys() == reply.json().keys()


def test_unknown_fields_are_in_every_object_and_all_else_is_as_before(world: World) -> None:
    (whole,) = replies(ask(world))
    order(world, {"corrupt": "unknown-fields"})
    (reply,) = replies(ask(world))
    objects = whole.body.count(b"{")
    assert reply.body.count(b'"tasktwin_unknown":') == objects > 3
    assert _known(reply.json())["data"] == whole.json()["data"]


def _known(value: Json) -> Json:
    """The same without the unknown members."""
    if isinstance(value, dict):
        return {key: _known(each) for key, each in value.items() if key != "tasktwin_unknown"}
    return [_known(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("do", "wait"),
    [
        ({"status": 429}, "1"),
        ({"status": 503}, "1"),
        ({"status": 503, "retry_after": 20}, "20"),
        ({"status": 500}, None),
        ({"status": 500, "retry_after": 2}, "2"),
    ],
    ids=["429", "503", "503 and 20", "500", "500 and 2"],
)
def test_a_status_that_says_come_back_says_when(world: World, do: Json, wait: str | None) -> None:
    order(world, do)
    (reply,) = replies(ask(world))
    assert (reply.status, reply.headers.get("retry-after")) == (do["status"], wait)


@pytest.mark.parametrize("way", ["json", "schema", "unknown-fields", "content-type"])
def test_what_has_no_body_is_not_spoilt_and_says_so(world: World, way: str) -> None:
    world.control.put("/faults", json=[{"do": {"corrupt": way}}])
    (reply,) = replies(ask(world, "OPTIONS"))
    assert (reply.status, reply.headers["tasktwin-reason"]) == (204, "options")


@pytest.mark.parametrize("do", [{"drop": "after"}, {"truncate": 9}, {"corrupt": "json"}], ids=str)
def test_a_refusal_meets_the_trouble_too(world: World, do: Json) -> None:
    order(world, do, "lost")
    ask(world, target=f"{TASKS}nobody-has-this")
    (entry,) = world.entries(operation="getTask")
    assert (entry["status"], entry["reason"]) == (404, "fault: lost")


@pytest.mark.parametrize("do", [{"drop": "before"}, {"drop": "after"}, {"truncate": 9}], ids=str)
def test_a_request_for_the_head_alone_is_cut_too(world: World, do: Json) -> None:
    order(world, do)
    raw = ask(world, "HEAD", f"{TASKS}10000000-0000-4000-8000-000000000001")
    assert raw == b"" if "drop" in do else raw.endswith(b"\r\n\r\n")


@pytest.fixture
def twin() -> Iterator[Twin]:
    with Twin("uumit", clock="frozen") as found:
        yield found


def test_in_process_a_cut_is_an_error_and_nobody_waits(twin: Twin) -> None:
    twin.world.faults.put(parse_faults([{"match": {"times": 1}, "do": {"drop": "after"}}, {"do": {"delay": 300}}]))
    with pytest.raises(ConnectionAbortedError, match="fault: fault-1"):
        twin.request("POST", TASKS, json=TASK, as_="human_alice")
    began = perf_counter()
    assert twin.request("GET", TASKS, as_="human_alice").headers["tasktwin-reason"] == "fault: fault-2"
    assert perf_counter() - began < 5
