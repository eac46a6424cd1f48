"""When trouble strikes and whom: the same each time, in one world only, and from the beginning if so ordered."""

import re
from concurrent.futures import ThreadPoolExecutor

import httpx2
from tests.server.front import ADA, ALICE, TASK, TASKS, World, serving
from tests.server.trouble import ask, order

from tasktwin.behaviour.fault import gentle
from tasktwin.wire import Json


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
