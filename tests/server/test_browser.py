"""A real Chromium reads the streams: live, cut off inside an event, resumed, and in each trouble that a browser meets."""

import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TypeAlias

import pytest
from playwright.sync_api import Browser
from tests.browser import Reader, Told, chromium
from tests.server.front import ADA, ALICE, OTTO, World, serving

from tasktwin.wire import Json

SCRIPT = Path(__file__).with_name("browser_page.js")
KEY = "phx_ada_all"
RUNS = "/api/projects/@current/tasks/10000000-0000-4000-8000-000000000002/runs/"
STATE = ("status", "stage", "output", "branch", "error_message", "updated_at", "completed_at")
OPEN, CUT, END = ({"notice": notice} for notice in ("open", "cut", "end"))
CONNECTING, CLOSED = ({"notice": "error", "state": state} for state in (0, 2))
"""What an ``EventSource`` is after an error: it will connect again, or it has given up."""

Visit: TypeAlias = Callable[[str], Reader]

_NUMBERS = count(1)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all tests of this file that a process runs."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Open the page of a twin, with no memory of others. It may read what its own twin serves."""
    context = browser.new_context()
    yield lambda origin: Reader(context.new_page(), f"{origin}/_tasktwin", SCRIPT)
    context.close()


@pytest.fixture(scope="module")
def posthog() -> Iterator[str]:
    """The base URL of ``tasktwin serve posthog``."""
    with serving("posthog", "--quiet") as (url, _process):
        yield url


class Run:
    """A run of Ada's that was just created; ``caused`` is what its stream has to say of all that was done to it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.id, self.caused = "", list[Json]()
        run = self._ask("POST", "", {"environment": "cloud"})
        self.id = run["id"]
        self.caused.append(_state(run))

    @property
    def url(self) -> str:
        """Its stream, with the world and the key in the URL: an ``EventSource`` sends no headers."""
        return by_path(self.world, f"{RUNS}{self.id}/stream/?personal_api_key={KEY}")

    def go_on(self, times: int) -> None:
        """So much happens: its log grows, and its stage changes, by turns."""
        for number in range(len(self.caused), len(self.caused) + times):
            if number % 2:
                self.caused.append(_console(number))
                self._ask("POST", "/append_log/", {"entries": self.caused[-1:]})
            else:
                self.caused.append(_state(self._ask("PATCH", "/", {"stage": f"stage {number} € ü"})))

    def _ask(self, method: str, path: str, body: Json) -> Json:
        return ask(self.world, method, f"{RUNS}{self.id}{path}", body, {"Authorization": f"Bearer {KEY}"})


@pytest.fixture
def run(posthog: str) -> Iterator[Run]:
    """A run in a world that no other test has seen."""
    world = World(posthog, f"browser-{next(_NUMBERS)}")
    yield Run(world)
    world.close()


def _state(run: Json) -> Json:
    told = {"type": "task_run_state", "run_id": run["id"], "task_id": run["task"]}
    return told | {field: run[field] for field in STATE}


def _console(number: int) -> Json:
    said = {"jsonrpc": "2.0", "method": "_posthog/console", "params": {"message": f"line {number}\n€ ü"}}
    return {"type": "notification", "timestamp": "2026-05-12T09:31:04.120Z", "notification": said}


def by_path(world: World, path: str) -> str:
    """The URL of a path in a world, for clients that cannot send a header."""
    return f"{world.origin}/_tasktwin/worlds/{world.name}/api{path}"


def ask(world: World, method: str, path: str, body: Json, headers: dict[str, str]) -> Json:
    """What a request of somebody else's is answered; it succeeds."""
    answer = world.api.request(method, path, json=body, headers=headers)
    assert answer.is_success, answer.text
    return answer.json()


def order(world: World, *faults: Json) -> None:
    """Order trouble."""
    answer = world.control.put("/faults", json=list(faults))
    assert answer.is_success, answer.text


def trouble(operation: str, do: Json, **match: int) -> Json:
    return {"match": {"operation": operation, **match}, "do": do}


def opened(world: World, operation: str) -> list[tuple[int, str]]:
    """How often a stream was asked for: the status of the answer, and after which event it was to go on."""
    headers = [(each["status"], dict(each["request"]["headers"])) for each in world.entries(operation=operation)]
    return [(status, sent.get("last-event-id", "")) for status, sent in headers]


def closed(world: World) -> list[str]:
    return [each["reason"] for each in world.entries() if each["reason"].startswith("stream closed: ")]


def data(told: list[Told]) -> list[Json]:
    return [each.json() for each in told]


def assert_each_once(told: list[Told], caused: list[Json]) -> None:
    """Nothing is lost, nothing comes twice, all is in order."""
    assert data(told) == caused
    ids = [tuple(map(int, each.id.split("-"))) for each in told]
    assert ids == sorted(set(ids))


# ── EventSource, the browser's own reader ────────────────────────────────────────────────────────────────────────────


def test_a_page_is_told_what_others_do_as_they_do_it(visit: Visit, run: Run) -> None:
    page = visit(run.world.origin)
    page.listen(run.url)
    for _ in range(4):
        assert_each_once(page.wait_for(len(run.caused)), run.caused)
        run.go_on(1)
    assert_each_once(page.wait_for(len(run.caused)), run.caused)
    assert page.noticed() == [OPEN]


def test_cut_off_inside_an_event_the_browser_comes_back_and_misses_nothing(visit: Visit, run: Run) -> None:
    order(run.world, trouble("streamRun", {"stream": "cut", "event": 3, "byte": 20}, times=1))
    page = visit(run.world.origin)
    page.listen(run.url)
    run.go_on(1)
    before = page.wait_for(2)
    run.go_on(3)
    page.wait_until(**CONNECTING)
    assert page.told() == before
    run.go_on(3)  # while nobody listens
    page.wait_for(len(run.caused))
    run.go_on(2)
    assert_each_once(page.wait_for(len(run.caused)), run.caused)
    assert page.noticed() == [OPEN, CONNECTING, OPEN]
    assert opened(run.world, "streamRun") == [(200, ""), (200, before[-1].id)]


LEGAL = {
    "crlf": {"stream": "crlf"},
    "cr": {"stream": "cr"},
    "a byte order mark": {"stream": "bom"},
    "retry": {"stream": "retry", "retry": 20},
}


@pytest.mark.parametrize("do", LEGAL.values(), ids=LEGAL)
def test_what_is_unusual_but_legal_is_read_as_usual(visit: Visit, run: Run, do: Json) -> None:
    order(run.world, trouble("streamRun", do))
    page = visit(run.world.origin)
    page.listen(run.url)
    page.wait_for(1)
    run.go_on(4)
    assert_each_once(page.wait_for(len(run.caused)), run.caused)
    assert page.noticed() == [OPEN]


def test_what_comes_twice_has_the_same_id(visit: Visit, run: Run) -> None:
    order(run.world, trouble("streamRun", {"stream": "duplicate", "event": 2}))
    page = visit(run.world.origin)
    page.listen(run.url)
    run.go_on(3)
    told = page.wait_for(len(run.caused) + 1)
    assert told[1] == told[2]
    assert_each_once([*dict.fromkeys(told)], run.caused)


@pytest.mark.parametrize("status", [204, 503])
def test_refused_as_it_comes_back_the_browser_gives_up(visit: Visit, run: Run, status: int) -> None:
    cut = trouble("streamRun", {"stream": "cut", "event": 2}, times=1)
    order(run.world, cut, trouble("streamRun", {"status": status}, after=1))
    page = visit(run.world.origin)
    page.listen(run.url)
    before = page.wait_for(1)
    run.go_on(2)
    page.wait_until(**CLOSED)
    assert page.told() == before
    assert page.noticed() == [OPEN, CONNECTING, CLOSED]
    assert opened(run.world, "streamRun") == [(200, ""), (status, before[-1].id)]


NO_STREAM: dict[str, Json] = {
    "204": {"status": 204},
    "500": {"status": 500},
    "another content type": {"corrupt": "content-type"},
}


@pytest.mark.parametrize("do", NO_STREAM.values(), ids=NO_STREAM)
def test_what_is_no_stream_is_not_asked_for_again(visit: Visit, run: Run, do: Json) -> None:
    order(run.world, trouble("streamRun", do))
    page = visit(run.world.origin)
    page.listen(run.url)
    page.wait_until(**CLOSED)
    assert (page.noticed(), page.told()) == ([CLOSED], [])
    assert len(opened(run.world, "streamRun")) == 1


def test_an_event_called_error_is_more_than_a_lost_connection(visit: Visit, run: Run) -> None:
    page = visit(run.world.origin)
    page.listen(run.url)
    first = page.wait_for(1)[0]
    assert run.world.control.post("/events/break_stream", json={"id": run.id}).is_success
    last = page.wait_for(2)[-1]
    assert (last.event, [*last.json()], last.id) == ("error", ["error"], first.id)
    page.wait_until(**CONNECTING)


LEAVE: dict[str, Callable[[Reader], None]] = {
    "that hangs up": Reader.hang_up,
    "that goes elsewhere": Reader.leave,
    "that is closed": Reader.close,
}


@pytest.mark.parametrize("leave", LEAVE.values(), ids=LEAVE)
def test_a_page_leaves_nothing_behind(visit: Visit, run: Run, leave: Callable[[Reader], None]) -> None:
    page = visit(run.world.origin)
    page.listen(run.url)
    page.wait_for(1)
    assert closed(run.world) == []
    leave(page)
    until = time.monotonic() + 3
    while not closed(run.world) and time.monotonic() < until:
        time.sleep(0.02)
    assert len(closed(run.world)) == 1


# ── streams that answer a POST: fetch, and the standard's parser in the page ─────────────────────────────────────────

WISH = {"description": "帮我设计一个 Logo, 预算 300 元"}
IN_A_CHARACTER = {"stream": "cut", "event": 3, "byte": 92}
DRAFTED = ["stage", "stage", "partial", "partial", "partial", "partial", "partial", "done"]
ORDERS = "/api/v1/transactions"
WAY = ((ADA, "freeze"), (OTTO, "accept"), (OTTO, "deliver"), (ADA, "confirm"))


def test_a_draft_that_is_cut_off_is_told_on_and_made_once(visit: Visit, world: World) -> None:
    order(world, trouble("createTaskByDescription", IN_A_CHARACTER, times=1))
    page = visit(world.origin)
    page.follow(by_path(world, "/api/v1/tasks/ai-create"), WISH, ALICE)
    page.wait_until(**END)
    told = page.told()
    assert [each.event for each in told] == DRAFTED
    task = ask(world, "GET", f"/api/v1/tasks/{told[-1].json()['id']}", None, ALICE)["data"]
    assert told[-1].json() == task
    assert {each["field"]: each["value"] for each in data(told[2:-1])}.items() <= task.items()
    (made,) = world.rows("generation")
    assert [each.id for each in told] == [f"{made['id']}:{number}" for number in range(1, 9)]
    assert page.noticed() == [OPEN, CUT, OPEN, END]
    assert opened(world, "createTaskByDescription") == [(200, ""), (200, page.told(until=CUT)[-1].id)]


def rpc(world: World, who: dict[str, str], method: str, params: Json) -> Json:
    """The answer to a request that succeeds, whose id is that of the page's subscription."""
    said = ask(world, "POST", "/a2a", request(method, params), who)
    assert "result" in said, said
    return said


def request(method: str, params: Json) -> Json:
    return {"jsonrpc": "2.0", "id": "page-1", "method": method, "params": params}


SUBSCRIBED: dict[str, Json] = {"cut off inside an event": {"stream": "cut", "event": 3, "byte": 40}, **LEGAL}


@pytest.mark.parametrize("do", SUBSCRIBED.values(), ids=SUBSCRIBED)
def test_a_subscription_tells_each_step_of_an_order_once(visit: Visit, world: World, do: Json) -> None:
    bought = rpc(world, ADA, "tasks/send", {"capability_id": "cap_ocr_invoice_v1"})["result"]["id"]
    caused = [rpc(world, ADA, "tasks/get", {"id": bought})]
    order(world, trouble("sendAgentRequest", do, times=1))
    page = visit(world.origin)
    page.follow(by_path(world, "/a2a"), request("tasks/sendSubscribe", {"id": bought}), ADA)
    for who, verb in WAY:
        page.wait_for(len(caused))
        ask(world, "POST", f"{ORDERS}/{bought}/{verb}", None, who)
        caused.append(rpc(world, ADA, "tasks/get", {"id": bought}))
    page.wait_until(**END)
    told = page.told()
    assert data(told) == caused
    assert [each.event for each in told] == ["task"] * len(caused)
    assert [each.id for each in told] == sorted({each.id for each in told}, key=int)
    was_cut = do["stream"] == "cut"
    assert page.noticed() == ([OPEN, CUT, OPEN, END] if was_cut else [OPEN, END])
    resumed = [last for _, last in opened(world, "sendAgentRequest") if last]
    assert resumed == ([told[1].id] if was_cut else [])
