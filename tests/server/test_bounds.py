"""Nothing that a client sends or asks to be kept has no end: each bound, and the refusal that tells it.

Bodies, headers, faults, worlds and timers have theirs in the tests of what reads them.
"""

import contextlib
import os
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.server.front import ALICE, World, connect, read_all, serving

from tasktwin import create_app
from tasktwin.behaviour.worlds import MOST_SNAPSHOTS
from tasktwin.server.protocol import MOST_HEAD
from tasktwin.server.stream import MOST_STREAMS

HEAD = b"POST /nope HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"
ENDLESS = {
    "a URL": (b"GET /", b"x"),
    "a header": (HEAD + b"X-Long: ", b"x"),
    "headers": (HEAD, b"X-Many: 1\r\n"),
    "the space between requests": (b"", b"\r\n"),
    "what follows a body": (CHUNKED + b"0\r\n", b"X-Many: 1\r\n"),
    "what is said of a part of a body": (CHUNKED + b"1;", b"x"),
}


@pytest.mark.parametrize(("begin", "more"), ENDLESS.values(), ids=ENDLESS)
def test_what_never_becomes_a_request_is_cut_off_soon(origin: str, begin: bytes, more: bytes) -> None:
    part = more * (MOST_HEAD // len(more))
    sent = len(begin)
    with connect(origin) as wire:
        wire.sendall(begin)
        with contextlib.suppress(ConnectionError):
            while sent < 20 * MOST_HEAD:
                wire.sendall(part)
                sent += len(part)
        read_all(wire)
    assert sent < 20 * MOST_HEAD


def test_a_head_that_does_not_end_is_told_so(origin: str) -> None:
    with connect(origin) as wire:
        wire.sendall(HEAD + b"X-Long: " + b"x" * MOST_HEAD)
        raw = read_all(wire)
    assert raw.startswith(b"HTTP/1.1 431 ")
    assert b"the head of the request does not end" in raw


def test_a_long_body_in_small_parts_is_no_endless_head(world: World) -> None:
    answer = world.api.post("/nope", content=(b"x" * 100 for _ in range(5_000)))
    assert answer.status_code == 404


def test_endless_heads_are_not_kept() -> None:
    with serving("uumit", "--quiet") as (url, process):
        before = _resident(process.pid)
        for _ in range(20):
            with connect(url) as wire, contextlib.suppress(ConnectionError):
                wire.sendall(HEAD + b"X-Long: " + b"x" * (16 * MOST_HEAD))
        assert _resident(process.pid) < before + 30_000_000


def _resident(process: int) -> int:
    """Bytes of a process in memory."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_a_world_keeps_so_many_snapshots_and_replaces_them_by_name(world: World) -> None:
    for number in range(MOST_SNAPSHOTS):
        assert world.control.post("/snapshots", json={"name": f"s-{number}"}).status_code == 201
    refused = world.control.post("/snapshots", json={"name": "one-more"})
    assert (refused.status_code, f"at most {MOST_SNAPSHOTS}" in refused.json()["detail"]) == (409, True)
    assert world.control.post("/snapshots", json={"name": "s-0"}).status_code == 201


def test_no_further_stream_is_opened_when_all_are_open() -> None:
    application = create_app("uumit")
    application.apps[0].hub.count = MOST_STREAMS
    client = TestClient(application)
    made = client.post("/api/v1/tasks/ai-create", json={"description": "Draw a logo"}, headers=ALICE)
    feed = client.get("/_tasktwin/journal/stream")
    for answer in (made, feed):
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert "no further stream can be opened: close some" in answer.json()["detail"]
    assert client.get("/_tasktwin/health").status_code == 200
