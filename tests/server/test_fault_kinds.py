"""Each kind of trouble, as a plain socket meets it; and that it is the same each time, and in one world only."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from itertools import pairwise
from json import JSONDecodeError
from pathlib import Path
from time import perf_counter

import httpx2
import pytest
from tests.server.front import (
    ADA,
    ALICE,
    TASK,
    TASKS,
    World,
    connect,
    message,
    replies,
    serving,
    talk,
)

from tasktwin import Twin, load
from tasktwin.behaviour.fault import gentle, parse_faults
from tasktwin.wire import Json, dumps, loads

DRAFTS = f"{TASKS}ai-create"
DRAFT: Json = {"description": "A logo in two colours"}


def order(world: World, do: Json, name: str = "", **match: Json) -> None:
    """Order one fault."""
    named = {"name": name} if name else {}
    world.control.put("/faults", json=[{**named, "match": match, "do": do}]).raise_for_status()


def lines(world: World, **more: str) -> list[tuple[str, str]]:
    """Alice's headers in a world."""
    return [*ALICE.items(), ("Tasktwin-World", world.name), *more.items()]


def ask(world: World, method: str = "GET", target: str = TASKS, body: Json = None, **more: str) -> bytes:
    """All bytes that come back, and how: the connection is left to the server to close."""
    sent = dumps(body) if body is not None else b""
    return talk(world.origin, message(method, target, lines(world, Connection="close", **more), sent))


def ask_for_stream(world: World) -> bytes:
    """All bytes of an answer that streams."""
    return ask(world, "POST", DRAFTS, DRAFT, **{"Content-Type": "application/json"})


def parted(raw: bytes) -> tuple[dict[str, str], bytes]:
    """The head of an answer, and what came of its body."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    return {"status": first.split()[1], **{k.lower(): v for k, _, v in (each.partition(": ") for each in rest)}}, body


# ── each kind ────────────────────────────────────────────────────────────────────────────────────────────────────────


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
    runs = []
    for _ in range(2):
        order(world, {"delay": {"lognormal": [-3, 1]}})
        began = [perf_counter()]
        for _ in range(4):
            ask(world)
            began.append(perf_counter())
        runs.append([after - before for before, after in pairwise(began)])
    assert runs[0] == pytest.approx(runs[1], abs=0.05)


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


# ── streams ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── what the twin writes down ────────────────────────────────────────────────────────────────────────────────────────


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


# ── lost answers ─────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── how often, when, and for whom ────────────────────────────────────────────────────────────────────────────────────


def statuses(world: World, number: int) -> list[int]:
    """What so many reads are answered with."""
    return [world.api.get(TASKS, headers=ALICE).status_code for _ in range(number)]


def test_times_and_after_bound_when_trouble_strikes(world: World) -> None:
    order(world, {"status": 500}, times=2, after=1)
    assert statuses(world, 5) == [200, 500, 500, 200, 200]
    (told,) = world.control.get("/faults").json()
    assert (told["matched"], told["struck"]) == (5, 2)


def test_a_probability_of_a_half_strikes_about_half(world: World) -> None:
    order(world, {"status": 500}, probability=0.5)
    assert 25 <= statuses(world, 100).count(500) <= 75


def test_a_method_bounds_whom_trouble_strikes(world: World) -> None:
    order(world, {"status": 500}, method="POST")
    assert statuses(world, 2) == [200, 200]
    assert world.post_task().status_code == 500


def test_a_status_that_was_ordered_for_a_read_is_forgotten_with_the_order(world: World) -> None:
    order(world, {"status": 200})
    assert statuses(world, 1) == [200]
    world.control.delete("/faults")
    assert "data" in world.api.get(TASKS, headers=ALICE).json()


MIXED: list[Json] = [
    {"name": "lost", "match": {"probability": 0.2}, "do": {"drop": "after"}},
    {"name": "cut", "match": {"probability": 0.2}, "do": {"truncate": 7}},
    {"name": "slow", "match": {"probability": 0.2}, "do": {"delay": {"lognormal": [-6, 0.5]}}},
    {"name": "odd", "match": {"probability": 0.3}, "do": {"corrupt": "schema"}},
    {"name": "busy", "match": {"probability": 0.3}, "do": {"status": 503}},
]


def test_the_same_run_twice_with_one_seed_leaves_journals_of_the_same_bytes(origin: str) -> None:
    journals = []
    for _ in range(2):
        control = httpx2.Client(base_url=f"{origin}/_tasktwin", verify=False)
        begin = {"name": "twice", "seed": 5, "now": "2026-01-01T00:00:00Z", "mode": "frozen", "faults": MIXED}
        assert control.post("/worlds", json=begin).status_code == 201
        world = World(origin, "twice")
        for number in range(40):
            body = {**TASK, "title": f"Task {number}"}
            ask(world, "POST", TASKS, body, **{"Content-Type": "application/json", "Idempotency-Key": f"k{number}"})
            ask(world)
        journals.append(re.sub(rb'"seconds":[-0-9.e]+', b"", world.control.get("/journal?limit=1000").content))
        reasons = {each["reason"] for each in world.entries(limit=1_000)}
        world.close()
        control.delete("/worlds/twice")
        control.close()
    assert reasons >= {f"fault: {each['name']}" for each in MIXED}
    assert journals[0] == journals[1]


def test_trouble_in_one_world_is_never_seen_in_another_under_parallel_load(world: World, origin: str) -> None:
    world.control.put("/faults", json=MIXED[1:])
    quiet = World(origin, f"{world.name}-quiet")

    def read(where: World) -> set[str]:
        with httpx2.Client(base_url=origin, headers={"Tasktwin-World": where.name}, verify=False) as client:
            return {_reason(client) for _ in range(125)}

    with ThreadPoolExecutor(8) as pool:
        met = list(pool.map(read, [world, quiet] * 4))
    troubled, untouched = set().union(*met[::2]), set().union(*met[1::2])
    assert {f"fault: {each['name']}" for each in MIXED[2:]} <= troubled
    assert untouched == {"state"}
    assert quiet.control.get("/journal").json()["entries"][-1]["number"] == 500
    quiet.close()


def _reason(client: httpx2.Client) -> str:
    """Why a read was answered as it was; "cut" if it was not."""
    try:
        return client.get(TASKS, headers=ALICE).headers["tasktwin-reason"]
    except httpx2.RemoteProtocolError:
        return "cut"


# ── trouble from the beginning ───────────────────────────────────────────────────────────────────────────────────────


def test_trouble_that_a_world_began_with_comes_back_with_a_reset(world: World, origin: str) -> None:
    name = f"{world.name}-begun"
    begin = {"name": name, "faults": [{"name": "first", "match": {"times": 1}, "do": {"status": 500}}]}
    assert httpx2.post(f"{origin}/_tasktwin/worlds", json=begin, verify=False).status_code == 201
    begun = World(origin, name)
    assert statuses(begun, 2) == [500, 200]
    begun.control.put("/faults", json=[])
    begun.control.post("/reset")
    assert [each["name"] for each in begun.control.get("/faults").json()] == ["first"]
    assert statuses(begun, 2) == [500, 200]
    begun.close()


def test_a_world_is_not_made_with_trouble_that_means_nothing(world: World, origin: str) -> None:
    wrong = {"name": f"{world.name}-wrong", "faults": [{"do": {"sttus": 500}}]}
    refused = httpx2.post(f"{origin}/_tasktwin/worlds", json=wrong, verify=False)
    assert (refused.status_code, refused.json()["detail"]) == (
        400,
        "/faults/0/do/sttus: there is no key 'sttus'. Did you mean 'status'?",
    )
    assert httpx2.get(f"{origin}/_tasktwin/worlds/{wrong['name']}", verify=False).status_code == 404


def test_the_gentle_set_is_disclosed_on_every_answer_while_it_is_ordered() -> None:
    with serving("uumit", "--quiet", "--faults", "gentle") as (origin, _):
        world = World(origin, "default")
        told = world.control.get("/faults").json()
        assert [each["name"] for each in told] == [fault.name for fault in gentle()]
        assert all(each["about"] for each in told)
        answers = [world.ask("POST", TASKS, ADA), world.ask("GET", "/nope"), world.ask("GET", TASKS)]
        assert [each.headers["tasktwin-faults"] for each in answers] == ["gentle"] * 3
        world.control.delete("/faults")
        assert "tasktwin-faults" not in world.ask("POST", TASKS, ADA).headers
        world.close()


# ── in process ───────────────────────────────────────────────────────────────────────────────────────────────────────


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
