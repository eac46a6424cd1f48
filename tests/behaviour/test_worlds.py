from pathlib import Path

import pytest
from tests.behaviour.jobs import HOUR, NOON, ask, worlds

from tasktwin.behaviour.world import World
from tasktwin.behaviour.worlds import DEFAULT, Plan
from tasktwin.errors import MisuseError, TooManyWorldsError
from tasktwin.state import Query


def count(world: World) -> int:
    return world.store.count(Query("job"))


def add(world: World, title: str) -> str:
    return str(ask(world, "createJob", body={"title": title}).body["id"])


def test_a_world_is_made_when_it_is_first_asked_for(tmp_path: Path) -> None:
    found = worlds(tmp_path)
    assert (len(found), found.find("a")) == (0, None)
    world = found.get("a")
    assert (found.get("a"), found.find("a"), [each.name for each in found]) == (world, world, ["a"])
    assert found.get().name == DEFAULT


@pytest.mark.parametrize("name", ["a", "A9", "test-1.2_x", "0", "x" * 64, "default"])
def test_a_name_may_be_of_letters_digits_and_three_signs(tmp_path: Path, name: str) -> None:
    assert worlds(tmp_path).get(name).name == name


@pytest.mark.parametrize("name", ["", "-a", ".", "..", "a b", "a/b", "a\n", "ä", "x" * 65, "%41", "a\0"])
def test_any_other_name_is_refused(tmp_path: Path, name: str) -> None:
    found = worlds(tmp_path)
    with pytest.raises(MisuseError, match="is no world's name"):
        found.get(name)
    assert len(found) == 0


def test_worlds_do_not_see_each_other(tmp_path: Path) -> None:
    found = worlds(tmp_path)
    one, other = found.get("one"), found.get("other")
    made = add(one, "A")
    one.advance(HOUR)
    assert (count(one), count(other)) == (4, 3)
    assert (one.now(), other.now()) == ("2026-01-01T13:00:00Z", "2026-01-01T12:00:00Z")
    assert add(other, "A") == made, "the same steps give the same identifiers"
    assert (one.taken, one.store.topics()) == (other.taken, other.store.topics())


def test_beyond_the_limit_nothing_is_made_and_the_reason_is_told(tmp_path: Path) -> None:
    found = worlds(tmp_path, limit=2)
    found.get("a"), found.get("b")
    with pytest.raises(TooManyWorldsError, match="2 worlds are alive and none has been idle for 3600 s: delete some"):
        found.get("c")
    assert found.delete("a")
    assert found.get("c").name == "c"
    assert not found.delete("a")


def test_idle_worlds_make_room_the_longest_unused_first_and_the_default_one_never(tmp_path: Path) -> None:
    found = worlds(tmp_path, limit=3, idle=0.0)
    for name in (DEFAULT, "a", "b"):
        found.get(name)
    assert [each.name for each in found] == [DEFAULT, "b"]
    for n in range(50):
        found.get(f"w{n}")
    assert DEFAULT in [each.name for each in found]
    assert len(found) <= 3


@pytest.mark.memory
def test_a_world_in_use_is_not_evicted(tmp_path: Path) -> None:
    found = worlds(tmp_path, limit=2, idle=3_600.0)
    found.get("a"), found.get("b"), found.get("a")
    with pytest.raises(TooManyWorldsError):
        found.get("c")
    assert [each.name for each in found] == ["b", "a"]


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    found = worlds(tmp_path)
    found.create("a")
    with pytest.raises(MisuseError, match="the world 'a' exists already"):
        found.create("a")


def test_a_world_may_have_a_plan_of_its_own(tmp_path: Path) -> None:
    found = worlds(tmp_path)
    own = found.create("own", Plan(seeds="empty", seed=7, now=NOON + 5_000_000, mode="frozen"))
    assert (own.store.sizes(), own.now(), own.beginning.seed) == ({}, "2026-01-01T12:00:05Z", 7)
    assert add(own, "A") != add(found.get(), "A")


def test_an_unknown_clock_or_seeds_leave_no_world_behind(tmp_path: Path) -> None:
    found = worlds(tmp_path)
    for plan in (Plan(mode="x0"), Plan(seeds="nix")):
        with pytest.raises(MisuseError):
            found.create("a", plan)
    assert len(found) == 0


def test_a_fork_begins_where_its_origin_was_and_goes_its_own_way(tmp_path: Path) -> None:
    found = worlds(tmp_path)
    origin = found.get("origin")
    add(origin, "A")
    origin.advance(HOUR)
    fork = found.create("fork", Plan(mode="frozen"), origin.save())
    assert (count(fork), fork.now()) == (4, "2026-01-01T13:00:00Z")
    assert add(fork, "B") == add(origin, "B"), "identifiers go on alike"
    ask(fork, "deleteJob", "j1")
    assert (count(fork), count(origin)) == (4, 5)
    fork.begin_again()
    assert (count(fork), fork.now()) == (4, "2026-01-01T13:00:00Z")


def test_timers_go_along_into_a_fork(tmp_path: Path) -> None:
    found = worlds(tmp_path)
    origin = found.get()
    key = add(origin, "A")
    fork = found.create("fork", Plan(mode="frozen"), origin.save())
    fork.advance(80 * HOUR)
    read = [world.read("job", key) for world in (fork, origin)]
    assert [row["state"] for row in read if row] == ["lapsed", "open"]


def test_a_world_without_a_set_time_begins_now_and_runs(tmp_path: Path) -> None:
    world = worlds(tmp_path, now=None, mode="real").get()
    first = world.clock.now()
    assert first > NOON
    while world.clock.now() == first:
        pass
    world.begin_again()
    assert world.clock.now() > first


@pytest.mark.memory
def test_worlds_unused_for_longest_forget_their_journals_when_all_weigh_too_much(tmp_path: Path) -> None:
    here = worlds(tmp_path)
    here.ledger.limit = 50_000
    for name in ("old", "new"):
        for _ in range(20):
            journal = here.get(name).journal
            journal.record(instant=1, world=name, method="GET", path="/", status=200, response_body=b"x" * 1_000)
    old, new = here.get("old").journal, here.get("new").journal
    assert (len(old), old.dropped, len(new)) == (0, 20, 20)
    here.delete("new")
    assert here.ledger.size == 0
