"""What is answered at once keeps to HTTP all the same: order, lengths, closing, bodies that come in pieces."""

import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.provider.small import write
from tests.server.front import connect, message, read_all, replies, serving

ANN = ("Authorization", "Bearer ann-token")
LOOK = message("GET", "/jobs/j1", [ANN])
LAST = message("GET", "/jobs/j1", [ANN, ("Connection", "close")])
MAKE = message(
    "POST", "/jobs", [ANN, ("Content-Type", "application/json"), ("Connection", "close")], b'{"title": "Dig"}'
)


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The small provider; nothing may be written to standard error."""
    folder = write(tmp_path_factory.mktemp("served"))
    told = Path(tmp_path_factory.mktemp("told")) / "errors"
    with told.open("w") as errors, serving(str(folder), "--quiet", errors=errors) as (url, _):
        yield url
    assert told.read_text() == ""


@pytest.mark.parametrize("count", [1, 2, 800], ids=["one", "two", "very many"])
def test_requests_that_come_together_are_answered_in_their_order(origin: str, count: int) -> None:
    with connect(origin) as wire:
        looks = [message("GET", f"/jobs/{'j1' if n % 3 else 'none'}", [ANN]) for n in range(count)]
        wire.sendall(b"".join(looks) + LAST)
        raw = read_all(wire)
    told = replies(raw)
    assert [each.status for each in told] == [200 if n % 3 else 404 for n in range(count)] + [200]
    assert raw.count(b"connection: close") == 1
    assert told[-1].headers["connection"] == "close"


def test_who_has_said_all_there_is_to_say_is_answered(origin: str) -> None:
    for _ in range(50):
        with connect(origin) as wire:
            wire.sendall(LOOK)
            wire.shutdown(socket.SHUT_WR)
            assert [each.status for each in replies(read_all(wire))] == [200]


def test_all_that_was_asked_before_one_fell_silent_is_answered(origin: str) -> None:
    with connect(origin) as wire:
        wire.sendall(LOOK * 3)
        wire.shutdown(socket.SHUT_WR)
        assert [each.status for each in replies(read_all(wire))] == [200, 200, 200]


def test_who_falls_silent_within_a_body_is_hung_up_on(origin: str) -> None:
    with connect(origin) as wire:
        wire.sendall(MAKE[:-5])
        wire.shutdown(socket.SHUT_WR)
        assert read_all(wire) == b""


def test_whoever_leaves_at_once_is_in_nobody_elses_way(origin: str) -> None:
    for _ in range(20):
        gone = [connect(origin) for _ in range(20)]
        with connect(origin) as wire:
            for each in gone:
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                each.sendall(LOOK)
                each.close()
            wire.sendall(LAST)
            assert [each.status for each in replies(read_all(wire))] == [200]


def test_a_reader_who_takes_in_nothing_for_long_gets_everything_at_last(origin: str) -> None:
    with connect(origin) as wire:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        wire.sendall(LOOK * 1_000 + LAST)
        time.sleep(0.5)
        assert len(replies(read_all(wire))) == 1_001


@pytest.mark.parametrize("cut", [1, 40, len(MAKE) - 17, len(MAKE) - 5, len(MAKE) - 1], ids=["first byte", "head", "before the body", "within the body", "last byte"])  # fmt: skip
def test_a_request_that_comes_in_pieces_is_answered_when_it_is_whole(origin: str, cut: int) -> None:
    with connect(origin) as wire:
        wire.sendall(MAKE[:cut])
        time.sleep(0.05)
        wire.sendall(MAKE[cut:])
        [reply] = replies(read_all(wire))
    assert reply.status in {201, 409}
    assert reply.headers["connection"] == "close"
    assert reply.json()


def test_head_tells_the_length_of_what_get_sends(origin: str) -> None:
    with connect(origin) as wire:
        wire.sendall(message("HEAD", "/jobs/j1", [ANN, ("Connection", "close")]))
        head, _, rest = read_all(wire).partition(b"\r\n\r\n")
    with connect(origin) as wire:
        wire.sendall(LAST)
        [whole] = replies(read_all(wire))
    assert rest == b""
    assert f"content-length: {len(whole.body)}".encode() in head


def test_who_asks_whether_to_go_on_is_told_so_first(origin: str) -> None:
    body = b'{"title": "Dig once more"}'
    lines = [ANN, ("Content-Type", "application/json"), ("Expect", "100-continue"), ("Connection", "close")]
    head = message("POST", "/jobs", [*lines, ("Content-Length", str(len(body)))])
    with connect(origin) as wire:
        wire.sendall(head)
        assert wire.recv(65_536).startswith(b"HTTP/1.1 100 Continue")
        wire.sendall(body)
        assert replies(read_all(wire))[0].status == 201


def test_http_1_0_is_answered_and_closed(origin: str) -> None:
    with connect(origin) as wire:
        wire.sendall(LOOK.replace(b"HTTP/1.1", b"HTTP/1.0"))
        [reply] = replies(read_all(wire))
    assert (reply.status, reply.headers["connection"]) == (200, "close")
