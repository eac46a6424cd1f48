"""What a client asks for, and how it takes what it did not expect."""

from itertools import zip_longest

from tasktwin.behaviour.limit import NAME
from tasktwin.server.referee.point import Finding, Point, Scale, times
from tasktwin.server.referee.trace import GROWN, Seen, Trace
from tasktwin.state import Entry

STANDING = NAME.lower()
WOULD, DID = "would refuse", "refused"
"""How the header of an answer begins that the real API would have refused, and that the twin refused."""


def tolerated(trace: Trace) -> Point:
    """Does it go on when an answer has fields that it does not know?"""
    scale = Scale()
    for each, after in zip_longest(trace.seen, trace.seen[1:]):
        if each.trouble != GROWN:
            continue
        told = f"{each.name} was answered with fields that nobody knows"
        if after is None:
            scale.notes.append(Finding(f"{told}; nothing was asked after that", (each.entry,)))
        elif after.words == each.words and each.entry.method != "GET":
            scale.bad.append(Finding(f"{told}; it was sent again as if it had failed", (each.entry, after.entry)))
        else:
            scale.good.append(Finding(f"{told}; the client went on with {after.name}", (each.entry, after.entry)))
    return scale.weigh("ignores unknown fields", "no answer had unknown fields; a fault can order some")


def kept_limits(trace: Trace) -> Point:
    """Would the real API have refused something, because it was asked too often?"""
    scale, rules, mode, count = Scale(), trace.rules.limits, trace.world.limits, len(trace.seen)
    over = [each for each in trace.seen if each.got.get(STANDING, "").startswith(WOULD)]
    refused = [each for each in trace.seen if each.got.get(STANDING, "").startswith(DID)]
    if over:
        says = f"the real API would have refused {len(over)} of {count} requests, from #{over[0].entry.number} on"
        scale.bad.append(Finding(f"{says}: {over[0].got[STANDING][:300]}", tuple(each.entry for each in over)))
    elif refused:
        says = f"{len(refused)} of {count} requests were too many and were refused"
        scale.notes.append(Finding(says, tuple(each.entry for each in refused)))
    elif rules and mode != "off" and count:
        scale.good.append(Finding(f"{times(count, 'request')}, never too many", _span(trace)))
    return scale.weigh("keeps the rate limits", "limits are off in this world" if rules else "the data know no limits")


def kept_contract(trace: Trace) -> Point:
    """Do its requests keep the contract?"""
    scale = Scale()
    wrong = [each for each in trace.seen if each.entry.violations and 400 <= each.entry.status < 500]
    meant = sum(1 for each in trace.seen if each.entry.operation)
    if wrong:
        says = f"{len(wrong)} of {len(trace.seen)} requests break it; first {wrong[0].name}: {_told(wrong[0])}"
        scale.bad.append(Finding(says, tuple(each.entry for each in wrong)))
    elif meant:
        scale.good.append(Finding(f"{times(meant, 'request')}, none breaks it", _span(trace)))
    return scale.weigh("keeps the contract", "no request meant an operation of the contract")


def _span(trace: Trace) -> tuple[Entry, ...]:
    """The first and the last request."""
    return tuple(each.entry for each in dict.fromkeys((trace.seen[0], trace.seen[-1])))


def _told(seen: Seen) -> str:
    """The first thing that is wrong with a request."""
    first = seen.entry.violations[0]
    if not isinstance(first, dict):
        return str(first)[:300]
    return f"{first.get('pointer') or first.get('where')}: {first.get('message')}"[:300]
