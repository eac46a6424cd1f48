"""What a run made is put away at its end; what cannot be is told; what it did not make is left alone."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.provider.small import edited, write

from tasktwin.provider import load
from tasktwin.suite.command.order import Order
from tasktwin.suite.command.session import Session, open_session
from tasktwin.suite.run import Run
from tasktwin.suite.traffic import Request

Serve = Callable[..., str]
Open = Callable[..., Session]


@pytest.fixture
def session(serve: Serve) -> Iterator[Open]:
    """A session on a served twin of the folder, whose connections are closed at the end."""
    opened: list[Session] = []

    def begin(folder: Path, globs: tuple[str, ...] = ("*",)) -> Session:
        provider = load(str(folder))
        order = Order("verify", serve(str(folder)), str(folder), ("scenarios",), writes=globs)
        opened.append(open_session(order, provider))
        return opened[-1]

    yield begin
    for each in opened:
        each.run.target.close()


def post(title: str, as_: str = "ann") -> Request:
    body = f'{{"title": "{title}", "hours": 1}}'.encode()
    return Request("POST", "/jobs", as_, {"Content-Type": "application/json"}, body, "createJob")


def titles(run: Run) -> list[str]:
    found = run.target.send(Request("GET", "/jobs", "ann")).json()["items"]
    return sorted(each["title"] for each in found if each["state"] == "open")


def without_delete() -> dict[str, str]:
    """The API with a way to close a job in place of one to delete it."""
    close = "lapse: {operation: deleteJob, from: open, to: lapsed, only: [owner], provenance: stated D}"
    text = edited("provider.yaml", "lapse: {after: 3d, from: open, to: lapsed, provenance: observed C1}", close)
    return edited("provider.yaml", "deleteJob: {verb: delete,", "deleteJob: {verb: move,", text["provider.yaml"])


@pytest.mark.parametrize("files", [{}, None], ids=["deleted", "closed"])
def test_what_was_made_is_gone_and_the_rest_is_there(
    session: Open, tmp_path: Path, files: dict[str, str] | None
) -> None:
    folder = write(tmp_path, without_delete() if files is None else files)
    opened = session(folder)
    for title, who in (("Dig", "ann"), ("Fill", "ben")):
        assert opened.run.target.send(post(title, who)).good
    opened.cleaner.put_away()
    assert opened.run.leftovers == []
    assert titles(opened.run) == ["Cook", "Paint"]


def test_what_was_deleted_in_the_run_is_not_deleted_again(session: Open, tmp_path: Path) -> None:
    folder = write(tmp_path)
    opened = session(folder)
    made = opened.run.target.send(post("Dig")).json()["id"]
    opened.run.target.send(Request("DELETE", f"/jobs/{made}", "ann"))
    before = opened.run.target.sent
    opened.cleaner.put_away()
    assert opened.run.target.sent == before


def test_what_may_not_be_deleted_is_told(session: Open, tmp_path: Path) -> None:
    folder = write(tmp_path)
    opened = session(folder, ("createJob",))
    made = opened.run.target.send(post("Dig")).json()["id"]
    opened.cleaner.put_away()
    assert opened.run.leftovers == [f"job {made} (made by createJob as ann): deleteJob was not allowed; it is open"]


def test_without_cleanup_all_that_was_made_is_told(session: Open, tmp_path: Path) -> None:
    folder = write(tmp_path)
    opened = session(folder)
    made = opened.run.target.send(post("Dig")).json()["id"]
    opened.cleaner.leave()
    assert opened.run.leftovers == [f"job {made} (made by createJob as ann)"]
    assert "Dig" in titles(opened.run)
