"""A proxy started by the real command, and a deployment that answers with just the bytes that a test gives."""

import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

CONTRACT = """
openapi: 3.1.0
info: {title: Things, version: "1"}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
    asked: {type: apiKey, in: query, name: key}
  schemas:
    Thing: {type: object, required: [id, size], properties: {id: {type: string}, size: {type: integer}}}
    New:
      type: object
      required: [size]
      properties: {size: {type: integer}, colour: {type: string, x-provenance: "assumed: a guess"}}
paths:
  /things:
    get:
      operationId: listThings
      parameters: [{name: limit, in: query, schema: {type: integer}}]
      responses:
        "200": {description: All, content: &all {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Thing"}}}}}
    post:
      operationId: makeThing
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/New"}}}}
      responses:
        "201": {description: Made, content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}
        "422": {description: No}
  /things/{thing_id}:
    parameters: [{name: thing_id, in: path, required: true, schema: {type: string}}]
    delete: {operationId: dropThing, responses: {"204": {description: Gone}}}
  /file:
    get: {operationId: getFile, responses: {"200": {description: It, content: {application/octet-stream: {}}}}}
    put:
      operationId: putFile
      requestBody: {content: {application/octet-stream: {}}}
      responses: {"204": {description: Kept}}
  /news:
    get:
      operationId: readNews
      responses:
        "200":
          description: News
          content:
            text/event-stream:
              x-itemSchema:
                type: object
                required: [data]
                properties:
                  event: {type: string}
                  data: {type: string, contentMediaType: application/json, contentSchema: {$ref: "#/components/schemas/Thing"}}
"""
"""Small, and without marks: all of it is the API's own word, but for what says otherwise."""


def folder(path: Path) -> Path:
    """A provider's folder with that contract."""
    home = path / "things"
    home.mkdir()
    (home / "openapi.yaml").write_text(CONTRACT)
    return home


@dataclass
class Ended:
    """What came of a proxy."""

    code: int
    out: str
    err: str


@dataclass
class Proxy:
    """A proxy that runs. ``stop`` is Ctrl-C, unless another signal is given."""

    url: str
    process: "subprocess.Popen[str]"

    def stop(self, by: signal.Signals = signal.SIGINT) -> Ended:
        """Stop it; what it printed."""
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=20)
        return Ended(self.process.returncode, out, err)


@contextmanager
def started(target: str, provider: Path | str, *options: str) -> Iterator[Proxy]:
    """``tasktwin proxy`` before a target, on a free port."""
    command = [sys.executable, "-m", "tasktwin", "proxy", target, "--provider", str(provider), "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Proxy(process.stdout.readline().strip(), process)
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


Answer = Callable[[socket.socket, bytes], None]


@dataclass
class Deployment:
    """Answers by path with the bytes that ``answers`` hold, or lets a function do it. ``heard`` is what it was sent."""

    url: str
    answers: dict[str, bytes | Answer] = field(default_factory=dict)
    heard: list[bytes] = field(default_factory=list)


@contextmanager
def deployed() -> Iterator[Deployment]:
    """A deployment on a free port; each connection carries one exchange."""
    deployment = Deployment("")

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                request = _read(self.request)
                if request:
                    deployment.heard.append(request)
                    answer = deployment.answers[request.split(b" ")[1].split(b"?")[0].decode()]
                    if callable(answer):
                        answer(self.request, request)
                    else:
                        self.request.sendall(answer)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True
        request_queue_size = 512
        block_on_close = False

    with Server(("127.0.0.1", 0), Handler) as server:
        deployment.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield deployment
        server.shutdown()


def _read(connection: socket.socket) -> bytes:
    """One request with its body."""
    raw = b""
    while b"\r\n\r\n" not in raw:
        piece = connection.recv(65_536)
        if not piece:
            return b""
        raw += piece
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
    length = int(lines.get(b"content-length", b"0"))
    while len(body) < length or (b"transfer-encoding" in lines and not body.endswith(b"0\r\n\r\n")):
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def answer(body: bytes, status: str = "200 OK", media: str = "application/json", *more: str) -> bytes:
    """An answer as bytes."""
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *more]
    head += [f"Content-Type: {media}"] if media else []
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def ask(url: str, method: str = "GET", **more: Any) -> httpx2.Response:
    """One request, on a connection of its own."""
    with httpx2.Client(timeout=10, trust_env=False) as client:
        return client.request(method, url, **more)
