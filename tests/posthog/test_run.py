"""Runs over time: how they begin, change, end and are resumed, what they log, what they may use."""

from pathlib import Path
from shutil import copytree

import pytest
from tests.posthog.conftest import NOW, TASKS, Ask, provider

from tasktwin.exchange.twin import Twin
from tasktwin.state import Query
from tasktwin.wire import Json, loads

TASK = "10000000-0000-4000-8000-{:012d}/".format
RUN = "20000000-0000-4000-8000-{:012d}".format
WORKING = f"{TASK(1)}runs/{RUN(2)}/"
ENDED = f"{TASK(3)}runs/{RUN(4)}/"
STATUSES = ("not_started", "queued", "in_progress", "completed", "failed", "cancelled")
FINAL = STATUSES[3:]
STAMP = "2026-05-12T09:30:00.000000Z"


def test_a_new_run_is_the_latest_and_its_state_keeps_what_was_sent(ask: Ask) -> None:
    body = {
        "runtime_adapter": "claude",
        "model": "claude-fable-5",
        "reasoning_effort": "max",
        "pending_user_message": " hi ",
    }
    run = ask("POST", f"{TASK(2)}run/", body).json()["latest_run"]
    kept = {**body, "pending_user_message": "hi", "mode": "background", "provider": "anthropic"}
    assert (run["status"], run["environment"], run["state"]) == ("queued", "cloud", kept)
    assert [run[name] for name in ("runtime_adapter", "provider", "model")] == ["claude", "anthropic", "claude-fable-5"]
    assert ask("GET", f"{TASK(2)}runs/").json()["results"][0] == run


def test_a_resumed_run_takes_over_what_is_not_sent(ask: Ask, twin: Twin) -> None:
    origin = twin.read("run", RUN(2))
    assert origin is not None
    twin.world.change(
        "run", origin, state={**origin["state"], "sandbox_environment_id": "gone", "snapshot_external_id": "s"}
    )
    run = ask("POST", f"{TASK(1)}run/", {"resume_from_run_id": RUN(2), "mode": "interactive"}).json()["latest_run"]
    assert run["branch"] == "retry-webhooks"
    assert run["state"] == {
        "runtime_adapter": "claude",
        "provider": "anthropic",
        "model": "claude-sonnet-4-6",
        "reasoning_effort": "high",
        "snapshot_external_id": "s",
        "mode": "interactive",
        "resume_from_run_id": RUN(2),
    }


@pytest.mark.parametrize("to", STATUSES)
@pytest.mark.parametrize(
    "run", [f"{TASK(2)}runs/{RUN(3)}/", WORKING, ENDED], ids=["queued", "in_progress", "completed"]
)
def test_a_patch_sets_any_status_and_stamps_the_first_end(run: str, to: str, ask: Ask, twin: Twin) -> None:
    before = ask("GET", run).json()
    after = ask("PATCH", run, {"status": to}).json()
    ended = before["completed_at"] or (STAMP if to in FINAL else None)
    assert (after["status"], after["completed_at"], after["updated_at"]) == (to, ended, STAMP)
    last = twin.world.store.events(f"run:{before['id']}")[-1]
    assert (last.data["from"], last.data["to"]) == (before["status"], to)


MERGES: dict[str, tuple[Json, Json, Json]] = {
    "object over object": ({"a": 1, "b": 1}, {"b": 2}, {"a": 1, "b": 2}),
    "object over null": (None, {"b": 2}, {"b": 2}),
    "object over a number": (3, {"b": 2}, {"b": 2}),
    "a number over an object": ({"a": 1}, 3, 3),
    "null over an object": ({"a": 1}, None, None),
    "a list over an object": ({"a": 1}, [1], [1]),
}


@pytest.mark.parametrize(("first", "second", "output"), MERGES.values(), ids=MERGES)
def test_a_patch_merges_output(first: Json, second: Json, output: Json, ask: Ask) -> None:
    ask("PATCH", WORKING, {"output": first})
    assert ask("PATCH", WORKING, {"output": second}).json()["output"] == output


def test_a_patch_removes_state_then_merges_and_leaves_guarded_keys(ask: Ask) -> None:
    ask("POST", f"{TASK(1)}run/", {"pr_authorship_mode": "bot"})
    run = f"{TASK(1)}runs/{ask('GET', TASK(1)).json()['latest_run']['id']}/"
    body = {
        "state": {"plan": 1, "sandbox_id": "x", "pr_authorship_mode": "user"},
        "state_remove_keys": ["mode", "plan", "pr_authorship_mode"],
    }
    assert ask("PATCH", run, body).json()["state"] == {"pr_authorship_mode": "bot", "plan": 1}


def test_the_worker_s_triggers_move_a_run_and_tell_of_it(ask: Ask, twin: Twin) -> None:
    run = f"{TASK(2)}runs/{RUN(3)}/"
    twin.trigger("start_work", RUN(3))
    assert ask("GET", run).json()["state"]["sandbox_url"].startswith("https://")
    answer = ask("POST", f"{run}command/", {"jsonrpc": "2.0", "method": "cancel"})
    assert answer.json() == {"jsonrpc": "2.0", "id": None, "result": {"acknowledged": True}}
    twin.trigger("complete", RUN(3))
    ended = ask("GET", run).json()
    assert (ended["status"], ended["completed_at"], "sandbox_url" in ended["state"]) == ("completed", STAMP, False)
    kinds = [event.kind for event in twin.world.store.events(f"run:{RUN(3)}")]
    assert kinds == ["log", "start_work", "log", "complete"]


def test_a_cancelled_worker_stamps_no_end(ask: Ask, twin: Twin) -> None:
    twin.trigger("cancel_run", RUN(2))
    assert ask("GET", WORKING).json()["completed_at"] is None


def test_under_progress_auto_started_runs_move_by_themselves(tmp_path: Path) -> None:
    folder = Path(copytree(provider().folder, tmp_path / "posthog"))
    data = folder / "provider.yaml"
    data.write_text(data.read_text(encoding="utf-8").replace("progress: manual", "progress: auto"), encoding="utf-8")
    twin = Twin(str(folder), now=NOW, clock="frozen", seeds="empty")
    task = twin.request("POST", TASKS, as_="ada", json={}).json()["id"]
    made = twin.request("POST", f"{TASKS}{task}/runs/", as_="ada", json={"environment": "cloud"}).json()
    path = f"{TASKS}{task}/runs/{made['id']}/"
    seen = []
    for wait, start in ((100, True), (5, False), (60, False)):
        twin.advance(wait)
        seen.append(twin.request("GET", path, as_="ada").json()["status"])
        if start:
            twin.request("POST", f"{path}start/", as_="ada")
    assert seen == ["queued", "in_progress", "completed"]


LIMIT: Json = {"id": 1, "is_pro": False, "limit_type": "burst", "reset_at": "2026-05-13T00:00:00.000000Z"}
TOLD = {
    "type": "rate_limited",
    "code": "usage_limit_exceeded",
    "error": "You have reached your daily usage limit.",
    "is_pro": False,
    "limit_type": "burst",
    "reset_at": "2026-05-13T00:00:00.000000Z",
}
GATED: dict[str, tuple[str, Json, int]] = {
    "run": (f"{TASK(2)}run/", {}, 429),
    "cloud run": (f"{TASK(2)}runs/", {"environment": "cloud"}, 429),
    "local run": (f"{TASK(2)}runs/", {}, 201),
    "start": (f"{TASK(2)}runs/{RUN(3)}/start/", None, 429),
    "start of a local run": (f"{TASK(6)}runs/{RUN(7)}/start/", None, 400),
    "resume": (f"{ENDED}resume_in_cloud/", None, 429),
    "invalid body": (f"{TASK(2)}run/", {"mode": "x"}, 400),
    "unknown task": (f"{TASK(99)}run/", {}, 404),
    "bad resume": (f"{TASK(2)}run/", {"resume_from_run_id": RUN(1)}, 429),
}


@pytest.mark.parametrize(("path", "body", "status"), GATED.values(), ids=GATED)
def test_a_usage_limit_stops_cloud_runs(path: str, body: Json, status: int, ask: Ask, twin: Twin) -> None:
    twin.world.store.put("usage", "1", LIMIT)
    answer = ask("POST", path, body)
    assert answer.status == status
    assert "retry-after" not in answer.headers
    assert status != 429 or answer.json() == TOLD


def test_a_usage_limit_may_not_say_when_it_ends(ask: Ask, twin: Twin) -> None:
    twin.world.store.put("usage", "1", {"id": 1, "is_pro": True, "limit_type": None, "reset_at": None})
    answer = ask("POST", f"{TASK(2)}run/", {})
    assert (answer.status, sorted(answer.json())) == (429, ["code", "error", "is_pro", "type"])


def test_a_usage_limit_ends_when_it_resets(ask: Ask, twin: Twin) -> None:
    twin.world.store.put("usage", "1", LIMIT)
    twin.advance(days=1)
    assert ask("POST", f"{TASK(2)}run/", {}).status == 200


# ── logs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _entry(minute: int, method: str = "_posthog/console", **params: Json) -> Json:
    notification = {"jsonrpc": "2.0", "method": method, "params": params}
    return {"type": "notification", "timestamp": f"2026-05-12T09:{minute:02}:00Z", "notification": notification}


ENTRIES = [
    _entry(1),
    _entry(2, "session/update", update={"sessionUpdate": "tool_call"}),
    _entry(3, "_posthog/error"),
    {"note": "without a time"},
]
CHUNK = _entry(4, "session/update", update={"sessionUpdate": "agent_message_chunk"})

PARTS = {
    "all": ("", [0, 1, 2, 3], "false"),
    "limit": ("limit=2", [0, 1], "true"),
    "offset": ("limit=2&offset=2", [2, 3], "false"),
    "after": ("after=2026-05-12T09:01:00Z", [1, 2], "false"),
    "types": ("event_types=tool_call,_posthog/error", [1, 2], "false"),
    "other types": ("exclude_types=tool_call", [0, 2, 3], "false"),
    "types, then limit": ("exclude_types=tool_call&limit=1", [0], "true"),
}


@pytest.mark.parametrize(("query", "found", "more"), PARTS.values(), ids=PARTS)
def test_a_part_of_a_log(query: str, found: list[int], more: str, ask: Ask) -> None:
    answer = ask("POST", f"{WORKING}append_log/", {"entries": [*ENTRIES, CHUNK]})
    assert (answer.json()["id"], "Server-Timing" in answer.headers) == (RUN(2), True)
    part = ask("GET", f"{WORKING}session_logs/?{query}")
    assert part.json() == [ENTRIES[n] for n in found]
    assert (part.headers["X-Total-Count"], part.headers["X-Has-More"]) == ("4", more)
    assert part.headers["X-Filtered-Count"] == part.headers["X-Matching-Count"]


def test_logs_of_resumed_runs_come_first_and_a_cycle_ends(ask: Ask, twin: Twin) -> None:
    new = ask("POST", f"{TASK(1)}run/", {"resume_from_run_id": RUN(2)}).json()["latest_run"]["id"]
    old = twin.read("run", RUN(2))
    assert old is not None
    twin.world.change("run", old, state={"resume_from_run_id": new})
    for run, entry in ((new, ENTRIES[1]), (RUN(2), ENTRIES[0])):
        ask("POST", f"{TASK(1)}runs/{run}/append_log/", {"entries": [entry]})
    answer = ask("GET", f"{TASK(1)}runs/{new}/logs/")
    assert [loads(line) for line in answer.content.splitlines()] == ENTRIES[:2]
    assert (answer.headers["content-type"], answer.headers["Cache-Control"]) == ("application/jsonl", "no-cache")


def test_the_log_of_a_run_that_wrote_nothing_is_empty(ask: Ask) -> None:
    assert ask("GET", f"{WORKING}logs/").content == b""


def test_a_relay_is_accepted_where_there_is_a_thread(ask: Ask) -> None:
    ask("PATCH", WORKING, {"state": {"slack_thread_url": "https://slack.example/1"}})
    answer = ask("POST", f"{WORKING}relay_message/", {"text": "hi"}).json()
    assert (answer["status"], bool(answer["relay_id"])) == ("accepted", True)


def test_a_schema_that_points_elsewhere_is_told_and_not_followed(ask: Ask, twin: Twin) -> None:
    ask("PATCH", TASK(2), {"json_schema": {"$ref": "http://127.0.0.1:9/x"}})
    answer = ask("PATCH", f"{TASK(2)}runs/{RUN(3)}/set_output/", {"output": 1})
    assert (answer.status, answer.json()["error"][:25]) == (400, "Output validation error: ")
    assert twin.world.store.count(Query("run", (("output", 1),))) == 0
