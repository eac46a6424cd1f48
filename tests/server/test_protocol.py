"""Requests behind a stream on one connection: the stream goes on, and the twin sees when the client leaves."""

import asyncio
import socket
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.provider.small import write
from tests.server.front import connect, message, read_all, serving

from tasktwin.server.protocol import MOST_QUEUED, Halt

WATCH = message("GET", "/jobs/j1/events", [("Authorization", "Bearer ann-token")])
LOOK = message("GET", "/jobs/j1", [("Authorization", "Bearer ann-token")])
STREAM = b"id: 1\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small provider."""
    return write(tmp_path_factory.mktemp("served"))


@pytest.fixture
def origin(folder: Path, tmp_path: Path) -> Iterator[str]:
    """It, served on a frozen clock; nothing may be written to standard error."""
    told = tmp_path / "errors"
    with told.open("w") as errors, serving(str(folder), "--clock", "frozen", "--quiet", errors=errors) as (url, _):
        yield url
    assert told.read_text() == ""


def closings(origin: str, number: int = 1) -> list[str]:
    """Why streams were closed, once so many were; none comes later."""
    late = time.monotonic() + 5
    told: list[str] = []
    while time.monotonic() < late and len(told) < number:
        time.sleep(0.05)
        entries = httpx2.get(f"{origin}/_tasktwin/journal", verify=False).json()["entries"]
        told = [each["reason"].partition(",")[0] for each in entries if each["reason"].startswith("stream closed")]
    return told


def begun(wire: socket.socket) -> None:
    """Wait until the head of the stream is there, and what is told first."""
    seen = b""
    while b"retry: 2000\n\n" not in seen:
        chunk = wire.recv(65_536)
        assert chunk, seen
        seen += chunk


@pytest.mark.parametrize("packets", [(WATCH, LOOK), (WATCH + LOOK,)], ids=["a later packet", "the same packet"])
@pytest.mark.parametrize("queued", [1, MOST_QUEUED], ids=["one", "the most"])
def test_a_client_that_leaves_with_requests_queued_is_seen_to_leave(
    origin: str, packets: tuple[bytes, ...], queued: int
) -> None:
    with connect(origin) as wire:
        wire.sendall(packets[0] + (LOOK * (queued - 1) if len(packets) == 1 else b""))
        begun(wire)
        if len(packets) > 1:
            wire.sendall(LOOK * queued)
        time.sleep(0.2)
        assert closings(origin, 0) == []
    assert closings(origin) == ["stream closed: the client left"]
    time.sleep(0.2)
    assert closings(origin) == ["stream closed: the client left"], "once"


@pytest.mark.parametrize("first", [0, MOST_QUEUED + 5], ids=["later packets", "the same packet and one later"])
def test_who_queues_too_many_requests_behind_a_stream_is_cut(origin: str, first: int) -> None:
    with connect(origin) as wire:
        wire.sendall(WATCH + LOOK * first)
        begun(wire)
        for _ in range(1 if first else MOST_QUEUED + 1):
            wire.sendall(LOOK)
            time.sleep(0.02)
        assert not read_all(wire).endswith(b"0\r\n\r\n")
    assert closings(origin) == ["stream closed: the client left"]


def test_requests_behind_a_stream_that_ends_are_answered(origin: str) -> None:
    bounded = message("GET", "/jobs/j1/events", [("Authorization", "Bearer ann-token"), ("Prefer", "stream=bounded")])
    last = message("GET", "/jobs/j2", [("Authorization", "Bearer ann-token"), ("Connection", "close")])
    with connect(origin) as wire:
        wire.sendall(bounded + LOOK + last)
        raw = read_all(wire)
    assert raw.count(b"HTTP/1.1 200 OK") == 3
    assert raw.index(b"0\r\n\r\n") < raw.index(b'"id":"j1"') < raw.index(b'"id":"j2"')
    assert closings(origin) == ["stream closed: the present end of the log"]


def test_garbage_behind_a_stream_leaves_no_stream_open(origin: str) -> None:
    with connect(origin) as wire:
        wire.sendall(WATCH)
        begun(wire)
        wire.sendall(b"XYZ\r\n\r\n")
        read_all(wire)
    assert closings(origin) == ["stream closed: the client left"]


def test_of_those_who_waited_for_one_another_one_that_fails_is_told_of_and_the_others_go_on() -> None:
    done: list[str] = []
    told: list[Any] = []

    async def end() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context["exception"]))
        halt = Halt()
        halt.hold(lambda: done.append("first"))
        halt.hold(partial(divmod, 1, 0))
        halt.hold(lambda: done.append("last"))
        halt.end()
        assert not halt

    asyncio.run(end())
    assert done == ["first", "last"]
    assert [type(each) for each in told] == [ZeroDivisionError]
