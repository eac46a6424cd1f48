"""The control plane's own contract, and what holds for all of its routes: methods, bodies, errors, the token."""

from collections.abc import Iterator

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.server.front import (
    ADA,
    ADAS_TASK,
    ALICES_TASK,
    TASKS,
    World,
    ask,
    assert_problem,
    serving,
)

from tasktwin.server.control.contract import control_document
from tasktwin.wire import dumps

DOCUMENT = control_document()
ROUTES = [
    (method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item if method != "parameters"
]
STREAM = "/journal/stream"
"""Its GET never ends by itself; ``test_journal_stream.py`` has its HEAD."""
VALUES = {"{name}": "default", "{collection}": "task", "{id}": ALICES_TASK, "{trigger}": "cancel"}


def concrete(path: str) -> str:
    """A path of the document with its placeholders filled in."""
    for placeholder, value in VALUES.items():
        path = path.replace(placeholder, value)
    return path


# ── all routes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_contract_is_valid_openapi_and_is_served(world: World) -> None:
    served = world.control.get("/openapi.json")
    assert served.json() == DOCUMENT
    assert list(OpenAPIV31SpecValidator(DOCUMENT).iter_errors()) == []


@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_options_names_the_methods_of_a_route(world: World, path: str) -> None:
    allowed = {method for method, each in ROUTES if each == path}
    answer = world.control.options(concrete(path))
    assert (answer.status_code, answer.content) == (204, b"")
    named = set(answer.headers["allow"].split(", "))
    assert named == allowed | {"OPTIONS"} | ({"HEAD"} if "GET" in allowed else set())


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("path", DOCUMENT["paths"])
def test_another_method_is_refused(world: World, path: str, method: str) -> None:
    answer = world.control.request(method, concrete(path))
    assert_problem(answer, 405)
    assert "OPTIONS" in answer.headers["allow"]


@pytest.mark.parametrize("path", [path for method, path in ROUTES if method == "GET" and path != STREAM])
def test_head_has_the_headers_of_get_and_no_body(world: World, path: str) -> None:
    world.control.post("/clock", json={"mode": "frozen"})
    path = f"/_tasktwin/worlds/{world.name}/control{concrete(path).replace('default', 'task')}"
    got, headed = ask(world.origin, "GET", path), ask(world.origin, "HEAD", path)
    assert (headed.status, headed.body) == (got.status, b"")
    assert {**headed.headers, "date": "", "content-length": ""} == {**got.headers, "date": "", "content-length": ""}


UNKNOWN = ["/nope", "/state/task/x/y", "/..", "/%2e%2e", "/journal.xml", "/health/x", "/snapshots/x"]


@pytest.mark.parametrize("path", UNKNOWN)
def test_an_unknown_route_is_refused_and_the_contract_named(origin: str, path: str) -> None:
    problem = assert_problem(ask(origin, "GET", f"/_tasktwin{path}"), 404)
    assert "/_tasktwin/openapi.json" in problem["detail"]


BODIED = {
    "createWorld": ("POST", "/worlds"),
    "putFaults": ("PUT", "/faults"),
    "putLimits": ("PUT", "/limits"),
    "putRow": ("PUT", f"/state/task/{ALICES_TASK}"),
    "setClock": ("POST", "/clock"),
    "fireTrigger": ("POST", "/events/cancel"),
    "takeSnapshot": ("POST", "/snapshots"),
    "issueToken": ("POST", "/tokens"),
}
WRONG = {
    "not JSON": (b"{", "application/json", 400),
    "not UTF-8": (b'{"name": "\xff"}', "application/json", 400),
    "10,000 levels": (b"[" * 10_000, "application/json", 400),
    "NaN": (b'{"advance": NaN}', "application/json", 400),
    "a lone surrogate": (rb'{"name": "\ud800"}', "application/json", 400),
    "a list": (b"[[]]", "application/json", 400),
    "null": (b"null", "application/json", 400),
    "a string": (b'"x"', "application/json", 400),
    "text": (b"{}", "text/plain", 415),
    "too large": (b" " * 1_048_577, "application/json", 413),
}


def test_the_table_of_bodies_has_every_route_that_takes_one() -> None:
    operations = [each for item in DOCUMENT["paths"].values() for each in item.values() if isinstance(each, dict)]
    assert {each["operationId"] for each in operations if "requestBody" in each} == set(BODIED)


def test_a_body_without_its_media_type_is_told_what_to_send(world: World) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    problem = assert_problem(world.control.post("/clock", content=b'{"advance": 1}', headers=form), 415)
    assert problem["detail"].endswith("Send Content-Type: application/json")


@pytest.mark.parametrize("target", BODIED.values(), ids=BODIED)
@pytest.mark.parametrize(("body", "media", "status"), WRONG.values(), ids=WRONG)
def test_a_wrong_body_is_refused_and_changes_nothing(
    world: World, target: tuple[str, str], body: bytes, media: str, status: int
) -> None:
    before, worlds = world.evidence(), len(world.control.get("/worlds").json()["worlds"])
    assert_problem(world.control.request(*target, content=body, headers={"Content-Type": media}), status)
    assert world.evidence() == before
    assert world.control.get("/snapshots").json() == {"snapshots": []}
    assert len(world.control.get("/worlds").json()["worlds"]) == worlds


def test_every_error_is_as_the_contract_says(world: World) -> None:
    answer = assert_problem(world.control.post("/clock", json={"advance": -1, "x": 1}), 400)
    assert {each["pointer"] for each in answer["violations"]} == {"/advance", "/x"}


# ── the token ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def guarded() -> Iterator[str]:
    """The base URL of a twin whose control plane asks for a token."""
    with serving("uumit", "--quiet", "--control-token", "s3cret") as (url, _process):
        yield url


@pytest.mark.parametrize(
    "given", ["", "s3cret", "Basic s3cret", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cretx", "Bearer \xff"]
)
@pytest.mark.parametrize(("method", "path"), [each for each in ROUTES if each[1] != "/health"])
def test_every_route_but_health_wants_the_token(guarded: str, method: str, path: str, given: str) -> None:
    reply = ask(guarded, method, f"/_tasktwin{concrete(path)}", {"Authorization": given})
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert method == "HEAD" or reply.json()["status"] == 401


def test_with_the_token_the_control_plane_answers(guarded: str) -> None:
    for word in ("Bearer", "bearer"):
        headers = {"Authorization": f"{word} s3cret"}
        assert ask(guarded, "GET", "/_tasktwin/state", headers).status == 200
        assert ask(guarded, "GET", "/_tasktwin/worlds/w/control/state", headers).status == 200


def test_health_and_the_api_want_no_token(guarded: str) -> None:
    assert ask(guarded, "GET", "/_tasktwin/health").status == 200
    assert ask(guarded, "GET", f"{TASKS}{ADAS_TASK}", ADA).status == 200


def test_a_refused_caller_learns_and_changes_nothing(guarded: str) -> None:
    body = dumps({"name": "intruder"})
    assert ask(guarded, "POST", "/_tasktwin/worlds", {"Content-Type": "application/json"}, body).status == 401
    worlds = ask(guarded, "GET", "/_tasktwin/worlds", {"Authorization": "Bearer s3cret"}).json()["worlds"]
    assert "intruder" not in [each["name"] for each in worlds]
