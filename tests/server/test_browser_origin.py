"""A real Chromium on pages of other origins: they may use the API, and cannot drive the control plane."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page
from tests.browser import PATIENCE, chromium
from tests.server.front import ALICE, ALICES_TASK, TASK, TASKS, World, serving
from tests.server.test_browser import KEY, RUNS, by_path

from tasktwin.wire import Json, dumps

SCRIPT = Path(__file__).with_name("browser_caller.js")
EXAMPLES = "--host-resolver-rules=MAP *.example 127.0.0.1"
"""Names that their owner may point anywhere point to this machine."""

Visit: TypeAlias = Callable[[str], Page]

_NUMBERS = count(1)


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        """Any page is an empty one."""
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>a page</title><body></body>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for which all names under ``example`` are this machine."""
    with chromium(EXAMPLES) as browser:
        yield browser


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    """The port of a server of empty pages, which is no twin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Blank)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Open a page, with the functions of the script in it."""
    context = browser.new_context()

    def visit(url: str) -> Page:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(url)
        page.add_script_tag(path=SCRIPT)
        return page

    yield visit
    context.close()


def call(page: Page, url: str, **options: Json) -> Json:
    """What the page learns of an answer."""
    return page.evaluate("([url, options]) => call(url, options)", [url, options])


def send_hidden(page: Page, way: str, url: str, body: str) -> int:
    """The status of an answer that the page itself cannot read."""
    with page.expect_response(url) as answer:
        page.evaluate("([way, url, body]) => void hidden[way](url, 'text/plain', body)", [way, url, body])
    return answer.value.status


def control(world: World, path: str) -> str:
    return f"{world.origin}/_tasktwin/worlds/{world.name}/control{path}"


def still(world: World) -> Json:
    """What a page that drives the control plane would change."""
    return {
        "tasks": [each["title"] for each in world.rows("task")],
        "now": world.control.get("/clock").json()["mode"],
        "journal": len(world.entries()),
        "snapshots": world.control.get("/snapshots").json(),
        "faults": world.control.get("/faults").json(),
    }


# ── the API ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_page_of_this_machine_sends_what_needs_a_question_and_reads_every_header(
    visit: Visit, site: int, world: World
) -> None:
    page = visit(f"http://localhost:{site}/")
    sent = {**ALICE, "Tasktwin-World": world.name, "Content-Type": "application/json", "Idempotency-Key": "k-1"}
    made = [
        call(page, world.origin + TASKS, method="POST", headers=sent, body=dumps(TASK).decode(), credentials="include")
        for _ in range(2)
    ]
    assert [each["status"] for each in made] == [200, 200]
    assert made[0]["text"] == made[1]["text"]
    assert {"tasktwin-world", "tasktwin-reason", "content-type"} <= set(made[0]["headers"])
    assert [each["reason"] for each in world.entries()][1:] == ["replay"]


ANSWERS = {
    "GET": (TASKS + ALICES_TASK, 200),
    "PUT": (TASKS + ALICES_TASK, 200),
    "DELETE": (TASKS + ALICES_TASK, 405),
    "PATCH": ("/nope", 404),
}


@pytest.mark.parametrize("method", ANSWERS)
@pytest.mark.parametrize("credentials", ["include", "omit"])
def test_each_method_and_each_error_is_read(
    visit: Visit, site: int, world: World, credentials: str, method: str
) -> None:
    path, status = ANSWERS[method]
    page = visit(f"http://app.localhost:{site}/")
    body = {"body": '{"title": "new"}'} if method == "PUT" else {}
    sent = {**ALICE, "Content-Type": "application/json"}
    answer = call(page, by_path(world, path), method=method, headers=sent, credentials=credentials, **body)
    assert (answer.get("status"), answer.get("type")) == (status, "cors"), answer
    assert "tasktwin-reason" in answer["headers"]


@pytest.mark.parametrize("credentials", [False, True])
def test_a_page_of_another_origin_listens_to_a_stream(visit: Visit, site: int, credentials: bool) -> None:  # noqa: FBT001 - what EventSource takes
    with serving("posthog", "--quiet") as (url, _process):
        world = World(url, "streams")
        made = world.api.post(RUNS, json={"environment": "cloud"}, headers={"Authorization": f"Bearer {KEY}"}).json()
        stream = by_path(world, f"{RUNS}{made['id']}/stream/?personal_api_key={KEY}")
        page = visit(f"http://localhost:{site}/")
        told = page.evaluate("([url, credentials]) => firstEvent(url, credentials)", [stream, credentials])
        world.close()
    assert json.loads(told)["run_id"] == made["id"]


def test_a_page_from_elsewhere_reads_nothing_and_what_needs_a_question_is_not_sent(
    visit: Visit, site: int, world: World
) -> None:
    page = visit(f"http://app.example:{site}/")
    sent = {**ALICE, "Content-Type": "application/json"}
    assert call(page, by_path(world, "/api/v1/categories")) == {"error": "TypeError"}
    before = len(world.entries())
    assert call(page, by_path(world, "/api/v1/wallet"), headers=ALICE) == {"error": "TypeError"}
    put = call(page, by_path(world, TASKS + ALICES_TASK), method="PUT", headers=sent, body='{"title": "new"}')
    assert (put, len(world.entries())) == ({"error": "TypeError"}, before)


def test_a_page_from_elsewhere_reads_all_once_its_origin_is_named(visit: Visit, site: int) -> None:
    with serving("uumit", "--quiet", "--cors", f"http://app.example:{site}") as (url, _process):
        answer = call(visit(f"http://app.example:{site}/"), f"{url}/api/v1/wallet", headers=ALICE)
        assert answer["status"] == 200
        page = visit(f"http://www.example:{site}/")
        assert call(page, f"{url}/api/v1/wallet", headers=ALICE) == {"error": "TypeError"}


# ── the control plane ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "evil.example"])
def test_the_control_plane_lets_no_page_of_another_origin_read_or_write(
    visit: Visit, site: int, world: World, host: str
) -> None:
    world.post_task(title="still here")
    before = still(world)
    page = visit(f"http://{host}:{site}/")
    for path in ("", "/state", "/journal", "/state/task"):
        assert call(page, control(world, path)) == {"error": "TypeError"}
    for method, path in (("POST", "/reset"), ("DELETE", "/journal"), ("POST", "/snapshots")):
        assert call(page, control(world, path), method=method) == {"error": "TypeError"}
    assert page.evaluate("url => firstEvent(url)", control(world, "/journal/stream?since=0")) is None
    assert still(world) == before


@pytest.mark.parametrize("way", ["fetch", "blob", "beacon", "form"])
@pytest.mark.parametrize("path", ["/reset", "/clock", "/snapshots"])
def test_what_a_page_may_send_without_reading_has_no_effect(
    visit: Visit, site: int, world: World, path: str, way: str
) -> None:
    world.post_task(title="still here")
    before = still(world)
    body = {"/clock": '{"mode": "frozen"}', "/snapshots": '{"name": "made"}'}.get(path, '{"x": "y"}')
    page = visit(f"http://evil.example:{site}/")
    assert send_hidden(page, way, control(world, path), body) == 403
    assert still(world) == before


def test_no_page_makes_worlds_through_the_control_plane(visit: Visit, site: int, world: World) -> None:
    page = visit(f"http://evil.example:{site}/")
    page.evaluate("url => look(url)", f"{world.origin}/_tasktwin/worlds/unborn/control/state")
    names = world.api.get("/_tasktwin/worlds").json()["worlds"]
    assert "unborn" not in [each["name"] for each in names]


def test_the_twins_own_page_reads_writes_and_listens(visit: Visit, world: World) -> None:
    page = visit(f"{world.origin}/_tasktwin")
    world.post_task(title="gone soon")
    told = page.evaluate("url => firstEvent(url)", control(world, "/journal/stream?since=0"))
    assert json.loads(told)["operation"] == "createTask"
    assert call(page, control(world, "/state"))["status"] == 200
    assert call(page, control(world, "/reset"), method="POST")["status"] == 200
    assert "gone soon" not in still(world)["tasks"]


def test_a_link_from_elsewhere_leads_to_the_page(visit: Visit, site: int, world: World) -> None:
    page = visit(f"http://app.example:{site}/")
    with page.expect_navigation() as led:
        page.evaluate("url => { location.href = url }", f"{world.origin}/_tasktwin")
    assert led.value.status == 200
    assert "UUMit" in page.content()


def test_a_name_that_was_pointed_here_drives_nothing(visit: Visit, world: World) -> None:
    world.post_task(title="still here")
    before = still(world)
    evil = f"http://evil.example:{urlsplit(world.origin).port}"
    page = visit(f"{evil}/_tasktwin")
    assert "421" in page.content()
    assert "--control-token" in page.content()
    page = visit(f"{evil}/nope")
    root = f"/_tasktwin/worlds/{world.name}/control"
    for method, path in (("GET", "/state"), ("POST", "/reset"), ("DELETE", "/journal")):
        assert call(page, root + path, method=method)["status"] == 421
    assert page.evaluate("url => firstEvent(url)", f"{root}/journal/stream?since=0") is None
    assert still(world) == before
