"""report.sarif, against the standard's own JSON schema."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft4Validator  # type: ignore[import-untyped]
from tests.suite.report.small_run import ASSUMED, COMMAND, STORY, URL, finding, line, small_run, uumit

from tasktwin.suite.finding import Finding, Line
from tasktwin.suite.report import account_of
from tasktwin.suite.report.sarif import as_sarif
from tasktwin.suite.run import Run
from tasktwin.suite.traffic import Reply
from tasktwin.wire import Json

# As the npm package @microsoft/jest-sarif ships it; the OASIS technical committee publishes the same.
SCHEMA = Draft4Validator(json.loads(Path(__file__).with_name("sarif-2.1.0-rtm.5.json").read_text("utf-8")))

LOST = Line(STORY[0].request, Reply(0, problem="no answer: ReadTimeout"))
RUNS: dict[str, tuple[Finding, ...]] = {
    "nothing": (),
    "a failure": (finding(),),
    "a note": (finding(basis=ASSUMED),),
    "two of one rule": (finding("one"), finding("two")),
    "without a story": (finding(story=(), script=""),),
    "without an operation": (finding(operation=""),),
    "an operation that is not known": (finding(operation="nope"),),
    "no answer": (finding(story=(LOST,)),),
    "a long story": (finding(story=(line("GET", "/", 200),) * 200),),
    "hostile": (finding("<script>\x1b\ud800", actual="x" * 100_000, pointer="/\u202e"),),
}


def read(run: Run) -> Json:
    return as_sarif(account_of(run, command=COMMAND, url=URL))["runs"][0]


@pytest.mark.parametrize("findings", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("cut", ["", "interrupted"], ids=["whole", "cut"])
def test_the_standard_accepts_it(findings: tuple[Finding, ...], cut: str) -> None:
    document = json.loads(json.dumps(as_sarif(account_of(small_run(*findings, cut=cut), command=COMMAND, url=URL))))
    assert [error.message for error in SCHEMA.iter_errors(document)] == []
    assert len(document["runs"][0]["results"]) == len(findings)


def test_levels_follow_the_severity() -> None:
    results = read(small_run(finding("a note", basis=ASSUMED), finding("a failure")))["results"]
    assert [each["level"] for each in results] == ["error", "note"]


def test_a_result_stands_at_its_operation_and_is_known_by_its_cause() -> None:
    (result,) = read(small_run(finding(cause="c1")))["results"]
    (location,) = result["locations"]
    assert result["partialFingerprints"] == {"cause/v1": "c1"}
    assert location["logicalLocations"][0]["fullyQualifiedName"] == "uumit/acceptApplication"
    place = location["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "fixtures/uumit/openapi.yaml"
    written = (uumit().folder / "openapi.yaml").read_text("utf-8").splitlines()
    near = written[place["region"]["startLine"] - 1 :][:3]
    assert any("acceptApplication" in each for each in near)


def test_every_rule_is_explained_once() -> None:
    run = read(small_run(finding("one"), finding("two"), finding("three", rule="made.up")))
    rules = run["tool"]["driver"]["rules"]
    assert [each["id"] for each in rules] == ["lifecycle.refused", "made.up"]
    assert [each["ruleIndex"] for each in run["results"]] == [0, 0, 1]
    assert all(each["help"]["text"] and each["shortDescription"]["text"] for each in rules)


def test_the_story_is_a_flow_of_requests_and_answers() -> None:
    (result,) = read(small_run(finding()))["results"]
    steps = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [each["webRequest"]["target"] for each in steps] == [URL + each.request.path for each in STORY]
    assert [each["webResponse"]["statusCode"] for each in steps] == [200, 200]


def test_a_run_that_was_cut_is_no_successful_invocation() -> None:
    whole, cut = small_run(), small_run(cut="interrupted")
    assert [read(run)["invocations"][0]["executionSuccessful"] for run in (whole, cut)] == [True, False]
