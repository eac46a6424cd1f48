import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasktwin.errors import MisuseError
from tasktwin.state import EARLIEST, LATEST, Clock, elapsed, format_instant, parse_instant
from tasktwin.state.clock import Precision

EIGHT = 1_775_721_600_000_000  # 2026-04-09T08:00:00Z
INSTANTS = st.integers(EARLIEST, LATEST)
quiet = settings(derandomize=True, deadline=None, database=None)


@pytest.mark.parametrize(
    "text",
    [
        "2026-04-09T08:00:00Z",
        "2026-04-09t08:00:00z",
        "2026-04-09 08:00Z",
        "2026-04-09T10:00:00+02:00",
        "2026-04-09T02:30:00-0530",
        "2026-04-09T09:00:00,000000999+01",
    ],
)
def test_each_way_to_write_one_instant_is_read_alike(text: str) -> None:
    assert parse_instant(text) == EIGHT


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not an ISO 8601"),
        ("tomorrow", "is not an ISO 8601"),
        ("2026-04-09", "is not an ISO 8601"),
        ("2026-04-09x08:00:00Z", "is not an ISO 8601"),
        ("2026-04-09T08:00:00Z\n", "is not an ISO 8601"),
        ("٢026-04-09T08:00:00Z", "is not an ISO 8601"),
        ("9" * 10_000, "is not an ISO 8601"),
        ("2026-04-09T08:00:00", "no time zone"),
        ("2026-02-30T08:00:00Z", "not a time that exists"),
        ("2026-04-09T08:00:60Z", "not a time that exists"),
        ("2026-04-09T08:00:00+25:00", "not a time that exists"),
        ("0001-01-01T00:00:00+01:00", "outside the years"),
        ("9999-12-31T23:59:59-01:00", "outside the years"),
    ],
)
def test_a_text_that_names_no_instant_is_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        parse_instant(text)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("precision", "text"),
    [
        ("seconds", "2026-04-09T08:00:00Z"),
        ("milliseconds", "2026-04-09T08:00:00.012Z"),
        ("microseconds", "2026-04-09T08:00:00.012999Z"),
    ],
)
def test_an_instant_is_written_cut_to_the_precision(precision: Precision, text: str) -> None:
    assert format_instant(EIGHT + 12_999, precision) == text


@pytest.mark.parametrize("instant", [EARLIEST - 1, LATEST + 1, 10**40], ids=["before", "after", "far"])
def test_an_instant_that_no_calendar_has_is_not_written(instant: int) -> None:
    with pytest.raises(ValueError, match="outside the years"):
        format_instant(instant)


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown precision"):
        format_instant(EIGHT, "days")  # type: ignore[arg-type]


@quiet
@given(INSTANTS)
def test_writing_and_reading_gives_the_instant_back(instant: int) -> None:
    assert parse_instant(format_instant(instant, "microseconds")) == instant
    assert parse_instant(format_instant(instant)) == instant - instant % 1_000_000


@quiet
@given(st.datetimes(timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))))
def test_an_instant_agrees_with_the_calendar_of_python(moment: datetime) -> None:
    try:
        known = moment.astimezone(UTC)
    except OverflowError:
        with pytest.raises(ValueError, match="outside"):
            parse_instant(moment.isoformat())
        return
    instant = parse_instant(moment.isoformat())
    assert (
        format_instant(instant, "microseconds") == known.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    )


@quiet
@given(INSTANTS, INSTANTS)
def test_written_instants_sort_as_the_instants_do(one: int, other: int) -> None:
    texts = format_instant(one, "microseconds"), format_instant(other, "microseconds")
    assert (one < other) == (texts[0] < texts[1])


def test_a_clock_without_a_start_shows_the_time_of_the_machine() -> None:
    assert abs(Clock().now() - time.time_ns() // 1000) < 2_000_000


def test_a_frozen_clock_moves_only_when_it_is_moved() -> None:
    clock = Clock(EIGHT, "frozen")
    time.sleep(0.002)
    assert clock.now() == EIGHT
    clock.advance(5)
    assert clock.now() == EIGHT + 5
    clock.set(EIGHT + 7)
    assert clock.now() == EIGHT + 7


@pytest.mark.parametrize(("mode", "speed"), [("real", 1), ("x60", 60), ("x1000", 1000), ("x0.5", 0.5)])
def test_a_running_clock_runs_at_its_speed(mode: str, speed: float) -> None:
    before = elapsed()
    clock = Clock(EIGHT, mode)
    inner = elapsed()
    time.sleep(0.02)
    least = elapsed() - inner
    shown = (clock.now() - EIGHT) / 1e6
    most = elapsed() - before
    assert least * speed * 0.98 <= shown <= most * speed * 1.02


def test_changing_the_mode_makes_no_jump() -> None:
    clock = Clock(EIGHT, "x1000")
    shown = clock.now()
    for mode in ("frozen", "real", "x0.001", "frozen"):
        clock.set_mode(mode)
        assert clock.mode == mode
        assert shown <= clock.now() < shown + 5_000_000
        shown = clock.now()


@pytest.mark.parametrize(
    "mode", ["", "fast", "x", "x0", "x0.0", "x-1", "x1e3", "xnan", "x 5", "60", "x1000001", "x" + "9" * 999]
)
def test_a_word_that_is_no_mode_is_refused_and_changes_nothing(mode: str) -> None:
    clock = Clock(EIGHT, "frozen")
    with pytest.raises(MisuseError, match="unknown clock mode"):
        clock.set_mode(mode)
    with pytest.raises(MisuseError, match="unknown clock mode"):
        Clock(EIGHT, mode)
    assert (clock.now(), clock.mode) == (EIGHT, "frozen")


def test_a_clock_is_not_set_back() -> None:
    clock = Clock(EIGHT, "frozen")
    with pytest.raises(MisuseError, match="cannot be set back from 2026-04-09T08:00:00"):
        clock.set(EIGHT - 1)
    with pytest.raises(MisuseError, match="negative span"):
        clock.advance(-1)
    assert clock.now() == EIGHT


def test_a_running_clock_may_be_advanced_by_nothing() -> None:
    clock = Clock(EIGHT, "x1000000")
    for _ in range(100):
        clock.advance(0)
        clock.set_mode("x1000000")
    assert clock.now() >= EIGHT


def test_a_clock_stops_at_the_last_instant_that_can_be_written() -> None:
    clock = Clock(LATEST, "x1000000")
    assert clock.now() == LATEST
    with pytest.raises(MisuseError, match="1 to 9999"):
        clock.advance(1)
    with pytest.raises(MisuseError, match="1 to 9999"):
        Clock(LATEST + 1)


def test_a_copy_goes_its_own_way() -> None:
    clock = Clock(EIGHT, "frozen")
    twin = clock.copy()
    twin.advance(1)
    assert (clock.now(), twin.now(), twin.mode) == (EIGHT, EIGHT + 1, "frozen")


def test_elapsed_time_only_grows() -> None:
    first = elapsed()
    time.sleep(0.001)
    assert 0.001 <= elapsed() - first < 60
