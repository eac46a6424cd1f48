"""A world's transactions: all of it or nothing, of its rows and of what counts as covered."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tasktwin.behaviour.world import World


class Transaction:
    """Within another it is a part of that. A class, not a generator: each request that writes enters one, in half of the time."""

    __slots__ = ("mark", "world")

    def __init__(self, world: "World") -> None:
        self.world = world

    def __enter__(self) -> None:
        world = self.world
        self.mark = world.mark() if world.inside else None
        if self.mark:
            return
        world.store.begin()
        world.inside = True

    def __exit__(self, kind: type[BaseException] | None, *_about: object) -> None:
        world = self.world
        if self.mark:
            if kind:
                world.undo(self.mark)
            return
        world.inside = False
        passed, world.passed = world.passed, []
        if kind:
            world.store.rollback()
            return
        self.commit(passed)

    def commit(self, passed: list[tuple[str, str]]) -> None:
        """Make it final, with the transitions that were ``passed``."""
        self.world.commit()  # a store that others share may refuse: then nothing was passed
        if passed:
            self.world.taken.update(passed)
