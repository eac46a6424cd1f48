"""The worlds that several processes share: which there are stands in Redis, and each process holds those that it was asked for."""

from collections.abc import Mapping

from tasktwin.behaviour.beginning import Beginning
from tasktwin.behaviour.rules import Rules
from tasktwin.behaviour.seed import Seeds
from tasktwin.behaviour.shared_world import SharedWorld
from tasktwin.behaviour.world import World
from tasktwin.behaviour.worlds import About, Plan, Worlds
from tasktwin.errors import MisuseError
from tasktwin.state import Clock
from tasktwin.state.commit_log import CommitLog
from tasktwin.state.redis_link import RedisLink
from tasktwin.state.redis_store import RedisStore
from tasktwin.state.registry import Registry
from tasktwin.state.shared_journal import SharedJournal


class SharedWorlds(Worlds):
    """``prefix`` is what all processes call the same data by. What asks Redis raises ``UnavailableError``.

    ``get`` does not: a world takes part once it is first used.
    """

    def __init__(
        self, rules: Rules, seeds: Mapping[str, Seeds], plan: Plan | None, link: RedisLink, prefix: str
    ) -> None:
        super().__init__(rules, seeds, plan)
        self.link = link
        self.registry = Registry(link, prefix, self.plan.limit, self.plan.idle)

    def __len__(self) -> int:
        """How many there are, in all processes."""
        return self.registry.count()

    def find(self, name: str) -> World | None:
        """The world of this name if there is one anywhere."""
        if not self.registry.has(name):
            if name in self._worlds:
                self._let_go(name)
            return None
        return self._worlds.get(name) or self._hold(name, self.plan, self._beginning(self.plan, None))

    def about(self) -> list[About]:
        """What each world goes by, in all processes."""
        told = self.registry.worlds()
        return [
            About(name, each["seeds"], each["seed"], Clock.of(each["clock"]), each["limits"])
            for name, each in told.items()
        ]

    def delete(self, name: str) -> bool:
        """Forget a world, in all processes. Whether there was one."""
        world = self._worlds.get(name) or self._make(name, self.plan, self._beginning(self.plan, None))
        assert isinstance(world, SharedWorld)
        known = self.registry.drop(name, world.keys)
        self._let_go(name)
        return known

    def is_full_of_snapshots(self) -> bool:
        """Never: each world keeps a bounded number in Redis, not here, and all of them expire with it."""
        return False

    def _let_go(self, name: str) -> None:
        self._used.pop(name, None)
        world = self._worlds.pop(name, None)
        if world:
            world.end()

    def _hold(self, name: str, plan: Plan, beginning: Beginning) -> World:
        self._make_room_here()
        return super()._hold(name, plan, beginning)

    def _make(self, name: str, plan: Plan, beginning: Beginning) -> World:
        full = f"{self.registry.prefix}:{name}"
        log = CommitLog(self.link, full, self.registry.epoch)
        store, journal = RedisStore(log, joined=False), SharedJournal(log, plan.journal)
        return SharedWorld(
            name, self.rules, store, beginning, journal, self.registry, lambda: self._beginning(self.plan, None)
        )

    def _settle(self, world: World) -> None:
        """Found a world that was asked for as a new one."""
        assert isinstance(world, SharedWorld)
        if not world.found():
            self._let_go(world.name)
            raise MisuseError(f"the world {world.name!r} exists already")

    def _make_room(self) -> None:
        """Redis counts the worlds: see ``Registry.enter``."""

    def _make_room_here(self) -> None:
        """Of the worlds that are idle, one need not be held here: it is taken in anew when it is asked for."""
        for name in self._idle():
            self._let_go(name)
        if len(self._worlds) >= self.plan.limit:
            oldest = next((name for name, world in self._worlds.items() if not world.watched), None)
            if oldest:
                self._let_go(oldest)
