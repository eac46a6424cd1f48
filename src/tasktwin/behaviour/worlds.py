"""All the worlds of one served API: made on demand, forked, evicted when idle, limited in number."""

import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from tasktwin.behaviour.beginning import Beginning, Saved
from tasktwin.behaviour.fault import Fault
from tasktwin.behaviour.rules import LimitMode, Rules
from tasktwin.behaviour.seed import Seeds, sow
from tasktwin.behaviour.world import World
from tasktwin.errors import MisuseError, TooManyWorldsError
from tasktwin.state import Clock, Journal, Ledger, MemoryStore, Store, elapsed

DEFAULT = "default"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
BASE_AGE = 600.0
"""Seconds for which rows with times relative to the beginning serve further worlds before they are made afresh."""
MOST_BASES = 16
MOST_SNAPSHOTS = 100
"""So many snapshots one world keeps."""

MOST_KEPT = 10_000
"""So many snapshots all worlds keep together."""

MOST_JOURNALLED = 268_435_456
"""Bytes of all journals together; beyond them the worlds that were not used for longest forget theirs."""


@dataclass(frozen=True, slots=True)
class About:
    """What a world goes by."""

    name: str
    seeds: str
    seed: int
    clock: Clock
    limits: LimitMode

    @classmethod
    def of(cls, world: World) -> "About":
        """That of one world."""
        return cls(world.name, world.beginning.seeds, world.beginning.seed, world.clock, world.limits)


@dataclass(frozen=True, slots=True)
class Plan:
    """How worlds begin when nothing else is said. ``now`` is an instant or ``None`` for the machine's time.

    Of the ``faults`` a world takes those that its API can meet.
    """

    seeds: str = DEFAULT
    seed: int = 0
    now: int | None = None
    mode: str = "real"
    journal: int = 1_000
    limit: int = 10_000
    idle: float = 3_600.0
    limits: LimitMode = "count"
    faults: tuple[Fault, ...] = ()


class Worlds:
    """The worlds by name. ``idle`` seconds after its last use a world may be evicted, the default one never."""

    def __init__(
        self,
        rules: Rules,
        seeds: Mapping[str, Seeds],
        plan: Plan | None = None,
        new_store: Callable[[], Store] = MemoryStore,
    ) -> None:
        self.rules = rules
        self.seeds = seeds
        self.plan = plan or Plan()
        self.new_store = new_store
        self._worlds: OrderedDict[str, World] = OrderedDict()
        self._used: dict[str, float] = {}
        self.ledger = Ledger(MOST_JOURNALLED, self._relieve)
        self._bases: OrderedDict[tuple[str, int, int | None, str], tuple[float, Beginning]] = OrderedDict()

    def __iter__(self) -> Iterator[World]:
        """The worlds, least recently used first."""
        return iter(list(self._worlds.values()))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._worlds)

    def get(self, name: str = DEFAULT) -> World:
        """The world of this name, made if need be. Raises ``MisuseError`` on a bad name or when no room is left."""
        world = self._worlds.get(name)
        if world is None:
            return self._hold(_checked(name), self.plan, self._beginning(self.plan, None))
        self._worlds.move_to_end(name)
        self._used[name] = elapsed()
        return world

    def find(self, name: str) -> World | None:
        """The world of this name if there is one; this does not count as a use."""
        return self._worlds.get(name)

    def create(self, name: str, plan: Plan | None = None, origin: Saved | None = None) -> World:
        """Make a world, from seeds or from a snapshot. Raises ``MisuseError`` when it exists or cannot be made."""
        plan = plan or self.plan
        world = self._hold(_checked(name), plan, self._beginning(plan, origin))
        self._settle(world)
        return world

    def about(self) -> list[About]:
        """What each world goes by."""
        return [About.of(world) for world in self]

    def is_full_of_snapshots(self) -> bool:
        """Whether all worlds together keep as many snapshots as may be."""
        return sum(len(each.snapshots) for each in self) >= MOST_KEPT

    def _beginning(self, plan: Plan, origin: Saved | None) -> Beginning:
        """How a world begins, from seeds or from a snapshot."""
        if origin:
            instant = origin.now if plan.now is None else plan.now
            beginning = Beginning(origin.snapshot, instant, plan.mode, plan.seeds, plan.seed, forked=True)
            beginning = replace(beginning, rules=origin.rules)
        else:
            beginning = self._base(plan.seeds, plan.seed, plan.now, plan.mode)
        faults = tuple(
            [each for each in plan.faults if each.can_strike(self.rules.contract.operations, self.rules.streams)]
        )
        return replace(beginning, limits=plan.limits, faults=faults)

    def _hold(self, name: str, plan: Plan, beginning: Beginning) -> World:
        """Make a world, and know it from now on."""
        if name in self._worlds:
            raise MisuseError(f"the world {name!r} exists already")
        self._make_room()
        world = self._worlds[name] = self._make(name, plan, beginning)
        self._used[name] = elapsed()
        return world

    def _make(self, name: str, plan: Plan, beginning: Beginning) -> World:
        return World(name, self.rules, self.new_store(), beginning, Journal(plan.journal, self.ledger))

    def _settle(self, world: World) -> None:
        """A world was asked for as a new one."""

    def adopt(self, rules: Rules, seeds: Mapping[str, Seeds]) -> Counter[str]:
        """Go on under other rules, in every world; what could not be kept, and how often.

        Raises ``MisuseError``, and changes nothing, when the seeds that worlds begin with cannot be sown.
        """
        probe = Worlds(rules, seeds, self.plan, self.new_store)
        probe.get()
        self.rules, self.seeds, self._bases = rules, seeds, probe._bases
        told: Counter[str] = Counter()
        for world in self:
            told += world.adopt(rules, partial(self._renewed, world.beginning))
        return told

    def _renewed(self, old: Beginning) -> Beginning:
        """How a world that began before the rules changed begins now."""
        base = self._base(old.seeds, old.seed, old.now, old.mode)
        return replace(base, limits=old.limits, faults=old.faults)

    def delete(self, name: str) -> bool:
        """Forget a world. Whether there was one."""
        self._used.pop(name, None)
        world = self._worlds.pop(name, None)
        if world:
            world.end()
            world.journal.reset()
            world.journal.ledger = None
        return world is not None

    def _base(self, seeds: str, seed: int, now: int | None, mode: str) -> Beginning:
        """The beginning that all worlds with these settings share, made at most once in ``BASE_AGE`` seconds."""
        if seeds not in self.seeds:
            raise MisuseError(f"there are no seeds {seeds!r}: known are {', '.join(sorted(self.seeds))}")
        key = (seeds, seed, now, mode)
        made, beginning = self._bases.get(key, (0.0, None))
        stale = now is None and elapsed() - made > BASE_AGE
        if beginning is None or beginning.rules is not self.rules or stale:
            empty = Beginning(self.new_store().snapshot(), now, mode, seeds, seed)
            nursery = World("nursery", self.rules, self.new_store(), empty, Journal(1))
            sow(nursery, self.seeds[seeds])
            start = now if now is not None or mode == "real" else nursery.instant
            beginning = Beginning(nursery.store.snapshot(), start, mode, seeds, seed, rules=self.rules)
            self._bases[key] = (elapsed(), beginning)
            if len(self._bases) > MOST_BASES:
                self._bases.popitem(last=False)
        return beginning

    def _relieve(self) -> None:
        """Let the worlds that were not used for longest forget what they were asked, until there is room again."""
        for world in list(self._worlds.values()):
            if self.ledger.size <= self.ledger.limit * 3 // 4:
                break
            world.journal.forget()

    def _make_room(self) -> None:
        for name in self._idle():
            self.delete(name)
        if len(self._worlds) >= self.plan.limit:
            raise TooManyWorldsError(
                f"{self.plan.limit} worlds are alive and none has been idle for {self.plan.idle:.0f} s: delete some"
            )

    def _idle(self) -> list[str]:
        """Of the worlds that were not used for longest, those that may go; a few at a time."""
        oldest = elapsed() - self.plan.idle
        return [
            name
            for name in islice(self._worlds, 4)
            if name != DEFAULT and self._used[name] < oldest and not self._worlds[name].watched
        ]


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise MisuseError(f"{name[:80]!r} is no world's name: use up to 64 letters, digits, '.', '_' and '-'")
    return name
