"""What it means when a stream tells something else than it should: to the oracle, to other readers, to who was cut."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from tasktwin.behaviour.telling import StreamRule
from tasktwin.suite import certainty
from tasktwin.suite.finding import Basis
from tasktwin.suite.story.compare import general
from tasktwin.suite.story.judge import Mismatch, short
from tasktwin.suite.story.listener import Apart, Listener, differences
from tasktwin.suite.story.reading import Heard

Judged: TypeAlias = tuple[Listener, Mismatch]

FRAMING: Final = Basis(
    "standard",
    "WHATWG HTML §9.2.6: a stream is UTF-8, and what is no field, or no whole event, every client ignores.",
    "https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation",
)
MEDIA: Final = Basis(
    "standard",
    "WHATWG HTML §9.2.3: a client fails the connection if the media type is not text/event-stream.",
    "https://html.spec.whatwg.org/multipage/server-sent-events.html#sse-processing-model",
)
RESUME: Final = Basis(
    "standard",
    "WHATWG HTML §9.2.4: a reader that was cut names the last id that it has, so that the stream goes on behind it.",
    "https://html.spec.whatwg.org/multipage/server-sent-events.html#the-last-event-id-header",
)
READERS: Final = Basis("itself", "All who listen to one thing from the same point on are told the same.")
IDS: Final = Basis("itself", "An id says where a stream is gone on with: two events cannot have the same.")


@dataclass(frozen=True, slots=True)
class Topic:
    """What is listened to: a name for people, the rule it goes by; ``makes``: opening it makes the row."""

    name: str
    rule: StreamRule
    makes: bool = False


def story(topic: Topic, listener: Listener, *, resumed: bool = False) -> Iterator[Judged]:
    """What a reader was told, beside what the oracle told."""
    name = topic.name
    if listener.reader is None:
        return
    problem = _unopened(name, listener)
    if problem:
        yield listener, problem
        return
    provider = listener.stage.run.provider
    basis = certainty.basis_of(provider, topic.rule.provenance, f"what {name} tells")
    if resumed and basis.kind != "assumed":
        basis = RESUME
    found = differences(listener.expected(), listener.actual(), listener.stage.theatre.names)
    for each in found:
        yield listener, _apart(name, each, basis, resumed=resumed)
    if found:
        return
    if listener.is_over and not listener.reading.ended:
        title = f"the stream of {name} does not end behind its last event"
        yield listener, Mismatch("stream.end", title, "its end", "it stays open", basis, f"stream.end:{name}")
    if listener.reading.ended and listener.reader and not listener.reader.over:
        title = f"the stream of {name} ends although more may come"
        actual = listener.reading.problem or "its end"
        early = Basis("assumed", "a client comes back to a stream that was closed")
        yield listener, Mismatch("stream.end", title, "it stays open", actual, early, f"stream.end:{name}:early")


def _unopened(name: str, listener: Listener) -> Mismatch | None:
    """What it means that no stream is answered."""
    reading, judge = listener.reading, listener.stage.theatre.judge
    reply = reading.reply(b"")
    status = judge.status(listener.step, listener.answer, reply)
    if status and not (reading.streams and reply.good):
        return status
    if reading.streams:
        return None
    media = reply.media or "no media type"
    title = f"{name} answers no stream"
    return Mismatch("stream.media", title, "text/event-stream", media, MEDIA, f"stream.media:{name}")


def _apart(name: str, found: Apart, basis: Basis, *, resumed: bool) -> Mismatch:
    event = found.expected or found.actual
    assert event is not None
    when = " to a reader that comes back" if resumed else ""
    said = {
        "lost": f"the stream of {name} does not tell {event.event}{when}",
        "extra": f"the stream of {name} tells {event.event} for which there is no reason{when}",
        "repeated": f"the stream of {name} tells {event.event} twice{when}",
        "order": f"the stream of {name} tells {event.event} out of order{when}",
        "data": f"the stream of {name} tells something else in {event.event}{when}",
    }[found.how]
    cause = f"stream.{found.how}:{name}:{event.event}" + (":resumed" if resumed else "")
    if found.difference:
        pointer = found.difference.pointer
        expected, actual = short(found.difference.expected), short(found.difference.actual)
        return Mismatch(f"stream.{found.how}", said, expected, actual, basis, f"{cause}:{general(pointer)}", pointer)
    return Mismatch(f"stream.{found.how}", said, _shown(found.expected), _shown(found.actual), basis, cause)


def same(topic: Topic, first: Listener, second: Listener) -> Iterator[Judged]:
    """Two who listened at once, where the oracle tells both the same."""
    if first.expected() != second.expected() or not first.reading.streams:
        return
    one, other = first.actual(), second.actual()
    if one == other:
        return
    n = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    name = topic.name
    title = f"two readers of {name} are not told the same"
    expected, actual = (_shown(each[n]) if n < len(each) else "nothing" for each in (one, other))
    yield second, Mismatch("stream.readers", title, expected, actual, READERS, f"stream.readers:{name}")


def rest(topic: Topic, first: Listener, again: Listener, place: int) -> Iterator[Judged]:
    """What a reader gets who was cut behind the ``place``-th id, beside what the first one heard behind it."""
    if _behind(first.expected(), place) != again.expected():
        return  # this API does not promise it
    name, wanted, got = topic.name, _behind(first.actual(), place), again.actual()
    basis = RESUME
    if topic.makes and not {each.id for each in first.actual() if each.id} & {each.id for each in got}:
        basis = certainty.basis_of(first.stage.run.provider, topic.rule.provenance, f"{name} is gone on with")
    if again.reading.status and not again.reading.streams:
        actual = f"{again.reading.status} {again.reading.headers.get('content-type', '')}"
        title = f"{name} does not go on behind an id of its own"
        yield again, Mismatch("stream.resume", title, "the rest", actual, basis, f"stream.resume:{name}:refused")
        return
    before = first.actual()[: len(first.actual()) - len(wanted)]
    for mismatch in _rest(name, before, wanted, got, basis):
        yield again, mismatch


def _rest(
    name: str, before: Sequence[Heard], wanted: Sequence[Heard], got: Sequence[Heard], basis: Basis
) -> Iterator[Mismatch]:
    old, told = {each.id for each in before if each.id}, Counter(each.id for each in got if each.id)
    lost = [each for each in wanted if each not in got]
    changed = next((each for each in lost if each.id and each.id in told), None)
    repeated = next((each for each in got if each.id and (each.id in old or told[each.id] > 1)), None)
    known = [each for each in got if each in wanted]
    if changed:
        shown = next(each for each in got if each.id == changed.id)
        title = f"{name} tells an event otherwise to who comes back"
        yield Mismatch("stream.data", title, _shown(changed), _shown(shown), READERS, f"stream.data:{name}:rest")
    elif lost:
        title = f"{name} leaves out an event for who comes back"
        actual = short(", ".join(map(_shown, got[:3])) or "nothing")
        yield Mismatch("stream.gap", title, _shown(lost[0]), actual, basis, f"stream.gap:{name}")
    if repeated:
        title = f"{name} repeats an event for who comes back"
        actual = _shown(repeated)
        yield Mismatch("stream.repeat", title, "only what came later", actual, basis, f"stream.repeat:{name}")
    elif not lost and known != list(wanted):
        title = f"{name} tells events in another order to who comes back"
        expected, actual = (", ".join(each.id or each.event for each in some) for some in (wanted, known))
        yield Mismatch("stream.order", title, expected, actual, basis, f"stream.order:{name}:rest")


def sound(topic: Topic, listener: Listener) -> Iterator[Judged]:
    """Whether a stream is one, each of its events is what the contract says, and no id is told twice."""
    reading = listener.reading
    if reading.streams and 200 <= reading.status < 300:
        for found in (_framed(topic, listener), _kept(topic, listener), _identified(topic, listener)):
            yield from ((listener, each) for each in found)


def _framed(topic: Topic, listener: Listener) -> Iterator[Mismatch]:
    for flaw in listener.reading.frames.flaws:
        kind = flaw.partition(":")[0].partition("'")[0].strip()
        title = f"the stream of {topic.name} is not sound: {flaw}"
        cause = f"stream.framing:{topic.name}:{kind}"
        yield Mismatch("stream.framing", title, "whole events of known fields", flaw, FRAMING, cause)
    charset = listener.reading.headers.get("content-type", "").lower().partition("charset=")[2].strip('" ')
    if charset and charset not in {"utf-8", "utf8"}:
        title = f"the stream of {topic.name} says that it is {charset}"
        yield Mismatch("stream.framing", title, "utf-8", charset, FRAMING, f"stream.framing:{topic.name}:charset")


def _kept(topic: Topic, listener: Listener) -> Iterator[Mismatch]:
    """What breaks the contract, for each place of each event once."""
    provider, name = listener.stage.run.provider, topic.name
    operation = provider.rules.contract.operations[listener.step.operation]
    basis = certainty.basis_of(provider, topic.rule.provenance, f"what an event of {name} is")
    for heard in list(listener.reading.frames.heard):
        for violation in operation.check_event(listener.reading.status, heard.value):
            said = short(violation.message)
            title = f"the stream of {name} tells {heard.event} against the contract: {said}"
            cause = f"contract.event:{name}:{heard.event}:{general(violation.pointer)}:{violation.keyword}"
            yield Mismatch("contract.event", title, said, _shown(heard), basis, cause, violation.pointer)


def _identified(topic: Topic, listener: Listener) -> Iterator[Mismatch]:
    name, provider = topic.name, listener.stage.run.provider
    ours = Counter(each.id for each in listener.expected() if each.id)
    theirs = Counter(each.id for each in listener.actual() if each.id)
    twice = [key for key, count in theirs.items() if count > 1]
    if twice and all(count == 1 for count in ours.values()):
        title = f"the stream of {name} tells an id twice"
        actual = f"{twice[0]} {theirs[twice[0]]} times"
        yield Mismatch("stream.id", title, "an id of its own for each event", actual, IDS, f"stream.id:{name}")
    if ours and listener.actual() and not theirs:
        basis = certainty.basis_of(provider, topic.rule.provenance, f"the events of {name} have ids")
        title = f"the events of {name} have no ids, so that nobody can come back"
        yield Mismatch("stream.id", title, "ids", "none", basis, f"stream.id:{name}:none")


def _behind(heard: Sequence[Heard], place: int) -> list[Heard]:
    """The events behind the ``place``-th one that has an id."""
    places = [n for n, each in enumerate(heard) if each.id]
    return list(heard[places[place] + 1 :]) if place < len(places) else []


def _shown(heard: Heard | None) -> str:
    if heard is None:
        return "nothing"
    return short(f"{heard.event} {heard.id} {short(heard.data)}".replace("  ", " "))
