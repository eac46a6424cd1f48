"""The phase ``lifecycle``, on the small market: nothing of a good one, and what is wrong with one that has other rules."""

from pathlib import Path
from typing import Any

import pytest
from tests.suite.faulty_twin import Answer, Asked, Fault, Twin, deployed, plainly
from tests.suite.market import causes, good, good_folder, market, run_on, target_of

from tasktwin.provider import Provider, load
from tasktwin.suite.lifecycle.phase import lifecycle
from tasktwin.suite.run import Options, Run


def run(folder: str, fault: Fault = plainly, **options: Any) -> Run:
    with deployed(folder, fault) as url:
        return run_on(url, lifecycle, **options)


def one(folder: str, provider: Provider) -> Run:
    with deployed(folder, plainly) as url:
        return run_on(url, lifecycle, provider=provider)


@pytest.mark.parametrize("seed", [0, 1, 42])
def test_nothing_is_wrong_with_a_good_deployment(seed: int) -> None:
    one = run(good_folder(), seed=seed)
    assert list(one.findings) == []
    assert {way for _, way in one.taken} == {"create", "start", "finish", "lapse"}
    assert one.skipped == []
    assert one.units[-1] == "lifecycle:walk 4"


FINISH = "finish: {operation: finishJob, from: running, to: done, only: [owner], provenance: stated D}"
START = "start: {operation: startJob, from: open, to: running, only: [other], requires: [hours], set: {worker: $principal#/user}, provenance: stated D}"
NEEDS = "in: [open, running], refuse: wrong_state}"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (f"{FINISH} => {FINISH.replace(', only: [owner]', '')}", "access.object"),
        (f"{FINISH} => {FINISH.replace('from: running', 'from: [running, open]')}", "lifecycle.accepted"),
        (f"{FINISH} => {FINISH.replace('from: running', 'from: open')}", "lifecycle.refused"),
        (f"{START} => {START.replace(', set: {worker: $principal#/user}', '')}", "answer.value"),
        (f"{START} => {START.replace(', requires: [hours]', '')}", "request.accepted"),
        ("lapse: {after: 3d => lapse: {after: 9d", "answer.value"),
        ("filter: {state: $request.query.state} => filter: {}", "list.extra"),
        ("order: -created_at => order: created_at", "list.order"),
        ("deleteJob: {verb: delete, collection: job, row: $request.path.job_id, only: [owner]} => deleteJob: {verb: delete, collection: job, row: $request.path.job_id}", "access.object"),
        ("    unique: {where: {title: $request.body#/title, owner: $principal#/user}, refuse: twice}\n => ", "rule.accepted"),
        ("wrong_state: {status: 409 => wrong_state: {status: 400", "answer.status"),
    ],
    ids=["anybody finishes", "finished before begun", "finish at the wrong time", "no worker", "without hours",
         "lapses late", "no filter", "another order", "anybody deletes", "twice", "another status"],
)  # fmt: skip
def test_a_deployment_with_another_rule_is_found_out(tmp_path: Path, change: str, rule: str) -> None:
    found = list(run(market(tmp_path, provider=change)).findings)
    assert rule in [each.rule for each in found]
    shown = next(each for each in found if each.rule == rule)
    assert shown.story
    assert len(shown.story) <= 6
    assert shown.script.startswith("url=")


def test_the_path_of_the_server_stands_before_every_path(tmp_path: Path) -> None:
    under = "openapi: 3.1.0 => openapi: 3.1.0\nservers: [{url: https://jobs.example/v1}]"
    folder = market(tmp_path / "good", openapi=under)
    wrong = market(tmp_path / "wrong", openapi=under, provider=f"{FINISH} => {FINISH.replace(', only: [owner]', '')}")
    whole, found = (one(each, load(folder)) for each in (folder, wrong))
    assert list(whole.findings) == []
    assert {way for _, way in whole.taken} == {"create", "start", "finish", "lapse"}
    assert "access.object" in {each.rule for each in found.findings}
    assert {line.request.path[:8] for each in found.findings for line in each.story} == {"/v1/jobs"}


def test_what_only_we_assume_is_a_note() -> None:
    async def other(asked: Asked, twin: Twin) -> Answer:
        status, body, head = await twin(asked)
        return (404 if status == 403 else status), body, head

    one = run(good_folder(), other)
    assert one.findings.failures == 0
    assert set(causes(one).values()) == {"note"}


def test_the_same_seed_finds_the_same() -> None:
    async def other(asked: Asked, twin: Twin) -> Answer:
        return await twin(asked) if asked.method != "DELETE" else (204, b"", [])

    first, second = (run(good_folder(), other, seed=5) for _ in range(2))
    assert causes(first) == causes(second)
    assert first.units == second.units


def test_shards_find_together_what_one_run_does() -> None:
    whole = run(good_folder())
    parts = [run(good_folder(), shard=(n, 3)) for n in (1, 2, 3)]
    assert sorted(each for part in parts for each in part.units) == sorted(whole.units)


def test_who_may_only_read_reads_and_what_was_not_sent_is_told() -> None:
    with deployed(good_folder()) as url:
        target = target_of(url)
        target.may_send = lambda request: request.method == "GET"
        one = Run(good(), target, Options(max_examples=2))
        lifecycle(one)
        target.close()
    assert {each.request.method for each in target.traffic} == {"GET"}
    assert {each.what for each in one.skipped} == {"createJob", "updateJob", "deleteJob", "startJob", "finishJob"}
    assert list(one.findings) == []


def test_a_fault_in_one_trial_does_not_hide_those_behind_it() -> None:
    async def broken(asked: Asked, twin: Twin) -> Answer:
        """Nobody needs to sign in to look, and anybody deletes."""
        headers = (
            asked.headers
            if asked.method != "GET" or asked.caller
            else {**asked.headers, "authorization": "Bearer ann-token"}
        )
        if asked.method == "DELETE":
            headers = {**headers, "authorization": "Bearer ann-token"}
        return await twin(Asked(asked.method, asked.path, headers, asked.body, asked.gone))

    found = {each.split(":")[1] for each in causes(run(good_folder(), broken)) if each.startswith("access")}
    assert {"getJob", "listJobs", "deleteJob"} <= found
