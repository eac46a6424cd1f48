"""``tasktwin serve``: a socket, uvicorn on it, and a line for each request."""

import asyncio
import contextlib
import errno
import gc
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

import uvicorn

from tasktwin.errors import MisuseError, printable
from tasktwin.exchange.exchange import Exchange
from tasktwin.server.application import Application
from tasktwin.server.protocol import Protocol
from tasktwin.server.transport import CONTROL
from tasktwin.wire import dumps

if TYPE_CHECKING:
    from tasktwin.server.reload import Reloader

GRACE = 3
"""Seconds that open requests have when the twin is told to stop."""

TAKING_IN = 0.05
"""Seconds for which a twin that is told to stop takes in who had come before, and then what they ask: it may have had no time."""

BACKLOG = 2048
"""Connections may come from the moment the base URL is printed; so many wait until they are accepted."""

COLOURS = {2: "32", 3: "36", 4: "33", 5: "31"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where to serve. Port 0: any free one."""

    host: str = "127.0.0.1"
    port: int = 8080


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host."""
    with contextlib.suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def bind(place: Place) -> tuple[socket.socket, str]:
    """A listening socket and the base URL that reaches it. Raises ``MisuseError`` when that cannot be."""
    if not place.host:
        raise MisuseError("there is no address to listen on: give one with --host, such as 127.0.0.1")
    listener = _listen(place)
    host = f"[{place.host}]" if listener.family == socket.AF_INET6 else place.host
    return listener, f"http://{host}:{listener.getsockname()[1]}"


def bind_each(place: Place, count: int) -> tuple[list[socket.socket], str]:
    """So many listening sockets at one place, and its base URL. Raises ``MisuseError`` when that cannot be.

    Where the kernel can, it shares out the connections among them: whoever is quick would take most of those that wait at one
    socket, and the others would have nothing to do.
    """
    alone, url = bind(place)  # nobody else listens there
    if count == 1 or sys.platform != "linux":
        return [alone] * count, url
    port = alone.getsockname()[1]
    alone.close()
    return [_listen(Place(place.host, port), shares=True) for _ in range(count)], url


def _listen(place: Place, *, shares: bool = False) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shares:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((place.host, place.port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        why = getattr(error, "strerror", None) or error
        raise MisuseError(f"cannot listen on {place.host}:{place.port}: {why}. {_way_out(error)}") from None
    return listener


def _way_out(error: OSError | OverflowError) -> str:
    """What to choose instead: a port is taken or not for everybody; else this machine has no such address."""
    if isinstance(error, OverflowError) or error.errno in {errno.EADDRINUSE, errno.EACCES}:
        return "Choose another with --port, or --port 0 for any free one"
    return "Choose an address of this machine with --host, such as 127.0.0.1"


def run(
    application: Application,
    listener: socket.socket,
    log: Callable[[Exchange], None] | None,
    reloader: "Reloader | None" = None,
) -> None:
    """Serve until told to stop. Raises ``KeyboardInterrupt`` when that was Ctrl-C."""
    if log:
        application.listen(log)
    server = server_of(application, reloader)
    gc.freeze()  # what was loaded stays: no collection need look at it again, which nearly halves the longest pause
    gc.enable()
    try:
        with contextlib.suppress(asyncio.CancelledError):
            server.run(sockets=[listener])
    finally:
        listener.close()


def server_of(application: Application, reloader: "Reloader | None" = None) -> uvicorn.Server:
    """What serves the application once it is run with a listening socket."""
    config = uvicorn.Config(
        application,
        http=Protocol,
        ws="none",
        log_level="error",
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )
    return _Server(config, reloader)


class _Server(uvicorn.Server):
    """Lets the streams end first: uvicorn would wait for them. Meanwhile the data is watched, if somebody is to."""

    def __init__(self, config: uvicorn.Config, reloader: "Reloader | None") -> None:
        super().__init__(config)
        self.reloader = reloader
        self.watching: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin."""
        await super().startup(sockets)
        if self.reloader:
            self.watching = asyncio.create_task(self.reloader.run())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        await asyncio.sleep(TAKING_IN)
        for server in self.servers:
            server.close()
        await asyncio.sleep(TAKING_IN)
        application = self.config.app
        assert isinstance(application, Application)
        application.close()
        if self.watching:
            self.watching.cancel()
        await super().shutdown(sockets)


def text_line(exchange: Exchange) -> None:
    """``200 POST /api/v1/tasks/ createTask human:… state`` on standard error, coloured on a terminal."""
    operation = exchange.match.operation.id if exchange.match else "-"
    world = f" [{exchange.world.name}]" if exchange.world.name != "default" else ""
    lines = [f"{exchange.method:<6} {_path(exchange)} {operation}{world} {exchange.reason}"]
    lines += [f"    {each.where} {each.pointer}: {each.message}" for each in exchange.violations[:3]]
    status = str(exchange.status)
    if _coloured():
        status = f"\x1b[{COLOURS.get(exchange.status // 100, '0')}m{status}\x1b[0m"
    sys.stderr.write(f"{status} " + "\n".join(map(printable, lines)) + "\n")


def json_line(exchange: Exchange) -> None:
    """The same as one JSON object a line."""
    entry = {
        "status": exchange.status,
        "method": exchange.method,
        "path": _path(exchange),
        "operation": exchange.match.operation.id if exchange.match else None,
        "world": exchange.world.name,
        "reason": exchange.reason,
        "violations": [f"{each.where} {each.pointer}: {each.message}" for each in exchange.violations[:3]],
    }
    sys.stderr.write(dumps(entry).decode() + "\n")


def _path(exchange: Exchange) -> str:
    """The path with the name under which one of several providers is served: they have paths in common."""
    return exchange.prefix.partition(CONTROL)[0] + exchange.path


def _coloured() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")
