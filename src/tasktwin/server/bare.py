"""Any ASGI application on a socket, as it is: nothing is added to its answers, and it is told when it is to stop."""

import asyncio
import contextlib
import socket
from typing import Protocol as Shape

import uvicorn

from tasktwin.server.asgi import Receive, Scope, Send
from tasktwin.server.protocol import Protocol
from tasktwin.server.run import GRACE


class Closable(Shape):
    """An ASGI application for HTTP alone."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        ...

    def close(self) -> None:
        """Let what is open end; called in the event loop."""
        ...


def run_bare(application: Closable, listener: socket.socket) -> None:
    """Serve until told to stop. Raises ``KeyboardInterrupt`` when that was Ctrl-C."""
    config = uvicorn.Config(
        application,
        http=Protocol,
        ws="none",
        log_level="error",
        access_log=False,
        lifespan="off",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
    )
    try:
        with contextlib.suppress(asyncio.CancelledError):
            _Server(config, application).run(sockets=[listener])
    finally:
        listener.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, application: Closable) -> None:
        super().__init__(config)
        self.application = application

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        self.application.close()
        await super().shutdown(sockets)
