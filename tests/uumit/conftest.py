"""A world of UUMit for each test, whose time stands still."""

from collections.abc import Iterator
from itertools import count

import pytest
from tests.server.front import World, serving

from tasktwin import Provider, Twin, load

_NUMBERS = count(1)
NOW = "2026-01-01T00:00:00Z"


@pytest.fixture(scope="session")
def uumit() -> Provider:
    """UUMit's description, read once."""
    return load("uumit")


@pytest.fixture
def twin(uumit: Provider) -> Twin:
    """The default market on New Year's Day."""
    return Twin(uumit, clock="frozen", now=NOW)


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """A served market whose time stands still."""
    with serving("uumit", "--quiet", "--clock", "frozen", "--now", NOW) as (url, _process):
        yield url


@pytest.fixture
def world(origin: str) -> Iterator[World]:
    """A market that no other test has seen."""
    found = World(origin, f"market-{next(_NUMBERS)}")
    yield found
    found.close()
