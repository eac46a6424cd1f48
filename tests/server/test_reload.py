"""``tasktwin serve --reload`` as its users meet it: a folder is edited while it is served."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from tests.provider.small import FILES, write
from tests.server.front import serving

from tasktwin.wire import Json

pytestmark = pytest.mark.memory
"""It does not go with a store that is shared."""

ANN = {"Authorization": "Bearer ann-token"}
GOOD = "reloaded jobs: 9 operations ("


@dataclass
class Served:
    """A folder that is served with ``--reload``, and what the terminal showed."""

    folder: Path
    api: httpx2.Client
    shown: Path

    def lines(self) -> list[str]:
        """What stands on standard error but for the lines of requests."""
        return [line for line in self.shown.read_text().splitlines() if line[:3] not in {"200", "201", "404", "409"}]

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text that stands once in a file."""
        text = (self.folder / name).read_text()
        assert text.count(old) == 1
        (self.folder / name).write_text(text.replace(old, new))

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until so many lines begin with a text."""
        until = time.monotonic() + 15
        while sum(line.startswith(text) for line in self.lines()) < times:
            assert time.monotonic() < until, self.lines()
            time.sleep(0.02)

    def get(self, path: str) -> Json:
        """What Ann is told."""
        return self.api.get(path, headers=ANN).json()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Serve the small API's folder with ``--reload`` and more arguments."""
    running = []

    def begin(*arguments: str) -> Served:
        folder, shown = write(tmp_path), tmp_path / "errors.txt"
        log = shown.open("w")
        server = serving(str(folder), "--reload", *arguments, errors=log)
        url, _ = server.__enter__()
        client = httpx2.Client(base_url=url, verify=False)
        running.append((server, client, log))
        found = Served(folder, client, shown)
        assert client.get("/_tasktwin/health").status_code == 200, "it runs, and so it watches"
        time.sleep(0.3)
        return found

    yield begin
    for server, client, log in running:
        client.close()
        server.__exit__(None, None, None)
        log.close()


def test_a_change_is_served_and_the_state_is_kept(start: Callable[..., Served]) -> None:
    served = start("--clock=frozen")
    made = served.api.post("/jobs", json={"title": "Dig"}, headers=ANN).json()
    served.api.post("/_tasktwin/clock", json={"advance": 60})
    before = served.get("/_tasktwin/clock")["now"]
    served.edit("provider.yaml", "there is one already", "once is enough")
    served.edit(
        "openapi.yaml", "        worker: {type", "        rating: {type: integer, default: 5}\n        worker: {type"
    )
    served.wait_for(GOOD)
    assert served.get(f"/jobs/{made['id']}") == {**made, "rating": 5}, "new fields have their defaults"
    again = served.api.post("/jobs", json={"title": "Dig"}, headers=ANN)
    assert (again.status_code, again.json()["message"]) == (409, "once is enough")
    assert served.get("/_tasktwin/clock")["now"] == before
    assert served.get("/_tasktwin/journal")["entries"][0]["status"] == 201, "the journal goes on"


def test_a_reset_after_a_change_begins_with_the_new_seeds(start: Callable[..., Served]) -> None:
    served = start("--quiet")
    served.edit("seeds/default.yaml", "title: Paint", "title: Varnish")
    deadline = time.monotonic() + 15
    while served.api.post("/_tasktwin/reset").status_code == 200 and served.get("/jobs/j1")["title"] == "Paint":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert served.get("/jobs/j1")["title"] == "Varnish"
    assert served.lines() == [], "a quiet one says nothing of what went well"


def test_a_wrong_change_is_told_once_and_the_old_data_served_until_a_right_one(start: Callable[..., Served]) -> None:
    served = start()
    served.edit("provider.yaml", "order: -created_at", "oder: -created_at")
    served.wait_for("jobs: the data of before is served on")
    assert served.get("/jobs")["total"] == 3
    (served.folder / "provider.yaml").touch()
    time.sleep(1)
    served.edit("provider.yaml", "oder: -created_at", "order: created_at")
    served.wait_for(GOOD)
    assert [each["id"] for each in served.get("/jobs")["items"]] == ["j3", "j2", "j1"]
    line = FILES["provider.yaml"].split("order: -created_at")[0].count("\n") + 1
    errors = [each for each in served.lines() if each.startswith("error")]
    assert len(errors) == 1
    assert errors[0].startswith(f"error: jobs/provider.yaml:{line}: unknown key 'oder'")
    assert errors[0].endswith("Did you mean 'order'?")


def test_several_files_changed_at_once_are_loaded_together(start: Callable[..., Served]) -> None:
    served = start()
    files = {
        "openapi.yaml": FILES["openapi.yaml"].replace("/jobs", "/works"),
        "provider.yaml": FILES["provider.yaml"].replace("order: -created_at", "order: created_at"),
        "seeds/default.yaml": FILES["seeds/default.yaml"].replace("title: Paint", "title: Gild"),
    }
    for name, text in files.items():
        (served.folder / name).write_text(text)
    served.wait_for(GOOD)
    assert [each["id"] for each in served.get("/works")["items"]] == ["j3", "j2", "j1"]
    assert served.api.get("/jobs", headers=ANN).status_code == 404
    time.sleep(0.5)
    assert len(served.lines()) == 1, "one line for all of it"


def test_rows_of_a_collection_that_is_gone_are_dropped_and_that_is_told(start: Callable[..., Served]) -> None:
    served = start()
    served.edit(
        "provider.yaml", "  token: {schema: null", "  badge: {schema: null, fields: [id]}\n  token: {schema: null"
    )
    served.wait_for(GOOD)
    served.api.put("/_tasktwin/state/badge/b1", json={"id": "b1"})
    served.edit("provider.yaml", "  badge: {schema: null, fields: [id]}\n", "")
    served.wait_for("warning: 1 of the rows of badge dropped")
    assert served.get("/_tasktwin/state")["collections"] == {"token": 2, "job": 3}


def test_a_timer_whose_span_is_another_runs_anew_from_the_last_change(start: Callable[..., Served]) -> None:
    served = start("--clock=frozen")
    assert served.get("/_tasktwin/clock")["timers"] == 2
    served.edit("provider.yaml", "lapse: {after: 3d", "lapse: {after: 2h")
    served.wait_for(GOOD)
    assert served.get("/jobs/j1")["state"] == "open"
    served.api.post("/_tasktwin/clock", json={"advance": 7_200})
    assert served.get("/jobs/j1")["state"] == "lapsed"


def test_open_streams_end_and_a_client_that_comes_back_goes_on(start: Callable[..., Served]) -> None:
    served = start()
    made = served.api.post("/jobs", json={"title": "Dig"}, headers=ANN).json()
    with served.api.stream("GET", f"/jobs/{made['id']}/events", headers=ANN, timeout=15) as stream:
        lines = stream.iter_lines()
        assert any(line.startswith("id:") for line in lines)
        served.edit("provider.yaml", "event: created", "event: change")
        assert list(lines) is not None, "it ends"
    served.wait_for(GOOD)
    with served.api.stream("GET", f"/jobs/{made['id']}/events", headers=ANN, timeout=15) as stream:
        assert "event: change" in next(line for line in stream.iter_lines() if line.startswith("event:"))


def test_a_snapshot_of_before_a_change_comes_back_with_the_fields_of_now(start: Callable[..., Served]) -> None:
    served = start()
    served.api.post("/_tasktwin/snapshots", json={"name": "old"})
    served.edit(
        "openapi.yaml", "        worker: {type", "        rating: {type: integer, default: 5}\n        worker: {type"
    )
    served.wait_for(GOOD)
    assert served.api.post("/_tasktwin/snapshots/old/restore").status_code == 200
    assert served.get("/jobs/j1")["rating"] == 5


def test_a_folder_that_is_taken_away_is_served_on_and_seen_again_when_it_is_back(start: Callable[..., Served]) -> None:
    served = start()
    away = served.folder.rename(served.folder.with_name("away"))
    served.wait_for("error: ")
    assert served.get("/jobs")["total"] == 3
    away.rename(served.folder)
    served.wait_for(GOOD)
    served.edit("seeds/default.yaml", "title: Paint", "title: Gild")
    served.wait_for(GOOD, 2)
    assert "Traceback" not in served.shown.read_text()


def test_a_request_that_waits_meanwhile_is_answered_by_what_is_served_then(start: Callable[..., Served]) -> None:
    served = start()
    slow = [{"name": "slow", "match": {"operation": "*"}, "do": {"delay": 3}}]
    assert served.api.put("/_tasktwin/faults", json=slow).status_code in {200, 204}
    with ThreadPoolExecutor(2) as pool:
        found = pool.submit(served.api.get, "/jobs/j1", headers=ANN)
        lost = pool.submit(served.api.post, "/jobs/j1/start", headers={"Authorization": "Bearer ben-token"})
        time.sleep(0.5)
        served.edit("openapi.yaml", "  /jobs/{job_id}/start:", "  /jobs/{job_id}/begin:")
        served.edit(
            "openapi.yaml",
            "        worker: {type",
            "        rating: {type: integer, default: 5}\n        worker: {type",
        )
        served.wait_for(GOOD)
        assert found.result().json()["rating"] == 5
        assert lost.result().status_code == 404
