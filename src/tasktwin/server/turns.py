"""Answers together what came together, where worlds are shared: Redis is asked once for all of it."""

import asyncio
from contextlib import suppress

from tasktwin.behaviour.shared_world import SharedWorld
from tasktwin.behaviour.world import World
from tasktwin.errors import UnavailableError
from tasktwin.server.protocol import Halt
from tasktwin.state.redis_link import RedisLink
from tasktwin.state.redis_store import look


class Turns:
    """A turn is what the event loop found that had come when it looked for it.

    When all of it is read, one look at Redis serves it: nobody was answered before it who could have sent any of it
    afterwards. What was told Redis within a turn is sent at its end, all at once; answers leave when it is carried out, so that
    nobody who was answered finds that another process does not know of it. Only what is answered without a task belongs to a
    turn: whatever is done by a task or a timer is a turn of its own, since the loop may find something new before another
    task runs.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._number = 0
        self._is_open = False
        self._read, self._committed, self._answered = Halt(), Halt(), Halt()
        self._worlds: set[SharedWorld] = set()
        link.turn, link.settle = self.now, self._settle

    async def begin(self, world: World) -> None:
        """Wait until all is read that has come with a request to this world; then it is known what others did to it."""
        if asyncio.current_task() is not None:
            return
        assert isinstance(world, SharedWorld)
        if not self._worlds:
            asyncio.get_running_loop().call_soon(self._answer)
        self._worlds.add(world)
        await self._read

    async def committed(self) -> None:
        """Wait until it is known what came of the commits of this turn."""
        if self._is_open:
            await self._committed

    async def over(self) -> None:
        """Wait until the turn is over."""
        if self._is_open:
            await self._answered

    def now(self) -> int:
        """The number of this turn."""
        if not self._is_open:
            self._number += 1
        return self._number

    def _settle(self) -> None:
        if not self._is_open:
            self._link.hear()

    def _answer(self) -> None:
        worlds, self._worlds = self._worlds, set()
        self._number += 1
        self._is_open = True
        try:
            with suppress(Exception):  # whatever it is, each request finds it out for itself
                look(world.store for world in worlds)
            self._read.end()
            if self._committed:
                self._hear_and_end(self._committed)  # as above: it is asked what came of each commit
        finally:
            self._is_open = False
            self._hear_and_end(self._answered)  # what is lost now is lost: what has to be known was waited for

    def _hear_and_end(self, halt: Halt) -> None:
        """Have what was told carried out; then all go on that wait for it, whatever came of it."""
        try:
            with suppress(UnavailableError):
                self._link.hear()
        finally:
            halt.end()
