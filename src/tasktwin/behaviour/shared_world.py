"""A world that several processes share: everything a client can observe of it is in the store that they share.

The rows, events and timers are there anyway. What else there is (the clock, the limits' windows, the faults and how often
they struck, the keys of requests under way) is kept in rows too, in collections that no provider has, so that it is
changed and undone with the transaction it belongs to. The journal and the counts of coverage need no order among processes:
see ``SharedJournal``.
"""

from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import suppress
from dataclasses import replace
from math import inf
from typing import Final, TypeVar

from tasktwin.behaviour.beginning import Beginning, Saved
from tasktwin.behaviour.fault import Faults, parse_faults
from tasktwin.behaviour.limit import Counts, most
from tasktwin.behaviour.rules import Limit, Rules
from tasktwin.behaviour.transaction import Transaction
from tasktwin.behaviour.window import FixedWindow, SlidingWindow, Window
from tasktwin.behaviour.world import World
from tasktwin.behaviour.worlds import DEFAULT
from tasktwin.errors import ConflictError, GoneError, TooManyWorldsError, UnavailableError
from tasktwin.state import Clock, Query, Row, elapsed
from tasktwin.state.clock import machine_now
from tasktwin.state.packing import pack, unpack
from tasktwin.state.redis_store import LAX, TRIES, RedisStore
from tasktwin.state.registry import Registry
from tasktwin.state.shared_journal import SharedJournal
from tasktwin.wire import Json

T = TypeVar("T")

OWN: Final = "~world"
"""The collection of the world's own rows: what it goes by, and its faults."""

RUNNING: Final = "~running"
"""The collection of the idempotency keys that are held."""

HELD: Final = 600_000_000
"""Microseconds after which a key counts as let go: who held it has died."""


class SharedWorld(World):
    """One process's view of it. ``anew`` says how it begins should somebody delete it while it is used here."""

    shared = True
    store: RedisStore
    journal: SharedJournal

    def __init__(
        self,
        name: str,
        rules: Rules,
        store: RedisStore,
        beginning: Beginning,
        journal: SharedJournal,
        registry: Registry,
        anew: Callable[[], Beginning],
    ) -> None:
        self._anew = anew
        self._registry = registry
        self._used = -inf
        self._met = -1
        self._about: Json = None
        self._own_stamp = -1
        self._known: tuple[object, ...] = ()
        super().__init__(name, rules, store, beginning, journal)
        self.era = machine_now()  # no other era of any world of this name is the same
        self.running = _Running(store)
        self.snapshots = _Snapshots(self)
        store.heard, store.carry = self._hear, journal.carry
        journal.made = self.use
        self._write_out()

    @property
    def keys(self) -> list[str]:
        """Where all of it is kept in Redis; the first is the channel on which commits are told."""
        return [*self.store.shared.keys, *self.journal.keys]

    def found(self) -> bool:
        """Begin it as a new one; False if somebody has."""
        is_new = self._enter()
        if is_new:
            self.agree(lambda: None)
        return is_new

    def _enter(self) -> bool:
        """Have it counted; whether it is new. Raises ``TooManyWorldsError``."""
        is_new = self._registry.enter(self.name, self._tell_about(), lasting=self.name == DEFAULT)
        if is_new is None:
            limit, idle = self._registry.limit, self._registry.idle
            raise TooManyWorldsError(f"{limit} worlds are alive and none has been idle for {idle:.0f} s: delete some")
        return is_new

    def _tell_about(self) -> Json:
        began = self.beginning
        return {"seeds": began.seeds, "seed": began.seed, "clock": self.clock.kept(), "limits": self.limits}

    def agree(self, work: Callable[[], T]) -> T:
        """Do something as one transaction with all who share the world, and again if somebody else was first.

        What ``work`` changes elsewhere it must change anew each time. Raises ``UnavailableError``, and ``ConflictError`` when
        others were first ``TRIES`` times.
        """
        result = self.propose(work)()
        self.flush()  # no answer to the API's caller will do it, which is written down
        return result

    def propose(self, work: Callable[[], T]) -> Callable[[], T]:
        """Do something as ``agree`` does, and have it committed with what else is proposed in this turn.

        What is returned is to be called for what came of it, when that is known, and before anybody is told.
        """
        if self.inside:
            return super().propose(work)
        first = self._attempt(work)

        def outcome() -> T:
            for number in range(TRIES):
                attempt = self._attempt(work) if number else first
                if attempt is None:
                    continue
                result, proposal = attempt
                if self._is_made(proposal):
                    with suppress(UnavailableError):  # what was done is done
                        self._mention()
                    return result
            raise ConflictError(f"others were first {TRIES} times")

        return outcome

    def _attempt(self, work: Callable[[], T]) -> "tuple[T, _Proposal] | None":
        """What came of it, and the commit that was sent; ``None`` if others were first."""
        if not self.store.joined or self._met != self.store.shared.link.made:
            self._enter()  # also in a Redis that has come back, and may have forgotten everything
            self._met = self.store.shared.link.made
        proposal = _Proposal(self)
        try:
            with proposal:
                self._read_in()
                result = work()
                self._write_out()
        except ConflictError:
            self._own_stamp = -1
        except GoneError:
            self._begin_anew()
        except BaseException:
            self._own_stamp = -1
            raise
        else:
            self.journal.is_gone = False
            return result, proposal
        return None

    def _is_made(self, proposal: "_Proposal") -> bool:
        """Whether a commit was made; if not, all of it is undone."""
        is_made = False
        try:
            is_made = proposal.promise is None or proposal.promise.wait()
        finally:
            if not is_made:
                self._own_stamp = -1
        if is_made and proposal.passed:
            self.taken.update(proposal.passed)
        return is_made

    @property
    def proposed(self) -> bool:
        """Whether it is still to be known what came of something."""
        return self.store.promised

    def _hear(self, topic: str) -> None:
        if self.watched:
            self.news.add(topic)

    def _mention(self) -> None:
        """Let it be known that it is used, and what it goes by now."""
        about = self._tell_about()
        if about != self._about:
            self._registry.tell(self.name, about)
            self._about = about
        if elapsed() > self._used + self._registry.often:
            self.use()

    def use(self) -> None:
        """Let it be known that it is used, so that it stays: all that there is of it in Redis, and no longer than the rest."""
        if self.name != DEFAULT:
            self._registry.use(self.name, self.keys)
            self._registry.link.settle()
        self._used = elapsed()

    @property
    def lax(self) -> bool:
        """While limits only count, nobody waits for a count."""
        return self.limits == "count" and not self.counted.left

    def commit(self) -> None:
        """Make final what the open transaction wrote."""
        self.store.commit(lax=self.lax)

    def look(self) -> None:
        """Take in what others saw."""
        self.journal.look()

    def flush(self) -> None:
        """Let others know what was seen here; if Redis does not answer, it is lost."""
        with suppress(UnavailableError):
            self.journal.flush()

    def end(self) -> None:
        """It is no more, unless it is used again."""
        super().end()
        self.journal.is_gone = True

    def begin_again(self) -> None:
        """Back to the beginning, which is the same for all, whoever made it."""
        if self.store.joined and self.inside:
            self.beginning = replace(self.beginning, snapshot=self.store.origin())
        super().begin_again()
        self._drop_own()

    def restore(self, saved: Saved) -> None:
        """Back to a snapshot."""
        held = self.store.find(Query(RUNNING))
        super().restore(saved)
        self._drop_own()
        for row in held:
            self.store.put(RUNNING, row["id"], row)

    def _begin_anew(self) -> None:
        """Somebody deleted it: it begins as one that was never there."""
        self.store.part()
        self.beginning = self._anew()
        self.begin_again()
        self.era = machine_now()
        self._write_out()

    def _forget(self) -> None:
        if self.store.joined:
            self.journal.reset()
        self.answered, self.taken, self.told = self.journal.tallies

    def _counts(self) -> Counts:
        return _SharedCounts(self)

    def _drop_own(self) -> None:
        """What a snapshot held of the world's own rows is of another time."""
        for name in self.store.hidden():
            for row in self.store.find(Query(name)) if name != OWN else ():
                self.store.delete(name, str(row["id"]))
        self._known = ()
        self._used = -inf  # what is kept in Redis is made anew, to stay without end until it is used

    # What the world goes by, in its own rows

    def _read_in(self) -> None:
        """Go by what others have set."""
        stamp = self.store.stamp(OWN)
        if stamp == self._own_stamp:
            return
        kept, faults = self.store.get(OWN, "world"), self.store.get(OWN, "faults")
        assert kept is not None
        assert faults is not None
        self.clock = Clock.of(kept["clock"])
        self.limits = kept["limits"]
        self.counted.left = {(name, glob): (count, begun) for name, glob, count, begun in kept["left"]}
        if kept["era"] != self.era:
            self.era = kept["era"]
            self.shown.clear()
            self.callers.clear()
            self.frames.clear()
        began = kept["began"]
        if began != _told(self.beginning):
            self.beginning = replace(self.beginning, **{**began, "faults": parse_faults(began["faults"])})
            self.faults = Faults(self.beginning.seed)
        if faults["orders"] != [each.as_json() for each in self.faults.orders]:
            self.faults.put(parse_faults(faults["orders"]))
        self.faults.counts = faults["counts"]
        self._own_stamp, self._known = stamp, self._signature()
        self._about = self._tell_about()  # whoever set it says so

    def _write_out(self) -> None:
        """Let others go by what was set here."""
        signature = self._signature()
        if signature == self._known:
            return
        left = [[*place, *order] for place, order in self.counted.left.items()]
        told: dict[str, Json] = {"clock": self.clock.kept(), "limits": self.limits, "era": self.era, "left": left}
        row = {"id": "world", **told, "began": _told(self.beginning)}
        faults: dict[str, Json] = {"id": "faults", "orders": [each.as_json() for each in self.faults.orders]}
        faults["counts"] = self.faults.counts
        for each in (row, faults):
            if each != self.store.get(OWN, each["id"]):
                self.store.put(OWN, each["id"], each)
        self._own_stamp, self._known = self.store.stamp(OWN), signature

    def _signature(self) -> tuple[object, ...]:
        """What stands for all of it: as long as it is equal, nothing was set."""
        faults = (self.faults.orders, self.faults.counts) if self.faults else ()
        left = tuple(self.counted.left.items()) if self.counted.left else ()
        return (self.clock.kept(), self.limits, self.era, self.beginning, left, faults)


class _Proposal(Transaction):
    """A transaction whose commit is sent, and not waited for."""

    __slots__ = ("passed", "promise")
    world: SharedWorld

    def commit(self, passed: list[tuple[str, str]]) -> None:
        self.passed = passed
        self.promise = self.world.store.promise(lax=self.world.lax)


def _told(beginning: Beginning) -> dict[str, Json]:
    return {
        "now": beginning.now,
        "mode": beginning.mode,
        "seeds": beginning.seeds,
        "seed": beginning.seed,
        "limits": beginning.limits,
        "faults": [each.as_json() for each in beginning.faults],
        "forked": beginning.forked,
    }


class _SharedCounts(Counts):
    """Windows in rows. Of a limit's callers the one that came first gives way."""

    def __init__(self, world: SharedWorld) -> None:
        super().__init__()
        self._world = world
        self._store = world.store

    def window(self, limit: Limit, caller: str, now: int) -> Window:
        row = self._store.get(LAX + limit.name, caller)
        return self.begin(limit, caller, now) if row is None else self._held(limit, row, now)

    def keep(self, limit: Limit, caller: str, window: Window) -> None:
        name, kept = LAX + limit.name, window.kept()
        row = self._store.get(name, caller)
        if row is not None and row["window"] == kept:
            return  # whoever is beyond a limit may change nothing: then nobody need be told
        if row is None and self._store.count(Query(name)) >= most(limit):
            self._store.delete(name, self._store.find(Query(name), 0, 1)[0]["id"])
        self._store.put(name, caller, {"id": caller, "window": kept})

    def standing(self, limit: Limit) -> Iterable[tuple[str, Window]]:
        now = self._world.instant
        return [(row["id"], self._held(limit, row, now)) for row in self._store.find(Query(LAX + limit.name))]

    def leave(self, limit: Limit, glob: str, count: int, now: int) -> None:
        self.windows[limit.name] = dict(self.standing(limit))
        super().leave(limit, glob, count, now)
        for caller, window in self.windows.pop(limit.name).items():
            self.keep(limit, caller, window)

    def _held(self, limit: Limit, row: Row, now: int) -> Window:
        """The window that a row holds; or that of an order to leave requests, of which nobody knew who wrote the row."""
        made = SlidingWindow if limit.style == "sliding" else FixedWindow
        held = made.of(limit, row["window"])
        ordered = self.begin(limit, row["id"], now) if self.left else held
        return ordered if ordered.strict > held.strict else held


class _Running(MutableMapping[str, str]):
    """The held keys, in rows."""

    def __init__(self, store: RedisStore) -> None:
        self._store = store

    def __getitem__(self, key: str) -> str:
        row = self._store.get(RUNNING, key)
        if row is None or row["until"] < machine_now():
            raise KeyError(key)
        return str(row["fingerprint"])

    def __setitem__(self, key: str, fingerprint: str) -> None:
        now = machine_now()
        while (oldest := self._store.first(Query(RUNNING))) and oldest["until"] < now:
            self._store.delete(RUNNING, oldest["id"])  # whoever held it would have let it go
        self._store.put(RUNNING, key, {"id": key, "fingerprint": fingerprint, "until": now + HELD})

    def __delitem__(self, key: str) -> None:
        if not self._store.delete(RUNNING, key):
            raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        return iter([row["id"] for row in self._store.find(Query(RUNNING))])

    def __len__(self) -> int:
        return self._store.count(Query(RUNNING))


class _Snapshots(MutableMapping[str, Saved]):
    """The snapshots that clients took, in Redis."""

    def __init__(self, world: SharedWorld) -> None:
        self._world = world

    def __getitem__(self, name: str) -> Saved:
        found = self._world.store.shared.snapshot(name)
        if found is None:
            raise KeyError(name)
        now, packed = found
        return Saved(unpack(packed), now, self._world.rules)

    def __setitem__(self, name: str, saved: Saved) -> None:
        self._world.store.shared.keep_snapshot(name, saved.now, pack(saved.snapshot))
        self._world.use()

    def __delitem__(self, name: str) -> None:
        if not self._world.store.shared.drop_snapshot(name):
            raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._world.store.shared.snapshots())

    def __len__(self) -> int:
        return len(self._world.store.shared.snapshots())
