"""Random walks: the same for the same seed, others for another, and each can be told by itself."""

import pytest
from tests.suite.market import NOON, bundled_desk, good

from tasktwin.provider import bundled
from tasktwin.suite.lifecycle.tour import Tour
from tasktwin.suite.lifecycle.walk import STEPS, UNKNOWN, Planner
from tasktwin.suite.story.inputs import all_inputs
from tasktwin.suite.story.sketch import Desk, Sketch


def walks(seed: int = 0, count: int = 4, provider: str = "market", *, may_wait: bool = True) -> list[Tour]:
    desk, _, principals = bundled_desk(provider)
    return Planner(desk, principals, seed, may_wait=may_wait).plan(count)


def test_a_seed_means_its_walks() -> None:
    assert walks(7) == walks(7)
    assert walks(7) != walks(8)


def test_more_walks_begin_with_the_same_ones() -> None:
    assert walks(3, 11)[:3] == walks(3, 3)
    assert [each.name for each in walks(3, 3)] == ["walk 1", "walk 2", "walk 3"]


@pytest.mark.parametrize("provider", ["market", *bundled()])
def test_every_walk_can_be_told_by_itself(provider: str) -> None:
    desk, _, _ = bundled_desk(provider)
    for each in walks(provider=provider):
        sketch, keys = Sketch(), set[int]()
        desk.open(sketch)
        assert 0 < len(each.prelude) <= 2 * STEPS
        for step in each.prelude:
            assert step.refs() <= keys
            keys.add(step.key)
            desk.take(sketch, step)


def test_walks_are_legal_and_illegal_by_several_and_by_nobody() -> None:
    desk, _, _ = bundled_desk("market")
    statuses, who = set[int](), set[str]()
    for each in walks(count=16):
        sketch = Sketch()
        desk.open(sketch)
        for step in each.prelude:
            statuses.add(desk.take(sketch, step).status)
            who.add(step.as_)
    assert {200, 201, 403, 409} <= statuses
    assert {"ann", "ben", ""} <= who


def test_walks_lead_further_than_to_what_is_there_at_first() -> None:
    desk, _, _ = bundled_desk("market")
    desk.oracle.world.taken.clear()
    for each in walks(count=16):
        sketch = Sketch()
        desk.open(sketch)
        for step in each.prelude:
            desk.take(sketch, step)
    assert {("job", "create"), ("job", "start"), ("job", "finish")} <= set(desk.oracle.world.taken)


def test_now_and_then_somebody_asks_for_what_is_not_there() -> None:
    paths = [step.path.get("job_id") for each in walks(count=32) for step in each.prelude]
    assert UNKNOWN in paths
    assert paths.count(UNKNOWN) < len(paths) / 5


def test_a_walk_waits_only_where_time_can_be_moved() -> None:
    assert any(step.wait for each in walks(count=16) for step in each.prelude)
    assert not any(step.wait for each in walks(count=16, may_wait=False) for step in each.prelude)


def test_what_may_not_be_sent_is_in_no_walk() -> None:
    inputs = {name: each for name, each in all_inputs(good()).items() if not each.writes}
    planner = Planner(Desk(good(), inputs, NOON, 0), ["ann"], 0, may_wait=False)
    assert {step.operation for each in planner.plan(4) for step in each.prelude} <= set(inputs)


def test_where_nothing_may_be_sent_there_are_no_walks() -> None:
    assert Planner(Desk(good(), {}, NOON, 0), [], 0, may_wait=False).plan(2) == []
