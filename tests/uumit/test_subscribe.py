"""A transaction followed through ``tasks/sendSubscribe``: what happens over REST shows on the open stream (S3)."""

import contextlib
from collections.abc import Iterator

import httpx2
import pytest
from tests.server.front import ADA, ALICE, OTTO, World
from tests.uumit.calls import UNKNOWN, seeded
from tests.uumit.streams import Stream, Told, advance, streaming

from tasktwin.wire import Json

SCHEMAS = {"": "SubscriptionEvent", "task": "JsonRpcResult", "error": "JsonRpcError", "heartbeat": "Heartbeat"}
PENDING = seeded(4, 1)
"""What Ada buys from Otto and has not paid for."""

WINDOW = 30
NOT_FOUND, PARAMS = -32001, -32602


def request(key: Json = "sub-001", method: str = "tasks/sendSubscribe", order: str = PENDING) -> Json:
    return {"jsonrpc": "2.0", "id": key, "method": method, "params": {"id": order}}


@contextlib.contextmanager
def following(world: World, body: Json = None, who: dict[str, str] = ADA, last: str = "") -> Iterator[Stream]:
    headers = {**who, **({"Last-Event-ID": last} if last else {})}
    with streaming(world, "/a2a", body or request(), headers, SCHEMAS) as stream:
        yield stream


def ask(world: World, body: Json, who: dict[str, str] = ADA, **headers: str) -> httpx2.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return world.api.post("/a2a", json=body, headers={**who, **sent})


def act(world: World, verb: str, who: dict[str, str] = ADA, order: str = PENDING) -> None:
    assert world.api.post(f"/api/v1/transactions/{order}/{verb}", headers=who).json()["code"] == 0


def status(told: Told) -> str:
    """The transaction's own status, as an event shows it."""
    return str(told.said["result"]["metadata"]["transaction"]["status"])


def test_the_present_state_comes_first_and_is_what_tasks_get_answers(world: World) -> None:
    with following(world) as stream:
        (first,) = stream.read(1)
    assert first.event == "task"
    assert first.said == ask(world, request(method="tasks/get")).json()


def test_a_freeze_over_rest_shows_on_the_open_stream(world: World) -> None:
    with following(world) as stream:
        stream.read(1)
        act(world, "freeze")
        (frozen,) = stream.read(1)
    assert (frozen.event, status(frozen), frozen.said["id"]) == ("task", "frozen", "sub-001")
    assert frozen.said == ask(world, request(method="tasks/get")).json()


def test_a_whole_life_is_told_and_its_end_closes_the_stream(world: World) -> None:
    with following(world) as stream:
        for verb, who in (("freeze", ADA), ("accept", OTTO), ("deliver", OTTO), ("confirm", ADA)):
            act(world, verb, who)
        told = stream.rest()
    assert [status(each) for each in told] == ["pending_freeze", "frozen", "accepted", "delivered", "settled"]
    states = [each.said["result"]["status"]["state"] for each in told]
    assert states == ["submitted", "submitted", "working", "working", "completed"]


@pytest.mark.parametrize(("verb", "who", "state"), [("cancel", ADA, "canceled"), ("reject", OTTO, "failed")])
def test_a_side_exit_closes_the_stream_too(world: World, verb: str, who: dict[str, str], state: str) -> None:
    with following(world, request(order=seeded(4, 2))) as stream:
        act(world, verb, who, seeded(4, 2))
        _, last = stream.rest()
    assert last.said["result"]["status"]["state"] == state


@pytest.mark.parametrize(("number", "state"), [(5, "completed"), (6, "failed"), (7, "canceled")])
def test_what_has_ended_is_told_once_and_the_stream_closes(world: World, number: int, state: str) -> None:
    with following(world, request(order=seeded(4, number))) as stream:
        (told,) = stream.rest()
    assert told.said["result"]["status"]["state"] == state


def test_what_has_ended_before_ones_eyes_is_told_once_to_the_next_reader(world: World) -> None:
    act(world, "freeze")
    act(world, "cancel")
    with following(world) as stream:
        (told,) = stream.rest()
    assert status(told) == "cancelled_by_buyer"


def test_the_end_of_the_window_is_told_by_a_heartbeat_and_closes_the_stream(world: World) -> None:
    with following(world) as stream:
        stream.read(1)
        advance(world, WINDOW - 1)
        act(world, "freeze")
        assert stream.read(1)[0].event == "task"
        advance(world, 1)
        (beat,) = stream.rest()
    assert (beat.event, beat.said) == ("heartbeat", {"ok": True})


def test_buyer_and_seller_are_told_the_same_under_their_own_ids(world: World) -> None:
    with following(world, request("buyer")) as buyer, following(world, request("seller"), OTTO) as seller:
        act(world, "freeze")
        mine, theirs = buyer.read(2), seller.read(2)
    assert {each.said["id"] for each in mine} == {"buyer"}
    assert {each.said["id"] for each in theirs} == {"seller"}
    assert [each.said["result"] for each in mine] == [each.said["result"] for each in theirs]


IDS: list[Json] = ["sub-001", "", "7", 7, 0, -1, 1.5, None, "标识"]


@pytest.mark.parametrize("key", IDS, ids=repr)
def test_the_id_of_the_request_is_echoed_on_every_event(world: World, key: Json) -> None:
    with following(world, request(key)) as stream:
        act(world, "freeze")
        act(world, "cancel")
        told = stream.rest()
    assert [each.said["id"] for each in told] == [key] * 3
    assert {type(each.said["id"]) for each in told} == {type(key)}


def test_a_notification_opens_no_stream(world: World) -> None:
    body = {name: each for name, each in request().items() if name != "id"}
    answer = ask(world, body)
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_reader_who_comes_back_is_told_what_happened_meanwhile(world: World) -> None:
    with following(world) as stream:
        act(world, "freeze")
        _, frozen = stream.read(2)
    act(world, "accept", OTTO)
    with following(world, last=frozen.id) as stream:
        (accepted,) = stream.read(1)
        act(world, "deliver", OTTO)
        (delivered,) = stream.read(1)
    assert [status(each) for each in (accepted, delivered)] == ["accepted", "delivered"]


REFUSED: dict[str, tuple[Json, dict[str, str], int]] = {
    "an unknown transaction": (request(order=UNKNOWN), ADA, NOT_FOUND),
    "no identifier": (request(order="x"), ADA, NOT_FOUND),
    "a stranger's": (request(), ALICE, NOT_FOUND),
    "no params": ({**request(), "params": {}}, ADA, PARAMS),
    "params by position": ({**request(), "params": [PENDING]}, ADA, PARAMS),
    "a number": ({**request(), "params": {"id": 1}}, ADA, PARAMS),
}


@pytest.mark.parametrize(("body", "who", "code"), REFUSED.values(), ids=REFUSED)
def test_a_refused_subscription_is_a_json_rpc_error_and_no_stream(
    world: World, body: Json, who: dict[str, str], code: int
) -> None:
    answer = ask(world, body, who)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    said = answer.json()
    assert (said["jsonrpc"], said["id"], said["error"]["code"]) == ("2.0", "sub-001", code)


def test_an_identifier_that_is_no_number_is_refused(world: World) -> None:
    assert ask(world, request(), Last_Event_ID="x").json()["error"]["code"] == PARAMS


def test_without_credentials_the_refusal_is_in_the_envelope(world: World) -> None:
    answer = world.api.post("/a2a", json=request())
    assert (answer.status_code, answer.json()["code"]) == (401, 1002)


def test_following_changes_nothing(world: World) -> None:
    before = world.evidence()
    with following(world) as stream:
        stream.read(1)
    assert world.evidence() == before
