"""A world's transactions: all of it or nothing, of its rows and of what counts as covered."""

from typing import TYPE_CHECKING

from tasktwin.errors import Refusal

if TYPE_CHECKING:
    from tasktwin.behaviour.world import World


class Transaction:
    """Within another it is a part of that. A class, not a generator: each request that writes enters one, in half of the time."""

    __slots__ = ("mark", "passed", "world")

    def __init__(self, world: "World") -> None:
        self.world = world

    def __enter__(self) -> None:
        world = self.world
        self.mark = 0
        if world.inside:
            self.mark, self.passed = world.store.mark(), len(world.passed)
            return
        world.store.begin()
        world.inside = True

    def __exit__(self, kind: type[BaseException] | None, *_about: object) -> None:
        world = self.world
        if self.mark:
            if kind:
                world.store.rollback(self.mark)
                del world.passed[self.passed :]
            return
        world.inside = False
        passed, world.passed = world.passed, []
        if kind:
            world.store.rollback()
            return
        world.commit()  # a store that others share may refuse: then nothing was passed
        if passed:
            world.taken.update(passed)


class Savepoint:
    """Inside a transaction: what a refusal interrupts is undone, and only that."""

    __slots__ = ("mark", "passed", "world")

    def __init__(self, world: "World") -> None:
        self.world = world

    def __enter__(self) -> None:
        self.mark, self.passed = self.world.store.mark(), len(self.world.passed)

    def __exit__(self, kind: type[BaseException] | None, *_about: object) -> None:
        if kind and issubclass(kind, Refusal):
            self.world.store.rollback(self.mark)
            del self.world.passed[self.passed :]
