"""Each fault shows in its story, and in no healthy twin; nowhere does the twin itself give up."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.deployments.catalogue import DEPLOYMENTS, PROVIDERS
from tests.deployments.deployment import Caller, Deployment

from tasktwin import Provider, load

FAULTY = [each for each in DEPLOYMENTS if each.kind != "correct"]
CORRECT = [each for each in DEPLOYMENTS if each.kind == "correct"]


@pytest.fixture(scope="session")
def providers() -> dict[str, Provider]:
    """The healthy ones, read once."""
    return {name: load(name) for name in PROVIDERS}


@contextlib.contextmanager
def served(*arguments: str) -> Iterator[str]:
    """The base URL of what ``python -m`` serves with these arguments."""
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.wait(timeout=10)


@pytest.fixture(scope="session")
def healthy() -> Iterator[str]:
    """All APIs as they should be, each under its name."""
    with served("tasktwin", "serve", *PROVIDERS, "--port", "0", "--quiet") as url:
        yield url


def caller(url: str, provider: Provider) -> Caller:
    """A client that knows the demo callers."""
    return Caller(url, {name: each.headers for name, each in provider.rules.principals.items()})


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda each: each.name)
def test_a_fault_shows_where_it_is_and_a_correct_deployment_shows_none(
    deployment: Deployment, providers: dict[str, Provider]
) -> None:
    with (
        served("tests.deployments", deployment.name) as url,
        caller(url, providers[deployment.provider]) as client,
    ):
        assert deployment.shows(client) is (deployment.kind != "correct")
        assert client.defects() == []


@pytest.mark.parametrize("deployment", FAULTY, ids=lambda each: each.name)
def test_a_fault_does_not_show_on_a_healthy_twin(
    deployment: Deployment, healthy: str, providers: dict[str, Provider]
) -> None:
    with caller(f"{healthy}/{deployment.provider}", providers[deployment.provider]) as client:
        assert deployment.shows(client) is False
        assert client.defects() == []


@pytest.mark.parametrize("provider", sorted({each.provider for each in DEPLOYMENTS}))
def test_each_api_has_a_dozen_faulty_deployments_and_a_correct_one(provider: str) -> None:
    assert sum(each.provider == provider for each in FAULTY) >= 12
    assert sum(each.provider == provider for each in CORRECT) >= 1


def test_names_say_whose_deployment_it_is_and_are_given_once() -> None:
    names = [each.name for each in DEPLOYMENTS]
    assert sorted(set(names)) == sorted(names)
    assert [each.name for each in DEPLOYMENTS if not each.name.startswith(f"{each.provider}-")] == []
