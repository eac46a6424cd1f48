"""Tells the readers of this process what others have written: each world that is read here is listened to in Redis."""

import asyncio
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from tasktwin.behaviour.shared_world import SharedWorld
from tasktwin.behaviour.world import JOURNAL
from tasktwin.errors import UnavailableError
from tasktwin.server.stream import Watch
from tasktwin.state import elapsed

if TYPE_CHECKING:
    from redis.asyncio.client import PubSub

PAUSE: Final = 0.5
"""Seconds after which a Redis that was lost is sought again, and after which it is noticed that nobody listens any more."""

ALIVE: Final = 60.0
"""Seconds after which it is said of each world that it is still read, so that it stays."""


class Herald:
    """One connection that listens for the worlds that are watched. For one event loop."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._watches: dict[str, Watch] = {}
        self._task: asyncio.Task[None] | None = None
        self._listening: PubSub | None = None

    async def attend(self, watch: Watch) -> None:
        """Listen for a world from now on, if it is shared."""
        if not isinstance(watch.world, SharedWorld):
            return
        channels = _channels(watch.world)
        self._watches.update(dict.fromkeys(channels, watch))
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        elif self._listening:
            await self._listening.subscribe(*channels)

    def leave(self, watch: Watch) -> None:
        """Nobody here reads a world any more: what is still heard of it is passed over, until nobody reads anything."""
        if not isinstance(watch.world, SharedWorld):
            return
        for channel in _channels(watch.world):
            if self._watches.get(channel) is watch:
                del self._watches[channel]
        if not self._watches:
            self.close()

    def close(self) -> None:
        """Listen no longer."""
        if self._task:
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        from redis.exceptions import RedisError  # noqa: PLC0415 - only who shares a store has it

        task = asyncio.current_task()
        assert task
        while not task.cancelling():
            with suppress(RedisError, OSError):
                await self._listen(task)
            await asyncio.sleep(PAUSE)

    async def _listen(self, task: "asyncio.Task[None]") -> None:
        from redis.asyncio import Redis  # noqa: PLC0415 - as above

        client = Redis.from_url(self._url)
        try:
            listening = client.pubsub()
            await listening.subscribe(*self._watches)
            self._listening = listening
            said_alive = elapsed()
            while not task.cancelling():  # which redis-py may swallow while it waits for a message
                message = await listening.get_message(timeout=PAUSE)
                if elapsed() > said_alive + ALIVE:
                    said_alive = elapsed()
                    for watch in {id(each): each for each in self._watches.values()}.values():
                        watch.tick()
                if message is None:
                    continue
                if message["type"] in ("subscribe", "message"):  # what was written before one listened was not heard
                    self._hear(message["channel"].decode(), message["data"])
        finally:
            self._listening = None
            await client.aclose()

    def _hear(self, channel: str, said: bytes | int) -> None:
        watch = self._watches.get(channel)
        if watch is None:
            return
        world = watch.world
        assert isinstance(world, SharedWorld)
        if channel == world.journal.channel:
            if JOURNAL not in watch.readers:
                return
            try:
                world.look()
            except UnavailableError:
                return  # it is looked again when Redis is there again: to be heard from anew is to be told
            except Exception:  # noqa: BLE001 - nobody asked, so nobody can be answered
                traceback.print_exc()
            world.news.add(JOURNAL)
            watch.spread()
        elif said == b"":  # somebody deleted it
            world.end()
            watch.stir()
        elif not (isinstance(said, bytes) and said.isdigit() and int(said) <= world.store.version):
            world.store.stale()
            watch.tick()


def _channels(world: SharedWorld) -> tuple[str, str]:
    return world.store.shared.channel, world.journal.channel
