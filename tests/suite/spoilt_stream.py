"""A twin on a real port whose requests and whose bytes, streams included, pass through somebody who may spoil them."""

import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import uvicorn

from tasktwin import load
from tasktwin.server import create_app
from tasktwin.suite.budget import Budget
from tasktwin.suite.lifecycle.atlas import Atlas, explore
from tasktwin.suite.run import Options, Run
from tasktwin.suite.story.inputs import all_inputs
from tasktwin.suite.story.sketch import Desk
from tasktwin.suite.story.stage import Theatre
from tasktwin.suite.target import Callers, Target

App = Callable[[Any, Any, Any], Awaitable[None]]
Wrap = Callable[[App], App]


def plainly(app: App) -> App:
    return app


@contextmanager
def streamed(provider: str, wrap: Wrap = plainly, *, control: bool = True) -> Iterator[str]:
    """The URL of a twin within ``wrap``; without ``control`` nobody can move its clock."""
    app = create_app(load(provider))
    inner = wrap(app)

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if "_tasktwin" not in scope["path"]:
            await inner(scope, receive, send)
        elif control:
            await app(scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(serve, log_level="critical", ws="none", lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        until = time.monotonic() + 10
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


def reheaded(change: Callable[[dict[bytes, bytes]], None], path: str) -> Wrap:
    """The headers of the requests to this path are changed before the twin sees them."""

    def wrap(app: App) -> App:
        async def spoilt(scope: Any, receive: Any, send: Any) -> None:
            if path in scope["path"]:
                headers = dict(scope["headers"])
                change(headers)
                scope = {**scope, "headers": list(headers.items())}
            await app(scope, receive, send)

        return spoilt

    return wrap


def rewritten(change: Callable[[bytes, int, bool], bytes | None]) -> Wrap:
    """Each event of a stream is changed, or swallowed: by its bytes, its number, and whether the reader came back."""

    def wrap(app: App) -> App:
        async def spoilt(scope: Any, receive: Any, send: Any) -> None:
            counted = [0]
            streams = [False]
            back = any(name == b"last-event-id" for name, _ in scope["headers"])

            async def pass_on(message: Any) -> None:
                if message["type"] == "http.response.start":
                    streams[0] = (b"content-type", b"text/event-stream") in [
                        (name, value.partition(b";")[0]) for name, value in message["headers"]
                    ]
                elif streams[0]:
                    parts = [part + b"\n\n" for part in message.get("body", b"").split(b"\n\n") if part]
                    told = b""
                    for part in parts:
                        told += change(part, counted[0], back) or b""
                        counted[0] += 1
                    message = {**message, "body": told}
                await send(message)

            await app(scope, receive, pass_on)

        return spoilt

    return wrap


def looked_at(part: ModuleType, name: str, url: str, operations: tuple[str, ...] = (), patience: float = 5.0) -> Run:
    """A run of one part of the phase."""
    provider = load(name)
    callers = Callers({each: one.headers for each, one in provider.rules.principals.items()})
    target = Target(url, callers, Budget(60), patience=patience)
    run = Run(provider, target, Options(operations=operations))
    theatre = Theatre(run)
    desk, atlas = stories(name)
    run.work("protocol", part.units(theatre, atlas, desk))
    target.close()
    return run


@cache
def stories(name: str) -> tuple[Desk, Atlas]:
    """The atlas of a provider: it is the same for every deployment."""
    provider = load(name)
    inputs = {each: one for each, one in all_inputs(provider).items() if each not in provider.rules.streams}
    desk = Desk(provider, inputs, time.time_ns() // 1000, 0)
    return desk, explore(desk, list(provider.rules.principals), may_wait=False, streams=provider.rules.streams)
