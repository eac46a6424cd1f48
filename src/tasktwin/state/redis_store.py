"""A store that several processes share: each holds a copy in memory, and the log of commits in Redis is the truth.

What a transaction wrote is one commit. Redis takes it only if nobody committed since this copy was refreshed; else the
transaction is undone here, the others' commits are taken in, and ``ConflictError`` says that it is to be done again.
Reads cost nothing but a look whether the version is still the same.
"""
# ruff: noqa: A002 - what names a row is called its id everywhere

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import count
from typing import Any, Final, TypeAlias, TypeVar

import ormsgpack

from tasktwin.errors import ConflictError, GoneError, MisuseError, UnavailableError
from tasktwin.state.commit_log import CHUNK, Commit, CommitLog, ForgottenError, glance
from tasktwin.state.ids import make_nonce
from tasktwin.state.memory import MemorySnapshot, MemoryStore, Undo
from tasktwin.state.packing import pack, unpack
from tasktwin.state.redis_link import Heard
from tasktwin.state.store import Event, Row, Snapshot, Timer
from tasktwin.wire import Json

T = TypeVar("T")

TRIES: Final = 100
"""So often something is tried before others are taken to be in the way for ever."""

COMPACT_AFTER: Final = 1_000
"""Commits after which the whole world is kept anew, or as many as it has rows."""

HIDDEN: Final = "~"
"""How collections begin that are no rows of the provider's, and are not counted among them."""

LAX: Final = "~limit:"
"""How collections begin whose rows nobody rests on: to write only there is never in anybody's way."""


Carry: TypeAlias = Callable[[bytes, str, Heard], None]
"""Takes a commit along: what it does, its token, and whom to tell its number."""


class Promise:
    """A commit that was sent. ``made`` says what came of it, once Redis was heard; for ever nothing if it failed."""

    __slots__ = ("_failure", "_store", "_undo", "made")

    def __init__(self, store: "RedisStore", undo: list[Undo]) -> None:
        self._store = store
        self._undo = undo
        self._failure = ""
        self.made: bool | None = None

    def wait(self) -> bool:
        """Whether it was made; if not, all of it is undone. Raises ``UnavailableError`` if that is not known; then too."""
        if self.made is None and not self._failure:
            with suppress(UnavailableError):  # perhaps it was this that was answered last
                self._store.shared.link.hear()
        if self.made is None and not self._failure:
            self.fail("Redis was lost before it answered")
        if self.made is None:
            raise UnavailableError(self._failure)
        return self.made

    def fail(self, why: str) -> None:
        """It counts as not made."""
        self._failure = why
        self._store.settle(self._undo)

    def settle(self, *, made: bool) -> None:
        """It is known what came of it."""
        self.made = made
        self._store.settle(None if made else self._undo)


class RedisStore(MemoryStore):
    """The ``Store`` protocol upon a ``CommitLog``; all stores of one log must have the same limits.

    Every call that writes, ``begin`` and ``refresh`` raise ``UnavailableError`` when Redis does not answer.
    Until it has ``joined``, which the first ``begin`` or ``refresh`` does, what is written outside of transactions is what
    the world begins with if it is not there yet. ``heard`` is told of each topic that others wrote to.
    ``carry`` takes along, with something else that is told, the commits that rest on nothing; without it they are made
    like any other.
    """

    __slots__ = (
        "_beginning",
        "_commits",
        "_made",
        "_met",
        "_op_marks",
        "_ops",
        "_promise",
        "_restored",
        "_tokens",
        "_turn",
        "_version",
        "carry",
        "heard",
        "joined",
        "shared",
    )

    def __init__(
        self,
        shared: CommitLog,
        event_limit: int = 20_000,
        topic_limit: int = 10_000,
        index_limit: int = 64,
        *,
        joined: bool = True,
    ) -> None:
        """Begin empty; what there is is taken in when it is first needed. Raises ``MisuseError`` for a limit below 1."""
        super().__init__(event_limit, topic_limit, index_limit)
        self.shared = shared
        self.joined = joined
        self.heard: Callable[[str], None] | None = None
        self.carry: Carry | None = None
        self._ops: list[tuple[Any, ...]] = []
        self._op_marks: list[int] = []
        self._restored: MemorySnapshot | None = None
        self._version = -1
        self._met = -1  # which connection this copy was made by: a Redis that comes back may have lost what it had last
        self._turn = 0
        self._commits = 0
        self._promise: Promise | None = None
        self._beginning = b""
        self._tokens = map(f"{make_nonce()}-%d".__mod__, count())
        self._made: set[bytes] = set()  # commits of this copy that will be met again in the log

    @property
    def version(self) -> int:
        """The number of the last commit that is held; -1 before it has joined."""
        return self._version

    def refresh(self) -> bool:
        """Take in what others have committed, or begin what nobody has begun; whether that was anything.

        Raises ``GoneError`` when somebody deleted what was held here; after that it begins anew with what is held.
        """
        if self._undo is not None:
            raise MisuseError("what others did is taken in outside of a transaction")
        try:
            return self._take_in()
        except ForgottenError:
            self.shared.begin(self._beginning, max(self._version, 0), self._packed())
        except GoneError:
            if self._version >= 0:
                self.part()
                raise
            self.shared.begin(self._packed())
        self._version = -1
        return self._take_in()

    def stale(self) -> None:
        """It is known that others did something: the next transaction looks, whatever turn it is."""
        self._turn = 0

    def part(self) -> None:
        """Hold on its own what is held, until it joins again."""
        self._version, self._turn, self.joined = -1, 0, False

    def _take_in(self) -> bool:
        link = self.shared.link
        with suppress(UnavailableError):  # what was told before is lost; who has to know of it waits for it
            link.hear()
        if self._met != link.made:
            news = self.shared.news(-1)
            self._met = link.made
        else:
            news = self.shared.news(self._version)
        self.joined = True
        if news is None:
            return False
        while news is not None:  # in practice once
            if news.base is not None:
                self._load(news.base, news.world, news.beginning)
            self._take(news.commits)
            news = self.shared.news(self._version) if len(news.commits) == CHUNK else None
        return True

    def _take(self, commits: list[Commit]) -> None:
        for number, ops, token in commits:
            self._apply(ormsgpack.unpackb(ops), is_own=token in self._made)
            self._made.discard(token)
            self._version = number
            self._commits += 1

    # Transactions

    def begin(self) -> None:
        """Open the transaction, upon what there is now. Raises ``GoneError`` too."""
        if self._promise:
            with suppress(UnavailableError):  # whoever promised asks again, and is told
                self._promise.wait()
        if self._undo is None and self._turn != (turn := self.shared.link.turn()):
            self.refresh()
            self._turn = turn
            self._compact()
        super().begin()

    def catch_up(self, commits: list[Commit], turn: int) -> None:
        """Take in these commits, which are all there are behind the version that is held: ``begin`` need not look in this turn."""
        self._take(commits)
        self._turn = turn
        self._compact()

    @property
    def follows(self) -> bool:
        """Whether it holds what it has looked at by the connection there is, and nothing is under way."""
        return self.joined and self._undo is None and self._promise is None and self._met == self.shared.link.made

    def mark(self) -> int:
        """A savepoint in the open transaction."""
        made = super().mark()
        self._op_marks.append(len(self._ops))
        return made

    def rollback(self, to: int = 0) -> None:
        """Undo all, or all since a mark."""
        super().rollback(to)
        del self._ops[self._op_marks[to - 1] if to else 0 :]
        del self._op_marks[to:]
        if not to:
            self._restored = None

    def commit(self, *, lax: bool = False) -> None:
        """Make all writes since ``begin`` final. Raises ``ConflictError``, ``GoneError`` and ``UnavailableError``; then all is undone.

        A ``lax`` commit that writes to ``LAX`` collections only rests on nothing: others cannot make it fail, and it is not waited for.
        """
        promise = self.promise(lax=lax)
        if promise and not promise.wait():
            self.refresh()
            raise ConflictError("somebody else wrote first")

    def promise(self, *, lax: bool = False) -> Promise | None:
        """Send the commit, and do not wait: what came of it is to be asked before anybody is told. ``None``: it is final."""
        undo = self._opened()
        promise = None
        if self._ops or self._restored:
            try:
                promise = self._share(undo, lax=lax)
            except BaseException as error:
                self.rollback()
                if isinstance(error, ConflictError):
                    self.refresh()
                raise
            self._ops.clear()
            self._restored = None
        self._op_marks.clear()
        super().commit()
        self._promise = promise
        return promise

    @property
    def promised(self) -> bool:
        """Whether it is still to be known what came of a commit."""
        return self._promise is not None

    def settle(self, undo: list[Undo] | None) -> None:
        """It is known what came of the commit that was promised; what is to be undone, if anything."""
        self._promise = None
        if undo is not None:
            self._undo = undo
            self.rollback()
            self.stale()

    def _compact(self) -> None:
        """Keep the world whole if the log is long. Only after a look: before it, what is held may be ahead of its version."""
        if self._commits > COMPACT_AFTER and self._commits > sum(len(table.rows) for table in self._tables.values()):
            self._commits = 0
            self.shared.compact(self._version, self._packed())

    def _share(self, undo: list[Undo], *, lax: bool) -> Promise | None:
        """Let the others know."""
        ops, token = ormsgpack.packb(self._ops), next(self._tokens)
        if self._restored:
            self._version = self.shared.rebase(self._version, pack(self._restored), ops, token)
            self._made.clear()
            self._commits = 0
            return None
        own = token.encode()
        self._made.add(own)
        if lax and self.carry and all(op[1].startswith(LAX) for op in self._ops):
            self.carry(ops, token, lambda number: self._follow(number, own))
            return None
        promise = Promise(self, undo)

        def heard(number: int | UnavailableError) -> None:
            if isinstance(number, UnavailableError):
                promise.fail(str(number))
                return
            if number > 0:
                self._follow(number, own)
            else:
                self._made.discard(own)
            promise.settle(made=number > 0)

        self.shared.append(self._version, ops, token, heard)
        return promise

    def _follow(self, number: int, token: bytes) -> None:
        """Be at the version that an own commit made, if nothing lies between; else what lies there is met first."""
        if number == self._version + 1:
            self._version = number
            self._commits += 1
            self._made.discard(token)

    def _write(self, work: Callable[[], T], *op: Any) -> T:
        """Write something down, in the open transaction or in one of its own. What came of it is False if nothing did."""
        if self._undo is None and self.joined:
            return self._within(lambda: self._write(work, *op))
        result = work()
        if result is not False and self.joined:
            self._ops.append(op)
        return result

    def _within(self, work: Callable[[], T]) -> T:
        """Do something in the open transaction, or in one of its own, as often as others come first."""
        if self._undo is not None or not self.joined:
            return work()
        for _ in range(TRIES):
            self.begin()
            result = work()
            try:
                self.commit()
            except ConflictError:
                continue
            return result
        raise ConflictError(f"others wrote first {TRIES} times")

    # Writes

    def put(self, collection: str, id: str, row: Row) -> None:
        """Create or replace a row."""
        self._write(lambda: MemoryStore.put(self, collection, id, row), "put", collection, id, row)

    def delete(self, collection: str, id: str) -> bool:
        """Remove a row; False when there was none."""
        return self._write(lambda: MemoryStore.delete(self, collection, id), "delete", collection, id)

    def number(self, name: str) -> int:
        """The next value of a named counter, from 1."""
        return self._write(lambda: MemoryStore.number(self, name), "number", name)

    def append(self, topic: str, instant: int, kind: str, data: Json) -> Event:
        """Write the next event of a topic."""
        return self._write(
            lambda: MemoryStore.append(self, topic, instant, kind, data), "append", topic, instant, kind, data
        )

    def arm(self, timer: Timer) -> None:
        """Set a timer, in place of the one that the row has in that lifecycle."""
        self._write(lambda: MemoryStore.arm(self, timer), "arm", timer.due, timer.lifecycle, timer.row, timer.name)

    def disarm(self, lifecycle: str, row: str) -> None:
        """Remove a row's timer, if there is one."""

        def remove() -> bool:
            is_armed = (lifecycle, row) in self._agenda.live
            MemoryStore.disarm(self, lifecycle, row)
            return is_armed

        self._write(remove, "disarm", lifecycle, row)

    def pop_due(self, now: int) -> Timer | None:
        """Take out the earliest timer that is due: of several stores one gets it."""
        return self._within(lambda: MemoryStore.pop_due(self, now))

    def restore(self, snapshot: Snapshot) -> None:
        """Hold what the snapshot holds; so do all others from now on."""

        def restore() -> None:
            MemoryStore.restore(self, snapshot)
            if self.joined and isinstance(snapshot, MemorySnapshot):
                ops, restored = self._ops[:], self._restored
                self._ops.clear()
                self._restored = snapshot
                self._opened().append((self._unrestore, ops, restored))

        self._within(restore)

    def _unrestore(self, ops: list[tuple[Any, ...]], restored: MemorySnapshot | None) -> None:
        self._ops[:] = ops
        self._restored = restored

    def sizes(self) -> dict[str, int]:
        """Rows per collection."""
        return {name: size for name, size in super().sizes().items() if not name.startswith(HIDDEN)}

    def hidden(self) -> list[str]:
        """The hidden collections that hold anything."""
        return [name for name in super().sizes() if name.startswith(HIDDEN)]

    def origin(self) -> MemorySnapshot:
        """How the world began, whoever began it."""
        return unpack(self._beginning)

    # What is shared

    def _apply(self, ops: list[list[Any]], *, is_own: bool) -> None:
        """Do what somebody else did. Of what was done here already only what others may have overtaken is done again."""
        for name, *arguments in ops:
            if is_own and not (name == "put" and arguments[0].startswith(LAX)):
                continue
            match name:
                case "put":
                    MemoryStore.put(self, *arguments)
                case "delete":
                    MemoryStore.delete(self, *arguments)
                case "number":
                    MemoryStore.number(self, *arguments)
                case "append":
                    MemoryStore.append(self, *arguments)
                    if self.heard:
                        self.heard(arguments[0])
                case "arm":
                    MemoryStore.arm(self, Timer(*arguments))
                case "disarm":
                    MemoryStore.disarm(self, *arguments)
                case _:
                    raise MisuseError(f"a commit does {name!r}, which this version of the twin does not know")

    def _load(self, version: int, world: bytes, beginning: bytes) -> None:
        """Hold the world as it was kept last."""
        self._version, self._beginning = version, beginning
        self._commits = 0
        self._made.clear()
        MemoryStore.restore(self, unpack(world or beginning))
        if self.heard:
            for topic in self.topics():
                self.heard(topic)

    def _packed(self) -> bytes:
        return pack(MemoryStore.snapshot(self))


def look(stores: Iterable[RedisStore]) -> None:
    """Do in one question for many stores of one Redis what ``begin`` would do for each in this turn.

    It is still left to ``begin`` where there is more to do than to take in some commits. Raises ``UnavailableError``.
    """
    stores = [each for each in stores if each.follows]
    if not stores:
        return
    turn = stores[0].shared.link.turn()
    found = glance([(each.shared, each.version) for each in stores])
    for store, commits in zip(stores, found, strict=True):
        if commits is not None and store.follows:  # the connection may be another one meanwhile
            store.catch_up(commits, turn)
