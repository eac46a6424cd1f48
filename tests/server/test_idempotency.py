"""Idempotency keys over real HTTP: the IETF draft's rules, row by row, and requests that race.

https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/, section 2.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import count
from pathlib import Path

import httpx2
import pytest
from tests.provider.small import edited, write
from tests.server.front import ADA, TASK, TASKS, World, serving

_NUMBERS = count(1)
ANN = {"Authorization": "Bearer ann-token"}
PAUSE = 0.5


def create(world: World, key: str, **fields: object) -> httpx2.Response:
    return world.api.post(TASKS, json={**TASK, **fields}, headers={**ADA, "Idempotency-Key": key})


def slow(world: World, **match: object) -> None:
    """The next creation takes its time, so that another one can come meanwhile."""
    order = [{"name": "slow", "match": {"operation": "createTask", "times": 1, **match}, "do": {"delay": PAUSE}}]
    assert world.control.put("/faults", json=order).status_code == 200


def begun(world: World, pool: ThreadPoolExecutor) -> "Future[httpx2.Response]":
    """A creation under way: the server has taken it up, and waits."""
    first = pool.submit(create, world, "one")
    while not world.control.get("/faults").json()[0]["struck"]:
        assert not first.done()
    return first


def frozen(world: World) -> Counter[str]:
    """How often Ada's money was put aside."""
    return Counter(row["status"] for row in world.rows("task") if row["title"] == TASK["title"])


def test_fifty_requests_at_once_with_one_key_have_one_effect_and_one_answer(world: World) -> None:
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: create(world, "one"), range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert Counter(answer.headers["tasktwin-reason"] for answer in answers) == {"state": 1, "replay": 49}
    assert frozen(world) == {"open": 1}


def test_while_the_first_request_runs_the_second_is_told_so_and_later_gets_its_answer(world: World) -> None:
    slow(world)
    with ThreadPoolExecutor(1) as pool:
        first = begun(world, pool)
        answers = [create(world, "one") for _ in iter(first.done, True)]
        early, kept = first.result(), create(world, "one")
    told = {(answer.status_code, answer.json()["code"]) for answer in answers if answer.status_code != 200}
    assert told == {(409, 1005)}
    assert (early.status_code, kept.content, kept.headers["tasktwin-reason"]) == (200, early.content, "replay")
    assert frozen(world) == {"open": 1}


def test_fifty_requests_while_the_first_runs_have_one_effect_and_consistent_answers(world: World) -> None:
    slow(world)
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: create(world, "one"), range(50)))
    good = {answer.content for answer in answers if answer.status_code == 200}
    assert len(good) == 1
    assert {answer.status_code for answer in answers} == {200, 409}
    assert frozen(world) == {"open": 1}


def test_another_payload_while_the_first_request_runs_is_refused_as_such(world: World) -> None:
    slow(world)
    with ThreadPoolExecutor(1) as pool:
        first = begun(world, pool)
        answers = [create(world, "one", category="other") for _ in iter(first.done, True)]
    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(422, 1008)}


def test_another_key_does_not_wait(world: World) -> None:
    slow(world)
    with ThreadPoolExecutor(1) as pool:
        first = begun(world, pool)
        assert create(world, "two").status_code == 200
        assert not first.done()


def test_a_first_request_that_fails_lets_go_of_its_key(world: World) -> None:
    slow(world)
    assert create(world, "one", title="").status_code == 422
    assert create(world, "one").status_code == 200


# ── what a provider's data may say ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A small API that demands a key to create a job and gives refusals again too."""
    text = edited("provider.yaml", "idempotency:\n", "idempotency:\n  replay: all\n  required: [createJob]\n")
    folder: Path = write(tmp_path_factory.mktemp("strict"), text)
    with serving(str(folder), "--quiet") as (url, _process):
        yield url


@pytest.fixture
def jobs(strict: str) -> Iterator[World]:
    """A world of it."""
    found = World(strict, f"job-{next(_NUMBERS)}")
    yield found
    found.close()


def post(jobs: World, key: str | None, **body: object) -> httpx2.Response:
    return jobs.api.post("/jobs", json=body, headers={**ANN, **({"Idempotency-Key": key} if key else {})})


def test_a_key_that_is_required_and_missing_is_refused(jobs: World) -> None:
    before = jobs.rows("job")
    assert post(jobs, None, title="x").json()["error"] == "key_missing"
    assert jobs.rows("job") == before


def test_a_refusal_is_given_again_where_the_data_say_so(jobs: World) -> None:
    first, again = post(jobs, "one", title=7), post(jobs, "one", title=7)
    assert (first.status_code, again.status_code) == (422, 422)
    assert (again.content, again.headers["tasktwin-reason"]) == (first.content, "replay")


def test_a_refused_key_cannot_carry_another_payload_then(jobs: World) -> None:
    post(jobs, "one", title=7)
    assert post(jobs, "one", title="good").status_code == 422
    assert post(jobs, "two", title="good").status_code == 201
