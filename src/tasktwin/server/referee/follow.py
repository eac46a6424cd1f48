"""How a client follows what goes on: streams that break, lists in pages, things that it looks at again and again."""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from statistics import median

from tasktwin.behaviour.stream import BOUNDED, ENDED
from tasktwin.behaviour.telling import StreamRule
from tasktwin.server.referee.point import Finding, Point, Scale, span, times
from tasktwin.server.referee.trace import FAULT, Seen, Trace
from tasktwin.server.stream import BY_FAULT, GONE
from tasktwin.state.journal import CLOSED

FAST = 1_000_000
"""Microseconds between two looks at the same thing, below which a client is told how often it looked."""

LATE = 5_000_000
"""Microseconds: so late the end of a stream may stand in the journal, when the client was faster than the twin."""

ENOUGH = 3
"""So many looks at the same thing are polling."""

_CLOSING = re.compile(rf"{CLOSED}(.*), after (\d+) events", re.DOTALL)


def resumed(trace: Trace) -> Point:
    """When a stream broke after events had been told: was it opened again behind the last one?"""
    scale = Scale()
    for place in _places(trace).values():
        for stream, after in zip_longest(place, place[1:]):
            found = _broke(stream.end) if stream.end else None
            if found and stream.end:
                _judge_reopening(scale, stream.end, *found, after.begin if after else None)
    return scale.weigh("resumes streams", "no stream broke after it had told an event")


@dataclass(slots=True)
class Stream:
    """One that was opened, and its end as far as there was one."""

    begin: Seen
    end: Seen | None = None


def _places(trace: Trace) -> dict[Hashable, list[Stream]]:
    """The streams of each request, in order, each with its end."""
    places: dict[Hashable, list[Stream]] = {}
    for each in trace.all:
        place = places.setdefault((each.entry.method, each.path, each.entry.request_body), [])
        if each.closes:
            running = [stream for stream in place if stream.end is None]
            if running:
                max(running, key=lambda stream: _likely(stream.begin, each)).end = each
        elif each.streams:
            place.append(Stream(each))
    return places


def _likely(begin: Seen, end: Seen) -> tuple[bool, bool]:
    """How likely this is the stream's end: an end tells the request again, and may stand behind that of a later one."""
    struck = begin.entry.reason.startswith(FAULT) == (BY_FAULT in end.entry.reason)
    return begin.entry.request_headers == end.entry.request_headers, struck


def _judge_reopening(scale: Scale, end: Seen, why: str, count: int, again: Seen | None) -> None:
    if again is None or (again.entry.number < end.entry.number and end.instant - again.instant > LATE):
        if why != GONE:
            says = f"a stream broke after {times(count, 'event')} ({why}) and was not opened again"
            scale.notes.append(Finding(says, (end.entry,)))
        return
    told = f"the stream of {again.name} was over after {times(count, 'event')} ({why}) and opened again"
    entries = (end.entry, again.entry)
    if not _resumable(again.stream):
        scale.notes.append(Finding(f"{told}; its events have no ids", entries))
    elif again.stream and again.stream.resume(again.scope):
        scale.good.append(Finding(f"{told} behind the last event that was read", entries))
    elif why == GONE:
        scale.notes.append(Finding(f"{told} from where it begins", entries))
    else:
        scale.bad.append(Finding(f"{told} without telling the last event", entries))


def _broke(closing: Seen) -> tuple[str, int] | None:
    """Why a stream closed that was not over, and how many events it had told; ``None`` if nothing was missed."""
    found = _CLOSING.fullmatch(closing.entry.reason)
    if found is None or found[1] in (ENDED, BOUNDED) or not int(found[2][:12]):
        return None
    return found[1], int(found[2][:12])


def _resumable(rule: StreamRule | None) -> bool:
    return rule is not None and rule.ids != "none" and any(each.identified and each.say for each in rule.events)


def polled(trace: Trace) -> Point:
    """Is the same thing looked at no more often than the answers said, or than once a second?"""
    looks: dict[Hashable, list[Seen]] = {}
    for each in trace.seen:
        if each.entry.method == "GET" and each.good and not each.streams:
            looks.setdefault(each.entry.path, []).append(each)
    scale = Scale()
    for same in looks.values():
        told = [pair for pair in pairwise(same) if pair[0].until is not None]
        for before, after in told:
            wanted, gap = (before.until or 0) - before.instant, after.instant - before.instant
            says = f"{after.name} was asked again after {span(gap)}; the answer said {span(wanted)}"
            if gap or not wanted:
                (scale.good if gap >= wanted else scale.bad).append(Finding(says, (before.entry, after.entry)))
        if len(same) >= ENOUGH and not told:
            _judge_pace(same, scale)
    return scale.weigh("polls no faster than told", f"nothing was asked {ENOUGH} times")


def _judge_pace(same: list[Seen], scale: Scale) -> None:
    pause = median(after.instant - before.instant for before, after in pairwise(same))
    entries = tuple(each.entry for each in same)
    says = f"{same[0].name} was asked {len(same)} times, every {span(pause)}"
    if pause >= FAST:
        scale.good.append(Finding(says, entries))
    elif pause:
        scale.notes.append(
            Finding(f"{says} ({FAST / pause:.0f} a second): no answer said how often it may be", entries)
        )
