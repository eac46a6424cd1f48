"""Races on a twin that answers what arrives at once otherwise than in turn."""

import asyncio
import json
import re
from dataclasses import replace

import pytest
from tests.suite.faulty_twin import Answer, Asked, Fault, Twin, deployed, judged, plainly, rules

from tasktwin.suite.protocol import race

ACCEPT = re.compile(r".*/applications/[^/]+/accept/?")
TASK = re.compile(r"/api/v1/tasks/[^/]+/?")
TASKS = re.compile(r"/api/v1/tasks/?")


async def slowly(asked: Asked, twin: Twin) -> Answer:
    await asyncio.sleep(0.03)
    return await twin(asked)


def winners(pattern: re.Pattern[str]) -> Fault:
    """Whoever comes while the same is still being done gets its success too."""
    running: dict[str, asyncio.Future[Answer]] = {}

    async def fault(asked: Asked, twin: Twin) -> Answer:
        if asked.method != "POST" or not pattern.fullmatch(asked.path):
            return await twin(asked)
        place = asked.world + asked.path
        if place in running:
            return await running[place]
        running[place] = asyncio.get_running_loop().create_future()
        await asyncio.sleep(0.02)
        answer = await twin(asked)
        running.pop(place).set_result(answer)
        return answer

    return fault


async def loses_fields(asked: Asked, twin: Twin) -> Answer:
    """A change is made to the whole task as it was read before."""
    if asked.method != "PUT" or not TASK.fullmatch(asked.path):
        return await twin(asked)
    status, was, _ = await twin(replace(asked, method="GET", body=b""))
    await asyncio.sleep(0.02)
    if status != 200:
        return await twin(asked)
    row = json.loads(was)["data"]
    names = ("title", "description", "bounty_amount")
    whole = {name: row[name] for name in names if row.get(name) is not None}
    return await twin(replace(asked, body=json.dumps({**whole, **asked.json}).encode()))


def loses_charges() -> Fault:
    """Of charges at the same time only the last one stays in the wallet that is shown."""
    shown: dict[str, Answer] = {}
    busy: set[str] = set()

    async def fault(asked: Asked, twin: Twin) -> Answer:
        mark = asked.world + asked.caller
        wallet = replace(asked, method="GET", path="/api/v1/wallet", body=b"")
        if asked.method == "POST" and TASKS.fullmatch(asked.path):
            among_others = mark in busy
            busy.add(mark)
            await asyncio.sleep(0.02)
            if among_others:
                shown.setdefault(mark, await twin(wallet))
            answer = await twin(asked)
            busy.discard(mark)
            return answer
        if re.fullmatch(r"/api/v1/wallet/?", asked.path) and mark in shown:
            return shown[mark]
        return await twin(asked)

    return fault


def loses_parts() -> Fault:
    """Of what is to be put into a run's state at the same time only the first is."""
    busy: set[str] = set()

    async def fault(asked: Asked, twin: Twin) -> Answer:
        mark = asked.world + asked.path
        if asked.method != "PATCH" or "state" not in asked.json:
            return await twin(asked)
        if mark in busy:
            return await twin(replace(asked, body=json.dumps({**asked.json, "state": {}}).encode()))
        busy.add(mark)
        await asyncio.sleep(0.02)
        answer = await twin(asked)
        busy.discard(mark)
        return answer

    return fault


def number_twice(path: str) -> Fault:
    """What is made at the same time under this very path has one number."""
    last: dict[str, bytes] = {}

    async def fault(asked: Asked, twin: Twin) -> Answer:
        status, body, head = await twin(asked)
        if (asked.method, asked.path, status) != ("POST", path, 201):
            return status, body, head
        number = last.setdefault(asked.world, re.findall(rb'"task_number":\d+', body)[0])
        asyncio.get_running_loop().call_later(0.05, last.pop, asked.world, None)
        body = re.sub(rb'"task_number":\d+', number, body)
        return status, body, [(name, value) for name, value in head if name != b"content-length"]

    return fault


@pytest.mark.parametrize(
    ("provider", "fault"),
    [("uumit", plainly), ("aitasker", plainly), ("posthog", plainly), ("posthog", slowly)],
    ids=["uumit", "aitasker", "posthog", "slow"],
)
def test_a_correct_deployment_wins_no_race_twice(provider: str, fault: Fault) -> None:
    with deployed(provider, fault) as url:
        run = judged(provider, url, race, "cancel*", "accept*", "create*", "patchRun", "updateTask", "destroyTask")
    assert not list(run.findings)
    assert run.units


def test_several_winners_of_what_one_can_have_are_a_failure() -> None:
    with deployed("uumit", winners(ACCEPT)) as url:
        run = judged("uumit", url, race, "acceptApplication")
    found = next(each for each in run.findings if each.rule == "race.won")
    assert found.severity == "failure"
    assert found.expected.startswith("1 of 8 succeeds")
    assert found.script.count(" &\n") == 8
    assert "\nwait\n" in found.script


@pytest.mark.parametrize(
    ("fault", "operation"),
    [(loses_fields, "updateTask"), (loses_charges(), "createTask")],
    ids=["a field is lost", "a charge is lost"],
)
def test_an_effect_that_is_lost_among_others_is_a_failure(fault: Fault, operation: str) -> None:
    with deployed("uumit", fault) as url:
        run = judged("uumit", url, race, operation)
    assert rules(run) == {"race.state"}


def test_parts_of_one_member_that_are_lost_among_others_are_a_failure() -> None:
    with deployed("posthog", loses_parts()) as url:
        run = judged("posthog", url, race, "patchRun")
    assert rules(run) == {"race.state"}
    assert "5 parts of state" in next(iter(run.findings)).title


@pytest.mark.parametrize("project", ["@current", "1"])
def test_a_number_that_two_rows_have_is_a_failure_by_whatever_name_one_asks(project: str) -> None:
    with deployed("posthog", number_twice(f"/api/projects/{project}/tasks/")) as url:
        run = judged("posthog", url, race, "createTask")
    assert run.units == ["protocol:createTask", "protocol:createTask by another name"]
    assert [(each.rule, each.pointer) for each in run.findings] == [("race.alike", "/task_number")]
