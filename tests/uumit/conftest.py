"""A world of UUMit for each test, whose time stands still."""

import pytest

from tasktwin import Provider, Twin, load


@pytest.fixture(scope="session")
def uumit() -> Provider:
    """UUMit's description, read once."""
    return load("uumit")


@pytest.fixture
def twin(uumit: Provider) -> Twin:
    """The default market on New Year's Day."""
    return Twin(uumit, clock="frozen", now="2026-01-01T00:00:00Z")
