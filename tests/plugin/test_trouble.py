"""Trouble that a test orders through ``twin.faults``."""

from typing import Any

import httpx2
import pytest

from tasktwin.errors import MisuseError
from tasktwin.plugin import ServedTwin
from tasktwin.wire import Json

TASK = {"title": "Logo", "description": "Two colours.", "bounty_amount": "300", "delivery_hours": 48}
pytestmark = pytest.mark.twin("uumit", clock="frozen")


def create(twin: ServedTwin) -> int:
    return twin.client(as_="human_alice").post("/api/v1/tasks/", json=TASK).status_code


def read_draft(twin: ServedTwin, got: bytearray) -> None:
    """Read a stream into ``got``, as far as it comes."""
    api, body = twin.client(as_="human_alice"), {"description": "Draw a logo"}
    with api.stream("POST", "/api/v1/tasks/ai-create", json=body) as answer:
        for part in answer.iter_raw():
            got += part


def test_a_status_strikes_so_many_requests_of_one_operation(twin: ServedTwin) -> None:
    assert twin.faults.add("status", operation="createTask", status=500, times=1) == "fault-1"
    assert twin.client(as_="human_alice").get("/api/v1/wallet").status_code == 200
    assert [create(twin), create(twin)] == [500, 200]


def test_a_further_order_does_not_wake_one_that_is_used_up(twin: ServedTwin) -> None:
    twin.faults.add("status", operation="createTask", status=500, times=1, name="once")
    twin.faults.add("status", operation="createTask", status=503, after=2, name="later")
    assert create(twin) == 500
    twin.faults.add("delay", delay=0)
    assert [create(twin), create(twin)] == [200, 503]
    assert [each["name"] for each in twin.faults.entries()] == ["once", "later", "fault-3"]


def test_cleared_trouble_is_over(twin: ServedTwin) -> None:
    twin.faults.add("status", status=500)
    twin.faults.clear()
    assert create(twin) == 200


@pytest.mark.parametrize(
    ("kind", "how", "error"),
    [
        ("drop", {"drop": "after"}, httpx2.RemoteProtocolError),
        ("truncate", {"truncate": 3}, httpx2.RemoteProtocolError),
        ("corrupt", {"corrupt": "json"}, ValueError),
    ],
    ids=["drop", "truncate", "corrupt"],
)
def test_an_answer_is_lost_cut_or_spoilt(
    twin: ServedTwin, kind: str, how: dict[str, Json], error: type[Exception]
) -> None:
    twin.faults.add(kind, operation="createTask", times=1, **how)
    with pytest.raises(error):
        twin.client(as_="human_alice").post("/api/v1/tasks/", json=TASK).json()
    assert twin.journal.count("createTask") == 1


def test_a_stream_is_cut_inside_an_event(twin: ServedTwin) -> None:
    twin.faults.add("stream", operation="createTaskByDescription", stream="cut", event=1, byte=4)
    got = bytearray()
    with pytest.raises(httpx2.RemoteProtocolError):
        read_draft(twin, got)
    assert len(got) == 4


@pytest.mark.parametrize(
    ("kind", "how", "says"),
    [
        ("status", {"code": 500}, r"faults.add\('status', …\) needs status=…; there are status, delay"),
        ("sttus", {"status": 500}, "there is no trouble 'sttus'"),
        ("status", {"status": 99}, "/0/do/status: must be"),
        ("status", {"status": 500, "operation": "creatTask"}, "Did you mean 'createTask'"),
        ("status", {"status": 500, "retry": 3}, "/0/do/retry: there is no key 'retry'. Did you mean 'retry_after'"),
        ("stream", {"stream": "cut", "operation": "getWallet"}, "'getWallet' answers with no stream"),
    ],
    ids=["no-value", "no-such-kind", "bad-status", "no-such-operation", "no-such-key", "no-stream"],
)
def test_an_order_that_cannot_be_is_told(twin: ServedTwin, kind: str, how: dict[str, Any], says: str) -> None:
    with pytest.raises(MisuseError, match=says):
        twin.faults.add(kind, **how)
    assert twin.faults.entries() == []
