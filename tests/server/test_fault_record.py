"""What trouble leaves behind: in the journal, in the server's log, and on the books of who tries again."""

from decimal import Decimal
from json import JSONDecodeError
from pathlib import Path

import httpx2
import pytest
from tests.server.front import ALICE, TASK, TASKS, World, connect, message, replies, serving
from tests.server.trouble import ask, ask_for_stream, lines, order

from tasktwin.wire import Json, loads


def test_a_cut_answer_is_in_the_journal_with_what_would_have_been_sent(world: World) -> None:
    (whole,) = replies(ask(world))
    for do in ({"drop": "after"}, {"truncate": 3}):
        order(world, do, "lost")
        ask(world)
    entries = world.entries(operation="listTasks")[1:]
    assert [(each["status"], each["reason"]) for each in entries] == [(200, "fault: lost")] * 2
    assert all(_data(each) == whole.json()["data"] for each in entries)


def _data(entry: Json) -> Json:
    """The data of an answer in the journal."""
    body = entry["response"]["body"]
    return (loads(body.encode()) if isinstance(body, str) else body)["data"]


def test_a_request_that_was_dropped_before_its_effect_has_no_status(world: World) -> None:
    order(world, {"drop": "before"}, "gone")
    ask(world, "POST", TASKS, TASK, **{"Content-Type": "application/json"})
    (entry,) = world.entries()
    assert (entry["status"], entry["reason"], entry["operation"]) == (0, "fault: gone", "createTask")
    assert world.control.get("/coverage").json()["operations"].get("createTask", {}) == {}
    assert world.control.get("/journal.har").status_code == 200


def test_a_spoilt_answer_is_in_the_journal_as_it_was_sent_and_is_no_break_of_the_twin(world: World) -> None:
    order(world, {"corrupt": "schema"}, "odd")
    (reply,) = replies(ask(world))
    (entry,) = world.entries()
    body = entry["response"]["body"]
    assert (loads(body.encode()) if isinstance(body, str) else body) == reply.json()
    assert (entry["reason"], entry["violations"]) == ("fault: odd", [])


CUTS: dict[str, Json] = {
    "drop before": {"drop": "before"},
    "drop after": {"drop": "after"},
    "truncate": {"truncate": 5},
}


def test_no_cut_leaves_a_line_in_the_servers_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as errors, serving("uumit", "--quiet", errors=errors) as (origin, _):
        world = World(origin, "cuts")
        for do in CUTS.values():
            order(world, do)
            for method in ("GET", "HEAD"):
                ask(world, method)
            ask_for_stream(world)
            with connect(origin) as wire:
                wire.sendall(message("GET", TASKS, lines(world)))
            assert world.control.get("/faults").json()[0]["struck"] >= 3
        world.close()
    assert log.read_text() == ""


def frozen(world: World) -> Decimal:
    """What Alice has frozen."""
    return Decimal(world.api.get("/api/v1/wallet/", headers=ALICE).json()["data"]["cash"]["frozen"])


@pytest.mark.parametrize(("key", "charges"), [("pay-once", 1), ("", 2)], ids=["with a key", "without a key"])
def test_a_lost_answer_and_a_retry_charge_once_with_a_key_and_twice_without(
    world: World, key: str, charges: int
) -> None:
    before = frozen(world)
    order(world, {"drop": "after"}, operation="createTask", times=1)
    headers = {**ALICE, **({"Idempotency-Key": key} if key else {})}
    with pytest.raises(httpx2.RemoteProtocolError):
        world.api.post(TASKS, json=TASK, headers=headers)
    assert world.api.post(TASKS, json=TASK, headers=headers).status_code == 200
    assert frozen(world) - before == charges * Decimal(str(TASK["bounty_amount"]))


def test_an_answer_that_was_lost_before_its_effect_is_charged_once(world: World) -> None:
    before = frozen(world)
    order(world, {"drop": "before"}, operation="createTask", times=1)
    with pytest.raises(httpx2.RemoteProtocolError):
        world.api.post(TASKS, json=TASK, headers=ALICE)
    world.api.post(TASKS, json=TASK, headers=ALICE)
    assert frozen(world) - before == Decimal(str(TASK["bounty_amount"]))


def test_a_retry_with_a_key_gets_the_answer_that_was_spoilt_whole(world: World) -> None:
    order(world, {"corrupt": "json"}, operation="createTask", times=1)
    made = [world.api.post(TASKS, json=TASK, headers={**ALICE, "Idempotency-Key": "k"}) for _ in range(2)]
    with pytest.raises(JSONDecodeError):
        made[0].json()
    assert made[1].json()["code"] == 0
    assert made[1].headers["tasktwin-reason"] == "replay"
