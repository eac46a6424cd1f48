"""What the actions and criteria of steps say, played on servers whose answers a test chooses."""

import json
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from tests.answering import Asked, Parts, answering
from tests.suite.scenario.jobs import POST, READ, document, flow, jobs, play

JOB = {"id": "j9", "title": "Dig", "state": "open", "owner": "ann", "created_at": "2026-01-01T00:00:00Z"}
REFUSED = "successCriteria: [{condition: $statusCode == 418}]"
LIST = "- {stepId: list, operationId: listJobs, x-tasktwin-as: ann}\n"


def answer(status: int, body: object) -> Parts:
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


def working(asked: Asked) -> Parts:
    """A deployment in good health, without a control plane."""
    if asked.path.startswith("/_tasktwin"):
        return answer(404, {})
    if asked.method == "GET" and asked.path.partition("?")[0] == "/jobs":
        return answer(200, {"items": [JOB], "total": 1, "more": False})
    return answer(201 if asked.path == "/jobs" else 200, JOB)


def slow(states: list[str]) -> Callable[[Asked], Parts]:
    """One in which a job goes through these states, one for each time that it is read."""
    turns = count()

    def respond(asked: Asked) -> Parts:
        if asked.path == "/jobs/j9":
            return answer(200, {**JOB, "state": states[min(next(turns), len(states) - 1)]})
        return working(asked)

    return respond


def operations(run: object) -> list[str]:
    return [each.request.operation for each in run.target.traffic]  # type: ignore[attr-defined]


def test_a_step_is_tried_again_until_its_criteria_hold(tmp_path: Path) -> None:
    until = (
        READ
        + """\
  successCriteria: [{condition: $response.body#/state == 'done'}]
  onFailure: [{name: wait, type: retry, retryAfter: 0.05, retryLimit: 3}]
"""
    )
    with answering(slow(["open", "running", "done"])) as server:
        run = play(jobs(tmp_path, document(flow(POST, until))), server.url)
    assert not run.findings
    assert operations(run).count("getJob") == 3


def test_a_step_that_is_tried_in_vain_is_a_finding(tmp_path: Path) -> None:
    until = (
        READ
        + """\
  successCriteria: [{condition: $response.body#/state == 'done'}]
  onFailure: [{name: wait, type: retry, retryAfter: 0.01, retryLimit: 2}]
"""
    )
    with answering(slow(["open"])) as server:
        run = play(jobs(tmp_path, document(flow(POST, until))), server.url)
    assert len(run.findings) == 1
    assert operations(run).count("getJob") == 3


@pytest.mark.parametrize(
    ("actions", "played"),
    [
        ("onSuccess: [{name: skip, type: goto, stepId: list}]", ["createJob", "listJobs"]),
        ("onSuccess: [{name: stop, type: end}]", ["createJob"]),
        (
            "onSuccess: [{name: no, type: end, criteria: [{condition: $statusCode == 200}]}]",
            ["createJob", "getJob", "listJobs"],
        ),
        (
            "successCriteria: [{condition: $statusCode == 418}]\n  onFailure: [{name: else, type: goto, stepId: list}]",
            ["createJob", "listJobs"],
        ),
        (
            f"{REFUSED}\n  onFailure: [{{name: fine, type: end, criteria: [{{condition: $statusCode == 201}}]}}]",
            ["createJob"],
        ),
    ],
    ids=["goto", "end", "criteria that do not hold", "goto on failure", "an end that is foreseen"],
)
def test_actions_say_what_comes_next(tmp_path: Path, actions: str, played: list[str]) -> None:
    post = POST.replace("  successCriteria:\n    - condition: $statusCode == 201\n", f"  {actions}\n")
    with answering(working) as server:
        run = play(jobs(tmp_path, document(flow(post, READ, LIST))), server.url)
    assert not run.findings
    assert operations(run) == played


def test_an_end_without_criteria_does_not_excuse_a_failure(tmp_path: Path) -> None:
    post = POST.replace("201", "418") + "  onFailure: [{name: stop, type: end}]\n"
    with answering(working) as server:
        run = play(jobs(tmp_path, document(flow(post, READ))), server.url)
    assert len(run.findings) == 1
    assert operations(run) == ["createJob"]


def test_a_workflow_that_goes_in_circles_is_given_up(tmp_path: Path) -> None:
    with answering(working) as server:
        again = "- {stepId: list, operationId: listJobs, x-tasktwin-as: ann, onSuccess: [{name: a, type: goto, stepId: list}]}\n"
        run = play(jobs(tmp_path, document(flow(again))), server.url)
    assert "in circles" in run.skipped[0].why


def test_a_step_calls_a_workflow_with_inputs_and_uses_its_outputs(tmp_path: Path) -> None:
    inner = flow(
        POST.replace("title: Dig", "title: $inputs.what"),
        name="make",
        more="inputs: {type: object, required: [what], properties: {what: {type: string}}}\n"
        "outputs: {made: $steps.post.outputs.id}\n",
    )
    call = "- {stepId: post, workflowId: make, parameters: [{name: what, value: Bake}], outputs: {id: $outputs.made}}\n"
    with answering(working) as server:
        run = play(jobs(tmp_path, document(flow(call, READ), inner)), server.url)
        assert [(each.method, each.path) for each in server.asked[1:]] == [("POST", "/jobs"), ("GET", "/jobs/j9")]
        assert json.loads(server.asked[1].body) == {"title": "Bake", "hours": 3}
    assert not run.findings
    assert not run.skipped


def test_a_workflow_waits_for_those_it_depends_on(tmp_path: Path) -> None:
    last = flow(
        "- {stepId: read, operationId: getJob, x-tasktwin-as: ann, parameters: [{name: job_id, in: path, value: $workflows.first.outputs.id}]}\n",
        more="dependsOn: [first]\n",
    )
    first = flow(POST, name="first", more="outputs: {id: $steps.post.outputs.id}\n")
    with answering(working) as server:
        run = play(jobs(tmp_path, document(last, first)), server.url)
    assert operations(run) == ["createJob", "getJob"]
    assert not run.skipped


def test_a_workflow_whose_forerunner_failed_is_skipped(tmp_path: Path) -> None:
    first = flow(POST.replace("201", "418"), name="first")
    with answering(working) as server:
        run = play(jobs(tmp_path, document(flow(LIST, more="dependsOn: [first]\n"), first)), server.url)
    assert [each.why for each in run.skipped] == ["it depends on first, which was not played to its end"]


@pytest.mark.parametrize(
    ("criterion", "holds"),
    [
        ("{condition: $statusCode == 200 && $response.body#/total > 0}", True),
        ("{condition: $response.body#/total > 1 || $response.body#/more == true}", False),
        ("{condition: '!($response.body#/more == true)'}", True),
        ("{condition: \"$response.body.items[0].title == 'DIG'\"}", True),
        ("{condition: $response.header.Content-Type == 'application/json'}", True),
        ("{condition: $response.body#/items/0/hours == null}", True),
        ("{condition: $response.body#/total == '1'}", False),
        ("{condition: $url == 'nowhere'}", False),
        ('{context: $response.body, type: regex, condition: "\\"title\\":\\"D.g\\""}', True),
        ("{context: $statusCode, type: regex, condition: ^4}", False),
        ("{context: $response.body, type: jsonpath, condition: \"$.items[?(@.state == 'open')]\"}", True),
        ("{context: $response.body, type: jsonpath, condition: '$.items[?(@.hours > 3)]'}", False),
    ],
)
def test_criteria_hold_or_do_not(tmp_path: Path, criterion: str, *, holds: bool) -> None:
    step = LIST.replace("ann}", f"ann, successCriteria: [{criterion}]}}")
    with answering(working) as server:
        run = play(jobs(tmp_path, document(flow(step))), server.url)
    assert bool(run.findings) is not holds


def test_a_payload_is_filled_replaced_and_sent(tmp_path: Path) -> None:
    step = """\
- stepId: post
  operationId: createJob
  x-tasktwin-as: ann
  parameters: [{name: Idempotency-Key, in: header, value: "key-{$inputs.n}"}]
  requestBody:
    contentType: application/json
    payload: {title: "Dig {$inputs.n}", hours: $inputs.n, price: "$5", tags: [a, b]}
    replacements: [{target: /tags/1, value: $inputs.n}, {target: /note, value: new}]
"""
    inputs = "inputs: {type: object, properties: {n: {type: integer, default: 7}}}\n"
    with answering(working) as server:
        play(jobs(tmp_path, document(flow(step, more=inputs))), server.url)
        assert json.loads(server.asked[-1].body) == {
            "title": "Dig 7", "hours": 7, "price": "$5", "tags": ["a", 7], "note": "new",
        }  # fmt: skip
        assert server.asked[-1].headers["idempotency-key"] == "key-7"


def test_a_path_that_lacks_its_value_says_which_answer_should_have_had_it(tmp_path: Path) -> None:
    with answering(lambda asked: answer(201, {}) if asked.method == "POST" else working(asked)) as server:
        run = play(jobs(tmp_path, document(flow(POST, READ))), server.url)
    (found,) = [each for each in run.findings if each.rule == "scenario.step"]
    assert found.expected == "a value for job_id in the path ($steps.post.outputs.id)"
    assert "the answer of the step 'post' has none" in found.actual


def test_an_answer_that_breaks_the_contract_is_found_though_the_criteria_hold(tmp_path: Path) -> None:
    with answering(slow(["asleep"])) as server:
        run = play(jobs(tmp_path, document(flow(POST, READ))), server.url)
    assert [(each.rule, each.pointer) for each in run.findings] == [("contract.response", "/state")]


def test_a_wait_that_nobody_can_afford_is_told(tmp_path: Path) -> None:
    late = READ + "  x-tasktwin-wait: 72h\n"
    with answering(working) as server:
        run = play(jobs(tmp_path, document(flow(POST, late))), server.url)
    assert not run.findings
    assert operations(run) == ["createJob"]
    assert run.skipped[0].why == "the target offers no clock, and 259200 s are more than there is time for"


def test_a_short_wait_is_waited_for(tmp_path: Path) -> None:
    late = READ + "  x-tasktwin-wait: 0.2s\n"
    with answering(working) as server:
        run = play(jobs(tmp_path, document(flow(POST, late))), server.url)
    assert operations(run) == ["createJob", "getJob"]
    assert run.target.budget.used >= 0.2


def test_what_only_a_twin_does_by_order_is_told(tmp_path: Path) -> None:
    trigger = READ + "  x-tasktwin-trigger: {trigger: abandon, id: $steps.post.outputs.id}\n"
    with answering(working) as server:
        run = play(jobs(tmp_path, document(flow(POST, trigger))), server.url)
    assert run.skipped[0].why == "only a twin lets 'abandon' happen by order"


def test_a_refusal_for_the_number_of_requests_is_no_finding(tmp_path: Path) -> None:
    def tired(asked: Asked) -> Parts:
        return (
            (429, {"Retry-After": "3600"}, b"")
            if asked.method == "GET" and asked.path == "/jobs/j9"
            else working(asked)
        )

    with answering(tired) as server:
        run = play(jobs(tmp_path, document(flow(POST, READ))), server.url)
    assert [each.rule for each in run.findings] == ["contract.response"] or not run.findings
    assert run.skipped[0].why == "the target refuses for the number of requests"
