"""Open streams: who reads which topic, when they are woken, and how each of them ends.

A reader sleeps until its topic was written, its heartbeat is due on the world's clock, its client is gone, or the twin
stops. Whoever reads too slowly holds back nobody: what it was not sent yet stands in the log, and only there.
"""

import asyncio
import traceback
from collections.abc import Callable
from typing import Protocol

from tasktwin.behaviour.stream import BEHIND, BROKEN, DEFECT, MOST, RESET
from tasktwin.behaviour.telling import Told
from tasktwin.behaviour.world import World
from tasktwin.errors import ConflictError, UnavailableError
from tasktwin.exchange.trouble import Trouble
from tasktwin.server.asgi import Receive, Scope, Send
from tasktwin.state import elapsed

MOST_STREAMS = 10_000
"""So many streams one provider holds open."""

PATIENCE = 30.0
"""Seconds that a client has to take in what it was sent; after them it is dropped."""

LONGEST_NAP = 3_600.0
"""Real seconds after which a sleeper looks at the clock again; longer waits are beyond some timers."""

RESPITE = 0.5
"""Real seconds after which a store that did not answer is asked again for timers that are due."""

PART = 65_536
"""Bytes that are sent at once; what follows is sent when the client has taken in most of them."""

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


class Listening(Protocol):
    """What tells of what other processes wrote: see ``Herald``."""

    async def attend(self, watch: "Watch") -> None:
        """Listen for a world."""

    def leave(self, watch: "Watch") -> None:
        """Listen for it no longer."""

    def close(self) -> None:
        """Listen no longer."""


class Hub:
    """The open streams of one provider. For one event loop."""

    def __init__(self, patience: float = PATIENCE, herald: "Listening | None" = None) -> None:
        self.patience = patience
        self.herald = herald
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
        why = DEFECT
        try:
            if self.herald and watch.count == 1:
                await self.herald.attend(watch)
            why = await reader.run()
        except asyncio.CancelledError:
            why = STOPPED if self.closing else GONE
            raise
        except ConnectionAbortedError:
            why = BY_FAULT
            raise
        finally:
            self.count -= 1
            if watch.remove(reader):
                del self.watches[world]
                if self.herald:
                    self.herald.leave(watch)
            closed(why, elapsed() - began)
            self.spread(world)

    def spread(self, world: World) -> None:
        """Wake whoever reads what was written in a world."""
        watch = self.watches.get(world)
        if watch:
            watch.spread()

    def spread_all(self) -> None:
        """Wake whoever reads what was written, in any world."""
        for watch in list(self.watches.values()):
            watch.spread()

    def stir(self) -> None:
        """Wake all: a clock was moved, or a world is another one now."""
        for watch in list(self.watches.values()):
            watch.stir()

    def close(self) -> None:
        """Let all streams end."""
        self.closing = True
        if self.herald:
            self.herald.close()
        for watch in self.watches.values():
            for readers in watch.readers.values():
                for reader in readers:
                    reader.link.hurry()
        self.stir()


class Watch:
    """The readers of one world by topic, and the alarm for the world's own timers: time passes while somebody looks."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.readers: dict[str, set[Reader]] = {}
        self._era = world.era
        self._alarm: asyncio.TimerHandle | None = None
        self._due: int | None = None
        self._late = False
        self._is_telling = False

    def add(self, reader: "Reader") -> None:
        """One more reader."""
        self.readers.setdefault(reader.feed.topic, set()).add(reader)
        self.world.watched += 1
        self._arm()

    @property
    def count(self) -> int:
        """How many readers there are."""
        return sum(map(len, self.readers.values()))

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
        self.world.frames.clear()
        self._disarm()
        return True

    def spread(self) -> None:
        """Wake the readers of what was written."""
        news = self.world.news
        if self.world.era != self._era:
            self._era = self.world.era
            self.stir()
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
        self._late = False
        try:
            self.world.agree(self.world.tick)
        except (UnavailableError, ConflictError):
            self._late = True
            self.world.instant = self.world.clock.now()  # who only waits for time goes on
        except Exception:  # noqa: BLE001 - nobody asked, so nobody can be answered
            traceback.print_exc()
        self.spread()

    def tell(self) -> None:
        """Let other processes know what was told here: once for all readers that were woken together."""
        if self.world.shared and not self._is_telling:
            self._is_telling = True
            asyncio.get_running_loop().call_soon(self._tell)

    def _tell(self) -> None:
        self._is_telling = False
        self.world.flush()

    def _arm(self) -> None:
        self._disarm()
        self._due = self.world.store.next_due()
        seconds = None if self._due is None else self.world.clock.until(self._due)
        if seconds is not None:
            seconds = max(seconds, RESPITE) if self._late else seconds
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
        self._task: asyncio.Task[None] | None = None
        self._since: float | None = None  # when what is being sent was begun
        self._patience = PATIENCE
        self._alarm: asyncio.TimerHandle | None = None

    async def send(self, body: bytes, patience: float, *, more: bool = True) -> None:
        """Send a part of the body. A client that takes in nothing for so many seconds is cut off."""
        loop = asyncio.get_running_loop()
        self._task, self._patience, self._since = asyncio.current_task(), patience, loop.time()
        if self._alarm is None:
            self._alarm = loop.call_later(patience, self._lose_patience)
        try:
            await self._send({"type": "http.response.body", "body": body, "more_body": more})
            if more and len(body) >= PART:  # servers wait before they write, not after
                await self._send({"type": "http.response.body", "body": b"", "more_body": True})
        except asyncio.CancelledError:
            if not self.slow or not self._task or self._task.uncancel():
                raise
        finally:
            self._since = None

    def hurry(self) -> None:
        """Do not wait any longer for a client that takes nothing in."""
        if self._since is not None and self._cut:
            self._cut(False)

    def close(self) -> None:
        """Nothing more is sent."""
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None

    async def cut(self, *, flush: bool) -> None:
        """Cut the connection; with ``flush`` what was sent still arrives. Raises ``ConnectionAbortedError`` if nothing else cuts it."""
        if self._cut is None:
            raise ConnectionAbortedError("this server can only cut a connection by an error")
        self._cut(flush)

    async def end(self, watcher: "asyncio.Task[None]", patience: float, *, flush: bool) -> None:
        """Cut the connection, at last without what the client does not take in, and wait until it is gone.

        ``watcher`` is the task that watches it.
        """
        await self.cut(flush=flush)
        _, open_still = await asyncio.wait((watcher,), timeout=patience)
        if open_still:
            await self.cut(flush=False)
            await asyncio.wait((watcher,), timeout=patience)

    async def sever(self, patience: float) -> None:
        """Cut a connection that nobody watches yet; what was sent still arrives."""
        watcher = asyncio.create_task(self.watch(lambda: None))
        try:
            await self.end(watcher, patience, flush=True)
        finally:
            watcher.cancel()

    async def watch(self, on_gone: Callable[[], None]) -> None:
        """Wait until the client is gone."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True
        on_gone()

    def _lose_patience(self) -> None:
        """Give up if what is being sent takes too long. One alarm serves many parts: setting one for each costs more than sending."""
        self._alarm = None
        if self._since is None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() < self._since + self._patience:
            self._alarm = loop.call_at(self._since + self._patience, self._lose_patience)
            return
        self.slow = True
        if self._cut:
            self._cut(False)
        elif self._task:
            self._task.cancel()


class Reader:
    """One client on one stream."""

    def __init__(self, hub: Hub, watch: Watch, feed: Feed, trouble: Trouble, link: Link) -> None:
        self.hub = hub
        self.watch = watch
        self.feed = feed
        self.trouble = trouble
        self.link = link
        self._waiter: asyncio.Future[bool] | None = None
        self._stirred = False
        self._alarm: asyncio.TimerHandle | None = None
        self._rings = 0.0

    def wake(self, *, by_time: bool = False) -> None:
        """Look again."""
        self._stirred = True
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(by_time)

    async def run(self) -> str:
        """Send until the stream is over; why it is."""
        watcher = asyncio.create_task(self.link.watch(self.wake))
        try:
            why = await self._send_all()
            if why in (SLOW, BEHIND, BROKEN, BY_FAULT):
                await self.link.end(watcher, self.hub.patience, flush=why != SLOW)
            return why
        finally:
            self._disarm()
            self.link.close()
            watcher.cancel()

    async def _send_all(self) -> str:
        feed, trouble, body = self.feed, self.trouble, self.trouble.begin()
        while True:
            self._stirred = False
            told = feed.take()
            for one in told:
                body += trouble.pass_on((one,))
                if len(body) >= PART:
                    await self._send(body)
                    body = b""
            if body:
                await self._send(body)
                body = b""
            if why := self._over():
                if why in (SLOW, BEHIND, BROKEN, BY_FAULT, GONE):
                    return why
                await self.link.send(trouble.finish(), self.hub.patience, more=False)
                return why
            if len(told) < MOST and not self._stirred:
                self.watch.tell()
                await self._rest()
            else:
                await asyncio.sleep(0)  # a send does not wait for others while there is room

    async def _send(self, body: bytes) -> None:
        if not self.link.gone and not self.link.slow:
            await self.link.send(body, self.hub.patience)

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
        return "" if self.trouble.stalled and self.feed.over != RESET else self.feed.over

    async def _rest(self) -> None:
        """Sleep until there is something to do."""
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        self._arm(loop)
        try:
            if await self._waiter:
                self.watch.tick()
        finally:
            self._waiter = None

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        """Set the alarm. One that rings too early is left: whoever it wakes finds nothing to do, and rests again."""
        due = None if self.trouble.stalled else self.feed.due()
        seconds = None if due is None else self.feed.world.clock.until(due)
        if seconds is None:
            return
        at = loop.time() + _nap(seconds)
        if self._alarm is None or at < self._rings:
            self._disarm()
            self._alarm, self._rings = loop.call_at(at, self._ring), at

    def _disarm(self) -> None:
        if self._alarm:
            self._alarm.cancel()
            self._alarm = None

    def _ring(self) -> None:
        self._alarm = None
        self.wake(by_time=True)


def _nap(seconds: float) -> float:
    """A little longer than asked for: a sleeper that wakes a microsecond early would find nothing to do."""
    return min(seconds + 0.0005, LONGEST_NAP)
