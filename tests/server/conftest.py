"""One twin served for all tests of this folder; each test has a world of its own in it."""

from collections.abc import Iterator
from itertools import count

import pytest
from tests.server.front import ALICE, ALICES_TASK, TASKS, World, serving

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def origin() -> Iterator[str]:
    """The base URL of ``tasktwin serve uumit``."""
    with serving("uumit", "--quiet") as (url, _process):
        yield url


@pytest.fixture
def world(origin: str) -> Iterator[World]:
    """A world that no other test has seen, with the default seeds."""
    found = World(origin, f"test-{next(_NUMBERS)}")
    yield found
    found.close()


@pytest.fixture
def busy(world: World) -> World:
    """A world in which five requests were made: two tasks created, one refused, one read, one lost."""
    world.post_task(title="one")
    world.post_task(title="two")
    world.post_task(title="")
    world.api.get(TASKS + ALICES_TASK, headers=ALICE)
    world.api.get("/nope?x=1", headers=ALICE)
    return world
