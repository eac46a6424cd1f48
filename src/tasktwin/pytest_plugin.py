"""The pytest plugin: the fixtures ``twin`` and ``twin_factory``, the marker ``twin``, the options ``--twin-…``.

pytest loads it in every run wherever tasktwin is installed, so it imports nothing more until a test asks for a twin.
"""

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tasktwin.plugin import ServedTwin, Servers, TwinFactory

TWINS: "pytest.StashKey[list[ServedTwin]]" = pytest.StashKey()
"""The twins of a test."""

TOLD: pytest.StashKey[bool] = pytest.StashKey()
"""Whether a test failed for its wrong requests, so that they are not told once more."""

SECTION = "requests that break the contract"
TOKEN = "TASKTWIN_CONTROL_TOKEN"  # noqa: S105 - the name of a variable
MARKER = (
    "twin(provider, *, seeds, seed, now, clock, limits, faults, strict): the API that the fixture `twin` is a twin of,"
    " by its bundled name or its folder, and how its world begins; strict: whether requests that break the contract"
    " fail the test"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options and settings."""
    group = parser.getgroup("tasktwin", "twins of task APIs")
    group.addoption(
        "--twin-strict", action="store_true", help="A test fails whose requests to its twin break the contract."
    )
    group.addoption(
        "--twin-url", default="", metavar="URL", help="Use the twins of a running `tasktwin serve` instead of own ones."
    )
    group.addoption(
        "--twin-token",
        default="",
        metavar="T",
        help=f"Control token of the running twin; without it the environment variable {TOKEN} is read.",
    )
    parser.addini("twin_provider", "Provider of the fixture `twin` in tests whose marker names none.", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Tell of the marker."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session")
def _twin_servers(pytestconfig: pytest.Config) -> "Iterator[Servers]":
    """What serves this process's twins; nothing is started before a test asks for it."""
    from tasktwin.plugin import Servers  # noqa: PLC0415 - only who uses a twin pays for it

    token = pytestconfig.getoption("twin_token") or os.environ.get(TOKEN, "")
    servers = Servers(pytestconfig.rootpath, pytestconfig.getoption("twin_url"), token)
    yield servers
    servers.close()


@pytest.fixture
def twin_factory(request: pytest.FixtureRequest, _twin_servers: "Servers") -> "Iterator[TwinFactory]":
    """Makes twins for this test: ``twin_factory("uumit", seeds="busy", …)``, with the arguments of the marker ``twin``."""
    from tasktwin.plugin import WorldWish  # noqa: PLC0415 - as above

    made: list[ServedTwin] = request.node.stash.setdefault(TWINS, [])
    strict = bool(request.config.getoption("twin_strict"))
    with ExitStack() as ending:

        def make(*provider: str, **options: Any) -> "ServedTwin":
            wish = WorldWish.read(provider or (_provider(request),), options)
            fresh = _twin_servers.twin(wish, request.node.nodeid, strict=strict)
            ending.callback(fresh.close)
            made.append(fresh)
            return fresh

        yield make


@pytest.fixture
def twin(request: pytest.FixtureRequest, twin_factory: "TwinFactory") -> "ServedTwin":
    """A twin of the API that the marker ``twin`` or the setting ``twin_provider`` names, in a world of the test's own."""
    from tasktwin.errors import TasktwinError  # noqa: PLC0415 - as above

    try:
        return twin_factory(**_options(request))
    except TasktwinError as error:
        told = str(error)
    pytest.fail(f"no twin for {request.node.nodeid}: {told}", pytrace=False)


def _options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The named arguments of the test's markers; the nearest one of each name counts."""
    return {name: value for each in _markers(request) for name, value in each.kwargs.items()}


def _provider(request: pytest.FixtureRequest) -> str:
    """The provider of the nearest marker that names one, else the setting's."""
    from tasktwin.errors import MisuseError  # noqa: PLC0415 - as above
    from tasktwin.plugin import WorldWish  # noqa: PLC0415 - as above

    named = [WorldWish.read(each.args, {}).provider for each in _markers(request) if each.args]
    found = named[-1] if named else str(request.config.getini("twin_provider"))
    if not found:
        raise MisuseError(
            'which API? Mark the test with @pytest.mark.twin("uumit"), or set twin_provider in pytest\'s configuration'
        )
    return found


def _markers(request: pytest.FixtureRequest) -> list[pytest.Mark]:
    """The markers ``twin``, the nearest one last."""
    return [*request.node.iter_markers("twin")][::-1]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Where that is wanted, a test that passed fails when a request broke the contract."""
    yield
    told = _wrong([each for each in item.stash.get(TWINS, []) if each.strict])
    if told:
        item.stash[TOLD] = True
        pytest.fail(f"{SECTION}:\n{told}", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a failed test's requests did wrong stands in its report."""
    report = yield
    if report.failed and report.when != "teardown" and TWINS in item.stash and TOLD not in item.stash:
        from tasktwin.errors import TasktwinError  # noqa: PLC0415 - as above

        try:
            told = _wrong(item.stash[TWINS])
        except TasktwinError as error:
            told = f"unknown: {error}"
        if told:
            report.sections.append((SECTION, told))
    return report


def _wrong(twins: "list[ServedTwin]") -> str:
    return "\n".join(filter(None, [each.journal.wrong() for each in twins]))
