"""A world as two processes hold it, each with a connection of its own: what one does while the other is in the middle of something."""

from dataclasses import replace
from functools import partial
from uuid import uuid4

import pytest
from tests.state import redis_server

from tasktwin import load
from tasktwin.behaviour.limit import count, leave, standings
from tasktwin.behaviour.shared_worlds import SharedWorlds
from tasktwin.behaviour.world import World
from tasktwin.behaviour.worlds import Plan
from tasktwin.errors import MisuseError
from tasktwin.state.redis_link import RedisLink


@pytest.fixture
def worlds() -> list[SharedWorlds]:
    """The worlds of two processes."""
    provider, prefix, plan = load("uumit"), uuid4().hex, Plan(now=0, mode="frozen")
    links = [RedisLink(redis_server.url()) for _ in range(2)]
    return [SharedWorlds(provider.rules, provider.seeds, plan, link, prefix) for link in links]


def ask(world: World) -> bool:
    """Whether a request is let through."""
    caller = {"principal": None, "address": "10.0.0.1"}
    return world.propose(lambda: count(world, caller, "GET", "/"))()[1] is None


def test_an_order_to_leave_requests_holds_though_one_was_counted_that_did_not_know_of_it(
    worlds: list[SharedWorlds],
) -> None:
    one, other = [each.get("w") for each in worlds]
    assert ask(one)
    one.flush()
    assert ask(one)
    other.agree(lambda: leave(other, 0, "minute"))
    one.flush()
    for world in (one, other):
        (caller,) = world.agree(partial(standings, world))["limits"][0]["callers"]
        assert (caller["remaining"], caller["strict"]) == (0, True)
        assert not ask(world)


def test_what_a_world_goes_by_is_not_told_by_who_only_looked_at_it(worlds: list[SharedWorlds]) -> None:
    one, other = [each.get("w") for each in worlds]
    one.agree(lambda: None)
    looked = other.propose(lambda: None)
    one.agree(lambda: one.advance(5))
    looked()
    other.flush()
    assert [each.clock.now() for each in worlds[0].about()] == [5_000_000]


def test_a_world_begins_as_the_one_says_who_was_first_to_make_it(worlds: list[SharedWorlds]) -> None:
    one, other = worlds
    one.registry.enter("w", {}, lasting=False)  # it is about to begin it
    with pytest.raises(MisuseError, match="exists already"):
        other.create("w", replace(other.plan, seed=7))
    world = one.get("w")
    world.agree(lambda: None)
    assert world.beginning.seed == 0
