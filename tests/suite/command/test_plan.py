"""What may be sent: decided before anything is, for each operation."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from tests.provider.small import write

from tasktwin.errors import MisuseError
from tasktwin.provider import load
from tasktwin.suite.command.order import Order, is_loopback, phases, rate, shard, span
from tasktwin.suite.command.plan import Permission, plan_of, print_plan
from tasktwin.suite.target import Callers
from tasktwin.suite.traffic import Request


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.9.9.9/x", True),
        ("http://[::1]:80", True),
        ("http://localhost", True),
        ("http://api.localhost:1", True),
        ("https://staging.example", False),
        ("http://localhost.example", False),
        ("http://0.0.0.0", False),
        ("http://192.168.1.7", False),
        ("http://2130706433", False),
        ("http://[bad", False),
        ("http://127.0.0.1@staging.example", False),
    ],
)
def test_only_this_machine_is_loopback(url: str, *, expected: bool) -> None:
    assert is_loopback(url) is expected


@pytest.mark.parametrize(
    ("url", "options", "globs"),
    [
        ("http://127.0.0.1", {}, ("*",)),
        ("https://staging.example", {}, ()),
        ("http://127.0.0.1", {"read_only": True}, ()),
        ("https://staging.example", {"writes": ("create*",)}, ("create*",)),
        ("http://127.0.0.1", {"writes": ("create*",)}, ("create*",)),
    ],
)
def test_off_this_machine_nothing_writes_unless_it_is_allowed(
    url: str, options: dict[str, object], globs: tuple[str, ...]
) -> None:
    assert Order("fuzz", url, "uumit", ("fuzzing",), **options).globs == globs  # type: ignore[arg-type]


def test_a_provider_without_scenarios_is_not_verified_by_playing_none(tmp_path: Path) -> None:
    provider = load(str(write(tmp_path)))
    with pytest.raises(MisuseError, match="has no scenarios to play; tasktwin fuzz"):
        plan_of(Order("verify", "http://127.0.0.1", provider.name, ("scenarios",)), provider, Callers({}))


def rpc(method: object) -> Request:
    return Request("POST", "/rpc", body=json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}).encode())


@pytest.mark.parametrize(
    ("request_", "globs", "may"),
    [
        (Request("GET", "/jobs?page=1"), (), True),
        (Request("OPTIONS", "/jobs"), (), True),
        (Request("POST", "/jobs"), (), False),
        (Request("POST", "/jobs"), ("createJob",), True),
        (Request("POST", "/jobs"), ("create*",), True),
        (Request("DELETE", "/jobs/j1"), ("create*",), False),
        (Request("POST", "/jobs", operation="listJobs"), ("listJobs",), False),
        (Request("PUT", "/jobs"), ("createJob", "listJobs"), False),
        (Request("PUT", "/jobs"), ("*",), True),
        (Request("POST", "/elsewhere"), ("createJob",), False),
        (rpc("jobs/get"), (), True),
        (rpc("jobs/create"), (), False),
        (rpc("jobs/unknown"), (), False),
        (rpc({}), (), False),
        (rpc("jobs/create"), ("callAgent",), True),
        (Request("POST", "/rpc", body=b"["), (), False),
    ],
)
def test_a_request_is_judged_by_what_it_means(
    tmp_path: Path, request_: Request, globs: tuple[str, ...], *, may: bool
) -> None:
    assert Permission(load(str(write(tmp_path))), globs)(request_) is may


def test_words_of_the_command_line_are_read() -> None:
    assert (span("", "90s"), span("", "2m"), span("", "500ms"), span("", "7")) == (90, 120, 0.5, 7)
    assert (rate("", "10/s"), rate("", "600/m"), rate("", "3")) == (10, 10, 3)
    assert shard("", "2/4") == (2, 4)
    assert phases("", ["fuzzing,scenarios", "lifecycle"]) == ("scenarios", "lifecycle", "fuzzing")


@pytest.mark.parametrize("text", ["", "x", "-1s", "0", "1d", "1e9s", "9999999h"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(MisuseError, match="is no span of time"):
        span("--time-budget", text)


OPEN = """\
openapi: 3.1.0
info: {title: Notes, version: "1"}
paths:
  /notes: {get: {operationId: listNotes, responses: {"200": {description: All.}}}}
"""
CLOSED = f"{OPEN}security: [{{key: []}}]\ncomponents: {{securitySchemes: {{key: {{type: http, scheme: bearer}}}}}}\n"


@pytest.mark.parametrize(
    ("document", "callers", "told"),
    [
        (OPEN, Callers({}), "nobody: it asks for no credentials"),
        (CLOSED, Callers({}), "nobody, though it asks for credentials: --credentials FILE says whose"),
        (CLOSED, Callers({"me": {"Authorization": "Bearer x"}}, secret=True), "me (your credentials)"),
    ],
    ids=["open", "closed", "own"],
)
def test_a_plan_says_who_calls(tmp_path: Path, document: str, callers: Callers, told: str) -> None:
    (tmp_path / "openapi.yaml").write_text(document)
    out = StringIO()
    order = Order("fuzz", "http://127.0.0.1", str(tmp_path), ("lifecycle",))
    print_plan(plan_of(order, load(str(tmp_path)), callers), Console(file=out), whole=False)
    assert f"callers     {told}" in out.getvalue()
