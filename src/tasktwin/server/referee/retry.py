"""How a client comes back after a failure: when, how often, and with which key."""

from collections.abc import Hashable, Iterator
from itertools import pairwise

from tasktwin.server.referee.point import Finding, Point, Scale, span
from tasktwin.server.referee.trace import Seen, Trace

MOST_TRIES = 10
"""More tries of the same request in a row are too many."""

LEAST_WAIT = 50_000
"""Microseconds: whoever never waited longer between tries did not wait."""

GROWTH = 1.5
"""So much longer than the first the longest pause between tries is, at the least; chance may shorten others."""

UNSAFE = frozenset({"POST", "PATCH"})
"""Methods that do the same thing twice when they are sent twice (RFC 9110 §9.2.2)."""


def waited(trace: Trace) -> Point:
    """Was the same operation left alone for as long as ``Retry-After`` said, on the world's clock?"""
    scale = Scale()
    for each, after in trace.pairs():
        if each.until is None or each.entry.status < 400:
            continue
        told = f"after {each.entry.status} {each.name} was to be left alone for {span(each.until - each.instant)}"
        if after is None:
            scale.notes.append(Finding(f"{told}; it was not asked again", (each.entry,)))
            continue
        gap = after.instant - each.instant
        finding = Finding(f"{told}; it was asked again after {span(gap)}", (each.entry, after.entry))
        if gap == 0 and each.until > each.instant:
            scale.notes.append(Finding(f"{told}; the world's clock stood still until the next try", finding.entries))
        else:
            (scale.good if after.instant >= each.until else scale.bad).append(finding)
    return scale.weigh("waits out Retry-After", "no answer had a Retry-After")


def backed_off(trace: Trace) -> Point:
    """Do the pauses between tries of a request that keeps failing grow, and does it give up?"""
    scale = Scale()
    for tries in _runs(trace):
        entries = tuple(each.entry for each in tries)
        gaps = [after.instant - each.instant for each, after in pairwise(tries)]
        told = f"{tries[0].name} was tried {len(tries)} times, {_paused(gaps)}"
        finding = Finding(told, entries)
        free = [gap for each, gap in zip(tries, gaps, strict=False) if each.until is None]
        if len(tries) > MOST_TRIES:
            scale.bad.append(Finding(f"{told}: more than {MOST_TRIES} tries", entries))
        elif not any(gaps):
            scale.notes.append(
                Finding(f"{tries[0].name} was tried {len(tries)} times; the world's clock stood still", entries)
            )
        elif len(free) < 2:
            scale.notes.append(finding)
        else:
            (scale.good if _grow(free) else scale.bad).append(finding)
    return scale.weigh("backs off", "nothing failed twice in a row")


def _paused(gaps: list[int]) -> str:
    told = ", ".join(span(gap) for gap in gaps[:6])
    return f"with pauses of {told}" + (" …" if len(gaps) > 6 else "")


def _grow(gaps: list[int]) -> bool:
    longest = max(gaps[1:])
    return longest >= LEAST_WAIT and longest >= GROWTH * gaps[0]


def _runs(trace: Trace) -> Iterator[list[Seen]]:
    """Tries of the same request in a row: all but the last failed."""
    running: dict[Hashable, list[Seen]] = {}
    for each in trace.seen:
        tries = running.get(each.words)
        if tries is None or not tries[-1].failed:
            tries = running[each.words] = []
        tries.append(each)
        if len(tries) > 1 and not each.failed:
            yield running.pop(each.words)
    for tries in running.values():
        if len(tries) > 1:
            yield tries


def kept_key(trace: Trace) -> Point:
    """Does a write that is sent again carry its first key, and no other write that key?"""
    scale = Scale(bad=_shared_keys(trace))
    for first, again in _repeats(trace):
        entries = (first.entry, again.entry)
        told = f"{again.name} was sent again after {_fate(first)}"
        if not again.keyed:
            scale.notes.append(Finding(f"{told}; the API takes no key for it", entries))
        elif first.key is not None and again.key == first.key:
            scale.good.append(Finding(f"{told} with the same key", entries))
        elif again.entry.method not in UNSAFE:
            scale.notes.append(Finding(f"{told}, which does no harm without a key", entries))
        elif again.key is None:
            scale.bad.append(Finding(f"{told} without a key", entries))
        else:
            scale.bad.append(Finding(f"{told} with {'a key' if first.key is None else 'another key'}", entries))
    nothing = "no write was sent again after a failure"
    if trace.rules.idempotency is None:
        nothing += "; the API knows no idempotency keys"
    return scale.weigh("keeps the idempotency key", nothing)


def _fate(seen: Seen) -> str:
    if seen.entry.status >= 500:
        return f"the answer {seen.entry.status}"
    what = "came late" if seen.trouble == "delay" else "was lost or spoilt"
    return f"its answer {what} ({seen.entry.reason})"


def _repeats(trace: Trace) -> Iterator[tuple[Seen, Seen]]:
    """A write whose effect the client could not know, and the same write again."""
    open_: dict[Hashable, Seen] = {}
    for each in trace.seen:
        if each.entry.method in ("GET", "HEAD", "OPTIONS") or (each.binding and each.binding.verb == "rpc"):
            continue
        if (first := open_.pop(each.payload, None)) is not None:
            yield first, each
        if each.unsure:
            open_[each.payload] = each


def _shared_keys(trace: Trace) -> list[Finding]:
    """Keys that were used for two different writes."""
    first: dict[tuple[str, str], Seen] = {}
    found = []
    for each in trace.seen:
        if each.key is None:
            continue
        other = first.setdefault((each.entry.operation, each.key), each)
        if other.payload != each.payload:
            told = f"{each.name} was sent with the key of another {each.name}, whose contents were different"
            found.append(Finding(told, (other.entry, each.entry)))
    return found
