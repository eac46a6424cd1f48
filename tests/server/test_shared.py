"""Two twins that share a store are one: whatever is done through one of them is so through the other."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx2
import pytest
from redis import Redis
from tests.server.front import ADA, ALICE, ALICES_TASK, TASK, TASKS, World, assert_problem
from tests.server.several import address, both, several
from tests.state import redis_server
from tests.uumit.calls import seeded

_NUMBERS = count(1)
FROZEN = ("--now", "2026-04-09T08:00:00Z", "--clock", "frozen")


@pytest.fixture(scope="module")
def urls() -> Iterator[list[str]]:
    with several("uumit", *FROZEN) as found:
        yield found


@pytest.fixture
def pair(urls: list[str]) -> Iterator[list[World]]:
    with both(urls, f"pair-{next(_NUMBERS)}") as found:
        yield found


def test_what_one_writes_the_other_shows(pair: list[World]) -> None:
    one, other = pair
    made = one.post_task(title="shared").json()["data"]
    assert other.api.get(TASKS + made["id"], headers=ALICE).json()["data"] == made
    other.control.delete(f"/state/task/{made['id']}")
    assert one.api.get(TASKS + made["id"], headers=ALICE).status_code == 404


def test_the_clock_is_one(pair: list[World]) -> None:
    one, other = pair
    made = one.post_task().json()["data"]
    fired = other.control.post("/clock", json={"advance": 72 * 3600}).json()["fired"]
    assert made["id"] in {each["id"] for each in fired}
    assert one.api.get(TASKS + made["id"], headers=ALICE).json()["data"]["status"] == "expired"
    assert one.control.get("/clock").json()["now"] == "2026-04-12T08:00:00.000000Z"
    other.control.post("/clock", json={"mode": "real"})
    before = one.control.get("/clock").json()
    assert before["mode"] == "real"
    time.sleep(0.05)
    assert other.control.get("/clock").json()["now"] > before["now"]


def test_faults_are_ordered_and_counted_for_all(pair: list[World]) -> None:
    order = [{"name": "f", "match": {"operation": "getWallet", "times": 3}, "do": {"status": 500}}]
    assert pair[0].control.put("/faults", json=order).status_code == 200
    statuses = [pair[number % 2].api.get("/api/v1/wallet", headers=ALICE).status_code for number in range(5)]
    assert statuses == [500, 500, 500, 200, 200]
    assert [world.control.get("/faults").json()[0]["struck"] for world in pair] == [3, 3]
    pair[1].control.delete("/faults")
    assert pair[0].control.get("/faults").json() == []


@pytest.mark.parametrize("mode", ["on", "count"])
def test_limits_count_what_all_were_asked(pair: list[World], mode: str) -> None:
    pair[0].control.put("/limits", json={"mode": mode})
    asked = [pair[number % 2].api.get("/api/v1/wallet", headers=ALICE) for number in range(62)]
    told = [answer.headers.get("tasktwin-limit", "") for answer in asked]
    assert [bool(each) for each in told] == [False] * 60 + [True] * 2
    assert [answer.status_code for answer in asked[-2:]] == ([429] * 2 if mode == "on" else [200] * 2)
    (minute,) = [each for each in pair[1].control.get("/limits").json()["limits"] if each["name"] == "minute"]
    assert [each["used"] for each in minute["callers"]] == [60]


def test_requests_left_by_order_are_left_once(pair: list[World]) -> None:
    pair[0].control.put("/limits", json={"leave": 2, "limit": "minute"})
    statuses = [pair[number % 2].api.get("/api/v1/wallet", headers=ALICE).status_code for number in range(4)]
    assert statuses == [200, 200, 429, 429]


def test_a_limit_lets_exactly_its_quota_through_however_they_race(pair: list[World]) -> None:
    pair[0].control.put("/limits", json={"mode": "on"})

    def ask(number: int) -> int:
        with httpx2.Client(verify=False) as client:
            head = {**ALICE, "Tasktwin-World": pair[0].name}
            return client.get(f"{pair[number % 2].origin}/api/v1/wallet", headers=head).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = Counter(pool.map(ask, range(90)))
    assert statuses == {200: 60, 429: 30}


def test_the_journal_and_the_coverage_are_of_all(pair: list[World]) -> None:
    for number in range(6):
        pair[number % 2].api.get(TASKS + ALICES_TASK, headers=ALICE)
    for world in pair:
        assert [each["number"] for each in world.entries()] == [1, 2, 3, 4, 5, 6]
        assert world.control.get("/coverage").json()["operations"]["getTask"] == {"200": 6}
    pair[0].control.delete("/journal")
    pair[1].api.get(TASKS, headers=ALICE)
    assert [[each["number"] for each in world.entries()] for world in pair] == [[7], [7]]
    pair[0].post_task()
    taken = pair[1].control.get("/coverage").json()["transitions"]
    assert taken == pair[0].control.get("/coverage").json()["transitions"]
    assert sum(sum(each.values()) for each in taken.values()) >= 1


def test_what_the_control_plane_did_is_counted_and_listed_at_once_for_all(pair: list[World]) -> None:
    one, other = pair
    one.post_task()
    fired = other.control.post("/clock", json={"advance": 72 * 3600}).json()["fired"]
    told = one.control.get("/coverage").json()["transitions"]["task"]["expire"]
    assert told == sum(each["collection"] == "task" for each in fired) > 0
    other.control.put("/limits", json={"mode": "on"})
    listed = {each["name"]: each for each in httpx2.get(f"{one.origin}/_tasktwin/worlds").json()["worlds"]}
    assert (listed[one.name]["limits"], listed[one.name]["now"]) == ("on", "2026-04-12T08:00:00.000000Z")


def test_snapshots_and_the_beginning_are_of_all(pair: list[World]) -> None:
    one, other = pair
    start = one.evidence()
    one.post_task(title="first")
    other.control.post("/snapshots", json={"name": "s"})
    kept = one.rows("task")
    one.post_task(title="second")
    assert one.control.post("/snapshots/s/restore").status_code == 200
    assert [world.rows("task") for world in pair] == [kept, kept]
    assert other.control.get("/snapshots").json()["snapshots"][0]["name"] == "s"
    other.control.post("/reset")
    assert [world.evidence() for world in pair] == [start, start]
    assert one.entries() == []


def test_worlds_are_made_forked_and_deleted_for_all(pair: list[World]) -> None:
    one, other = pair
    made = one.post_task(title="forked").json()["data"]
    name = f"{one.name}-fork"
    answer = httpx2.post(f"{other.origin}/_tasktwin/worlds", json={"name": name, "from": one.name})
    assert answer.status_code == 201
    assert httpx2.post(f"{one.origin}/_tasktwin/worlds", json={"name": name}).status_code == 409
    with both([one.origin, other.origin], name) as fork:
        assert made["id"] in {row["id"] for row in fork[0].rows("task")}
        fork[0].control.delete(f"/state/task/{made['id']}")
        fork[1].control.post("/reset")
        assert made["id"] in {row["id"] for row in fork[0].rows("task")}
    listed = httpx2.get(f"{one.origin}/_tasktwin/worlds").json()["worlds"]
    assert {one.name, name} <= {each["name"] for each in listed}
    assert httpx2.delete(f"{one.origin}/_tasktwin/worlds/{name}").status_code == 204
    assert httpx2.get(f"{other.origin}/_tasktwin/worlds/{name}").status_code == 404


def test_a_fork_of_a_snapshot_goes_by_what_its_world_goes_by(pair: list[World]) -> None:
    one, other = pair
    one.control.post("/snapshots", json={"name": "s"})
    one.control.put("/limits", json={"mode": "on"})
    one.control.post("/clock", json={"mode": "x2"})
    wish = {"name": f"{one.name}-fork", "from": "s"}
    made = httpx2.post(f"{other.origin}/_tasktwin/worlds", json=wish, headers={"Tasktwin-World": one.name}).json()
    assert (made["limits"], made["mode"]) == ("on", "x2")


def test_chance_is_that_of_the_worlds_seed_wherever_it_is_asked(pair: list[World]) -> None:
    statuses = []
    for place, world in enumerate(pair):
        name = f"{world.name}-{place}"
        httpx2.post(f"{pair[0].origin}/_tasktwin/worlds", json={"name": name, "seed": 7})
        with both([world.origin], name) as (seeded,):
            seeded.control.put("/faults", json=[{"match": {"probability": 0.5}, "do": {"status": 503}}])
            statuses.append([seeded.api.get("/api/v1/wallet", headers=ALICE).status_code for _ in range(20)])
    assert statuses[0] == statuses[1]


def test_a_world_that_was_deleted_elsewhere_begins_anew(pair: list[World]) -> None:
    one, other = pair
    start = one.evidence()
    made = one.post_task().json()["data"]
    assert other.api.get(TASKS + made["id"], headers=ALICE).status_code == 200
    httpx2.delete(f"{one.origin}/_tasktwin/worlds/{one.name}")
    assert other.api.get(TASKS + made["id"], headers=ALICE).status_code == 404
    assert one.name in {each["name"] for each in httpx2.get(f"{one.origin}/_tasktwin/worlds").json()["worlds"]}
    assert other.control.post("/reset").status_code == 200
    assert one.evidence() == start


@pytest.mark.parametrize("last", ["write", "reset", "restore", "clear", "snapshot"])
def test_a_world_that_nobody_uses_leaves_nothing_behind(urls: list[str], last: str) -> None:
    name = f"short-{next(_NUMBERS)}"
    with both(urls, name) as (one, other):
        one.post_task().raise_for_status()
        one.control.post("/snapshots", json={"name": "s"}).raise_for_status()
        if last == "write":
            other.post_task().raise_for_status()
        elif last == "clear":
            other.control.delete("/journal").raise_for_status()
        else:
            told = {"snapshot": "/snapshots", "restore": "/snapshots/s/restore", "reset": "/reset"}[last]
            other.control.post(told, json={"name": "t"} if last == "snapshot" else None).raise_for_status()
    with Redis.from_url(redis_server.url()) as redis:
        left = {key: redis.pttl(key) for key in redis.scan_iter(f"tasktwin:*:{name}:*")}
    assert len(left) >= 7
    assert [key for key, span in left.items() if span < 0] == []


def test_a_key_is_one_key_wherever_it_is_sent(pair: list[World]) -> None:
    head = {**ADA, "Idempotency-Key": "k"}
    answers = [world.api.post(TASKS, json=TASK, headers=head) for world in pair]
    assert answers[0].content == answers[1].content
    assert [answer.headers["tasktwin-reason"] for answer in answers] == ["state", "replay"]
    order = [{"name": "slow", "match": {"operation": "createTask", "times": 1}, "do": {"delay": 0.5}}]
    pair[0].control.put("/faults", json=order)
    head = {**ADA, "Idempotency-Key": "slow"}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(pair[0].api.post, TASKS, json=TASK, headers=head)
        while not pair[1].control.get("/faults").json()[0]["struck"]:
            assert not first.done()
        assert pair[1].api.post(TASKS, json=TASK, headers=head).status_code == 409
        assert first.result().status_code == 200
    again = pair[1].api.post(TASKS, json=TASK, headers=head)
    assert (again.headers["tasktwin-reason"], again.content) == ("replay", first.result().content)


def test_a_key_that_is_held_is_held_in_a_world_that_was_restored(pair: list[World]) -> None:
    one, other = pair
    one.control.post("/snapshots", json={"name": "s"})
    one.control.put("/faults", json=[{"match": {"operation": "createTask", "times": 1}, "do": {"delay": 0.5}}])
    head = {**ADA, "Idempotency-Key": "k"}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(one.api.post, TASKS, json=TASK, headers=head)
        while not other.control.get("/faults").json()[0]["struck"]:
            assert not first.done()
        other.control.post("/snapshots/s/restore")
        assert other.api.post(TASKS, json=TASK, headers=head).status_code == 409
        assert first.result().status_code == 200


def test_the_first_of_many_worlds_too_many_is_told(tmp_path: Path) -> None:
    del tmp_path
    with several("uumit", "--store", address()) as (one, other):
        names = [f"w{number}" for number in range(5)]
        asked = [
            httpx2.get(f"{url}/api/v1/wallet", headers={**ALICE, "Tasktwin-World": name})
            for name in names
            for url in (one, other)
        ]
        assert {answer.status_code for answer in asked} == {200}
        listed = httpx2.get(f"{other}/_tasktwin/worlds").json()["worlds"]
        assert {each["name"] for each in listed} == {"default", *names}


# Streams


def read_events(lines: Iterator[str], wanted: int) -> list[str]:
    """The data of the next events."""
    found: list[str] = []
    for line in lines:
        if line.startswith("data:"):
            found.append(line.removeprefix("data:").strip())
        if len(found) == wanted:
            return found
    raise AssertionError(f"the stream ended after {found}")


def test_an_event_caused_through_one_reaches_a_reader_of_the_other() -> None:
    head = {"Authorization": "Bearer phx_demo_ann_key"}
    with several("posthog", "--clock", "frozen") as (one, other):
        keys = json.loads(_list("posthog"))["principals"]
        head = next(each["headers"] for each in keys if each["headers"])
        base = "/api/projects/1/tasks/"
        with httpx2.Client(headers=head, timeout=20) as client:
            task = client.post(one + base, json={"title": "t", "description": "d"}).json()["id"]
            run = client.post(f"{one}{base}{task}/run/", json={}).json()
            run_id = (run.get("latest_run") or run)["id"]
            stream = f"{base}{task}/runs/{run_id}/stream/"
            with client.stream("GET", other + stream) as answer:
                assert answer.status_code == 200, answer.read()
                lines = answer.iter_lines()
                began = time.monotonic()
                for number in range(3):
                    text = {"entries": [{"type": "notification", "notification": {"n": number}}]}
                    sent = client.post(f"{one}{base}{task}/runs/{run_id}/append_log/", json=text)
                    assert sent.status_code == 200, sent.text
                told = read_events(lines, 3)
                assert time.monotonic() - began < 10
                assert told


ORDER = seeded(4, 1)
SUBSCRIBE = {"jsonrpc": "2.0", "id": 1, "method": "tasks/sendSubscribe", "params": {"id": ORDER}}


def test_what_an_open_stream_told_is_counted_for_all(pair: list[World]) -> None:
    one, other = pair
    with one.api.stream("POST", "/a2a", json=SUBSCRIBE, headers=ADA) as answer:
        lines = answer.iter_lines()
        read_events(lines, 1)
        other.api.post(f"/api/v1/transactions/{ORDER}/freeze", headers=ADA)
        read_events(lines, 1)
        late = time.monotonic() + 5
        while (told := other.control.get("/coverage").json()["events"]) != {"sendAgentRequest": {"task": 2}}:
            assert time.monotonic() < late, told


@pytest.mark.parametrize("place", [0, 1], ids=["here", "elsewhere"])
def test_the_end_of_a_stream_of_a_world_that_was_deleted_is_told_nobody(pair: list[World], place: int) -> None:
    name = pair[0].name
    with pair[0].api.stream("POST", "/a2a", json=SUBSCRIBE, headers=ADA) as answer:
        lines = answer.iter_lines()
        read_events(lines, 1)
        httpx2.delete(f"{pair[place].origin}/_tasktwin/worlds/{name}")
        assert [line for line in lines if line.startswith("data:")] == []
    with Redis.from_url(redis_server.url()) as redis:
        assert list(redis.scan_iter(f"tasktwin:*:{name}:*")) == []
    for world in pair:
        world.api.get("/nothing")
    assert [[each["path"] for each in world.entries()] for world in pair] == [["/nothing"] * 2] * 2


def _list(provider: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "tasktwin", "list", provider, "--json"], capture_output=True, text=True, check=True
    ).stdout


def test_the_journal_as_a_stream_tells_what_all_were_asked(pair: list[World]) -> None:
    one, other = pair
    with httpx2.Client(timeout=20) as client:
        address_ = f"{other.origin}/_tasktwin/worlds/{other.name}/control/journal/stream?since=0"
        with client.stream("GET", address_) as answer:
            lines = answer.iter_lines()
            for number in range(3):
                one.api.get(f"/nothing/{number}")
            told = [json.loads(each)["path"] for each in read_events(lines, 3)]
    assert told == ["/nothing/0", "/nothing/1", "/nothing/2"]


# Trouble with the store


@pytest.fixture
def place() -> Iterator[tuple[int, str]]:
    """A port and a folder for a server that dies."""
    folder = tempfile.mkdtemp()
    yield redis_server.free_port(), folder
    shutil.rmtree(folder, ignore_errors=True)


def test_while_redis_is_gone_the_api_says_so_and_comes_back_by_itself(place: tuple[int, str]) -> None:
    process = redis_server.start(*place, "--appendonly", "yes", "--appendfsync", "always")
    with several("uumit", store=address(place[0]), count=1) as (url,), httpx2.Client(base_url=url) as client:
        made = client.post(TASKS, json=TASK, headers=ALICE).json()["data"]
        process.kill()
        process.wait()
        for method, target in (("GET", TASKS + made["id"]), ("POST", TASKS)):
            answer = client.request(method, target, json=TASK if method == "POST" else None, headers=ALICE)
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/json")
            assert answer.json()["code"] == 9999
            assert answer.headers["tasktwin-reason"] == "refused: unavailable"
        assert_problem(client.get("/_tasktwin/clock"), 503)
        assert_problem(client.get("/_tasktwin/worlds"), 503)
        assert client.get("/_tasktwin/health").status_code == 200
        process = redis_server.start(*place, "--appendonly", "yes", "--appendfsync", "always")
        assert client.get(TASKS + made["id"], headers=ALICE).json()["data"] == made
        assert client.post(TASKS, json=TASK, headers=ALICE).status_code == 200
    process.kill()
    process.wait()


def test_a_redis_that_forgets_everything_is_told_again_what_there_is(place: tuple[int, str]) -> None:
    process = redis_server.start(*place)
    with several("uumit", store=address(place[0])) as (one, other), both([one, other], "w") as worlds:
        made = worlds[0].post_task().json()["data"]
        process.kill()
        process.wait()
        process = redis_server.start(*place)
        assert [world.api.get(TASKS + made["id"], headers=ALICE).status_code for world in worlds] == [200, 200]
        listed = httpx2.get(f"{other}/_tasktwin/worlds").json()["worlds"]
        assert "w" in {each["name"] for each in listed}
        assert worlds[1].control.post("/reset").status_code == 200
        assert worlds[0].api.get(TASKS + made["id"], headers=ALICE).status_code == 404
    process.kill()
    process.wait()


def test_a_twin_may_start_before_its_redis(place: tuple[int, str]) -> None:
    with several("uumit", store=address(place[0]), count=1) as (url,), httpx2.Client(base_url=url) as client:
        assert client.get("/api/v1/wallet", headers=ALICE).status_code == 503
        process = redis_server.start(*place)
        assert client.get("/api/v1/wallet", headers=ALICE).status_code == 200
    process.kill()
    process.wait()
