"""What a twin has seen of its test: the journal, and requests that break the contract."""

import pytest

from tasktwin.errors import MisuseError
from tasktwin.plugin import ServedTwin
from tasktwin.plugin.seen import MOST_TOLD

TASK = {"title": "Logo", "description": "Two colours.", "bounty_amount": "300", "delivery_hours": 48}
JSON = {"Content-Type": "application/json"}


@pytest.mark.twin("uumit")
def test_exchanges_are_counted_by_operation_and_status(twin: ServedTwin) -> None:
    api = twin.client(as_="human_alice")
    for _ in range(2):
        api.post("/api/v1/tasks/", json=TASK)
    twin.client().get("/api/v1/wallet")
    assert twin.journal.count() == 3
    assert (twin.journal.count("createTask"), twin.journal.count(operation="*Task", status="2xx")) == (2, 2)
    assert (twin.journal.count(status=401), twin.journal.count("createTask", 401)) == (1, 0)
    assert [each["operation"] for each in twin.journal.entries(since=1, limit=1)] == ["createTask"]
    with pytest.raises(MisuseError, match="/status"):
        twin.journal.count(status="many")


@pytest.mark.twin("uumit")
def test_right_requests_are_not_told_of_whatever_they_were_answered(twin: ServedTwin) -> None:
    twin.faults.add("status", status=503, operation="createTask", times=1)
    api = twin.client(as_="human_bob")
    answers = [api.post("/api/v1/tasks/", json=TASK), api.post("/api/v1/tasks/", json=TASK), api.get("/api/v1/tasks/x")]
    assert [each.status_code >= 400 for each in answers] == [True, True, True]
    assert twin.journal.wrong() == ""


@pytest.mark.twin("uumit")
def test_a_wrong_request_is_told_with_each_rule_it_breaks_and_where(twin: ServedTwin) -> None:
    body = {**TASK, "title": 3, "bounty_amount": "lots"}
    twin.client(as_="human_alice").post("/api/v1/tasks/", json=body)
    head, *lines = twin.journal.wrong().splitlines()
    assert head.startswith("POST /api/v1/tasks/ createTask as human:")
    assert head.endswith(", answered 422 (journal entry 1)")
    assert lines[:2] == [
        '    body /title: 3 is not of type "string" [type]',
        '    body /bounty_amount: lots is not a valid "decimal" [format]',
    ]


@pytest.mark.twin("uumit")
def test_a_path_a_method_and_a_body_that_the_contract_does_not_know_are_told(twin: ServedTwin) -> None:
    api = twin.client(as_="human_alice")
    api.get("/nope")
    api.put("/api/v1/wallet")
    api.post("/api/v1/tasks/", content=b"{", headers=JSON)
    told = twin.journal.wrong()
    assert "GET /nope, answered 404 (journal entry 1)\n    the contract has no such path\n" in told
    assert "    the contract has this path, but not with this method\n" in told
    assert "[json]" in told


@pytest.mark.twin("aitasker")
def test_what_a_framework_refused_in_its_own_way_is_told_too(twin: ServedTwin) -> None:
    api = twin.client(as_="poster")
    assert api.post("/api/v1/tasks", json={"title": 3}).status_code == 422
    assert "    body /title: 3 is not valid under any of the schemas" in twin.journal.wrong()
    assert api.post("/api/v1/tasks", content=b"{", headers=JSON).status_code == 422
    assert "(journal entry 2)" in twin.journal.wrong()


@pytest.mark.twin("uumit")
def test_wrong_requests_stay_known_after_clear_and_reset_and_are_told_once(twin: ServedTwin) -> None:
    api = twin.client(as_="human_alice")
    for forget in (twin.journal.clear, twin.reset, twin.journal.clear):
        api.get("/nope")
        forget()
    assert twin.journal.count() == 0
    assert twin.journal.wrong().count("GET /nope") == 3
    assert twin.journal.wrong().count("GET /nope") == 3


@pytest.mark.twin("uumit")
def test_of_many_wrong_requests_the_first_are_told(twin: ServedTwin) -> None:
    api = twin.client()
    for _ in range(MOST_TOLD + 2):
        api.get("/nope")
    told = twin.journal.wrong()
    assert told.count("GET /nope") == MOST_TOLD
    assert told.endswith("and 2 more")
