"""An application served in a thread of the program that uses it."""

import threading

import httpx2
import pytest

from tasktwin import create_app
from tasktwin.server.background import Background


def running() -> int:
    """The threads that serve now; those of other tests' twins among them."""
    return sum(1 for each in threading.enumerate() if each.name == "tasktwin")


def test_it_answers_at_once_and_no_more_once_it_is_stopped() -> None:
    before = running()
    served = Background(create_app("uumit"))
    assert httpx2.get(f"{served.url}/_tasktwin/health").json()["providers"] == ["uumit"]
    served.stop()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{served.url}/_tasktwin/health")
    assert running() == before


@pytest.mark.memory
def test_two_do_not_meet() -> None:
    first, second = Background(create_app("uumit")), Background(create_app("uumit"))
    httpx2.get(f"{first.url}/api/v1/wallet")
    seen = [len(httpx2.get(f"{each.url}/_tasktwin/journal").json()["entries"]) for each in (first, second)]
    first.stop()
    second.stop()
    assert seen == [1, 0]


def test_it_stops_soon_although_a_stream_is_open() -> None:
    before = running()
    served = Background(create_app("uumit"))
    with httpx2.stream("GET", f"{served.url}/_tasktwin/journal/stream") as answer:
        assert answer.status_code == 200
        served.stop()
    assert running() == before
