"""The front door as a user finds it: the real command, real sockets, and a world of its own for each test."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TypeAlias
from urllib.parse import urlsplit

import httpx2

from tasktwin.wire import Json, loads

ALICE = {"Authorization": "Bearer human-alice-token"}
BOB = {"Authorization": "Bearer human-bob-token"}
ADA = {"X-Api-Key": "uuagent_sk_demo", "X-Platform-User-Id": "a0000000-0000-4000-8000-0000000000a1"}
OTTO = {"X-Api-Key": "uuagent_sk_demo", "X-Platform-User-Id": "a0000000-0000-4000-8000-0000000000a2"}
SECRETS = ("human-alice-token", "human-bob-token", "uuagent_sk_demo")

ALICES_TASK = "10000000-0000-4000-8000-000000000001"
ADAS_TASK = "10000000-0000-4000-8000-000000000009"
TASKS = "/api/v1/tasks/"
TASK: dict[str, Json] = {
    "title": "Read 40 invoices",
    "description": "Number, date and total into one CSV file.",
    "category": "finance",
    "mode": "online",
    "billing_model": "fixed_deadline",
    "bounty_amount": "1.00",
    "delivery_hours": 24,
}

Lines: TypeAlias = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer as it came over the wire. Header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Json:
        """The body as JSON."""
        return loads(self.body)


@contextlib.contextmanager
def serving(*arguments: str, errors: IO[str] | None = None) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """``tasktwin serve`` with these arguments on a free port: its base URL and its process.

    What it writes to standard error goes to ``errors``, or to where pytest shows it when a test fails.
    """
    command = [sys.executable, "-m", "tasktwin", "serve", *arguments, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
            process.kill()


def connect(url: str) -> socket.socket:
    """A plain TCP connection to the server of a URL."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5)


def message(method: str | bytes, target: str | bytes, headers: Lines = (), body: bytes = b"") -> bytes:
    """A request as bytes, sent as it is given: nothing is escaped, and no header is added but Host and the length."""
    first = b" ".join([_raw(method), _raw(target), b"HTTP/1.1"])
    length = [("Content-Length", str(len(body)))] if body else []
    lines = [_raw(f"{name}: {value}") for name, value in [("Host", "localhost"), *headers, *length]]
    return b"\r\n".join([first, *lines, b"", body])


def talk(url: str, sent: bytes) -> bytes:
    """Send bytes and read until the server closes. A server that closes early may cut off what is still being sent."""
    with connect(url) as wire:
        with contextlib.suppress(ConnectionError):
            wire.sendall(sent)
        return read_all(wire)


def read_all(wire: socket.socket) -> bytes:
    """All that still comes."""
    chunks = []
    with contextlib.suppress(ConnectionResetError):
        while chunk := wire.recv(65_536):
            chunks.append(chunk)
    return b"".join(chunks)


def replies(raw: bytes, *, bodiless: bool = False) -> list[Reply]:
    """The answers in a stream of bytes. ``bodiless``: they answer HEAD."""
    found = []
    while raw:
        head, _, rest = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            body, raw = _unchunked(rest)
        else:
            length = 0 if bodiless else int(headers.get("content-length", "0"))
            assert len(rest) >= length, "the answer was cut"
            body, raw = rest[:length], rest[length:]
        found.append(Reply(int(first.split()[1]), headers, body))
    return found


def _unchunked(raw: bytes) -> tuple[bytes, bytes]:
    """A body that comes in chunks, and what follows it."""
    body, length = b"", -1
    while length:
        size, _, raw = raw.partition(b"\r\n")
        length = int(size, 16)
        body, raw = body + raw[:length], raw[length + 2 :]
    return body, raw


def ask(
    url: str, method: str | bytes, target: str | bytes, headers: Lines | dict[str, str] = (), body: bytes = b""
) -> Reply:
    """One request on a connection of its own, and its one answer."""
    lines = list(headers.items()) if isinstance(headers, dict) else list(headers)
    sent = message(method, target, [("Connection", "close"), *lines], body)
    (reply,) = replies(talk(url, sent), bodiless=method == "HEAD")
    return reply


class World:
    """A world of the served twin, looked at through the front door."""

    def __init__(self, origin: str, name: str) -> None:
        self.origin = origin
        self.name = name
        # Without certificates, which take a tenth of a second to read.
        self.api = httpx2.Client(base_url=origin, headers={"Tasktwin-World": name}, verify=False)
        self.control = httpx2.Client(base_url=f"{origin}/_tasktwin/worlds/{name}/control", verify=False)

    def close(self) -> None:
        """Hang up."""
        self.api.close()
        self.control.close()

    def ask(
        self, method: str | bytes, target: str | bytes, headers: Lines | dict[str, str] = (), body: bytes = b""
    ) -> Reply:
        """One raw request in this world."""
        lines = list(headers.items()) if isinstance(headers, dict) else list(headers)
        return ask(self.origin, method, target, [("Tasktwin-World", self.name), *lines], body)

    def post_task(self, **fields: Json) -> httpx2.Response:
        """A task of Alice's."""
        return self.api.post(TASKS, json={**TASK, **fields}, headers=ALICE)

    def rows(self, collection: str) -> list[Json]:
        """The rows of a collection, as they are kept."""
        found: list[Json] = self.control.get(f"/state/{collection}?limit=10000").json()["items"]
        return found

    def entries(self, **asked: str | int) -> list[Json]:
        """The journal's entries."""
        found: list[Json] = self.control.get("/journal", params=asked).json()["entries"]
        return found

    def evidence(self) -> Json:
        """What must be the same after a refusal: how many rows there are, tasks, money, and timers."""
        return {
            "sizes": self.control.get("/state").json(),
            "tasks": self.rows("task"),
            "purses": self.rows("purse"),
            "timers": self.control.get("/clock").json()["timers"],
            "transitions": self.control.get("/coverage").json()["transitions"],
        }


def as_bytes(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    """Headers for httpx2, which sends bytes as they are and of texts only ASCII."""
    return [(_raw(name), _raw(value)) for name, value in headers.items()]


def assert_in_the_apis_shape(status: int, media: str, body: Json) -> None:
    """An error of UUMit's: the envelope, with a code that is not 0."""
    assert 400 <= status < 500, body
    assert media == "application/json"
    assert set(body) == {"code", "message", "data", "timestamp"}
    assert body["code"] != 0
    assert body["message"]


def assert_problem(reply: Reply | httpx2.Response, status: int) -> Json:
    """An error of the twin's own: RFC 9457. The problem comes back."""
    body: Json = reply.json()
    assert (status, status) == (getattr(reply, "status", 0) or getattr(reply, "status_code", 0), body["status"]), body
    assert reply.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= set(body)
    return body


def _raw(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")
