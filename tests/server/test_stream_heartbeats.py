"""A stream without an end on a clock that leaps: its heartbeats hold up nobody, and stop when the client leaves."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import httpx2
import pytest
from tests.provider.small import edited, write
from tests.server.front import connect, message, serving

BEATING = edited(
    "provider.yaml",
    "heartbeat: {every: 20s, event: ping, data: {id: $row#/id}}",
    "heartbeat: {every: 1s, comment: ping}",
)
YEAR = 31_536_000
BOUND = 5.0
"""Seconds in which everybody else is answered; a year of heartbeats takes minutes."""


@pytest.fixture
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The small provider with a heartbeat each second, on a frozen clock."""
    folder = write(tmp_path_factory.mktemp("served"), BEATING)
    with serving(str(folder), "--clock", "frozen", "--quiet") as (url, _process):
        yield url


def watch(origin: str, seen: list[int]) -> tuple[socket.socket, threading.Thread]:
    """A reader who takes in all that comes; how much it was is added up in ``seen``."""
    wire = connect(origin)
    wire.sendall(message("GET", "/jobs/j2/events", [("Authorization", "Bearer ann-token")]))
    assert wire.recv(12) == b"HTTP/1.1 200"
    wire.settimeout(None)

    def read() -> None:
        with suppress(ConnectionResetError):  # which the shutdown below may look like from here
            while chunk := wire.recv(1 << 20):
                seen.append(len(chunk))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return wire, thread


def closings(client: httpx2.Client) -> list[str]:
    """Why streams were closed."""
    entries = client.get("/_tasktwin/journal").json()["entries"]
    return [each["reason"].partition(",")[0] for each in entries if each["reason"].startswith("stream closed")]


@pytest.mark.parametrize("readers", [1, 3])
def test_a_year_of_heartbeats_holds_up_nobody_and_ends_when_the_client_leaves(origin: str, readers: int) -> None:
    seen: list[int] = []
    with httpx2.Client(base_url=origin, timeout=BOUND, headers={"Authorization": "Bearer ann-token"}) as client:
        reading = [watch(origin, seen) for _ in range(readers)]
        assert client.post("/_tasktwin/clock", json={"advance": YEAR}).status_code == 200
        for _ in range(3):
            assert client.get("/_tasktwin/health").status_code == 200
            assert client.get("/jobs/j2").status_code == 200
            assert client.post("/jobs", json={"title": f"Dig {len(seen)}", "hours": 1}).status_code == 201
            time.sleep(0.1)
        assert closings(client) == []
        assert sum(seen) > 100_000
        for wire, thread in reading:
            wire.shutdown(socket.SHUT_RDWR)
            thread.join(BOUND)
            wire.close()
        late = time.monotonic() + BOUND
        while len(closings(client)) < readers:
            assert time.monotonic() < late
            time.sleep(0.05)
        assert closings(client) == ["stream closed: the client left"] * readers
