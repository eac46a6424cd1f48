"""The target's time: moved by its control plane, or waited for; never asked of a stranger more than once."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.answering import Parts, answering
from tests.provider.small import write

from tasktwin.suite.budget import Budget
from tasktwin.suite.clock import TargetTime
from tasktwin.suite.target import Callers, Target
from tasktwin.suite.traffic import Request

Serve = Callable[..., str]
Make = Callable[..., Target]


@pytest.fixture
def target() -> Iterator[Callable[..., Target]]:
    """Makes targets, whose connections are closed at the end."""
    made: list[Target] = []

    def make(url: str, seconds: float | None = None) -> Target:
        callers = Callers({"ann": {"Authorization": "Bearer ann-token"}})
        made.append(Target(url, callers, Budget(seconds), patience=2.0))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("place", ["", "/_tasktwin/worlds/mine/api"], ids=["default", "a world in the URL"])
def test_a_twins_clock_is_moved_and_the_target_told(serve: Serve, target: Make, tmp_path: Path, place: str) -> None:
    there = target(serve(str(write(tmp_path))) + place)
    before = there.now()
    assert TargetTime(there).pass_time(3 * 86_400) == ""
    assert there.now() - before >= 3 * 86_400 * 1_000_000
    assert there.send(Request("GET", "/jobs/j1", "ann")).json()["state"] == "lapsed"


def test_orders_are_no_traffic_and_carry_no_credentials(target: Make) -> None:
    with answering(lambda _asked: (200, {}, b'{"status": "ok", "providers": []}')) as server:
        there = target(server.url)
        assert TargetTime(there).pass_time(60) == ""
        assert (there.sent, there.budget.spent) == (0, 0)
        assert not any("authorization" in each.headers for each in server.asked)


def test_a_world_of_ones_own_is_like_new_and_leaves_the_target_as_it_was(
    serve: Serve, target: Make, tmp_path: Path
) -> None:
    there = target(serve(str(write(tmp_path))))
    world = TargetTime(there).world_of("mine")
    world.pass_time(600)
    assert world.headers == {"Tasktwin-World": "mine"}
    shifted = there.now()
    world.leave()
    assert shifted - there.now() > 590 * 1_000_000


@pytest.mark.parametrize(
    "said",
    [
        (404, {}, b""),
        (200, {}, b"{}"),
        (200, {}, b'"ok"'),
        (200, {}, b"{" * 100),
        (200, {}, b"x" * 1_000_000),
        (302, {"Location": "/elsewhere"}, b""),
        (500, {}, b'{"status": "ok", "providers": []}'),
    ],
    ids=["none", "empty", "text", "no JSON", "much", "redirect", "error"],
)
def test_what_is_no_twin_offers_no_clock(target: Make, said: Parts) -> None:
    with answering(lambda _asked: said) as server:
        time = TargetTime(target(server.url))
        assert "offers no clock" in time.pass_time(3_600)
        assert "only a twin" in time.fire("cancel", "j1")
        assert time.world_of("mine") is time
        assert len(server.asked) == 1


@pytest.mark.parametrize(("budget", "wait", "waited"), [(5.0, 0.1, True), (0.2, 1.0, False), (None, 31.0, False)])
def test_time_is_waited_for_if_the_budget_affords_it(
    target: Make, budget: float | None, wait: float, *, waited: bool
) -> None:
    with answering(lambda _asked: (404, {}, b"")) as server:
        assert (TargetTime(target(server.url, budget)).pass_time(wait) == "") is waited
