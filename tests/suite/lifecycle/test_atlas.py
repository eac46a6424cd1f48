"""The atlas: a story for each transition and state that can be reached, which holds when it is told again."""

import pytest
from tests.suite.market import NOON, bundled_desk, good

from tasktwin.provider import bundled
from tasktwin.suite.lifecycle.atlas import DEEPEST, Found, explore, reader_of
from tasktwin.suite.story.inputs import all_inputs
from tasktwin.suite.story.sketch import Desk, Sketch

ALL = ("market", *bundled())
MARKET = {("job", each) for each in ("create", "start", "finish", "lapse")}


def played(desk: Desk, found: Found) -> tuple[tuple[str, str], ...]:
    """What the last step of a story takes, told from its beginning."""
    desk.open(Sketch())
    sketch = Sketch()
    before = desk.oracle.world.taken.copy()
    for step in found.sketch.steps:
        before = desk.oracle.world.taken.copy()
        desk.take(sketch, step)
    return tuple((desk.oracle.world.taken - before).elements())


def test_every_transition_that_calls_or_time_can_cause_has_a_story() -> None:
    _, atlas, _ = bundled_desk("market")
    assert set(atlas.ways) == MARKET
    assert {state for _, state in atlas.places} == {"open", "running", "done", "lapsed", "gone"}


def test_the_shortest_story_is_kept() -> None:
    _, atlas, _ = bundled_desk("market")
    assert [step.operation for step in atlas.ways["job", "finish"].sketch.steps] == [
        "createJob",
        "startJob",
        "finishJob",
    ]
    assert [step.as_ for step in atlas.ways["job", "finish"].sketch.steps] == ["ann", "ben", "ann"]


def test_a_target_whose_time_cannot_be_moved_has_no_stories_that_wait() -> None:
    desk = Desk(good(), all_inputs(good()), NOON, 0)
    atlas = explore(desk, ["ann", "ben"], may_wait=False, streams=good().rules.streams)
    assert set(atlas.ways) == MARKET - {("job", "lapse")}
    assert not any(step.wait for found in atlas.ways.values() for step in found.sketch.steps)


def test_what_may_not_be_sent_is_in_no_story() -> None:
    inputs = {name: each for name, each in all_inputs(good()).items() if name != "startJob"}
    atlas = explore(Desk(good(), inputs, NOON, 0), ["ann", "ben"], may_wait=True, streams=good().rules.streams)
    assert set(atlas.ways) == {("job", "create"), ("job", "lapse")}


def test_who_may_only_look_finds_the_rows_that_are_there() -> None:
    inputs = {name: each for name, each in all_inputs(good()).items() if not each.writes}
    atlas = explore(Desk(good(), inputs, NOON, 0), ["ann"], may_wait=False, streams=good().rules.streams)
    assert atlas.ways == {}


def test_alone_one_gets_only_as_far_as_one_may() -> None:
    atlas = explore(Desk(good(), all_inputs(good()), NOON, 0), ["ann"], may_wait=True, streams=frozenset())
    assert set(atlas.ways) == {("job", "create"), ("job", "lapse")}


@pytest.mark.parametrize("provider", ALL)
def test_every_story_holds_when_it_is_told_again(provider: str) -> None:
    desk, atlas, _ = bundled_desk(provider)
    for way, found in atlas.ways.items():
        assert found.sketch.steps[-1] == found.step
        assert way in found.taken
        assert set(found.taken) <= set(played(desk, found))
        assert len(found.sketch.steps) <= DEEPEST


@pytest.mark.parametrize("provider", ALL)
def test_every_state_is_the_one_that_its_story_ends_in(provider: str) -> None:
    desk, atlas, _ = bundled_desk(provider)
    for (collection, state), found in atlas.places.items():
        assert found.handle is not None
        desk.open(found.sketch)
        assert (found.handle.collection, desk.state(found.handle)) == (collection, state)


@pytest.mark.parametrize(("provider", "ways"), [("aitasker", 11), ("uumit", 22), ("posthog", 11)])
def test_most_transitions_of_a_provider_are_reached(provider: str, ways: int) -> None:
    assert len(bundled_desk(provider)[1].ways) >= ways


def test_the_atlas_is_the_same_every_time() -> None:
    _, atlas, principals = bundled_desk("market")
    again = explore(
        Desk(good(), bundled_desk("market")[0].inputs, NOON, 0), principals, may_wait=True, streams=good().rules.streams
    )
    assert {way: found.sketch.steps for way, found in again.ways.items()} == {
        way: found.sketch.steps for way, found in atlas.ways.items()
    }


def test_a_row_is_read_by_the_operation_that_needs_to_know_least() -> None:
    desk, _, _ = bundled_desk("market")
    reader = reader_of(desk, "job")
    assert reader is not None
    assert (reader.operation.id, reader_of(desk, "token")) == ("getJob", None)
