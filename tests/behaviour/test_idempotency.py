from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.behaviour.jobs import HOUR, world, worlds
from tests.provider.small import edited, write
from tests.state import redis_server

from tasktwin import Twin
from tasktwin.behaviour import shared_world
from tasktwin.behaviour.idempotency import find_key
from tasktwin.behaviour.lifecycle import Provenance
from tasktwin.behaviour.rules import Idempotency
from tasktwin.exchange.twin import Answer
from tasktwin.state.clock import machine_now
from tasktwin.wire import Json

RULE = Idempotency("idempotency-key", frozenset({"POST"}), {"createJob": "key"}, 1, Provenance("stated", "D"))
NOW = {"now": "2026-01-01T12:00:00Z", "clock": "frozen"}


@pytest.mark.parametrize(
    ("headers", "body", "key"),
    [
        ({"idempotency-key": "a"}, None, "a"),
        ({"idempotency-key": ' "a b" '}, None, "a b"),
        ({"idempotency-key": "a"}, {"key": "b"}, "a"),
        ({}, {"key": "b"}, "b"),
        ({}, {"key": 5}, None),
        ({}, ["key"], None),
        ({"idempotency-key": ""}, None, None),
        ({"idempotency-key": '""'}, None, None),
        ({}, None, None),
    ],
    ids=repr,
)
def test_the_key_stands_in_the_header_or_else_in_the_field(
    headers: Mapping[str, Json], body: Json, key: str | None
) -> None:
    assert find_key(RULE, "POST", "createJob", headers, body) == key


def test_a_key_counts_only_for_the_methods_and_operations_of_the_rule() -> None:
    assert find_key(RULE, "GET", "createJob", {"idempotency-key": "a"}, None) is None
    assert find_key(RULE, "POST", "startJob", {}, {"key": "b"}) is None


@pytest.fixture
def twin(tmp_path: Path) -> Twin:
    header = '      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/NewJob"}}}}\n'
    declared = "      parameters: [{name: Idempotency-Key, in: header, schema: {type: string}}]\n" + header
    return Twin(str(write(tmp_path, edited("openapi.yaml", header, declared))), **NOW)  # type: ignore[arg-type]


def post(twin: Twin, title: str, key: str, who: str = "ann") -> Answer:
    return twin.request("POST", "/jobs", json={"title": title}, headers={"Idempotency-Key": key}, as_=who)


def test_the_same_request_again_is_answered_with_the_same_bytes_and_does_nothing(twin: Twin) -> None:
    first, again = post(twin, "A", "k1"), post(twin, "A", "k1")
    assert (first.status, first.headers["tasktwin-reason"]) == (201, "state")
    assert (again.status, again.headers["tasktwin-reason"]) == (201, "replay")
    assert again.content == first.content
    assert twin.world.store.sizes()["job"] == 4


def test_a_key_for_another_request_is_refused(twin: Twin) -> None:
    post(twin, "A", "k1")
    other = post(twin, "B", "k1")
    assert (other.status, other.headers["tasktwin-reason"]) == (422, "refused: key_reused")


def test_keys_of_two_callers_never_meet(twin: Twin) -> None:
    assert post(twin, "A", "k1").json()["owner"] == "ann"
    assert post(twin, "A", "k1", "ben").json()["owner"] == "ben"


def test_a_refusal_is_not_remembered(twin: Twin) -> None:
    assert post(twin, "Paint", "k1").status == 409, "ann has such a job"
    twin.request("DELETE", "/jobs/j1", as_="ann")
    assert post(twin, "Paint", "k1").status == 201


def test_a_key_is_forgotten_when_its_time_is_over(twin: Twin) -> None:
    first = post(twin, "A", "k1")
    twin.request("DELETE", f"/jobs/{first.json()['id']}", as_="ann")
    twin.advance(hours=23.999)
    assert post(twin, "A", "k1").content == first.content
    twin.advance(hours=0.001)
    again = post(twin, "A", "k1")
    assert (again.status, again.headers["tasktwin-reason"]) == (201, "state")
    assert again.json()["id"] != first.json()["id"]


def test_keys_are_forgotten_at_a_reset(twin: Twin) -> None:
    first = post(twin, "A", "k1")
    twin.reset()
    again = post(twin, "A", "k1")
    assert (again.headers["tasktwin-reason"], again.content) == ("state", first.content)


def test_a_key_that_runs_out_is_no_transition(tmp_path: Path) -> None:
    assert world(tmp_path).advance(100 * HOUR) != []
    twin = Twin(str(tmp_path / "jobs"), seeds="empty", **NOW)  # type: ignore[arg-type]
    assert twin.advance(hours=100) == []


def test_keys_of_those_who_died_are_let_go_when_the_next_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKTWIN_STORE", redis_server.url())
    found = worlds(tmp_path).get()
    now = machine_now()

    def hold(key: str, later: int) -> list[str]:
        monkeypatch.setattr(shared_world, "machine_now", lambda: now + later)
        found.agree(lambda: found.running.update({key: "of a request"}))
        return list(found.running)

    assert hold("a", 0) == ["a"]
    assert hold("b", 1) == ["a", "b"]
    assert hold("c", shared_world.HELD) == ["a", "b", "c"]
    assert hold("d", shared_world.HELD + 2) == ["c", "d"]
