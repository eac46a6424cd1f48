"""Trouble ordered through the control plane: told, counted, in one world only, and met by the requests it is meant for."""

import httpx2
import pytest
from tests.server.front import ALICE, BOB, TASKS, World, assert_problem, message, serving, talk

from tasktwin.server.control.contract import control_contract
from tasktwin.wire import Json, dumps

JSON = [(b"content-type", b"application/json")]
ORDER: list[Json] = [
    {"name": "busy", "match": {"operation": "createTask", "principal": "human:*", "times": 2}, "do": {"status": 503}},
    {"name": "torn", "match": {"probability": 0.25, "after": 1}, "do": {"stream": "cut", "event": 2, "byte": 0}},
    {"name": "slow", "do": {"stream": "retry", "retry": 20}},
    {"name": "odd", "match": {"operation": "list*"}, "do": {"corrupt": "content-type"}},
]


# ── ordering ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_world_begins_without_trouble(world: World) -> None:
    assert world.control.get("/faults").json() == []


def test_an_order_is_told_as_it_was_given_with_its_counts(world: World) -> None:
    ordered = world.control.put("/faults", json=ORDER)
    assert ordered.status_code == 200
    assert ordered.json() == [{**each, "matched": 0, "struck": 0} for each in ORDER]
    assert world.control.get("/faults").json() == ordered.json()


def test_an_order_replaces_the_one_before(world: World) -> None:
    world.control.put("/faults", json=ORDER)
    told = world.control.put("/faults", json=[{"do": {"status": 500}}, {"do": {"stream": "bom"}}]).json()
    assert [each["name"] for each in told] == ["fault-1", "fault-2"]
    assert world.control.put("/faults", json=[]).json() == []


def test_deleting_ends_all_trouble(world: World) -> None:
    world.control.put("/faults", json=[{"do": {"status": 500}}])
    assert world.control.delete("/faults").status_code == 204
    assert world.control.get("/faults").json() == []
    assert world.post_task().status_code == 200


def test_a_reset_ends_all_trouble(world: World) -> None:
    world.control.put("/faults", json=ORDER)
    world.control.post("/reset")
    assert world.control.get("/faults").json() == []


WRONG: dict[str, tuple[Json, str]] = {
    "an object": ({}, "faults are a list, not an object"),
    "an entry that is none": ([{"do": {"status": 500}}, 3], "/1: must be an object, not 3"),
    "nothing to do": ([{"name": "x"}], "/0/do: must say what to do"),
    "a misspelt key": ([{"mach": {}, "do": {"status": 500}}], "/0/mach: there is no key 'mach'. Did you mean 'match'?"),
    "a misspelt stream": ([{"do": {"stream": "ctu"}}], "/0/do/stream: there is no 'ctu'. Did you mean 'cut'?"),
    "a misspelt drop": ([{"do": {"drop": "aftr"}}], "/0/do/drop: there is no 'aftr'. Did you mean 'after'?"),
    "a delay of an hour": ([{"do": {"delay": 3600}}], "/0/do/delay: must be a number from 0 to 300, not 3600"),
    "half a spread": ([{"do": {"delay": {"lognormal": [1]}}}], "/0/do/delay/lognormal: must be a list of two numbers"),
    "bytes below 0": ([{"do": {"truncate": -1}}], "/0/do/truncate: must be a whole number from 0"),
    "an unknown corruption": ([{"do": {"corrupt": "shema"}}], "/0/do/corrupt: there is no 'shema'. Did you mean"),
    "a wait of a year": ([{"do": {"status": 503, "retry_after": 31536000}}], "/0/do/retry_after: must be a whole"),
    "a probability of 2": ([{"match": {"probability": 2}, "do": {"status": 500}}], "/0/match/probability: must be"),
    "an operation nobody has": (
        [{"match": {"operation": "createTsk"}, "do": {"status": 500}}],
        "/0/match/operation: there is no operation 'createTsk'. Did you mean 'createTask'?",
    ),
    "a stream where none is": (
        [{"match": {"operation": "createTask"}, "do": {"stream": "cut"}}],
        "/0/do/stream: 'createTask' answers with no stream; these do: createSkillByDescription, createTaskByDescription",
    ),
    "a name twice": ([{"name": "x", "do": {"status": 500}}] * 2, "/1/name: 'x' is the name of /0 already"),
    "too many": ([{"do": {"status": 500}}] * 101, "101 faults are more than the 100"),
}


@pytest.mark.parametrize(("order", "told"), WRONG.values(), ids=WRONG)
def test_a_wrong_order_is_refused_and_the_old_one_stands(world: World, order: Json, told: str) -> None:
    before = world.control.put("/faults", json=ORDER).json()
    assert told in assert_problem(world.control.put("/faults", json=order), 400)["detail"]
    assert world.control.get("/faults").json() == before


# What only the twin can know is in no schema: which operations and streams there are, and that a name stands twice.
UNWRITTEN = {"an operation nobody has", "a stream where none is", "a name twice"}


@pytest.mark.parametrize("name", WRONG)
def test_the_contract_refuses_what_the_twin_refuses(name: str) -> None:
    operation = control_contract().operations["putFaults"]
    reading = operation.read({}, b"", JSON, dumps(WRONG[name][0]))
    assert bool(reading.violations) is (name not in UNWRITTEN)


def test_the_contract_takes_what_the_twin_takes(world: World) -> None:
    kinds = ["cut", "stall", "duplicate", "reorder", "gap", "bom", "crlf", "cr", "retry"]
    ways = ["json", "schema", "content-type", "unknown-fields"]
    order = [
        *ORDER,
        *({"do": {"stream": kind}} for kind in kinds),
        *({"do": {"corrupt": way}} for way in ways),
        {"about": "slow", "match": {"method": "GET"}, "do": {"delay": 0.5}},
        {"do": {"delay": {"lognormal": [-3, 0.5]}}},
        {"do": {"drop": "before"}},
        {"do": {"drop": "after"}},
        {"do": {"truncate": 0}},
        {"do": {"status": 429, "retry_after": 3}},
    ]
    told = world.control.put("/faults", json=order)
    assert told.status_code == 200
    assert control_contract().operations["putFaults"].check_response(200, "application/json", told.json()) == ()


# ── meeting it ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_requests_that_match_are_struck_and_counted(world: World) -> None:
    world.control.put("/faults", json=ORDER[:1])
    met = [world.post_task() for _ in range(3)]
    assert [each.status_code for each in met] == [503, 503, 200]
    assert met[0].headers["tasktwin-reason"] == "fault: busy"
    (told,) = world.control.get("/faults").json()
    assert (told["matched"], told["struck"]) == (3, 2)
    assert len(world.rows("task")) == 17, "a request that met a status had no effect"


def test_other_operations_and_callers_are_not_struck(world: World) -> None:
    match = {"operation": "createTask", "principal": world_name(world, BOB)}
    world.control.put("/faults", json=[{"match": match, "do": {"status": 500}}])
    assert world.post_task().status_code == 200
    assert world.api.get(TASKS, headers=BOB).status_code == 200
    assert world.control.get("/faults").json()[0]["matched"] == 0


def test_a_fault_for_a_demo_callers_own_name_is_refused_with_the_journals(world: World) -> None:
    name = world_name(world, ALICE)
    order = [{"match": {"principal": "human_alice"}, "do": {"status": 500}}]
    told = assert_problem(world.control.put("/faults", json=order), 400)["detail"]
    assert told == f"/0/match/principal: faults name callers as the journal does: 'human_alice' is {name!r}"
    assert world.control.put("/faults", json=[{"match": {"principal": name}, "do": {"status": 500}}]).status_code == 200
    assert world.post_task().status_code == 500


def world_name(world: World, headers: dict[str, str]) -> str:
    """What the journal calls a caller."""
    world.api.get(TASKS, headers=headers)
    name: str = world.entries()[-1]["principal"]
    assert name
    return name


def test_trouble_in_one_world_is_not_met_in_another(world: World, origin: str) -> None:
    world.control.put("/faults", json=[{"do": {"status": 500}}])
    other = World(origin, f"{world.name}-other")
    assert other.api.get(TASKS, headers=ALICE).status_code == 200
    assert other.control.get("/faults").json() == []
    assert world.api.get(TASKS, headers=ALICE).status_code == 500
    other.close()


def test_a_read_that_was_answered_before_is_struck_too(world: World) -> None:
    assert world.api.get(TASKS, headers=ALICE).status_code == 200
    world.control.put("/faults", json=[{"match": {"times": 1}, "do": {"status": 500}}])
    assert [world.api.get(TASKS, headers=ALICE).status_code for _ in range(2)] == [500, 200]


def test_a_wrong_media_type_has_the_right_body(world: World) -> None:
    usual = world.api.get(TASKS, headers=ALICE)
    world.control.put("/faults", json=[{"do": {"corrupt": "content-type"}}])
    met = world.api.get(TASKS, headers=ALICE)
    assert (met.status_code, met.json()["data"]) == (200, usual.json()["data"])
    assert met.headers["content-type"] != usual.headers["content-type"]


def test_the_same_seed_and_requests_meet_the_same_trouble(world: World) -> None:
    runs = []
    for _ in range(2):
        world.control.post("/reset")
        world.control.put("/faults", json=[{"match": {"probability": 0.5}, "do": {"status": 500}}])
        runs.append([world.api.get(TASKS, headers=ALICE).status_code for _ in range(20)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 500}


@pytest.mark.parametrize(("byte", "arrives"), [(0, b""), (10, b"event: sta")])
def test_a_stream_is_cut_inside_an_event(world: World, byte: int, arrives: bytes) -> None:
    world.control.put("/faults", json=[{"do": {"stream": "cut", "byte": byte}}])
    headers = [*ALICE.items(), ("Tasktwin-World", world.name), ("Content-Type", "application/json")]
    sent = message("POST", f"{TASKS}ai-create", headers, dumps({"description": "A logo in two colours"}))
    head, _, body = talk(world.origin, sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body == (b"%x\r\n%s\r\n" % (byte, arrives) if byte else b""), "no last chunk: the answer is not whole"


def test_a_status_on_an_operation_with_an_example_of_an_event_is_no_stream_with_json_in_it() -> None:
    run = "/api/projects/@current/tasks/10000000-0000-4000-8000-000000000001/runs/20000000-0000-4000-8000-000000000002/"
    order = [{"match": {"operation": "streamRun"}, "do": {"status": 200}}]
    with serving("posthog", "--quiet") as (url, _process), httpx2.Client(base_url=url, verify=False) as client:
        assert client.put("/_tasktwin/faults", json=order).is_success
        met = client.get(f"{run}stream/", headers={"Authorization": "Bearer phx_ada_all"})
    assert (met.status_code, met.headers["tasktwin-reason"]) == (200, "fault: fault-1")
    assert "event-stream" not in met.headers.get("content-type", "")


@pytest.mark.parametrize("status", [200, 204])
def test_a_status_on_an_operation_that_makes_something_and_streams_makes_nothing(world: World, status: int) -> None:
    world.control.put("/faults", json=[{"do": {"status": status}}])
    met = world.api.post(f"{TASKS}ai-create", json={"description": "A logo in two colours"}, headers=ALICE)
    assert met.status_code == status
    assert "event-stream" not in met.headers.get("content-type", "")
    assert world.rows("generation") == []


@pytest.mark.parametrize("way", ["delete", "reset"])
def test_a_stream_that_stalls_ends_with_its_world(world: World, way: str) -> None:
    world.control.put("/faults", json=[{"do": {"stream": "stall"}}])
    with world.api.stream("POST", f"{TASKS}ai-create", json={"description": "A logo"}, headers=ALICE) as met:
        assert met.status_code == 200
        if way == "delete":
            assert httpx2.delete(f"{world.origin}/_tasktwin/worlds/{world.name}", verify=False).status_code == 204
        else:
            assert world.control.post("/reset").is_success
        assert met.read() == b""
