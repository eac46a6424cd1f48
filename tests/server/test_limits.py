"""Limits through the front door: each provider's own answers, the control plane's routes, and one world at a time."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TypeAlias

import httpx2
import pytest
from tests.server.front import ADA, ALICE, ALICES_TASK, BOB, OTTO, TASK, TASKS, World, assert_problem, serving

from tasktwin.wire import Json

POSTER = {"Authorization": "Bearer aitk_live_poster"}
PHX = {"Authorization": "Bearer phx_ada_all"}
READER = {"Authorization": "Bearer phx_ada_read"}
POSTHOG = "/api/projects/@current/tasks/"
NUMBERS = count(1)

Make: TypeAlias = "Callable[..., Limited]"


class Limited:
    """A world of one of the three APIs, served with ``--limits on`` while time stands still."""

    def __init__(self, url: str, provider: str, **wish: Json) -> None:
        self.name = f"limited-{next(NUMBERS)}"
        self.control = httpx2.Client(
            base_url=f"{url}/{provider}/_tasktwin", headers={"Tasktwin-World": self.name}, verify=False
        )
        self.made: Json = self.control.post("/worlds", json={"name": self.name, **wish}).json()
        self.api = httpx2.Client(base_url=self.made["base_url"], verify=False)

    def close(self) -> None:
        """Hang up."""
        self.api.close()
        self.control.close()

    def ask(self, path: str, headers: dict[str, str], method: str = "GET", times: int = 1, **more: Json) -> list[int]:
        """The statuses of so many requests."""
        return [self.api.request(method, path, headers=headers, **more).status_code for _ in range(times)]

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        assert self.control.post("/clock", json={"advance": seconds}).status_code == 200

    def order(self, **wish: Json) -> httpx2.Response:
        """``PUT /limits``."""
        return self.control.put("/limits", json=wish)

    def limit(self, name: str) -> Json:
        """Where callers stand with one limit."""
        return next(each for each in self.control.get("/limits").json()["limits"] if each["name"] == name)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """All three APIs behind one address."""
    with serving("uumit", "aitasker", "posthog", "--quiet", "--limits", "on", "--clock", "frozen") as (found, _):
        yield found


@pytest.fixture
def limited(url: str) -> Iterator[Make]:
    """Makes worlds of one of the APIs."""
    made: list[Limited] = []

    def make(provider: str, **wish: Json) -> Limited:
        made.append(Limited(url, provider, **wish))
        return made[-1]

    yield make
    for each in made:
        each.close()


# ── each provider's own ──────────────────────────────────────────────────────────────────────────────────────────────


def test_uumit_refuses_the_61st_request_of_a_minute_with_a_code_that_is_not_the_days(limited: Make) -> None:
    twin = limited("uumit")
    assert twin.ask(TASKS, ADA, times=30) + twin.ask(TASKS, OTTO, times=30) == [200] * 60, "one platform, one key"
    twin.advance(23)
    refused = twin.api.get(TASKS, headers=ADA)
    body = refused.json()
    assert (refused.status_code, refused.headers["retry-after"], body["code"], body["data"]) == (429, "37", 1009, None)
    twin.advance(36)
    assert twin.ask(TASKS, OTTO) == [429]
    twin.advance(1)
    assert twin.ask(TASKS, OTTO) == [200]


def test_uumit_refuses_beyond_the_quota_of_the_day_with_1010(limited: Make) -> None:
    twin = limited("uumit")
    assert twin.order(leave=2, limit="day").status_code == 200
    assert twin.ask(TASKS, ADA, times=2) == [200, 200]
    twin.advance(120)
    refused = twin.api.get(TASKS, headers=OTTO)
    assert (refused.json()["code"], refused.headers["retry-after"]) == (1010, str(86_400 - 120))
    assert twin.ask(TASKS, ALICE) == [200], "people have no platform"
    twin.advance(86_400 - 120)
    assert twin.ask(TASKS, ADA) == [200]


def test_uumit_lets_ten_skills_be_made_in_a_day(limited: Make) -> None:
    twin = limited("uumit")
    assert twin.ask("/api/v1/skills/", ALICE, "POST", times=12, json={}) == [422] * 10 + [429] * 2
    assert twin.ask("/api/v1/skills/", BOB, "POST", json={}) + twin.ask(TASKS, ALICE) == [422, 200]


def test_aitasker_counts_each_path_for_itself_and_tells_what_is_left(limited: Make) -> None:
    twin = limited("aitasker")
    assert twin.ask("/api/v1/tasks", POSTER, "POST", times=61, json={}) == [422] * 60 + [429]
    refused = twin.api.post("/api/v1/tasks", headers=POSTER, json={})
    told = [refused.headers[name] for name in ("X-RateLimit-Limit", "X-RateLimit-Remaining", "Retry-After")]
    assert (told, refused.json()) == (["60", "0", "60"], {"detail": "Rate limit exceeded"})
    assert twin.ask("/api/v1/tasks", POSTER) == [200]
    assert "retry-after" not in twin.api.get("/api/v1/tasks", headers=POSTER).headers
    twin.advance(60)
    assert twin.ask("/api/v1/tasks", POSTER, "POST", json={}) == [422]


@pytest.mark.parametrize(("path", "quota"), [("brief/generate", 10), ("signature/scrape-website", 5)])
def test_aitasker_refuses_the_free_tools_for_the_rest_of_an_hour(limited: Make, path: str, quota: int) -> None:
    twin = limited("aitasker")
    assert twin.ask(f"/api/v1/{path}", {}, "POST", times=quota + 1) == [404] * quota + [429]
    twin.advance(3_599)
    assert twin.ask(f"/api/v1/{path}", {}, "POST") == [429]
    twin.advance(1)
    assert twin.ask(f"/api/v1/{path}", {}, "POST") == [404]


def test_posthogs_burst_slides_and_its_text_tells_the_seconds_of_the_header(limited: Make) -> None:
    twin = limited("posthog")
    assert set(twin.ask(POSTHOG, PHX, times=240)) == {200}
    twin.advance(30)
    assert set(twin.ask(POSTHOG, PHX, times=240)) == {200}
    twin.advance(0.5)
    refused = twin.api.get(POSTHOG, headers=PHX)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
    told = "Request was throttled. Expected available in 30 seconds."
    assert refused.json() == {"type": "throttled_error", "code": "throttled", "detail": told, "attr": None}
    assert twin.ask(POSTHOG, READER) == [200], "another key"
    twin.advance(29)
    assert twin.api.get(POSTHOG, headers=PHX).json()["detail"].endswith("Expected available in 1 second.")
    twin.advance(1)
    assert twin.ask(POSTHOG, PHX, times=241) == [200] * 240 + [429]


def test_posthogs_sustained_limit_counts_an_hour(limited: Make) -> None:
    twin = limited("posthog")
    twin.order(leave=1, limit="sustained")
    twin.advance(3_000)
    assert twin.ask(POSTHOG, PHX) == [200]
    assert twin.api.get(POSTHOG, headers=PHX).headers["retry-after"] == "600"
    twin.advance(600)
    assert twin.ask(POSTHOG, PHX) == [200]


def test_posthog_counts_nothing_without_a_key(limited: Make) -> None:
    twin = limited("posthog")
    assert set(twin.ask(POSTHOG, {}, times=3)) == {403}
    assert [each["callers"] for each in twin.control.get("/limits").json()["limits"]] == [[], []]


def test_posthogs_usage_gate_is_ordered_as_a_row_and_removed_again(limited: Make) -> None:
    twin = limited("posthog")
    task = twin.api.post(POSTHOG, json={"title": "T", "description": "D"}, headers=PHX).json()["id"]
    usage = {"id": 1, "is_pro": False, "limit_type": "sustained", "reset_at": "2200-01-01T00:00:00Z"}
    project = twin.control.get("/state/project").json()["items"][0]["id"]
    assert twin.control.put(f"/state/usage/{project}", json={**usage, "id": project}).status_code == 200
    refused = twin.api.post(f"{POSTHOG}{task}/run/", headers=PHX)
    assert (refused.status_code, refused.json()["code"]) == (429, "usage_limit_exceeded")
    assert "retry-after" not in refused.headers
    assert twin.control.delete(f"/state/usage/{project}").status_code == 204
    assert twin.ask(f"{POSTHOG}{task}/run/", PHX, "POST") == [200]


# ── what a refusal is ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_refused_request_has_no_effect_and_its_key_is_still_free(limited: Make) -> None:
    twin = limited("uumit")
    twin.order(leave=0, limit="minute")
    before = twin.control.get("/state").json()
    headers = {**ALICE, "Idempotency-Key": "k"}
    assert twin.ask(TASKS, headers, "POST", json=TASK) == [429]
    assert twin.control.get("/state").json() == before
    twin.advance(60)
    made = twin.api.post(TASKS, headers=headers, json=TASK)
    assert (made.status_code, made.headers["tasktwin-reason"]) == (200, "state")


def test_a_repeated_key_is_counted_before_it_is_answered_again(limited: Make) -> None:
    twin = limited("uumit")
    twin.order(leave=2, limit="minute")
    headers = {**ALICE, "Idempotency-Key": "k"}
    assert twin.ask(TASKS, headers, "POST", times=3, json=TASK) == [200, 200, 429]


def test_a_read_that_is_known_from_before_is_counted_like_any(limited: Make) -> None:
    twin = limited("uumit")
    assert twin.ask(TASKS + ALICES_TASK, ALICE, times=62) == [200] * 60 + [429] * 2


def test_of_many_at_once_exactly_the_quota_passes(limited: Make) -> None:
    twin = limited("uumit")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: twin.ask(TASKS, ADA)[0], range(100)))
    assert (found.count(200), found.count(429)) == (60, 40)


def test_the_limit_of_one_world_is_not_that_of_another(limited: Make) -> None:
    one, other = limited("uumit"), limited("uumit")
    one.order(leave=0)
    assert one.ask(TASKS, ALICE) + other.ask(TASKS, ALICE) == [429, 200]
    assert one.ask(TASKS, BOB) == [429]


# ── modes ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_by_default_nothing_is_refused_and_the_journal_keeps_the_moment_it_would_be(world: World) -> None:
    world.control.post("/clock", json={"mode": "frozen"})
    assert {world.api.get(TASKS, headers=ALICE).status_code for _ in range(61)} == {200}
    assert world.control.get("/limits").json()["mode"] == "count"
    *before, last = [dict(each["response"]["headers"]) for each in world.entries()]
    assert last["Tasktwin-Limit"] == "would refuse (minute, retry after 60 s)"
    assert not any("Tasktwin-Limit" in each or "Retry-After" in each for each in before)
    assert "Retry-After" not in last


def test_an_order_to_leave_requests_refuses_where_limits_are_only_counted(world: World) -> None:
    world.control.put("/limits", json={"leave": 1, "principal": "*"})
    assert [world.api.get(TASKS, headers=ALICE).status_code for _ in range(2)] == [200, 429]


def test_off_counts_nothing(limited: Make) -> None:
    twin = limited("aitasker", limits="off")
    answer = twin.api.get("/api/v1/tasks", headers=POSTER)
    assert (answer.status_code, "x-ratelimit-limit" in answer.headers) == (200, False)
    assert all(each["callers"] == [] for each in twin.control.get("/limits").json()["limits"])
    assert_problem(twin.order(leave=1), 400)


def test_a_world_has_a_mode_of_its_own_which_a_reset_brings_back(limited: Make) -> None:
    twin = limited("uumit", limits="count")
    assert twin.made["limits"] == "count"
    assert twin.order(mode="off").json()["mode"] == "off"
    assert twin.control.get(f"/worlds/{twin.name}").json()["limits"] == "off"
    assert twin.control.post("/reset").json()["limits"] == "count"
    assert limited("uumit").made["limits"] == "on", "as the command says"
    fork = twin.control.post("/worlds", json={"from": twin.name}).json()
    assert fork["limits"] == "count"


def test_the_routes_tell_who_has_how_much_left(limited: Make) -> None:
    twin = limited("uumit")
    twin.ask(TASKS, ADA, times=3)
    twin.advance(20)
    (caller,) = twin.limit("minute")["callers"]
    assert {**caller, "caller": ""} == {"caller": "", "used": 3, "remaining": 57, "reset": 40, "strict": False}
    assert twin.limit("day")["callers"][0]["remaining"] == 99_997


@pytest.mark.parametrize(
    "wish",
    [
        {}, {"mode": "maybe"}, {"leave": -1}, {"leave": 1.5}, {"leave": True}, {"limit": "minute"}, {"principal": "*"},
        {"leave": 1, "limit": "minutes"}, {"leave": 61, "limit": "minute"}, {"leave": 1, "mode": "off"}, {"left": 1},
        {"leave": 1, "principal": "x" * 201}, {"leave": 10**12}, [],
    ],
    ids=str,
)  # fmt: skip
def test_an_order_that_means_nothing_is_refused_and_sets_nothing(world: World, wish: Json) -> None:
    before = world.control.get("/limits").json()
    assert_problem(world.control.put("/limits", json=wish), 400)
    assert world.control.get("/limits").json() == before
