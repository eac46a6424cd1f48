"""Time, requests and rate of a run are kept, whoever takes them and however many at once."""

import threading
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasktwin.state import elapsed
from tasktwin.suite.budget import Budget, SpentError


def taken(budget: Budget, wanted: int) -> int:
    """How many of so many requests may be sent."""
    for n in range(wanted):
        try:
            budget.take()
        except SpentError:
            return n
    return wanted


def at_once(count: int, do: Callable[[], object]) -> None:
    threads = [threading.Thread(target=do) for _ in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def test_without_bounds_nothing_is_spent() -> None:
    budget = Budget()
    assert taken(budget, 1_000) == 1_000
    assert budget.left == float("inf")


@given(st.integers(0, 50), st.integers(0, 80))
@settings(max_examples=30)
def test_never_more_requests_are_sent_than_may_be(bound: int, wanted: int) -> None:
    budget = Budget(requests=bound)
    assert taken(budget, wanted) == min(bound, wanted)
    assert budget.spent == min(bound, wanted)


def test_threads_share_the_requests() -> None:
    budget, got = Budget(requests=100), []
    at_once(8, lambda: got.append(taken(budget, 50)))
    assert sum(got) == 100


def test_the_error_says_what_is_spent() -> None:
    with pytest.raises(SpentError, match="the 0 requests that the run may send are sent"):
        Budget(requests=0).take()
    with pytest.raises(SpentError, match="the time is over"):
        Budget(seconds=0).take()


def test_a_phase_whose_part_is_spent_is_told_from_a_run_that_is_over() -> None:
    budget = Budget(seconds=60)
    budget.bound(0)
    with pytest.raises(SpentError, match="its share of the time is over"):
        budget.take()


def test_a_rate_is_kept_by_threads_together() -> None:
    budget, began = Budget(rate=100), elapsed()
    at_once(4, lambda: taken(budget, 6))
    assert elapsed() - began >= 23 / 100


def test_a_rate_does_not_make_a_run_longer_than_it_may_be() -> None:
    budget, began = Budget(seconds=0.2, rate=0.1), elapsed()
    assert taken(budget, 5) == 1
    assert elapsed() - began < 1


def test_a_pause_does_not_save_up_requests() -> None:
    budget = Budget(rate=1_000)
    budget.take()
    threading.Event().wait(0.05)
    began = elapsed()
    assert taken(budget, 20) == 20
    assert elapsed() - began >= 0.015


def test_a_phase_is_bounded_within_the_run_and_then_no_more() -> None:
    budget = Budget(seconds=60)
    budget.bound(0)
    assert taken(budget, 1) == 0
    budget.bound(None)
    assert taken(budget, 1) == 1
    budget.bound(600)
    assert budget.left <= 60


def test_the_time_runs_from_the_beginning() -> None:
    budget = Budget(seconds=0.05)
    threading.Event().wait(0.06)
    assert budget.left <= 0
    budget.begin()
    budget.check()
    assert 0 <= budget.used < 0.05
