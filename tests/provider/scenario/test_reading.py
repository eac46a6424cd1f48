"""Scenarios in files: what is wrong with them is told with its line, before anything is sent."""

from pathlib import Path

import pytest
from tests.suite.scenario.jobs import POST, READ, document, flow, jobs

from tasktwin.errors import DataError
from tasktwin.provider import bundled, load
from tasktwin.provider.check import check_provider
from tasktwin.provider.scenario import check_scenario, read_scenario

BUNDLED = [(name, path) for name in bundled() for path in load(name).scenarios]


@pytest.mark.parametrize(("name", "path"), BUNDLED, ids=[path.name for _, path in BUNDLED])
def test_a_bundled_scenario_is_read(name: str, path: Path) -> None:
    scenario = read_scenario(path, load(name).rules)
    assert all(step.operation or step.workflow for each in scenario.workflows.values() for step in each.steps)


def wrong(folder: Path, text: str) -> list[str]:
    provider = jobs(folder, text)
    return [str(each) for each in check_scenario(provider.scenarios[0], provider.rules)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("createJob", "creatJob", ":8: there is no operation 'creatJob' (at /workflows/0/steps/0/operationId). Did you mean"),
        ("as: ann", "as: anna", "there is no principal 'anna'"),
        ("outputs.id}", "outputs.ID}", ":17: there is no output 'ID'"),
        ("steps.post.outputs", "steps.pots.outputs", "there is no step 'pots'"),
        ("condition: $statusCode == 201", "condition: $statusCode = 201", "is not expected in '$statusCode = 201'"),
        ("operationId: getJob", "operationId: getJob\n    workflowId: main", "a step names one operationId"),
        ("name: job_id", "name: jobid", "getJob needs a value for 'job_id' in its path"),
        ("stepId: read", "stepId: post", "there are two with the name 'post'"),
        ("stepId: read", "stepid: read", "unknown key 'stepid'"),
        ("x-tasktwin-as: ann\n    requestBody", "x-tasktwin-wait: soon\n    requestBody", "A span is a number and s, m, h or d"),
        ("x-tasktwin-as: ann\n    requestBody", "x-tasktwin-az: ann\n    requestBody", "unknown key 'x-tasktwin-az'"),
        ("x-tasktwin-as: ann\n    requestBody", "x-tasktwin-trigger: {trigger: vanish, id: j1}\n    requestBody", "there is no trigger 'vanish'"),
        ("value: $steps.post", "value: $stps.post", ""),
        ("arazzo: 1.0.1", "arazzo: 2.0.0", "Arazzo 1.0 is read"),
        ("in: path, ", "", "the parameter 'job_id' does not say `in`"),
    ],
)  # fmt: skip
def test_a_wrong_scenario_is_told_with_what_was_meant(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = document(flow(POST, READ))
    assert old in text
    told = wrong(tmp_path, text.replace(old, new, 1) if "as: ann" in old else text.replace(old, new))
    assert bool(told) is bool(message)
    assert not message or any(message in each for each in told), told


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("dependsOn: [main]\n", "the workflow 'main' waits for itself"),
        ("dependsOn: [other]\n", "there is no workflow 'other'"),
        ("parameters: [{reference: $components.parameters.key}]\n", "there are no parameters 'key'"),
        ("failureActions: [{name: a, type: goto}]\n", "goto needs a stepId or a workflowId"),
        ("successActions: [{name: a, type: goto, stepId: nowhere}]\n", "there is no step 'nowhere'"),
        ("outputs: {id: $steps.post.outputs.nothing}\n", "there is no output 'nothing'"),
    ],
)
def test_a_wrong_workflow_is_told(tmp_path: Path, more: str, message: str) -> None:
    assert any(message in each for each in wrong(tmp_path, document(flow(POST, more=more))))


def test_a_component_takes_the_value_that_is_put_in_its_place(tmp_path: Path) -> None:
    read = READ.replace(
        "{name: job_id, in: path, value: $steps.post.outputs.id}", "{reference: $components.parameters.job, value: j2}"
    )
    more = "components: {parameters: {job: {name: job_id, in: path, value: j1}}}\n"
    provider = jobs(tmp_path, document(flow(POST, read), more=more))
    scenario = read_scenario(provider.scenarios[0], provider.rules)
    assert scenario.workflows["main"].steps[1].parameters[0].value == "j2"


def test_aliases_that_explode_are_refused(tmp_path: Path) -> None:
    bomb = "x-a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
        f"x-{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(8)
    )
    provider = jobs(tmp_path, document(flow(POST)) + bomb)
    with pytest.raises(DataError, match="the aliases stand for more than"):
        read_scenario(provider.scenarios[0], provider.rules)


@pytest.mark.parametrize("provider", bundled())
def test_check_has_nothing_against_the_bundled_scenarios(provider: str) -> None:
    assert not [each for each in check_provider(provider).errors if "arazzo" in each.file]
