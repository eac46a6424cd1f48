"""Tours: whatever they try can be told by itself, and a trial changes nothing that it should not."""

import pytest
from tests.suite.market import bundled_desk

from tasktwin.provider import bundled
from tasktwin.suite.lifecycle.boundary import edges
from tasktwin.suite.lifecycle.tour import Guide, Tour, moved
from tasktwin.suite.lifecycle.walk import Planner
from tasktwin.suite.story.sketch import Sketch
from tasktwin.suite.story.step import Ref, Step

ALL = ("market", *bundled())


def tours(provider: str, asked_for: object = None) -> list[Tour]:
    desk, atlas, principals = bundled_desk(provider)
    return list(Guide(desk, atlas, principals, asked_for or (lambda _name: True)).tours())  # type: ignore[arg-type]


def tour(name: str, provider: str = "market") -> Tour:
    return next(each for each in tours(provider) if each.name == name)


def said(steps: tuple[Step, ...]) -> list[tuple[str, str]]:
    return [(each.as_, each.operation) for each in steps]


@pytest.mark.parametrize("provider", ALL)
def test_every_step_refers_only_to_what_came_before_it(provider: str) -> None:
    desk, atlas, _ = bundled_desk(provider)
    for each in [*tours(provider), *edges(desk, atlas)]:
        keys = [step.key for step in each.prelude]
        assert len(set(keys)) == len(keys)
        for n, step in enumerate(each.prelude):
            assert step.refs() <= set(keys[:n]), each.name
        trials = [step.key for step in each.trials]
        assert len(set(trials)) == len(trials)
        assert not set(trials) & set(keys)
        assert all(step.refs() <= {*keys, *trials[:n]} for n, step in enumerate(each.trials)), each.name


@pytest.mark.parametrize("provider", ALL)
def test_units_have_names_of_their_own(provider: str) -> None:
    desk, atlas, principals = bundled_desk(provider)
    walks = Planner(desk, principals, 0, may_wait=True).plan(2)
    names = [each.name for each in [*tours(provider), *edges(desk, atlas), *walks]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("provider", ALL)
def test_what_is_tried_around_a_state_leaves_the_state_as_it_is(provider: str) -> None:
    desk, atlas, _ = bundled_desk(provider)
    known = {each.name: each for each in tours(provider)}
    for place, found in atlas.places.items():
        name = f"around {' '.join(place).strip()}"
        each = known[name]
        sketch = found.sketch.fork()
        desk.open(sketch)
        before = desk.oracle.world.taken.copy()
        for step in each.trials:
            assert not desk.answer(sketch, step).taken, (name, step)
        assert desk.oracle.world.taken == before
        assert found.handle is None or desk.state(found.handle) == found.state


def test_a_transition_is_taken_looked_at_and_taken_again() -> None:
    steps = said(tour("job.start").prelude)
    first = steps.index(("ben", "startJob"))
    assert steps[first - 1] == ("ann", "createJob")
    assert {("ann", "getJob"), ("ben", "getJob"), ("ann", "listJobs")} <= set(steps[first + 1 :])
    again = steps.index(("ben", "startJob"), first + 1)
    assert ("ann", "getJob") in steps[again + 1 :]


def test_what_a_timer_does_is_not_done_again() -> None:
    assert sum(bool(step.wait) for step in tour("job.lapse").prelude) == 1


def test_others_try_first_what_only_one_may() -> None:
    each = tour("others job.finish")
    assert said(each.trials)[-1] == ("ann", "finishJob")
    assert {who for who, _ in said(each.trials[:-1])} >= {"ben", ""}
    assert [step.operation for step in each.prelude] == ["createJob", "startJob"]


def test_in_every_state_everybody_tries_everything() -> None:
    steps = set(said(tour("around job running").trials))
    assert {("ann", "startJob"), ("ben", "finishJob"), ("", "deleteJob"), ("ben", "updateJob"), ("", "getJob")} <= steps
    assert ("ann", "finishJob") not in steps


def test_what_succeeds_without_a_transition_is_done_twice_in_each_state_and_then_looked_at() -> None:
    each = tour("acts on run queued", "posthog")
    commands = [step for step in each.trials if step.operation == "sendRunCommand"]
    assert [step.about for step in commands[-2:]] == ["", "the same again"]
    assert each.trials[-1].operation == "retrieveRun"
    assert {"appendRunLog", "addRunArtifacts"} <= {step.operation for step in each.trials}
    assert "destroyTask" not in {step.operation for step in tour("acts on task", "posthog").trials}


def test_rows_that_were_there_before_are_only_refused_each_time_otherwise() -> None:
    desk, _, _ = bundled_desk("posthog")
    each = tour("on what listTasks shows", "posthog")
    assert said(each.prelude) == [("ada", "listTasks")]
    sketch = Sketch()
    desk.open(sketch)
    desk.take(sketch, each.prelude[0])
    kinds = [(step.operation, desk.answer(sketch, step).kind) for step in each.trials]
    assert ("setRunOutput", "refused") in kinds
    assert all(kind for _, kind in kinds)
    assert len(set(kinds)) == len(kinds)


def test_half_a_credential_is_tried_once_for_an_operation() -> None:
    halves = [step for each in tours("market") for step in each.trials if " with" in step.as_]
    assert {step.as_.partition(" ")[2] for step in halves} == {"without Authorization", "with a wrong Authorization"}
    assert {step.operation for step in halves} >= {"getJob", "startJob", "listJobs"}
    firsts = {
        each.name
        for each in tours("market")
        for step in each.trials
        if " with" in step.as_ and step.operation == "listJobs"
    }
    assert firsts == {"around nothing"}


def test_rows_that_do_not_belong_together_are_tried() -> None:
    each = tour("crossed task.match", "uumit")
    assert len(each.trials) == 2
    assert all(step.about == "with a row of another story" for step in each.trials)
    assert all({ref > 5_000 for ref in step.refs()} == {True, False} for step in each.trials)


def test_lists_are_narrowed_by_what_a_row_has() -> None:
    queries = [dict(step.query) for step in tour("job.start").prelude if step.operation == "listJobs" and step.query]
    assert {"state": "running"} in queries
    assert {"state": "running", "size": 1} in queries


def test_only_what_was_asked_for_is_toured() -> None:
    found = tours("market", lambda name: name == "finishJob")
    assert {each.name.split()[0] for each in found if each.name.startswith("job.")} == {"job.finish"}
    assert {step.operation for each in found for step in each.trials} <= {"finishJob", "getJob"}


def test_tours_are_the_same_every_time() -> None:
    assert tours("market") == tours("market")


def test_a_second_story_refers_to_its_own_steps() -> None:
    step = moved(Step(3, "x", path={"id": Ref(1, "/id")}, query={"q": 1}, body={"a": [Ref(2, "/a")]}), 100)
    assert (step.key, step.refs()) == (103, {101, 102})


def test_beginnings_are_what_everybody_sees_at_first() -> None:
    desk, atlas, principals = bundled_desk("market")
    steps = Guide(desk, atlas, principals, lambda _name: True).beginnings()
    assert said(tuple(steps)) == [("ann", "listJobs"), ("ben", "listJobs")]
    assert all(step.base for step in steps)


@pytest.mark.parametrize("provider", ALL)
def test_tours_can_be_told_from_the_beginning(provider: str) -> None:
    desk, _, _ = bundled_desk(provider)
    for each in tours(provider):
        sketch = Sketch()
        desk.open(sketch)
        for step in each.prelude:
            desk.take(sketch, step)
        needed = {
            ref for step in (*each.prelude, *each.trials) for ref in step.references() if ref.step in sketch.answers
        }
        assert all(sketch.look(ref) not in (None, "") for ref in needed), each.name


def test_a_row_is_made_again_after_one_was_removed() -> None:
    removed = next(each for each in tours("market") if each.name.endswith("job.create after deleteJob"))
    assert [operation for _, operation in said(removed.prelude)] == ["createJob", "deleteJob"]
    assert [operation for _, operation in said(removed.trials)] == ["createJob"]
    assert any(each.name.endswith("task after destroyTask") for each in tours("posthog"))
