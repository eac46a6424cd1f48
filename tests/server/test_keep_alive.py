"""A connection that is not used any more is ended; one that is used is not, however long it lasts."""

import asyncio
import time

import uvicorn
from uvicorn.server import ServerState

from tasktwin.server.asgi import Receive, Scope, Send
from tasktwin.server.protocol import Protocol

KEPT = 0.4
ASKED = b"GET / HTTP/1.1\r\nhost: twin\r\n\r\n"


async def _empty(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _use_and_leave_open() -> tuple[float, float]:
    """For how long a connection was used, and how long after that it was ended."""
    config = uvicorn.Config(_empty, http=Protocol, log_level="error", lifespan="off")
    vars(config)["timeout_keep_alive"] = KEPT  # it is declared to be whole seconds, which would make this slow
    config.load()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Protocol(config, ServerState(), {}), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        began = time.monotonic()
        while time.monotonic() < began + 3 * KEPT:
            writer.write(ASKED)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 204 ")
            await asyncio.sleep(KEPT / 8)
        used = time.monotonic()
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()
        return used - began, time.monotonic() - used


def test_a_connection_is_ended_when_nothing_came_for_long_enough_and_not_before() -> None:
    used, unused = asyncio.run(_use_and_leave_open())
    assert used >= 3 * KEPT
    assert KEPT / 2 < unused < 10
