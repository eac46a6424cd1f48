"""Scenarios played on a served twin of a small API."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.suite.scenario.jobs import POST, READ, document, flow, jobs, play

Serve = Callable[..., str]


def step(name: str, operation: str, *lines: str, as_: str = "ann") -> str:
    text = [f"- stepId: {name}", f"  operationId: {operation}", f"  x-tasktwin-as: {as_}"]
    text += ["  parameters: [{name: job_id, in: path, value: $steps.post.outputs.id}]"]
    return "\n".join([*text, *(f"  {line}" for line in lines)]) + "\n"


def test_a_scenario_that_is_true_finds_nothing_and_tells_the_transitions(serve: Serve, tmp_path: Path) -> None:
    start = step("start", "startJob", "successCriteria: [{condition: $response.body#/state == 'running'}]", as_="ben")
    run = play(jobs(tmp_path, document(flow(POST, start))), serve(str(tmp_path / "jobs")))
    assert not run.findings
    assert not run.skipped
    assert run.units == ["scenarios:one"]
    assert {name for (_, name), count in run.taken.items() if count} == {"create", "start"}


def test_a_step_that_fails_is_a_finding_with_what_was_expected(serve: Serve, tmp_path: Path) -> None:
    wrong = READ + "  description: It runs.\n  successCriteria: [{condition: $response.body#/state == 'running'}]\n"
    run = play(jobs(tmp_path, document(flow(POST, wrong))), serve(str(tmp_path / "jobs")))
    (found,) = run.findings
    assert (found.rule, found.severity, found.operation) == ("scenario.step", "failure", "getJob")
    assert found.title == 'Jobs, step read: $response.body#/state is "open"'
    assert found.expected == "$response.body#/state == 'running'"
    assert found.actual == '$response.body#/state is "open" (status 200)'
    assert found.pointer == "/state"


@pytest.mark.parametrize(
    ("mark", "severity"), [("stated D", "failure"), ("observed C1", "failure"), ('"assumed: we think so"', "note")]
)
def test_the_mark_of_a_step_says_how_much_its_failure_weighs(
    serve: Serve, tmp_path: Path, mark: str, severity: str
) -> None:
    wrong = READ + f"  x-provenance: {mark}\n  successCriteria: [{{condition: $statusCode == 404}}]\n"
    run = play(jobs(tmp_path, document(flow(POST, wrong))), serve(str(tmp_path / "jobs")))
    assert [each.severity for each in run.findings] == [severity]


def test_the_story_leaves_out_what_the_failing_step_does_not_need(serve: Serve, tmp_path: Path) -> None:
    other = POST.replace("post", "other").replace("Dig", "Fill")
    start = step("start", "startJob", as_="ben")
    lists = "- {stepId: list, operationId: listJobs, x-tasktwin-as: ann}\n"
    wrong = step("finish", "finishJob", "successCriteria: [{condition: $response.body#/state == 'open'}]")
    run = play(jobs(tmp_path, document(flow(POST, other, lists, READ, start, wrong))), serve(str(tmp_path / "jobs")))
    (found,) = run.findings
    assert [line.request.operation for line in found.story] == ["createJob", "startJob", "finishJob"]


def test_the_script_of_a_finding_shows_it_again(serve: Serve, tmp_path: Path) -> None:
    start = step("start", "startJob", "x-tasktwin-wait: 96h", as_="ben")
    run = play(jobs(tmp_path, document(flow(POST, start))), serve(str(tmp_path / "jobs")))
    (found,) = run.findings
    shown = subprocess.run(["bash", "-c", found.script], capture_output=True, text=True, check=True, timeout=20)
    assert "HTTP/1.1 409" in shown.stdout, found.script
    assert "wrong_state" in shown.stdout
    assert """post_id=$(jq -r '.["id"]'""" in found.script
    assert '"advance":345600.0' in found.script
    assert shown.stdout.startswith("HTTP/1.1 409"), "only the last answer is shown"
    assert "\n# 1. ann: createJob: " in found.script
    assert found.script.endswith(f"# expected: {found.expected}\n# actual:   {found.actual}\n")


def test_time_passes_before_a_step_that_waits(serve: Serve, tmp_path: Path) -> None:
    late = (
        READ
        + "  x-tasktwin-wait: 73h\n  x-tasktwin-successCriteria: [{condition: $response.body#/state == 'lapsed'}]\n"
    )
    run = play(jobs(tmp_path, document(flow(POST, late))), serve(str(tmp_path / "jobs")))
    assert not run.findings
    assert not run.skipped
    assert run.taken["job", "lapse"] >= 1


def test_what_no_call_causes_happens_before_a_step_with_a_trigger(serve: Serve, tmp_path: Path) -> None:
    trigger = "x-tasktwin-trigger: {trigger: abandon, collection: job, id: $steps.post.outputs.id}"
    own = "x-tasktwin-successCriteria: [{condition: $response.body#/state == 'open'}]"
    start = step("start", "startJob", as_="ben")
    run = play(
        jobs(tmp_path, document(flow(POST, start, step("again", "getJob", trigger, own)))),
        serve(str(tmp_path / "jobs")),
    )
    assert not run.findings
    assert run.taken["job", "abandon"] == 1


def test_a_stream_is_read_as_far_as_the_step_wishes(serve: Serve, tmp_path: Path) -> None:
    first = step(
        "watch",
        "watchJob",
        "x-tasktwin-stream: {events: 1}",
        "x-tasktwin-successCriteria: [{condition: $response.body#/0/event == 'created'}]",
        "x-tasktwin-outputs: {last: $response.body#/0/id}",
    )
    start, finish = step("start", "startJob", as_="ben"), step("finish", "finishJob")
    rest = step(
        "rest",
        "watchJob",
        "x-tasktwin-stream: {until: change, resume: $steps.watch.outputs.last}",
        "x-tasktwin-successCriteria: [{condition: $response.body#/0/data/state == 'running'}]",
    )
    run = play(jobs(tmp_path, document(flow(POST, first, start, finish, rest))), serve(str(tmp_path / "jobs")))
    assert not run.findings
    assert not run.skipped


def test_a_caller_is_told_by_the_credentials_that_a_step_carries(serve: Serve, tmp_path: Path) -> None:
    plain = POST.replace(
        "  x-tasktwin-as: ann\n", "  parameters: [{name: Authorization, in: header, value: 'Bearer ann-token'}]\n"
    )
    wrong = "- {stepId: wrong, operationId: listJobs, parameters: [{name: Authorization, in: header, value: Bearer x}], successCriteria: [{condition: $statusCode == 401}]}\n"
    run = play(jobs(tmp_path, document(flow(plain, READ, wrong))), serve(str(tmp_path / "jobs")))
    assert not run.findings
    assert [each.request.as_ for each in run.target.traffic] == ["ann", "ann", ""]


def test_each_scenario_is_played_in_a_world_of_its_own(serve: Serve, tmp_path: Path) -> None:
    once = document(
        flow(
            POST,
            "- {stepId: list, operationId: listJobs, x-tasktwin-as: ann, successCriteria: [{condition: $response.body#/total == 4}]}\n",
        )
    )
    provider, url = jobs(tmp_path, once), serve(str(tmp_path / "jobs"))
    assert [len(play(provider, url).findings) for _ in range(2)] == [0, 0]


def test_what_must_not_be_written_ends_the_workflow_and_is_told(serve: Serve, tmp_path: Path) -> None:
    provider = jobs(
        tmp_path, document(flow("- {stepId: list, operationId: listJobs, x-tasktwin-as: ann}\n", POST, READ))
    )
    run = play(provider, serve(str(tmp_path / "jobs")), may_send=lambda request: request.method == "GET")
    assert [each.why for each in run.skipped] == ["createJob writes, and was not allowed"]
    assert [each.request.operation for each in run.target.traffic] == ["listJobs"]
