"""A stage: a story on a deployment and on the oracle side by side, and what differs."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from tests.suite.faulty_twin import Answer, Asked, Fault, Twin
from tests.suite.market import BEN, create, job, staged, theatre

from tasktwin.suite.finding import Finding
from tasktwin.suite.story.stage import Stage, Taken
from tasktwin.suite.story.step import Ref, Step


def changing(path: str, method: str = "GET", **changed: Any) -> Fault:
    """Answers on paths that end so with some members changed; ``...`` leaves one out."""

    async def fault(asked: Asked, twin: Twin) -> Answer:
        status, body, head = await twin(asked)
        if asked.method != method or not asked.path.endswith(path) or status >= 300:
            return status, body, head
        row = {**json.loads(body), **changed}
        raw = json.dumps({name: value for name, value in row.items() if value is not ...}).encode()
        return status, raw, [(name, value) for name, value in head if name != b"content-length"]

    return fault


async def refuses(asked: Asked, twin: Twin) -> Answer:
    if asked.path.endswith("/start"):
        return 429, b"{}", [(b"content-type", b"application/json"), (b"retry-after", b"0")]
    return await twin(asked)


def told(stage: Stage, *steps: Step) -> list[tuple[str, str]]:
    return [(each.rule, each.pointer) for step in steps for each in stage.take(step).found]


def see(key: int, **more: Any) -> Step:
    return Step(key, "listJobs", "ann", **more)


STORY = (
    create(),
    job(2, "getJob"),
    job(3, "startJob", BEN),
    job(4, "getJob"),
    job(5, "finishJob", BEN),
    job(6, "finishJob"),
    see(7),
)


def test_a_good_deployment_tells_what_the_oracle_tells() -> None:
    with staged() as stage:
        assert told(stage, *STORY) == []
        assert all(each.in_step for each in stage.taken)
        run = stage.run
    assert run.taken == {("job", "create"): 1, ("job", "start"): 1, ("job", "finish"): 1}
    assert run.answered["finishJob", 403] == 1


def test_time_passes_on_both_sides() -> None:
    with staged() as stage:
        assert told(stage, create(), job(2, "getJob", wait=3 * 86_400 + 5)) == []
        assert stage.taken[-1].reply.json()["state"] == "lapsed"


@pytest.mark.parametrize(
    ("fault", "rule", "pointer"),
    [
        (changing("/start", "POST", state="open"), "answer.value", "/state"),
        (changing("/jobs", "POST", title="Bury"), "itself.echo", "/title"),
        (changing("/jobs", "POST", owner="ben"), "answer.value", "/owner"),
        (changing("/jobs", items=[]), "list.lacks", "/items/*"),
        (changing("/jobs", total=99), "answer.value", "/total"),
        (changing("/jobs", "POST", owner=...), "contract.response", "/owner"),
        (changing("/jobs", "POST", title=7), "contract.response", "/title"),
    ],
    ids=["state", "echo", "value", "row", "total", "missing", "type"],
)
def test_what_differs_is_found_at_its_place(fault: Fault, rule: str, pointer: str) -> None:
    with staged(fault) as stage:
        stage.theatre.alike = True
        found = told(stage, create(), job(2, "startJob", BEN), see(3))
    assert (rule, pointer) in [(one, place.replace("/1", "/*").replace("/0", "/*")) for one, place in found]


def test_what_a_deployment_says_now_and_said_before_is_compared() -> None:
    seen: list[int] = []

    async def forgets(asked: Asked, twin: Twin) -> Answer:
        seen.append(1)
        return await (changing("", hours=9) if len(seen) > 2 else twin_only)(asked, twin)

    async def twin_only(asked: Asked, twin: Twin) -> Answer:
        return await twin(asked)

    with staged(forgets) as stage:
        found = [each for step in (create(), job(2, "getJob"), job(3, "getJob")) for each in stage.take(step).found]
    assert {(each.rule, each.basis.kind) for each in found} == {("itself.changed", "itself")}


def test_other_rules_are_another_status_and_part_the_two_sides() -> None:
    with staged(provider="from: running, to: done, only: [owner] => from: running, to: done") as stage:
        assert told(stage, create(), job(2, "startJob", BEN)) == []
        assert told(stage, job(3, "finishJob", BEN)) == [("access.object", "")]
        assert not stage.taken[-1].in_step


def test_a_step_whose_reference_leads_nowhere_is_not_sent() -> None:
    with staged() as stage:
        stage.take(create())
        sent = stage.run.target.sent
        taken = stage.take(Step(2, "getJob", "ann", {"job_id": Ref(1, "/no/such")}))
        assert (stage.run.target.sent, taken.in_step, taken.found) == (sent, False, ())
        assert "an earlier answer has nothing at" in taken.broken
        assert stage.take(Step(3, "getJob", "ann", {"job_id": Ref(99, "/id")})).broken


def test_who_is_asked_to_come_less_often_ends_the_story() -> None:
    with staged(refuses) as stage:
        stage.take(create())
        taken = stage.take(job(2, "startJob", BEN))
    assert (taken.broken, taken.found) == ("the target asks to come less often", ())


def test_a_finding_tells_the_story_up_to_its_step_and_a_script() -> None:
    with staged(changing("/start", "POST", state="open")) as stage:
        for each in STORY:
            taken = stage.take(each)
            if taken.found:
                break
        finding = stage.finding(taken, taken.found[0])
    assert [line.request.operation for line in finding.story] == ["createJob", "getJob", "startJob"]
    assert finding.story[-1].reply.status == 200
    assert '"$url"/jobs/"$id_1"/start' in finding.script
    assert (finding.expected, finding.actual) == ("running", "open")
    assert "# expected: running\n# actual:   open\n" in finding.script


def test_a_script_lets_pass_what_passed_even_to_get_past_a_timer() -> None:
    with staged(changing("", title="Bury")) as stage:
        stage.take(create())
        taken = stage.take(job(2, "getJob", wait=3 * 86_400 - 0.5))
        finding = stage.finding(taken, taken.found[0])
    passed = re.search(r'"advance":([\d.]+)', finding.script)
    assert passed is not None
    assert float(passed[1]) > 3 * 86_400


def test_only_what_a_step_refers_to_is_needed_for_it() -> None:
    with staged() as stage:
        taken = [
            stage.take(each)
            for each in (create(), create(2), job(3, "getJob", made=2), job(4, "startJob", BEN, made=2))
        ]
        assert [each.key for each in stage.needed(taken[-1])] == [2, 4]


def test_each_story_is_in_a_world_of_its_own() -> None:
    with theatre() as house:
        totals = []
        for _ in range(2):
            with house.stage() as stage:
                stage.take(create())
                totals.append(stage.take(see(2)).reply.json()["total"])
                assert house.run.target.world
        assert totals == [4, 4]
        assert house.run.target.world == ""


def test_two_sides_that_begin_alike_are_known_to() -> None:
    with theatre() as house:
        house.compare_beginnings([see(1, base=True)])
        assert house.alike
    with theatre(changing("/jobs", total=7)) as house:
        house.compare_beginnings([see(1, base=True)])
        assert not house.alike


def test_where_two_sides_hold_other_things_only_changes_are_compared() -> None:
    async def more(asked: Asked, twin: Twin) -> Answer:
        status, body, head = await twin(asked)
        if asked.path != "/jobs" or asked.method != "GET":
            return status, body, head
        page = json.loads(body)
        page["total"] += 10
        page["items"].append({**page["items"][0], "id": "j99"})
        return status, json.dumps(page).encode(), [(name, value) for name, value in head if name != b"content-length"]

    with staged(more) as stage:
        assert told(stage, see(1, base=True), create(2), see(3)) == []
        assert stage.parted


def test_a_refusal_for_what_cannot_be_known_of_the_target_is_a_note() -> None:
    async def other(asked: Asked, twin: Twin) -> Answer:
        if asked.path.endswith("/start"):
            return 409, b'{"error": "wrong_state"}', [(b"content-type", b"application/json")]
        return await changing("/jobs", total=7)(asked, twin)

    with staged(other) as stage:
        told(stage, see(1, base=True), create(2))
        found = stage.take(job(3, "startJob", BEN, made=2)).found
    assert [(each.rule, each.basis.severity) for each in found] == [("lifecycle.refused", "note")]


def story(*taken: Taken) -> list[str]:
    return [each.step.operation for each in taken]


def test_what_was_broken_is_in_no_finding() -> None:
    with staged(changing("/jobs", "POST", owner="ben")) as stage:
        stage.take(Step(9, "getJob", "ann", {"job_id": Ref(7, "/id")}))
        taken = stage.take(create())
        found: Finding = stage.finding(taken, taken.found[0])
    assert len(found.story) == 1
    assert replace(found, story=()).script.count("curl") == 1
