"""A run: shards that are disjoint and complete, phases that end when they must, and what is told meanwhile."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.suite.market import good, target_of
from tests.suite.test_finding import found

from tasktwin.suite.budget import Budget, SpentError
from tasktwin.suite.command.order import Order
from tasktwin.suite.command.worker import shards
from tasktwin.suite.finding import Findings, Line
from tasktwin.suite.run import Ended, Event, Found, Options, Run, Started, Went, go_through
from tasktwin.suite.target import Target, UnreachableError
from tasktwin.suite.traffic import Reply, Request, Sent

URL = "http://127.0.0.1:9"
NAMES = st.lists(st.text(max_size=12), unique=True, max_size=30)


@cache
def target() -> Target:
    return target_of(URL)


def new_run(shard: tuple[int, int] = (1, 1), seconds: float | None = None, **options: object) -> Run:
    target().budget = Budget(seconds)
    return Run(good(), target(), replace(Options(shard=shard), **options))  # type: ignore[arg-type]


def nothing() -> None:
    """A piece of work that is done at once."""


def worked(names: Sequence[str], shard: tuple[int, int]) -> list[str]:
    run, done = new_run(shard), []
    run.work("p", [(name, lambda name=name: done.append(name)) for name in names])  # type: ignore[misc]
    assert run.units == [f"p:{name}" for name in done]
    return done


@given(NAMES, st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_shards_are_disjoint_and_together_the_whole(names: list[str], count: int) -> None:
    parts = [worked(names, (n, count)) for n in range(1, count + 1)]
    assert sorted(each for part in parts for each in part) == sorted(names)


@given(NAMES, st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_the_workers_of_a_shard_do_just_that_shard(names: list[str], index: int, more: int, workers: int) -> None:
    order = Order("fuzz", URL, "market", ("lifecycle",), shard=(index, index + more), workers=workers)
    parts = [worked(names, each.shard) for each in shards(order)]
    assert sorted(each for part in parts for each in part) == sorted(worked(names, order.shard))


@given(NAMES, st.randoms())
@settings(max_examples=20, deadline=None)
def test_a_units_shard_depends_on_nothing_but_its_name(names: list[str], chance: object) -> None:
    mixed = list(names)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert set(worked(names, (1, 3))) == set(worked(mixed, (1, 3)))
    assert set(worked(names[:5], (1, 3))) == set(worked(names, (1, 3))) & set(names[:5])


def report(run: Run) -> None:
    run.report(found())


def test_what_goes_on_is_told() -> None:
    told: list[Event] = []
    run = new_run()
    run.tell = told.append

    def phase(one: Run) -> None:
        one.work("p", [("a", nothing), ("b", lambda: report(one))])
        one.report(found())

    go_through(run, [("p", phase)])
    assert [type(each) for each in told] == [Started, Went, Found, Went, Ended]
    assert told[1] == Went("p", 1, 2, "a")


@pytest.mark.parametrize(
    ("globs", "asked"),
    [((), True), (("get*",), True), (("list*", "getJob"), True), (("list*",), False), (("getjob",), False)],
)
def test_globs_say_what_was_asked_for(globs: tuple[str, ...], *, asked: bool) -> None:
    assert new_run(operations=globs).asked_for("getJob") is asked


def test_what_was_skipped_is_known_with_its_reason() -> None:
    run = new_run()
    run.skip("protocol", "createJob", "it writes")
    assert [(each.what, each.why) for each in run.skipped] == [("createJob", "it writes")]


def test_a_unit_that_was_cut_short_does_not_count_as_done() -> None:
    def cut() -> None:
        raise SpentError("the time is over")

    run = new_run()
    go_through(
        run,
        [
            ("p", lambda one: one.work("p", [("a", nothing), ("b", cut), ("c", nothing)])),
            ("q", lambda one: one.work("q", [("d", nothing)])),
        ],
    )
    assert run.units == ["p:a", "q:d"]
    assert [(each.phase, each.cut) for each in run.ended] == [("p", "the time is over"), ("q", "")]
    assert run.cut == ""


@pytest.mark.parametrize(
    ("error", "cut"),
    [(UnreachableError("it is gone"), "it is gone"), (KeyboardInterrupt(), "interrupted")],
    ids=["gone", "Ctrl-C"],
)
def test_what_ends_a_run_is_written_down_and_passed_on(error: BaseException, cut: str) -> None:
    def phase(_run: Run) -> None:
        raise error

    later: list[Run] = []
    run = new_run()
    with pytest.raises(type(error)):
        go_through(run, [("p", phase), ("q", later.append)])
    assert (run.cut, run.ended[-1].cut, later) == (cut, cut, [])


def test_phases_share_the_time_and_what_one_leaves_is_the_nexts() -> None:
    def greedy(run: Run) -> None:
        while True:
            run.target.budget.check()

    def quick(_run: Run) -> None:
        """Takes no time."""

    run = new_run(seconds=0.4)
    run.target.budget.begin()
    go_through(run, [("quick", quick), ("a", greedy), ("b", greedy)], {"quick": 0.5, "a": 0.25, "b": 0.25})
    first, second = (each.seconds for each in run.ended[1:])
    assert first == pytest.approx(0.2, abs=0.05)
    assert second == pytest.approx(0.2, abs=0.05)


def test_what_is_in_the_baseline_is_not_reported() -> None:
    run = new_run()
    run.findings = Findings(frozenset({"c"}))
    told: list[Event] = []
    run.tell = told.append
    assert not run.report(found("c"))
    assert told == []


def test_what_was_planned_and_not_done_is_known() -> None:
    def cut() -> None:
        raise SpentError("the time is over")

    run = new_run()
    go_through(run, [("p", lambda one: one.work("p", [("a", nothing), ("b", cut), ("c", nothing)]))])
    assert (run.units, run.undone) == (["p:a"], ["p:b", "p:c"])


def shown(run: Run, number: int, reply: Reply) -> None:
    line = Line(Request("GET", "/jobs"), reply)
    run.target.traffic.append(Sent(number, "p", line.request, line.reply, 0))
    run.report(replace(found(), story=(line,)))


def test_what_one_answer_shows_in_many_places_was_found_once() -> None:
    run, first, again = new_run(), Reply(200, body=b"1"), Reply(200, body=b"2")
    run.target.traffic.clear()
    for number, reply in ((1, first), (1, first), (2, again), (2, again), (2, again)):
        shown(run, number, reply)
    assert [each.times for each in run.findings] == [2]


def test_what_workers_found_is_added_up() -> None:
    findings = Findings()
    for each in (replace(found(), times=3), replace(found(), times=4)):
        findings.add(each)
    assert [each.times for each in findings] == [7]
