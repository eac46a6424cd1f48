"""The scenarios run in somebody else's Arazzo runner, Redocly Respect, against the served twin.

Respect also holds every answer against the provider's document: status, content type and schema. Only streams it cannot:
it reads them as one text and holds that against the schema of an event.
"""

import json
from collections.abc import Callable, Iterator
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
    options = ("--severity", "SCHEMA_CHECK=warn", "--json-output", str(report))
    done = redocly("respect", str(scenario), "--server", servers, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    (played,) = json.loads(report.read_bytes())["files"].values()
    assert steps_played(played, set(streams(document))) == steps_written(document)


def test_every_bundled_provider_has_a_scenario() -> None:
    assert {path.parent.name for path in SCENARIOS} == set(bundled())


def steps_written(document: Json) -> list[tuple[str, str, str]]:
    return [
        (workflow["workflowId"], step["stepId"], "success")
        for workflow in document["workflows"]
        for step in workflow["steps"]
    ]


def streams(document: Json) -> Iterator[tuple[str, str]]:
    for workflow in document["workflows"]:
        yield from (
            (workflow["workflowId"], step["stepId"]) for step in workflow["steps"] if "x-tasktwin-stream" in step
        )


def steps_played(report: Json, unread: set[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Each step with how it ended; a step that was tried again counts with its last try."""
    return [
        (workflow["workflowId"], step["stepId"], status(step, (workflow["workflowId"], step["stepId"]) in unread))
        for workflow in report["executedWorkflows"]
        for step in workflow["executedSteps"]
        if not step.get("retriesLeft")
    ]


def status(step: Json, is_stream: bool) -> str:  # noqa: FBT001 - a plain answer to a plain question
    failed = [check["name"] for check in step["checks"] if not check["passed"]]
    return "success" if is_stream and failed == ["schema check"] else str(step["status"])
