"""A twin on a real port whose answers pass through somebody who may spoil them; and one part of a phase judging it."""

import asyncio
import json
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import uvicorn

from tasktwin import load
from tasktwin.server import create_app
from tasktwin.suite.budget import Budget
from tasktwin.suite.lifecycle.ground import ground_of
from tasktwin.suite.run import Options, Run, go_through
from tasktwin.suite.target import Callers, Target


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    gone: asyncio.Event
    query: str = ""

    @property
    def world(self) -> str:
        """The twin's world that it is for."""
        return self.headers.get("tasktwin-world", "")

    @property
    def caller(self) -> str:
        """Its credentials."""
        return self.headers.get("authorization", "") + self.headers.get("x-api-key", "")

    @property
    def json(self) -> Any:
        """Its body, read."""
        return json.loads(self.body) if self.body else None


Answer = tuple[int, bytes, list[tuple[bytes, bytes]]]
Twin = Callable[[Asked], Awaitable[Answer]]
Fault = Callable[[Asked, Twin], Awaitable[Answer]]


async def plainly(asked: Asked, twin: Twin) -> Answer:
    return await twin(asked)


@contextmanager
def deployed(provider: str, fault: Fault = plainly) -> Iterator[str]:
    """The URL of a twin behind a fault. Its control plane is untouched."""
    app = create_app(load(provider))

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if "_tasktwin" in scope["path"]:
            await app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        asked = Asked(scope["method"], scope["path"], headers, body, asyncio.Event(), scope["query_string"].decode())
        leaving = asyncio.create_task(_leave(receive, asked.gone))

        async def twin(one: Asked) -> Answer:
            return await _ask(app, scope, one)

        status, answer, head = await fault(asked, twin)
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": answer})
        leaving.cancel()

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(serve, log_level="critical", ws="none", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        until = time.monotonic() + 10
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)


async def _leave(receive: Any, gone: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


async def _ask(app: Any, scope: Any, asked: Asked) -> Answer:
    started: list[Any] = []
    parts: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": asked.body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            started.append(message)
        parts.append(message.get("body", b""))

    asked = replace(asked, headers={**asked.headers, "content-length": str(len(asked.body))})
    headers = [(name.encode(), value.encode()) for name, value in asked.headers.items()]
    inner = {**scope, "method": asked.method, "path": asked.path, "raw_path": asked.path.encode(), "headers": headers}
    inner["query_string"] = asked.query.encode() if asked.path == scope["path"] else b""
    await app(inner, receive, send)
    return started[0]["status"], b"".join(parts), list(started[0]["headers"])


def judged(provider: str, url: str, part: ModuleType, *operations: str) -> Run:
    """A run of one part of a phase on some operations."""
    loaded = load(provider)
    callers = Callers({name: one.headers for name, one in loaded.rules.principals.items()})
    target = Target(url, callers, Budget(60))
    run = Run(loaded, target, Options(phases=("protocol",), operations=operations))

    def phase(one: Run) -> None:
        ground = ground_of(one)
        one.work("protocol", part.units(ground.theatre, ground.atlas, ground.desk))

    go_through(run, [("protocol", phase)])
    target.close()
    return run


def rules(run: Run) -> set[str]:
    """The rules of the failures."""
    return {each.rule for each in run.findings if each.severity == "failure"}
