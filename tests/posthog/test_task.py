"""Tasks over time: numbers, changes, deletion, and who is watching."""

import pytest
from tests.posthog.conftest import Ask

from tasktwin.exchange.twin import Twin
from tasktwin.state import Query

TASK = "10000000-0000-4000-8000-{:012d}/".format
PHONE = "30000000-0000-4000-8000-000000000001"


def test_numbers_count_deleted_tasks_and_begin_with_0(ask: Ask, twin: Twin) -> None:
    first = ask("POST", body={}).json()
    ask("DELETE", f"{first['id']}/")
    assert ask("POST", body={}).json()["task_number"] == first["task_number"] + 1
    twin.world.store.delete("task", TASK(15).removesuffix("/"))
    assert ask("POST", "/api/projects/2/tasks/", {}).json()["slug"] == "BET-0"


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Acme Apps", "ACM-15"), ("PostHog EU", "PHE-15"), ("a-b c", "ABC-15"), ("- -", "TSK-15")],
    ids=["no capitals enough", "three capitals", "only letters and digits", "none"],
)
def test_a_slug_begins_with_letters_of_the_project_name(name: str, slug: str, ask: Ask, twin: Twin) -> None:
    twin.world.store.put("project", "1", {"id": 1, "name": name})
    assert ask("POST", body={}).json()["slug"] == slug


def test_a_report_is_linked_and_the_relationship_is_not_answered(ask: Ask, twin: Twin) -> None:
    report = "70000000-0000-4000-8000-000000000001"
    body = {
        "origin_product": "signal_report",
        "signal_report": report,
        "signal_report_task_relationship": "implementation",
    }
    made = ask("POST", body=body).json()
    assert "signal_report_task_relationship" not in made
    row = twin.read("signal_report", report)
    assert row is not None
    assert row["task_id"] == made["id"]


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_change_keeps_what_is_not_sent_and_ignores_the_origin(method: str, ask: Ask) -> None:
    before = ask("GET", TASK(11)).json()
    after = ask(method, TASK(11), {"title": "New", "origin_product": "slack", "signal_report": None}).json()
    assert after == {**before, "title": "New", "title_manually_set": True, "updated_at": "2026-05-12T09:30:00.000000Z"}


def test_archiving_is_stamped_once_and_cleared(ask: Ask, twin: Twin) -> None:
    stamp = ask("PATCH", TASK(1), {"archived": True}).json()["archived_at"]
    twin.advance(60)
    assert stamp == ask("PATCH", TASK(1), {"archived": True}).json()["archived_at"] == "2026-05-12T09:30:00.000000Z"
    assert ask("PATCH", TASK(1), {"archived": False}).json()["archived_at"] is None


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {}),
        ("PUT", "", {}),
        ("DELETE", "", None),
        ("POST", "run/", {}),
        ("POST", "presence/", {"device_id": PHONE}),
        ("POST", "staged_artifacts/prepare_upload/", {"artifacts": [{"name": "a", "type": "plan", "size": 1}]}),
    ],
    ids=["GET", "PATCH", "PUT", "DELETE", "run", "presence", "staged"],
)
def test_a_deleted_task_is_not_found(method: str, path: str, body: object, ask: Ask) -> None:
    assert ask("DELETE", TASK(1)).status == 204
    assert ask(method, f"{TASK(1)}{path}", body).status == 404


def test_a_deleted_task_is_in_no_list_but_its_runs_are_still_there(ask: Ask) -> None:
    key = TASK(1).removesuffix("/")
    ask("DELETE", TASK(1))
    assert key not in [each["id"] for each in ask("GET", "?archived=all").json()["results"]]
    assert ask("POST", "summaries/", {"ids": [key]}).json()["count"] == 0
    assert "acme/webhooks" not in ask("GET", "repositories/").json()["repositories"]
    assert ask("GET", f"{TASK(1)}runs/").json()["count"] == 2
    assert ask("POST", f"{TASK(1)}runs/", {}).status == 201


def test_summaries_show_the_latest_run_or_none(ask: Ask) -> None:
    ids = [TASK(n).removesuffix("/") for n in (14, 7, 1)]
    shown = ask("POST", "summaries/?limit=2", {"ids": ids}).json()
    assert [each["latest_run"] for each in shown["results"]] == [None, None]
    assert shown["next"] == "http://localhost/api/projects/@current/tasks/summaries/?limit=2&offset=2"
    assert ask("POST", shown["next"].removeprefix("http://localhost"), {"ids": ids}).json()["results"][0][
        "latest_run"
    ] == {
        "status": "in_progress",
        "environment": "cloud",
    }


# ── presence ─────────────────────────────────────────────────────────────────────────────────────────────────────────


WATCHED = {
    "nobody is there": ([], 0, False),
    "the phone shows the task": ([("ada", 1, PHONE)], 59, True),
    "it did so a minute ago": ([("ada", 1, PHONE)], 60, False),
    "it shows another task": ([("ada", 2, PHONE)], 0, False),
    "it was renewed": ([("ada", 1, PHONE), ("ada", 1, PHONE)], 59, True),
}


def _pushes(twin: Twin, ask: Ask) -> list[tuple[str, bool]]:
    """End a run of Ada's first task; who is told, and whether it is held back."""
    ask("PATCH", f"{TASK(1)}runs/20000000-0000-4000-8000-000000000002/", {"status": "cancelled"})
    return [(each["device_id"], each["suppressed"]) for each in twin.world.store.find(Query("push"))]


@pytest.mark.parametrize(("beacons", "later", "suppressed"), WATCHED.values(), ids=WATCHED)
def test_all_devices_of_a_user_are_quiet_while_one_shows_the_task(
    beacons: list[tuple[str, int, str]], later: int, suppressed: object, twin: Twin, ask: Ask
) -> None:
    for who, task, device in beacons:
        assert ask("POST", f"{TASK(task)}presence/", {"device_id": device}, as_=who).status == 204
    twin.advance(later)
    tablet = PHONE[:-1] + "2"
    assert _pushes(twin, ask) == [(PHONE, suppressed), (tablet, suppressed)]


def test_a_second_beacon_renews_the_same_row(twin: Twin, ask: Ask) -> None:
    for _ in range(2):
        ask("POST", f"{TASK(1)}presence/", {"device_id": PHONE})
        twin.advance(30)
    rows = twin.world.store.find(Query("presence"))
    assert [row["expires_at"] for row in rows] == ["2026-05-12T09:31:30.000000Z"]


@pytest.mark.parametrize("clear", ["DELETE", "token"])
def test_a_device_that_leaves_holds_nothing_back(clear: str, twin: Twin, ask: Ask) -> None:
    ask("POST", f"{TASK(1)}presence/", {"device_id": PHONE})
    if clear == "DELETE":
        assert ask("DELETE", f"{TASK(1)}presence/", {"device_id": PHONE}).status == 204
    else:
        twin.world.store.delete("push_token", PHONE)
    assert {held for _, held in _pushes(twin, ask)} == {False}


def test_nobody_clears_the_presence_of_others(twin: Twin, ask: Ask) -> None:
    ask("POST", f"{TASK(13)}presence/", {"device_id": PHONE})
    assert ask("DELETE", f"{TASK(13)}presence/", {"device_id": PHONE}, as_="ben").status == 204
    assert len(twin.world.store.find(Query("presence"))) == 1
