"""What the fixture ``twin`` gives to a test, used as any test would: in this very run."""

import re
from pathlib import Path

import httpx2
import pytest
from tests.provider.small import write

from tasktwin.errors import MisuseError
from tasktwin.plugin import ServedTwin, TwinFactory

TASK = {"title": "Logo", "description": "Two colours.", "bounty_amount": "300", "delivery_hours": 48}


@pytest.mark.twin("uumit", now="2026-01-01T00:00:00Z", clock="frozen")
def test_a_task_is_posted_expires_and_is_read(twin: ServedTwin) -> None:
    api = twin.client(as_="human_alice")
    task = api.post("/api/v1/tasks/", json=TASK).json()["data"]
    assert twin.now == "2026-01-01T00:00:00.000000Z"
    fired = twin.advance(hours=72)
    assert [(each["collection"], each["id"]) for each in fired if each["id"] == task["id"]] == [("task", task["id"])]
    assert (twin.read("task", task["id"]) or {})["status"] == "expired"
    assert twin.now == "2026-01-04T00:00:00.000000Z"


@pytest.mark.twin("uumit")
def test_without_a_name_a_client_is_nobody_and_its_options_are_those_of_httpx2(twin: ServedTwin) -> None:
    nobody, alice = twin.client(headers={"X-Trace": "7"}, timeout=9), twin.client(as_="human_alice")
    assert nobody.get("/api/v1/wallet").status_code == 401
    assert alice.get("/api/v1/wallet").status_code == 200
    assert dict(twin.journal.entries()[0]["request"]["headers"])["x-trace"] == "7"
    assert nobody.timeout.read == 9


@pytest.mark.twin("uumit")
def test_any_other_client_has_the_url_and_the_headers(twin: ServedTwin) -> None:
    answer = httpx2.get(f"{twin.url}/api/v1/wallet", headers=twin.headers("human_bob"))
    assert (answer.status_code, answer.headers["tasktwin-world"]) == (200, twin.world)
    assert httpx2.get(f"{twin.control_url}/clock").json()["now"][:10] == twin.now[:10]


@pytest.mark.twin("uumit")
def test_a_caller_whom_nobody_knows_is_told_with_those_there_are(twin: ServedTwin) -> None:
    with pytest.raises(MisuseError, match="no demo caller 'alice'; there are human_alice, human_bob"):
        twin.client(as_="alice")


@pytest.mark.twin("uumit", seeds="empty")
def test_a_row_that_is_not_there_is_none_and_a_collection_is_an_error(twin: ServedTwin) -> None:
    assert twin.read("task", "a/b?") is None
    with pytest.raises(MisuseError, match="there is no collection 'tasks'; there are"):
        twin.read("tasks", "1")


@pytest.mark.twin("posthog", clock="frozen")
def test_a_trigger_does_what_no_call_does(twin: ServedTwin) -> None:
    api = twin.client(as_="ada")
    task = api.post("/api/projects/@current/tasks/", json={"title": "Sweep", "description": "All of it."}).json()
    run = api.post(f"/api/projects/@current/tasks/{task['id']}/run/", json={}).json()["latest_run"]
    assert twin.trigger("cancel_run", run["id"])["status"] == "cancelled"
    with pytest.raises(MisuseError, match="'explode' is unknown; known are"):
        twin.trigger("explode", run["id"])
    with pytest.raises(MisuseError, match="conflict"):
        twin.trigger("cancel_run", run["id"])


@pytest.mark.twin("uumit", seed=7, seeds="empty", limits="on", clock="x60")
def test_the_world_begins_as_the_marker_says(twin: ServedTwin) -> None:
    world = httpx2.get(twin.control_url.removesuffix("/control")).json()
    told = {name: world[name] for name in ("seed", "seeds", "limits", "mode", "name")}
    assert told == {"seed": 7, "seeds": "empty", "limits": "on", "mode": "x60", "name": twin.world}


@pytest.mark.twin("uumit")
@pytest.mark.parametrize("case", ["a b", "x" * 200], ids=["short", "long"])
def test_a_world_is_named_after_its_test_with_a_number(twin: ServedTwin, case: str) -> None:
    assert len(twin.world) <= 64
    assert re.search(rf"{case[:1]}[^/]*-\d+$|short-\d+$|long-\d+$", twin.world)
    assert "after_its_test" in twin.world


@pytest.mark.twin("uumit")
def test_reset_takes_back_rows_clock_faults_and_journal(twin: ServedTwin) -> None:
    api = twin.client(as_="human_alice")
    task = api.post("/api/v1/tasks/", json=TASK).json()["data"]
    twin.faults.add("status", status=503)
    twin.advance(days=1)
    twin.reset()
    assert twin.read("task", task["id"]) is None
    assert (twin.faults.entries(), twin.journal.count()) == ([], 0)


@pytest.mark.twin("uumit")
def test_a_factory_makes_several_twins_that_do_not_meet(twin: ServedTwin, twin_factory: TwinFactory) -> None:
    other, ait = twin_factory(seeds="empty"), twin_factory("aitasker")
    assert len({twin.world, other.world}) == 2
    assert [each.provider.name for each in (twin, other, ait)] == ["uumit", "uumit", "aitasker"]
    ait.client(as_="poster").get("/api/v1/tasks")
    assert [each.journal.count() for each in (twin, other, ait)] == [0, 0, 1]


def test_a_factory_needs_a_provider(twin_factory: TwinFactory) -> None:
    with pytest.raises(MisuseError, match="which API\\?"):
        twin_factory()


def test_a_factory_takes_a_folder(twin_factory: TwinFactory, tmp_path: Path) -> None:
    twin = twin_factory(str(write(tmp_path)), clock="frozen")
    assert twin.client(as_="ann").get("/jobs").json()["total"] == 3
    assert (twin.read("job", "j1") or {})["title"] == "Paint"
