"""The journal over the control plane, as JSON and as HAR: what was asked, and no secrets."""

from typing import Any

import pytest
from tests.server.front import ADA, ALICE, BOB, OTTO, SECRETS, TASK, TASKS, World, as_bytes, assert_problem


def test_the_journal_tells_of_every_exchange(busy: World) -> None:
    entries = busy.entries()
    assert [each["operation"] for each in entries] == ["createTask", "createTask", "createTask", "getTask", ""]
    assert [each["status"] for each in entries] == [200, 200, 422, 200, 404]
    assert [each["number"] for each in entries] == [1, 2, 3, 4, 5]
    assert {each["world"] for each in entries} == {busy.name}
    assert (entries[0]["method"], entries[4]["path"]) == ("POST", "/nope?x=1")
    assert entries[0]["principal"] == "human:b0000000-0000-4000-8000-0000000000b1"
    assert entries[0]["request"]["body"]["title"] == "one"
    assert entries[0]["response"]["body"]["data"]["title"] == "one"
    assert (entries[2]["reason"], entries[2]["violations"][0]["pointer"]) == ("refused: invalid", "/title")
    assert all(each["seconds"] > 0 and each["at"].endswith("Z") for each in entries)


FILTERS: dict[str, tuple[dict[str, str | int], list[int]]] = {
    "an operation": ({"operation": "createTask"}, [1, 2, 3]),
    "a glob": ({"operation": "*Task"}, [1, 2, 3, 4]),
    "a status": ({"status": 422}, [3]),
    "a class": ({"status": "4xx"}, [3, 5]),
    "both": ({"operation": "createTask", "status": "2xx"}, [1, 2]),
    "since": ({"since": 3}, [4, 5]),
    "since the end": ({"since": 5}, []),
    "the last ones": ({"limit": 2}, [4, 5]),
    "the next ones": ({"limit": 2, "since": 0}, [1, 2]),
}


@pytest.mark.parametrize(("asked", "numbers"), FILTERS.values(), ids=FILTERS)
def test_the_journal_is_filtered(busy: World, asked: dict[str, str | int], numbers: list[int]) -> None:
    assert [each["number"] for each in busy.entries(**asked)] == numbers
    har = busy.control.get("/journal.har", params=asked).json()
    assert len(har["log"]["entries"]) == len(numbers)


@pytest.mark.parametrize(
    "query", ["status=999", "status=4XX", "status=", "since=-1", "since=x", "limit=0", "limit=%00"]
)
def test_a_filter_that_cannot_be_is_refused(world: World, query: str) -> None:
    assert_problem(world.control.get(f"/journal?{query}"), 400)
    assert_problem(world.control.get(f"/journal.har?{query}"), 400)


def test_a_cleared_journal_counts_on(busy: World) -> None:
    assert busy.control.delete("/journal").status_code == 204
    assert busy.entries() == []
    busy.post_task()
    assert [each["number"] for each in busy.entries()] == [6]


def test_calls_of_the_control_plane_are_not_in_the_journal(world: World) -> None:
    world.evidence()
    assert world.entries() == []


def test_no_credential_of_a_demo_principal_is_in_journal_or_har(world: World) -> None:
    for headers in (ALICE, BOB, ADA, OTTO):
        world.api.get("/api/v1/wallet/", headers=headers)
        world.api.post(TASKS, json=TASK, headers={name.upper(): value for name, value in headers.items()})
        world.api.post(TASKS, content=b"{", headers={**headers, "Cookie": f"token={SECRETS[0]}"})
        twice = [*headers.items(), *headers.items(), ("Proxy-Authorization", f"Bearer {SECRETS[1]}")]
        world.ask("GET", "/nope", [*twice, ("Tasktwin-World", world.name)])
    assert len(world.entries()) == 16
    for text in (world.control.get("/journal").text, world.control.get("/journal.har").text):
        assert [secret for secret in SECRETS if secret in text] == []
        assert "[redacted]" in text


HAR = {
    "entry": {"startedDateTime", "time", "request", "response", "cache", "timings"},
    "request": {"method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"},
    "response": {
        "status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL", "headersSize", "bodySize",
    },
    "content": {"size", "mimeType"},
    "timings": {"send", "wait", "receive"},
}  # fmt: skip
"""What HAR 1.2 demands: http://www.softwareishard.com/blog/har-12-spec/."""


def test_the_har_file_has_what_har_1_2_demands(busy: World) -> None:
    log = busy.control.get("/journal.har").json()["log"]
    assert (log["version"], log["creator"]["name"]) == ("1.2", "tasktwin")
    for entry in log["entries"]:
        parts: dict[str, Any] = {"entry": entry, **{name: entry[name] for name in ("request", "response", "timings")}}
        parts["content"] = entry["response"]["content"]
        assert {name: HAR[name] - set(part) for name, part in parts.items()} == {name: set() for name in HAR}
        assert entry["time"] == pytest.approx(sum(entry["timings"][name] for name in HAR["timings"]))
        assert entry["request"]["url"].startswith(busy.origin)
    first, last = log["entries"][0], log["entries"][-1]
    assert first["request"]["postData"]["mimeType"] == "application/json"
    assert [(each["name"], each["value"]) for each in last["request"]["queryString"]] == [("x", "1")]
    assert (last["response"]["status"], last["response"]["statusText"]) == (404, "Not Found")


def test_a_har_file_takes_whatever_was_sent(world: World) -> None:
    for body in (b"\xff\x00", b'"\xed\xa0\x80"', b"[" * 5_000, b"x" * 200_000):
        world.api.post(TASKS, content=body, headers=as_bytes({**ALICE, "X-Strange": "\xff\x80"}))
    world.ask("GET", "/%ff%00?%ff=%00&&=", ALICE)
    assert len(world.control.get("/journal.har").json()["log"]["entries"]) == 5
    assert len(world.entries()) == 5
