"""The scenarios of a provider, played by ``tasktwin verify``, together take every transition of its lifecycles."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
import yaml
from tests.redocly import ROOT

from tasktwin.provider import bundled, load
from tasktwin.wire import Json

FEWEST = 8
SCENARIOS = [path for name in bundled() for path in sorted((ROOT / "scenarios" / name).glob("*.arazzo.yaml"))]
IDS = [f"{path.parent.name}/{path.name.removesuffix('.arazzo.yaml')}" for path in SCENARIOS]


@pytest.mark.parametrize("provider", bundled())
def test_the_scenarios_together_take_every_transition(serve: Callable[..., str], provider: str) -> None:
    url = serve(provider)
    command = [sys.executable, "-m", "tasktwin", "verify", url, "--provider", provider]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    taken = sum((Counter(dict(transitions(world))) for world in coverages(url)), Counter[str]())
    known = {name for name, _ in transitions(httpx2.get(f"{url}/_tasktwin/coverage").json())}
    assert {name for name in known if not taken[name]} == set(switched_off(provider))


@pytest.mark.parametrize("provider", bundled())
def test_a_provider_has_at_least_eight_scenarios(provider: str) -> None:
    assert len([path for path in SCENARIOS if path.parent.name == provider]) >= FEWEST


@pytest.mark.parametrize("scenario", SCENARIOS, ids=IDS)
def test_a_scenario_tells_a_story_and_each_request_says_who_sends_it(scenario: Path) -> None:
    document = yaml.safe_load(scenario.read_text(encoding="utf-8"))
    assert [key for key in ("title", "summary", "description") if not document["info"].get(key)] == []
    steps = [step for workflow in document["workflows"] for step in workflow["steps"] if "workflowId" not in step]
    assert [step["stepId"] for step in steps if "x-tasktwin-as" not in step] == []


def switched_off(name: str) -> Iterator[str]:
    """The transitions that the provider's settings, as they are bundled, never let happen."""
    data = load(name).data
    settings = {f"$setting#/{key}": value for key, value in data.get("settings", {}).items()}
    for lifecycle, life in data["lifecycles"].items():
        for transition, rule in life["transitions"].items():
            wanted = rule.get("when", {}).items()
            if any(key in settings and settings[key] != value for key, value in wanted):
                yield f"{lifecycle}.{transition}"


def coverages(url: str) -> Iterator[Json]:
    """What was covered, of each world that the target has."""
    for world in httpx2.get(f"{url}/_tasktwin/worlds").json()["worlds"]:
        yield httpx2.get(f"{url}/_tasktwin/coverage", headers={"Tasktwin-World": world["name"]}).json()


def transitions(coverage: Json) -> Iterator[tuple[str, int]]:
    """Each transition by its full name, and how often it was taken."""
    for lifecycle, counts in coverage["transitions"].items():
        yield from ((f"{lifecycle}.{name}", count) for name, count in counts.items())
