"""A real FastAPI app with the same models and the served twin receive the same 300 bodies, and answer the same."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator

import httpx2
import pytest
import uvicorn
from tests.aitasker import fastapi_app as real

from tasktwin.wire import Json

HEADERS = {"Authorization": "Bearer aitk_live_poster", "Content-Type": "application/json"}
ONE = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
SEVERAL = 50
"""So many creates fit into the limit of a minute."""


@pytest.fixture(scope="module")
def fastapi() -> Iterator[httpx2.Client]:
    """The real app on a free port."""
    config = uvicorn.Config(real.app, port=0, log_level="critical", ws="none", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=HEADERS) as client:
        yield client
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def served(serve: Callable[..., str]) -> Iterator[httpx2.Client]:
    """The twin on a free port."""
    with httpx2.Client(base_url=serve("aitasker"), headers=HEADERS) as client:
        yield client


def test_created_tasks_agree(fastapi: httpx2.Client, served: httpx2.Client) -> None:
    differences, seen = [], []
    for n, body in enumerate(real.bodies(1, 200, real.VALID)):
        if n % SEVERAL == 0:
            served.post("/_tasktwin/reset")
        ours, theirs = (each.post("/api/v1/tasks", content=body) for each in (served, fastapi))
        differences += differing(body, ours, theirs, untold(body))
        seen.append(theirs.status_code)
    assert differences == []
    assert {status: seen.count(status) > 30 for status in set(seen)} == {201: True, 422: True}


def test_changed_drafts_agree(fastapi: httpx2.Client, served: httpx2.Client) -> None:
    made = served.post("/api/v1/tasks/draft", content=b"{}").json()["id"]
    real.draft.update(real.EMPTY)
    differences, seen = [], []
    for body in real.bodies(2, 100, {}):
        ours = served.patch(f"/api/v1/tasks/{made}", content=body)
        theirs = fastapi.patch(f"/api/v1/tasks/{ONE}", content=body)
        differences += differing(body, ours, theirs)
        seen.append(theirs.status_code)
    assert differences == []
    assert {status: seen.count(status) > 20 for status in set(seen)} == {200: True, 422: True}


@pytest.mark.parametrize("body", ["{", "{}", '{"budget_usd": 2}'], ids=["malformed", "empty", "invalid"])
@pytest.mark.parametrize("path", [f"/api/v1/tasks/{ONE}", "/api/v1/tasks/zzz"], ids=["a path", "a bad path"])
def test_requests_without_a_token_agree(fastapi: httpx2.Client, served: httpx2.Client, path: str, body: str) -> None:
    ours, theirs = (each.patch(path, content=body, headers={"Authorization": ""}) for each in (served, fastapi))
    assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json())


@pytest.mark.parametrize("body", ["{", "{}", '{"budget_usd": 2, "title": 5}', "[]", ""])
def test_faults_of_the_path_and_the_body_agree(fastapi: httpx2.Client, served: httpx2.Client, body: str) -> None:
    ours, theirs = (each.patch("/api/v1/tasks/zzz", content=body) for each in (served, fastapi))
    assert (ours.status_code, ours.json()) == (theirs.status_code, theirs.json())


def differing(
    body: bytes, ours: httpx2.Response, theirs: httpx2.Response, unsaid: Iterable[str] = ()
) -> list[tuple[bytes, Json, Json]]:
    """Nothing, or what was sent with both answers. Of a task only what the real app answers too can agree."""
    told, expected = ours.json(), theirs.json()
    if theirs.is_success and ours.is_success:
        expected = {name: value for name, value in expected.items() if name not in unsaid}
        told = {name: told[name] for name in expected}
    if (ours.status_code, told) == (theirs.status_code, expected):
        return []
    return [(body, (ours.status_code, told), (theirs.status_code, expected))]


def untold(body: bytes) -> set[str]:
    """The twin makes up the title that nobody sent."""
    try:
        sent = json.loads(body)
    except ValueError:
        return set()
    return {"title"} if isinstance(sent, dict) and sent.get("title") is None else set()
