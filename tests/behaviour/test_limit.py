"""Limits in the engine: when a request is let through, how long to wait, what is kept; against a model of its own."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.behaviour.jobs import world
from tests.provider.small import edited, write

from tasktwin.behaviour import limit as module
from tasktwin.behaviour.lifecycle import Provenance
from tasktwin.behaviour.limit import leave, standings
from tasktwin.behaviour.rules import Limit
from tasktwin.behaviour.window import FixedWindow, SlidingWindow
from tasktwin.behaviour.world import World
from tasktwin.errors import DataError, MisuseError
from tasktwin.provider import load

SECOND = 1_000_000
STYLES = ("fixed", "sliding")
LIMITS = """limits:
  few: {quota: 3, window: 10s, style: STYLE, methods: [GET], paths: [/jobs], headers: {X-Left: $limit#/remaining, X-Reset: $limit#/reset, Retry-After: $limit#/wait}, provenance: stated D}
  own: {quota: 2, window: 10s, per: $principal#/team, further: true, methods: [POST], paths: [/jobs, "/jobs/*"], provenance: stated D}
  any: {quota: 5, window: 60s, per: address, methods: [POST], paths: ["*"], provenance: stated D}
"""


def limit(style: Any, quota: int, window: int, **more: Any) -> Limit:
    return Limit("l", quota, window, lambda _: "", (), frozenset(), {}, Provenance("stated", "D"), style=style, **more)


def limited(folder: Path, style: str = "fixed", mode: Any = "on") -> World:
    found = world(folder, ("\npaging:", "\n" + LIMITS.replace("STYLE", style) + "\npaging:"))
    found.limits = mode
    return found


def ask(
    world: World, name: str | None = "ann", method: str = "GET", path: str = "/jobs", **more: Any
) -> tuple[Any, Any]:
    """A request's headers, and the seconds to wait if it is refused."""
    who = {"name": name, **more} if name else None
    headers, refusal = module.count(world, {"principal": who, "address": "10.0.0.1"}, method, path)
    return dict(headers), refusal and refusal.data


# ── against a model ──────────────────────────────────────────────────────────────────────────────────────────────────


class Model:
    """A limit as a sentence says it: every request that was let through is kept for ever, and looked at again."""

    def __init__(self, style: str, quota: int, window: int) -> None:
        self.style, self.quota, self.window = style, quota, window
        self.passed: list[int] = []

    def lets_through(self, now: int) -> bool:
        """Whether one more request passes."""
        if self.style == "sliding":
            return sum(now - self.window < each <= now for each in self.passed) < self.quota
        begun = None
        for each in self.passed:
            begun = each if begun is None or each >= begun + self.window else begun
        if begun is None or now >= begun + self.window:
            return True
        return sum(each >= begun for each in self.passed) < self.quota

    def wait(self, now: int) -> int:
        """The first microsecond at which it would be let through, found among all at which anything changes."""
        moments = sorted({now, *(each + self.window for each in self.passed)})
        return next(each for each in moments if each >= now and self.lets_through(each)) - now


@pytest.mark.parametrize("style", STYLES)
@given(data=st.data(), quota=st.integers(1, 6), window=st.integers(1, 20))
def test_it_agrees_with_the_model_on_who_passes_and_how_long_to_wait(
    style: str, data: st.DataObject, quota: int, window: int
) -> None:
    rule, model = limit(style, quota, window), Model(style, quota, window)
    tested, now = (FixedWindow if style == "fixed" else SlidingWindow)(rule, 0), 0
    for gap in data.draw(st.lists(st.integers(0, 8), max_size=60)):
        now += gap
        expected = 0 if model.lets_through(now) else model.wait(now)
        assert tested.take(rule, now) == expected
        if not expected:
            model.passed.append(now)


@pytest.mark.parametrize("style", STYLES)
@given(gaps=st.lists(st.integers(0, 4 * SECOND), max_size=25), quota=st.integers(1, 4))
def test_the_seconds_told_are_enough_and_a_second_less_is_not(style: str, gaps: list[int], quota: int) -> None:
    rule = limit(style, quota, 10 * SECOND)
    tested, now = (FixedWindow if style == "fixed" else SlidingWindow)(rule, 0), 0
    for gap in gaps:
        now += gap
        wait = tested.take(rule, now)
        if wait:
            seconds = -(-wait // SECOND)
            assert tested.take(rule, now + (seconds - 1) * SECOND) > 0, "refused requests leave no trace"
            now += seconds * SECOND
            assert tested.take(rule, now) == 0


@given(gaps=st.lists(st.integers(0, 5), min_size=1, max_size=40), quota=st.integers(1, 4))
def test_where_refused_requests_count_one_must_be_silent_for_as_long_as_told(gaps: list[int], quota: int) -> None:
    rule, now = limit("sliding", quota, 10, counts_refused=True), 0
    tested, asked = SlidingWindow(rule, 0), [-100] * quota
    for gap in gaps:
        now += gap
        wait = tested.take(rule, now)
        assert (wait == 0) == (now - asked[-quota] >= 10)
        asked.append(now)
        assert wait in (0, asked[-quota] + 10 - now)


# ── in a world ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("style", STYLES)
def test_below_and_at_the_quota_all_pass_and_beyond_it_none(tmp_path: Path, style: str) -> None:
    found = limited(tmp_path, style)
    assert [ask(found)[1] for _ in range(5)] == [None, None, None, 10, 10]
    found.advance(9)
    assert ask(found)[1] == 1
    found.advance(1)
    assert ask(found)[1] is None


def test_the_headers_tell_the_standing_and_the_wait_only_of_a_refusal(tmp_path: Path) -> None:
    found = limited(tmp_path)
    told = [ask(found)[0]["X-Left"] for _ in range(3)]
    assert told == ["2", "1", "0"]
    found.advance(2.5)
    beyond = {"X-Left": "0", "X-Reset": "8", "Retry-After": "8", "Tasktwin-Limit": "refused (few, retry after 8 s)"}
    assert ask(found) == (beyond, 8)


def test_a_fixed_window_ends_as_a_whole_and_a_sliding_one_bit_by_bit(tmp_path: Path) -> None:
    passed = {}
    for style in STYLES:
        found = limited(tmp_path / style, style)
        for seconds in (0, 4, 4):
            found.advance(seconds)
            ask(found)
        found.advance(2)
        passed[style] = [ask(found)[1] for _ in range(4)]
    assert passed == {"fixed": [None, None, None, 10], "sliding": [None, 4, 4, 4]}


def test_callers_are_counted_apart_and_whoever_is_nobody_by_the_address(tmp_path: Path) -> None:
    found = limited(tmp_path)
    waits = [[ask(found, who)[1] for _ in range(4)] for who in ("ann", "bob", None)]
    assert waits == [[None, None, None, 10]] * 3
    assert [each["caller"] for each in standings(found)["limits"][0]["callers"]] == ["10.0.0.1", "ann", "bob"]


def test_who_is_counted_may_be_any_field_and_null_is_nobody(tmp_path: Path) -> None:
    found = limited(tmp_path)
    assert [ask(found, who, "POST", team="red")[1] for who in ("ann", "bob", "cid")] == [None, None, 10]
    assert [ask(found, "dan", "POST")[1] for _ in range(4)] == [None, None, 60, 60], "only the address is counted"


def test_of_two_limits_that_refuse_the_longer_wait_is_told_and_each_counts_for_itself(tmp_path: Path) -> None:
    found = limited(tmp_path)
    waits = [ask(found, "ann", "POST", team="red")[1] for _ in range(7)]
    assert waits == [None, None, 10, 10, 10, 60, 60]


def test_without_a_limit_that_fits_nothing_is_told_or_kept(tmp_path: Path) -> None:
    found = limited(tmp_path)
    assert ask(found, path="/other") == ({}, None)
    assert found.counted.windows == {}


def test_counting_only_refuses_nothing_and_tells_what_would_be(tmp_path: Path) -> None:
    found = limited(tmp_path, mode="count")
    assert [ask(found)[1] for _ in range(3)] == [None] * 3
    told = {"X-Left": "0", "X-Reset": "10", "Tasktwin-Limit": "would refuse (few, retry after 10 s)"}
    assert ask(found) == (told, None)


@pytest.mark.memory
@pytest.mark.parametrize("style", STYLES)
def test_what_is_kept_of_callers_is_bounded_and_the_one_who_asked_longest_ago_gives_way(
    tmp_path: Path, style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_CALLERS", 2)
    monkeypatch.setattr(module, "MOST_TIMES", 6)
    found = limited(tmp_path, style)
    for who in ("ann", "bob", "ann", "cid"):
        ask(found, who)
    assert list(found.counted.windows["few"]) == ["ann", "cid"]


def test_paths_are_remembered_up_to_a_bound(tmp_path: Path) -> None:
    found = limited(tmp_path)
    for number in range(3 * module.MOST_FITTING):
        ask(found, "ann", "POST", f"/jobs/{number}")
    assert len(found.counted.by_request) <= module.MOST_FITTING


# ── orders ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["on", "count"])
@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("number", [0, 1, 3])
def test_so_many_are_left_then_it_refuses_until_the_window_ends(
    tmp_path: Path, style: str, mode: str, number: int
) -> None:
    found = limited(tmp_path, style, mode)
    ask(found, "ann")
    found.advance(5)
    leave(found, number, "few")
    for who in ("ann", "bob"):
        assert [ask(found, who)[1] for _ in range(number + 1)] == [None] * number + [10]
    found.advance(10)
    assert [ask(found, who)[1] for who in ("ann", "bob", "cid")] == [None] * 3


def test_an_order_for_some_callers_is_not_for_others_and_the_last_one_counts(tmp_path: Path) -> None:
    found = limited(tmp_path, mode="count")
    leave(found, 0, "few", "a*")
    leave(found, 1, "few", "ann")
    assert [ask(found, who)[1] for who in ("ann", "ann", "amy", "bob")] == [None, 10, 10, None]


def test_an_order_without_a_limit_is_for_each_and_beyond_a_quota_leaves_all(tmp_path: Path) -> None:
    found = limited(tmp_path)
    leave(found, 3)
    assert [each["left"] for each in standings(found)["limits"]] == [
        [{"principal": "*", "leave": number}] for number in (3, 2, 3)
    ]
    assert [ask(found, "ann", "POST")[1] for _ in range(4)] == [None] * 3 + [60]


def test_an_order_that_means_nothing_is_told_and_changes_nothing(tmp_path: Path) -> None:
    found = limited(tmp_path)
    with pytest.raises(MisuseError, match="there is no limit 'fw'; there are few, own, any"):
        leave(found, 1, "fw")
    with pytest.raises(MisuseError, match="has only 3 requests"):
        leave(found, 4, "few")
    found.limits = "off"
    with pytest.raises(MisuseError, match="limits are off"):
        leave(found, 1)
    assert found.counted.left == {}


def test_orders_are_bounded_and_forgotten_when_their_window_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LEFT", 2)
    found = limited(tmp_path)
    leave(found, 1, "few", "a")
    leave(found, 1, "few", "b")
    with pytest.raises(MisuseError, match="at most 2 orders"):
        leave(found, 1, "few", "c")
    found.advance(10)
    leave(found, 1, "few", "c")
    assert [*found.counted.left] == [("few", "c")]


# ── beginnings ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reset_brings_the_mode_back_and_forgets_what_was_counted_and_ordered(tmp_path: Path) -> None:
    found = limited(tmp_path)
    leave(found, 0)
    found.begin_again()
    assert (found.limits, ask(found)[0]["X-Left"]) == ("count", "2")


def test_a_snapshot_restored_begins_to_count_anew_and_a_failed_advance_does_not(tmp_path: Path) -> None:
    found = limited(tmp_path)
    saved = found.save()
    ask(found)
    with pytest.raises(MisuseError):
        found.advance(1e12)
    assert ask(found)[0]["X-Left"] == "1"
    found.restore(saved)
    assert ask(found)[0]["X-Left"] == "2"


# ── the data ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("quota: 3", "quota: 100001", "at most 100000"),
        ("quota: 3", "quota: 0", "minimum"),
        ("quota: 3", "quota: 3, refuse: throtled", "throttled"),
        ("quota: 3", "quota: 3, per: $principl", "principal"),
        ("few:", '"few\\r\\nX: y":', "few"),
    ],
    ids=["too many to slide", "none", "unknown kind", "unknown root", "a name that is no header"],
)
def test_a_limit_that_cannot_be_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    text = LIMITS.replace("STYLE", "sliding").replace(old, new, 1)
    with pytest.raises(DataError, match=told):
        load(str(write(tmp_path, edited("provider.yaml", "\npaging:", f"\n{text}\npaging:"))))
