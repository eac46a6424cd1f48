"""``Prefer``: a client gets the answer that it wishes for, and nothing in the world changes."""

from collections.abc import Iterator
from functools import cache
from time import monotonic

import httpx2
import pytest
from tests.server.front import ADA, ADAS_TASK, TASK, TASKS, World, assert_problem, serving

from tasktwin import Provider, Twin, load
from tasktwin.contract import Operation
from tasktwin.contract.event import EVENT_STREAM
from tasktwin.wire import Json, loads

NAMES = ("uumit", "aitasker", "posthog")
MADE_UP = "40000000-0000-4000-8000-000000000004"
GIVEN = {"project_id": "1", "repository": "acme/app"}
PATH = TASKS + ADAS_TASK

provider_of = cache(load)


@pytest.fixture(scope="module")
def all_of_them() -> Iterator[str]:
    with serving("--quiet") as (url, _process):
        yield url


def statuses(operation: Operation) -> list[int]:
    """Every status that is declared, and one that only the default covers."""
    keys = operation.responses.by_key
    return [int(key) if key.isdigit() else 507 for key in keys]


def request(provider: Provider, operation: Operation) -> tuple[str, dict[str, Json]]:
    """The path and the rest of a request that keeps the contract, as far as its wording goes."""
    path = operation.path
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    for each in operation.declared:
        value = filler(each.node["name"], operation.resolved(each.node.get("schema", {})), each.node)
        if each.where == "path":
            path = path.replace(f"{{{each.node['name']}}}", value)
        elif each.node.get("required"):
            (query if each.where == "query" else headers)[each.node["name"]] = value
    sent: dict[str, Json] = {"params": query, "headers": headers}
    body = operation.raw.get("requestBody")
    if body and operation.request_media[0] == "multipart/form-data":
        sent["data"], sent["files"] = {"key": "a", "policy": "x", "x": "y"}, {"file": ("a.txt", b"a")}
    elif body:
        sent["json"] = example(provider, body)
    return provider.rules.contract.prefix + path, sent


def filler(name: str, schema: dict[str, Json], node: dict[str, Json]) -> str:
    known = node.get("example", schema.get("example", (schema.get("enum") or [None])[0]))
    made_up = "1" if schema.get("type") == "integer" else MADE_UP if schema.get("format") == "uuid" else "x"
    return GIVEN.get(name, str(known if known is not None else made_up))


def example(provider: Provider, body: Json) -> Json:
    """The first documented example of a body."""
    medium = next(iter(followed(provider, body)["content"].values()))
    if "examples" in medium:
        return followed(provider, next(iter(medium["examples"].values())))["value"]
    return medium.get("example", followed(provider, medium.get("schema", {})).get("example", {}))


def followed(provider: Provider, node: Json) -> Json:
    while "$ref" in node:
        target = provider.rules.contract.document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def granted(api: httpx2.Client, name: str, operation: Operation, wish: str) -> httpx2.Response:
    """The answer to the first demo principal who may ask at all."""
    path, sent = request(provider_of(name), operation)
    for who in provider_of(name).rules.principals.values():
        headers = {**sent["headers"], **who.headers, "Prefer": wish}
        answer = api.request(operation.method, f"/{name}{path}", **{**sent, "headers": headers})
        if answer.headers.get("preference-applied") == wish:
            return answer
    pytest.fail(f"{operation.id}: {answer.status_code} {answer.text}")


def assert_keeps_the_contract(operation: Operation, answer: httpx2.Response) -> None:
    media = answer.headers.get("content-type", "")
    if media == EVENT_STREAM:
        assert b"data: " in answer.content
        return
    body = loads(answer.content) if "json" in media and "jsonl" not in media else answer.text if media else None
    found = operation.check_response(answer.status_code, media, body, dict(answer.headers))
    assert [str(each) for each in found] == [], (operation.id, answer.status_code, answer.text)


@pytest.fixture(scope="module", params=NAMES)
def everything(request: pytest.FixtureRequest, all_of_them: str) -> Iterator[tuple[str, httpx2.Client, httpx2.Client]]:
    """A provider's name, a client of it in a world of its own, and one of the control plane."""
    world = World(all_of_them, f"wishes-{request.param}")
    control = httpx2.Client(
        base_url=f"{all_of_them}/{request.param}/_tasktwin/worlds/{world.name}/control", verify=False
    )
    with world.api as api, control:
        yield request.param, api, control


def test_every_declared_status_of_every_operation_is_answered_and_nothing_changes(
    everything: tuple[str, httpx2.Client, httpx2.Client],
) -> None:
    name, api, control = everything
    assert control.post("/clock", json={"mode": "frozen"}).status_code == 200
    before, transitions = control.get("/state").json(), control.get("/coverage").json()["transitions"]
    for operation in provider_of(name).rules.contract.operations.values():
        for status in statuses(operation):
            answer = granted(api, name, operation, f"code={status}")
            assert answer.status_code == status
            assert answer.headers["tasktwin-reason"] == "example"
            assert_keeps_the_contract(operation, answer)
    assert control.get("/state").json() == before
    assert control.get("/coverage").json()["transitions"] == transitions


def test_a_success_of_every_operation_is_generated_and_the_same_when_asked_again(
    everything: tuple[str, httpx2.Client, httpx2.Client],
) -> None:
    name, api, _ = everything
    for operation in provider_of(name).rules.contract.operations.values():
        first, again = (granted(api, name, operation, "dynamic=true") for _ in range(2))
        assert first.status_code == operation.success
        assert_keeps_the_contract(operation, first)
        assert first.content == again.content


def asked(
    prefer: str, method: str = "GET", path: str = PATH, seed: int = 0, **sent: Json
) -> tuple[int, dict[str, str], Json]:
    twin = Twin("uumit", seed=seed, now="2026-01-01T00:00:00Z", clock="frozen")
    answer = twin.request(method, path, as_="agent_ada", headers={"Prefer": prefer}, **sent)
    return answer.status, dict(answer.headers), answer.json()


def test_one_seed_generates_one_body_and_another_seed_another() -> None:
    bodies = [asked("dynamic=true", seed=seed)[2] for seed in (1, 1, 2)]
    assert bodies[0] == bodies[1] != bodies[2]


def test_an_error_is_told_in_the_providers_own_words() -> None:
    status, headers, body = asked("code=429")
    assert (status, body["code"], headers["retry-after"]) == (429, 1009, "1")


def test_a_wished_success_creates_nothing() -> None:
    twin = Twin("uumit")
    before = twin.world.store.stamp("task")
    answer = twin.request("POST", TASKS, json=TASK, as_="human_alice", headers={"Prefer": "code=200"})
    assert answer.status == 200
    assert answer.json()["data"]["id"]
    assert twin.request("GET", f"{TASKS}{answer.json()['data']['id']}", as_="human_alice").status == 404
    assert twin.world.store.stamp("task") == before


def test_a_named_example_is_answered(all_of_them: str) -> None:
    operation = provider_of("posthog").rules.contract.operations["streamRun"]
    with httpx2.Client(base_url=all_of_them, verify=False, timeout=30) as api:
        answer = granted(api, "posthog", operation, "example=keepalive")
    assert answer.headers["content-type"].startswith(EVENT_STREAM)
    assert answer.text == 'event: keepalive\ndata: {"type":"keepalive"}\n\n'


def test_a_named_example_of_a_wished_status_is_answered(all_of_them: str) -> None:
    operation = provider_of("posthog").rules.contract.operations["createTask"]
    with httpx2.Client(base_url=all_of_them, verify=False, timeout=30) as api:
        answer = granted(api, "posthog", operation, "code=400, example=json")
    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")


MISTAKES = {
    "code=301": (400, "getTask does not answer 301. It declares 200, 400, 401, 403, 404, 429, default"),
    "code=abc": (400, "it takes 200 to 599"),
    "code=100": (400, "it takes 200 to 599"),
    "code=": (400, "it takes 200 to 599"),
    "example=nope": (400, "getTask with 200 has no example 'nope'. Known are open, closed"),
    "code=404, example=nope": (400, "getTask with 404 has no example 'nope'"),
    "wait=61": (400, "at most 60"),
    "wait=-1": (400, "it takes seconds"),
    "wait=nan": (400, "it takes seconds"),
    "dynamic=perhaps": (400, "neither true nor false"),
}


@pytest.mark.parametrize("prefer", MISTAKES)
def test_a_wish_that_cannot_be_granted_is_told(prefer: str, world: World) -> None:
    status, detail = MISTAKES[prefer]
    answer = world.api.get(PATH, headers={**ADA, "Prefer": prefer})
    assert detail in assert_problem(answer, status)["detail"]
    assert answer.headers["tasktwin-reason"] == "refused: wish"
    assert "preference-applied" not in answer.headers


@pytest.mark.parametrize("prefer", ["handling=lenient", "return=minimal; foo=bar", "dynamic=false", "respond-async"])
def test_other_wishes_are_ignored(prefer: str) -> None:
    status, headers, body = asked(prefer)
    assert (status, headers["tasktwin-reason"], body["data"]["id"]) == (200, "state", ADAS_TASK)
    assert "preference-applied" not in headers


@pytest.mark.parametrize(
    ("prefer", "status"), [("wait=0.4", 200), ("wait=0.4, code=404", 404)], ids=["alone", "with code"]
)
def test_the_answer_waits_as_long_as_is_wished_every_time(prefer: str, status: int, world: World) -> None:
    for _ in range(2):
        began = monotonic()
        answer = world.api.get(PATH, headers={**ADA, "Prefer": prefer})
        assert monotonic() - began >= 0.4
        assert (answer.status_code, answer.headers["preference-applied"]) == (status, prefer)


def test_others_are_served_while_one_waits(world: World) -> None:
    slow = httpx2.Client(base_url=world.origin, headers={"Tasktwin-World": world.name}, verify=False, timeout=0.3)
    with slow, pytest.raises(httpx2.TimeoutException):
        slow.get(PATH, headers={**ADA, "Prefer": "wait=5"})
    began = monotonic()
    assert world.api.get(PATH, headers=ADA).status_code == 200
    assert monotonic() - began < 3


def test_a_wish_is_not_remembered_for_who_has_none(world: World) -> None:
    plain = [world.api.get(PATH, headers=ADA).json()["data"]]
    for prefer in ("code=200", "code=404", "wait=0.1"):
        world.api.get(PATH, headers={**ADA, "Prefer": prefer})
        plain.append(world.api.get(PATH, headers=ADA).json()["data"])
    assert plain == [plain[0]] * 4
    assert world.api.get(PATH, headers={**ADA, "Prefer": "code=404"}).status_code == 404


def test_who_is_not_signed_in_learns_that_whatever_is_wished() -> None:
    answer = Twin("uumit").request("GET", PATH, headers={"Prefer": "code=200"})
    assert (answer.status, answer.headers["tasktwin-reason"]) == (401, "refused: not_authenticated")


def test_who_sends_a_wrong_body_learns_that_whatever_is_wished() -> None:
    status, headers, _ = asked("code=409", "POST", TASKS, json={"title": ""})
    assert (status, headers["tasktwin-reason"]) == (422, "refused: invalid")
    assert "preference-applied" not in headers


def test_a_wished_answer_is_not_replayed_for_its_idempotency_key() -> None:
    twin = Twin("uumit")
    key = {"Idempotency-Key": "k"}
    wished = twin.request("POST", TASKS, json=TASK, as_="human_alice", headers={**key, "Prefer": "code=409"})
    real = twin.request("POST", TASKS, json=TASK, as_="human_alice", headers=key)
    assert (wished.status, real.status, real.headers["tasktwin-reason"]) == (409, 200, "state")
