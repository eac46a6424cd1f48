"""A twin of AITasker whose clock stands still, so that a test moves it."""

import pytest

from tasktwin.exchange.twin import Twin
from tasktwin.provider import Provider, load


@pytest.fixture(scope="session")
def aitasker() -> Provider:
    """The provider, read once."""
    return load("aitasker")


@pytest.fixture
def twin(aitasker: Provider) -> Twin:
    """The default seeds at the beginning of 2026."""
    return Twin(aitasker, now="2026-01-01T00:00:00Z", clock="frozen")
