"""Streams: which events are told, in which order; that nothing is lost by a cut; that a stream is one (WHATWG HTML §9.2)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Self, TypeAlias

from tasktwin.suite import certainty
from tasktwin.suite.finding import Basis
from tasktwin.suite.lifecycle.atlas import Atlas
from tasktwin.suite.protocol.stream_plan import OPEN, Plan, plans
from tasktwin.suite.story.judge import Mismatch
from tasktwin.suite.story.listener import SHORT, Listener, listen
from tasktwin.suite.story.sketch import Desk
from tasktwin.suite.story.stage import NEAR, Stage, Taken, Theatre, finding
from tasktwin.suite.story.step import Ref, Step, probe
from tasktwin.suite.story.telling import Judged, rest, same, sound, story

RESUME: Final = "Last-Event-ID"
"""The header by which a reader says where it was cut: WHATWG HTML §9.2.4."""

LISTENS: Final = 3.0
"""Seconds for which a script listens behind its last step."""

MOST_WAIT: Final = 300.0
"""Seconds of the target's own clock that are let pass for a sign of life."""

AFFORDABLE: Final = 3.0
"""The same, where it really has to be waited."""


@dataclass(slots=True)
class Case:
    """A plan being played. ``hasty``: something was waited for in vain before, so that the next waits are shorter."""

    plan: Plan
    hasty: bool = False


Play: TypeAlias = Callable[[Case, Stage], list[Judged]]


def units(theatre: Theatre, atlas: Atlas, desk: Desk) -> list[tuple[str, Callable[[], None]]]:
    """Three units for each stream: what it tells, what a reader gets who was cut, and its signs of life."""
    run = theatre.run
    principals = [name for name in run.provider.rules.principals if name in run.target.callers.headers]
    found: list[tuple[str, Callable[[], None]]] = []
    for plan in plans(desk, atlas, theatre.inputs, principals):
        opens = plan.open.operation
        if not run.asked_for(opens) or not run.target.may_send(probe(desk.provider.rules.contract, opens)):
            continue
        case = Case(plan)
        for name, play in (("stream", _told), ("reconnect to", _cut), ("silence of", _silent)):
            found.append((f"{name} {plan.name}", partial(_twice, theatre, case, play)))
    return found


def _twice(theatre: Theatre, case: Case, play: Play) -> None:
    """Report what a story shows both times that it is played, unless it is known."""
    run = theatre.run
    with theatre.stage() as stage:
        first = {mismatch.cause for _, mismatch in play(case, stage)}
    if first.issubset(run.findings.by_cause):
        return
    case.hasty = True
    with theatre.stage() as stage:
        again = {mismatch.cause: (each, mismatch) for each, mismatch in reversed(play(case, stage))}
        for cause in sorted(first & again.keys()):
            found = finding(stage, _story(stage, *again[cause]), again[cause][1])
            run.report(replace(found, operation=case.plan.open.operation))


def _story(stage: Stage, listener: Listener, mismatch: Mismatch) -> list[Taken]:
    """The steps that lead there: of the streams only those that it is about."""
    step = listener.step
    about = {step.key, *step.refs()} | ({OPEN} if mismatch.rule == "stream.readers" else set())
    return [each for each in stage.taken if not each.broken and (not each.step.listens or each.step.key in about)]


# ── what is played ──────────────────────────────────────────────────────────────────────────────────────────────────


def _told(case: Case, stage: Stage) -> list[Judged]:
    """Two readers see what is caused; then those who come back later, and those who may not."""
    plan = case.plan
    with _Readers(case, stage) as readers:
        first = readers.begin()
        if first is None:
            return []
        second = None if plan.makes or _differs(first) else readers.open(about="a second reader")
        if not readers.cause(plan.causes):
            return []
        readers.settle()
        found = list(story(plan.topic, first))
        found += same(plan.topic, first, second) if second else []
        for each in list(readers.all):
            found += sound(plan.topic, each)
        if not (_differs(first) or first.tired):
            found += _resumed(plan, readers, first)
            found += _others(plan, readers)
        return found


def _cut(case: Case, stage: Stage) -> list[Judged]:
    """A reader is cut, things happen meanwhile, it comes back and goes on to listen."""
    plan = case.plan
    with _Readers(case, stage) as readers:
        first = readers.begin(cut=True)
        if first is None or _differs(first) or first.tired or not first.catch_up():
            return []
        causes = list(plan.causes)
        first.remember()
        if not first.stage.ours.answers[OPEN]["ids"] and causes:
            if not readers.cause([causes.pop(0)]) or not first.catch_up():
                return []
            first.remember()
        known = len(stage.theirs.answers[OPEN]["ids"])
        if not known or known > len(stage.ours.answers[OPEN]["ids"]):
            return []
        half = (len(causes) + 1) // 2
        last = 0 if plan.makes else known - 1
        readers.leave(first)
        if not readers.cause(causes[:half]):
            return []
        stage.theatre.settle()
        again = readers.open(after=last, about="cut, and back again")
        if again is None or not readers.cause(causes[half:]):
            return []
        readers.settle()
        return list(story(plan.topic, again, resumed=True))


def _silent(case: Case, stage: Stage) -> list[Judged]:
    """Nothing happens, until the stream says that it is alive, or that it ends."""
    plan, target = case.plan, stage.run.target
    rule = plan.rule
    spans = [pause.span / 1_000_000 for pause in (rule.heartbeat, rule.lasts) if pause]
    most = MOST_WAIT if target.has_clock else AFFORDABLE
    if plan.makes or not spans or min(spans) > most:
        return []
    with _Readers(case, stage) as readers:
        first = readers.begin()
        if first is None or _differs(first) or first.tired or not target.pass_time(min(spans) + NEAR):
            return []
        stage.theatre.oracle.until(target.now())
        first.catch_up()
        beats = sum(each.beat and each.data is not None for each in first.told)
        if beats and not first.reading.wait(lambda _: first.beats() > 0, first.lag):
            return [(first, _mute(plan, min(spans), first))]
        readers.settle()
        return list(story(plan.topic, first))


def _mute(plan: Plan, span: float, first: Listener) -> Mismatch:
    """There is no sign of life, or another one than the API gives."""
    other = first.reading.frames.comments or len(first.actual()) > len(first.expected())
    about = f"{plan.name}: a sign of life every {span:g} s"
    basis = certainty.basis_of(first.stage.run.provider, plan.rule.provenance, about)
    title = f"the stream of {plan.name} gives {'another' if other else 'no'} sign of life"
    basis = Basis("assumed", "any sign will do") if other else basis
    actual = "another one" if other else "nothing"
    return Mismatch(
        "stream.silent", title, f"one within {span:g} s", actual, basis, f"stream.silent:{plan.name}:{actual}"
    )


def _resumed(plan: Plan, readers: "_Readers", first: Listener) -> Iterator[Judged]:
    """Those who were cut behind the first event, in the middle and before the last get the rest."""
    if plan.rule.ids == "none":
        return
    first.remember()
    known = len(first.stage.theirs.answers[OPEN]["ids"])
    if known != len(first.stage.ours.answers[OPEN]["ids"]):
        return
    for place in sorted({0, known // 2, known - 2}):
        if 0 <= place < known - 1:
            again = readers.open(after=place, about="cut there, and back again")
            if again is None:
                return
            if again.catch_up():
                again.reading.wait(lambda _: False, SHORT if place == known - 2 else 0)
            if again.is_over and not again.tired and not again.reading.end(again.lag):
                yield again, _hanging(plan, readers.stage)
            yield from rest(plan.topic, first, again, place)
            if again.tired:
                return


def _hanging(plan: Plan, stage: Stage) -> Mismatch:
    basis = certainty.basis_of(
        stage.run.provider, plan.rule.provenance, f"{plan.name}: it is over behind its last event"
    )
    title = f"the stream of {plan.name} does not end for who comes back"
    return Mismatch("stream.end", title, "its end", "it stays open", basis, f"stream.end:{plan.name}:resumed")


def _others(plan: Plan, readers: "_Readers") -> Iterator[Judged]:
    """Whoever may not see the row may not hear of it."""
    first = readers.all[0]
    own = {each.id for each in first.actual() if each.id}
    for who in plan.others:
        other = readers.open(as_=who, after=0 if plan.makes else None, about="another one's")
        if other is None or other.reader is not None:
            continue
        reading = other.reading
        reading.begin(other.lag)
        if reading.streams and 200 <= reading.status < 300:
            reading.wait(bool, other.lag)
            if not plan.makes or own & {each.id for each in other.actual()}:
                yield other, _overheard(plan, other)
                return


def _overheard(plan: Plan, other: Listener) -> Mismatch:
    refusal = f"{other.answer.status}: {other.answer.reason}"
    title = f"{plan.name} lets {other.step.as_} listen to what is not theirs"
    basis: Basis = certainty.ACCESS
    cause = f"access.object:{plan.name}:stream"
    return Mismatch("access.object", title, refusal, f"{other.reading.status} and its events", basis, cause)


def _differs(first: Listener) -> bool:
    """Whether there is nothing to listen to on one of the sides."""
    return first.reader is None or not first.reading.streams


class _Readers:
    """All who listen in one story. They leave when it is over."""

    def __init__(self, case: Case, stage: Stage) -> None:
        self.plan = case.plan
        self.hasty = case.hasty
        self.stage = stage
        self.all: list[Listener] = []
        self._left: list[Listener] = []
        self._began = stage.theatre.oracle.world.taken.copy()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in self.all:
            if each not in self._left:
                each.close()

    def begin(self, *, cut: bool = False) -> Listener | None:
        """The first reader, behind what leads there; ``None`` if that does not."""
        if not self.cause(self.plan.prelude):
            return None
        first = self.open(cut=cut)
        if first and not self.plan.makes and first.reading.streams:
            first.catch_up()
        return first

    def open(
        self, *, as_: str | None = None, after: int | None = None, about: str = "", cut: bool = False
    ) -> Listener | None:
        """One more reader: behind the first one's ``after``-th id, if that is told. It will be ``cut``."""
        step = replace(self._step(as_, after, about), left=cut)
        listener = listen(self.stage, step)
        if listener:
            listener.hasty = self.hasty
            self.all.append(listener)
        return listener

    def _step(self, as_: str | None, after: int | None, about: str) -> Step:
        step = replace(self.plan.open, key=OPEN + len(self.all), about=about, listens=LISTENS)
        if after is not None:
            step = replace(step, headers={**step.headers, RESUME: Ref(OPEN, f"/ids/{after}")})
        return replace(step, as_=as_) if as_ is not None else step

    def leave(self, listener: Listener) -> None:
        """This one is cut."""
        self._left.append(listener)
        listener.close()

    def cause(self, steps: Sequence[Step]) -> bool:
        """Take steps; whether both sides are still in the same state. What is wrong with them is others' business."""
        for step in steps:
            taken: Taken = self.stage.take(step)
            if not taken.in_step or not taken.reply.good:
                return False
        return True

    def settle(self) -> None:
        """Wait until all have heard what they should have, and whether they hear more."""
        self.stage.theatre.settle()
        self.stage.theatre.oracle.until(self.stage.run.target.now())
        open_ = [each for each in self.all if each not in self._left]
        for each in open_:
            each.tired |= any(one.tired for one in open_)
            each.catch_up()
            if each.is_over:
                each.tired |= not each.reading.end(each.lag)
        for each in open_[:1]:
            each.reading.wait(lambda _: False, SHORT)
        if self.plan.makes and not any(each.tired for each in open_):
            self.stage.run.taken.update((self.stage.theatre.oracle.world.taken - self._began).elements())
