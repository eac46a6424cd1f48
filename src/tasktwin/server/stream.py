"""Open streams: who reads which topic, when they are woken, and how each of them ends.

A reader sleeps until its topic was written, its heartbeat is due on the world's clock, its client is gone, or the twin
stops. Whoever reads too slowly holds back nobody: what it was not sent yet stands in the log, and only there.
"""

import asyncio
import traceback
from collections.abc import Callable
from typing import Protocol

from tasktwin.behaviour.stream import BEHIND, BROKEN
from tasktwin.behaviour.telling import Told
from tasktwin.behaviour.world import World
from tasktwin.server.asgi import Receive, Scope, Send
from tasktwin.server.trouble import Trouble
from tasktwin.state import elapsed

MOST_STREAMS = 10_000
"""So many streams one provider holds open."""

PATIENCE = 30.0
"""Seconds that a client has to take in what it was sent; after them it is dropped."""

LONGEST_NAP = 3_600.0
"""Real seconds after which a sleeper looks at the clock again; longer waits are beyond some timers."""

CUT = "tasktwin.cut"
"""The key under which a server offers, in the ASGI scope's ``extensions``, to cut the connection."""

GONE, STOPPED, SLOW, BY_FAULT = "the client left", "the twin stopped", "dropped: it did not read", "cut by a fault"


class Feed(Protocol):
    """What a reader reads: see ``behaviour.stream.Subscription``."""

    world: World
    topic: str
    over: str
    count: int

    def take(self) -> list[Told]:
        """What is to be told by now."""
        ...

    def due(self) -> int | None:
        """The instant at which there is something to say even if nothing happens."""
        ...


Closed = Callable[[str, float], None]
"""Told why a stream is over, and how many real seconds it was open."""


class Hub:
    """The open streams of one provider. For one event loop."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience = patience
        self.closing = False
        self.count = 0
        self.watches: dict[World, Watch] = {}

    @property
    def full(self) -> bool:
        """Whether no further stream may be opened."""
        return self.count >= MOST_STREAMS

    async def serve(self, feed: Feed, trouble: Trouble, link: "Link", closed: Closed) -> None:
        """Send a stream, whose head was sent already, until it is over."""
        world, began = feed.world, elapsed()
        watch = self.watches.get(world)
        if watch is None:
            watch = self.watches[world] = Watch(world)
        reader = Reader(self, watch, feed, trouble, link)
        watch.add(reader)
        self.count += 1
        why = STOPPED
        try:
            why = await reader.run()
        finally:
            self.count -= 1
            if watch.remove(reader):
                del self.watches[world]
            closed(why, elapsed() - began)
            self.spread(world)

    def spread(self, world: World) -> None:
        """Wake whoever reads what was written in a world."""
        watch = self.watches.get(world)
        if watch:
            watch.spread()

    def stir(self) -> None:
        """Wake all: a clock was moved, or a world is another one now."""
        for watch in list(self.watches.values()):
            watch.stir()

    def close(self) -> None:
        """Let all streams end."""
        self.closing = True
        self.stir()


class Watch:
    """The readers of one world by topic, and the alarm for the world's own timers: time passes while somebody looks."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.readers: dict[str, set[Reader]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._due: int | None = None

    def add(self, reader: "Reader") -> None:
        """One more reader."""
        self.readers.setdefault(reader.feed.topic, set()).add(reader)
        self.world.watched += 1
        self._arm()

    def remove(self, reader: "Reader") -> bool:
        """One reader less; whether it was the last."""
        readers = self.readers[reader.feed.topic]
        readers.discard(reader)
        if not readers:
            del self.readers[reader.feed.topic]
        self.world.watched -= 1
        if self.readers:
            return False
        self.world.news.clear()
        self._disarm()
        return True

    def spread(self) -> None:
        """Wake the readers of what was written."""
        news = self.world.news
        if news:
            for topic in news & self.readers.keys():
                for reader in self.readers[topic]:
                    reader.wake()
            news.clear()
        if self.world.store.next_due() != self._due:
            self._arm()

    def stir(self) -> None:
        """Wake all readers, and set the alarm anew."""
        self.world.news.clear()
        for readers in self.readers.values():
            for reader in readers:
                reader.wake()
        self._arm()

    def tick(self) -> None:
        """Let the world's time be now; what its timers write is spread."""
        try:
            self.world.tick()
        except Exception:  # noqa: BLE001 - nobody asked, so nobody can be answered
            traceback.print_exc()
        self.spread()

    def _arm(self) -> None:
        self._disarm()
        self._due = self.world.store.next_due()
        seconds = None if self._due is None else self.world.clock.until(self._due)
        if seconds is not None:
            self._alarm = asyncio.get_running_loop().call_later(_nap(seconds), self._ring)

    def _disarm(self) -> None:
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self) -> None:
        self.tick()
        self._arm()


class Link:
    """The way to one client: sends with patience, notices when it is gone, and can cut."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.gone = False
        self.slow = False
        self._receive = receive
        self._send = send
        self._cut: Callable[[bool], None] | None = scope.get("extensions", {}).get(CUT)

    async def send(self, body: bytes, patience: float, *, more: bool = True) -> None:
        """Send a part of the body. A client that takes in nothing for so many seconds is cut off."""
        loop = asyncio.get_running_loop()
        handle = loop.call_later(patience, self._give_up, asyncio.current_task())
        try:
            await self._send({"type": "http.response.body", "body": body, "more_body": more})
        except asyncio.CancelledError:
            if not self.slow:
                raise
        finally:
            handle.cancel()

    async def cut(self, *, flush: bool) -> None:
        """Cut the connection; with ``flush`` what was sent still arrives. Raises ``ConnectionAbortedError`` if nothing else cuts it."""
        if self._cut is None:
            raise ConnectionAbortedError("this server can only cut a connection by an error")
        self._cut(flush)

    async def watch(self, on_gone: Callable[[], None]) -> None:
        """Wait until the client is gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        on_gone()

    def _give_up(self, task: "asyncio.Task[None] | None") -> None:
        self.slow = True
        if self._cut:
            self._cut(False)
        elif task:
            task.cancel()


class Reader:
    """One client on one stream."""

    def __init__(self, hub: Hub, watch: Watch, feed: Feed, trouble: Trouble, link: Link) -> None:
        self.hub = hub
        self.watch = watch
        self.feed = feed
        self.trouble = trouble
        self.link = link
        self._waiter: asyncio.Future[bool] | None = None

    def wake(self, *, by_time: bool = False) -> None:
        """Look again."""
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(by_time)

    async def run(self) -> str:
        """Send until the stream is over; why it is."""
        watcher = asyncio.create_task(self.link.watch(self.wake))
        try:
            why = await self._send_all()
            if why in (SLOW, BEHIND, BROKEN, BY_FAULT):
                await self.link.cut(flush=why != SLOW)
                await asyncio.wait((watcher,), timeout=self.hub.patience)
            return why
        finally:
            watcher.cancel()

    async def _send_all(self) -> str:
        feed, trouble, body = self.feed, self.trouble, self.trouble.begin()
        while True:
            told = feed.take()
            body += trouble.pass_on(told)
            if body and not self.link.gone:
                await self.link.send(body, self.hub.patience)
                body = b""
            if why := self._over():
                if why in (SLOW, BEHIND, BROKEN, BY_FAULT, GONE):
                    return why
                await self.link.send(trouble.finish(), self.hub.patience, more=False)
                return why
            if not told:
                await self._rest()

    def _over(self) -> str:
        """Why nothing more is sent; "" if something may be."""
        if self.link.slow:
            return SLOW
        if self.trouble.cut:
            return BY_FAULT
        if self.link.gone:
            return GONE
        if self.hub.closing:
            return STOPPED
        return "" if self.trouble.stalled else self.feed.over

    async def _rest(self) -> None:
        """Sleep until there is something to do."""
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        due = None if self.trouble.stalled else self.feed.due()
        seconds = None if due is None else self.feed.world.clock.until(due)
        alarm = None if seconds is None else loop.call_later(_nap(seconds), self._ring)
        try:
            if await self._waiter:
                self.watch.tick()
        finally:
            self._waiter = None
            if alarm:
                alarm.cancel()

    def _ring(self) -> None:
        self.wake(by_time=True)


def _nap(seconds: float) -> float:
    """A little longer than asked for: a sleeper that wakes a microsecond early would find nothing to do."""
    return min(seconds + 0.0005, LONGEST_NAP)
