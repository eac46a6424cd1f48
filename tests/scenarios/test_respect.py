"""The scenarios run in somebody else's Arazzo runner, Redocly Respect, against the served twin.

Respect also holds every answer against the provider's document: status, content type and schema.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.redocly import ROOT, redocly

from tasktwin.provider import bundled
from tasktwin.wire import Json

SCENARIOS = [path for name in bundled() for path in sorted((ROOT / "scenarios" / name).glob("*.arazzo.yaml"))]
IDS = [f"{path.parent.name}/{path.name.removesuffix('.arazzo.yaml')}" for path in SCENARIOS]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=IDS)
def test_a_scenario_succeeds_and_every_step_of_it_runs(
    serve: Callable[..., str], tmp_path: Path, scenario: Path
) -> None:
    document, report = yaml.safe_load(scenario.read_text(encoding="utf-8")), tmp_path / "report.json"
    servers = ",".join(f"{source['name']}={serve(scenario.parent.name)}" for source in document["sourceDescriptions"])
    done = redocly("respect", str(scenario), "--server", servers, "--json-output", str(report))
    assert done.returncode == 0, done.stdout + done.stderr
    (played,) = json.loads(report.read_bytes())["files"].values()
    assert steps_played(played) == steps_written(document)


def test_every_bundled_provider_has_a_scenario() -> None:
    assert {path.parent.name for path in SCENARIOS} == set(bundled())


def steps_written(document: Json) -> list[tuple[str, str, str]]:
    return [
        (workflow["workflowId"], step["stepId"], "success")
        for workflow in document["workflows"]
        for step in workflow["steps"]
    ]


def steps_played(report: Json) -> list[tuple[str, str, str]]:
    return [
        (workflow["workflowId"], step["stepId"], step["status"])
        for workflow in report["executedWorkflows"]
        for step in workflow["executedSteps"]
    ]
