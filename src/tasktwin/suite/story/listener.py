"""A reader of a stream on both sides at once: what the deployment tells beside what the oracle tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from tasktwin.behaviour.stream import ENDED, Subscription
from tasktwin.behaviour.telling import Told
from tasktwin.suite.story.compare import Comparison, Difference, Names
from tasktwin.suite.story.oracle import Answer
from tasktwin.suite.story.reading import Heard, Reading, parsed
from tasktwin.suite.story.stage import Stage, Taken
from tasktwin.suite.story.step import Step
from tasktwin.suite.traffic import Reply, Request
from tasktwin.wire import Json

LAG: Final = 2.5
"""Seconds within which a deployment tells what has happened, at least."""

SHORT: Final = 0.15
"""Seconds for which one listens where nothing should come."""

SLOWER: Final = 20
"""So many times what an ordinary answer takes, if that is more."""


@dataclass(eq=False)
class Listener:
    """One reader, open on the deployment and on the oracle. ``reader`` is ``None`` where the oracle refuses.

    ``told`` is what the oracle told so far. ``tired``: something was waited for in vain, and nothing is any more. ``hasty``: it is
    waited half as long.
    """

    stage: Stage
    step: Step
    request: Request
    answer: Answer
    reader: Subscription | None
    reading: Reading
    told: list[Told] = field(default_factory=list)
    tired: bool = False
    hasty: bool = False

    @property
    def lag(self) -> float:
        """Seconds that are waited for what should have come."""
        if self.tired:
            return SHORT
        slowest = max((each.reply.seconds for each in self.stage.taken), default=0.0)
        return min(self.stage.run.target.patience, max(LAG / 2 if self.hasty else LAG, SLOWER * slowest))

    def expected(self) -> list[Heard]:
        """What is to be heard by now, without beats."""
        while self.reader and (more := self.reader.take()):
            self.told += more
        return [_heard(each) for each in self.told if each.data is not None and not each.beat]

    @property
    def is_over(self) -> bool:
        """Whether the stream ends, as far as was told."""
        return bool(self.reader) and self.reader.over == ENDED  # type: ignore[union-attr]

    def actual(self) -> list[Heard]:
        """What was heard on the deployment, without beats."""
        return [each for each in list(self.reading.frames.heard) if not self._is_beat(each)]

    def beats(self) -> int:
        """How often the deployment only said that it is alive."""
        return len(self.reading.frames.heard) - len(self.actual())

    def catch_up(self) -> bool:
        """Wait for what should have come by now; whether so many events came. Raises like ``Reading.wait``."""
        wanted = len(self.expected())
        came = self.reading.wait(lambda _: len(self.actual()) >= wanted, self.lag)
        self.tired |= not came
        return came

    def remember(self) -> None:
        """Let later steps refer to the ids: as ``/ids/<n>`` of this step's answer."""
        self.stage.ours.answers[self.step.key] = {"ids": [each.id for each in self.expected() if each.id]}
        self.stage.theirs.answers[self.step.key] = {"ids": [each.id for each in self.actual() if each.id]}

    def close(self) -> Taken:
        """Leave it, and keep it as a step of the story where it was opened."""
        reply = self.reading.close()
        taken = self.stage.took(self.step, self.request, self.answer, reply)
        for n, each in enumerate(self.stage.taken):
            if each.step is self.step:
                taken = self.stage.taken[n] = replace(taken, passed=each.passed)
        self.stage.run.answered[self.step.operation, reply.status] += 1
        return taken

    def _is_beat(self, heard: Heard) -> bool:
        if not self.reader or not self.reader.rule.heartbeat:
            return False
        beat = self.reader.rule.heartbeat.say.told(self.reader.scope, beat=True)
        return heard.event == (beat.event or "message") and heard.data == _data(beat.data)


def listen(stage: Stage, step: Step) -> Listener | None:
    """Open a stream on both sides; ``None`` if an earlier answer lacks what the step needs. Raises like ``Target.send``."""
    theatre, target = stage.theatre, stage.run.target
    contract = stage.run.provider.rules.contract
    theatre.settle()
    try:
        mine = step.request(contract, stage.ours.look)
        other = step.request(contract, stage.theirs.look)
    except KeyError:
        return None
    oracle = theatre.oracle
    oracle.until(target.now())
    reading = Reading(target, other)
    answer, reader = oracle.listen(mine)
    listener = Listener(stage, step, other, answer, reader, reading)
    stage.taken.append(stage.took(step, other, answer, Reply(0)))
    if listener.expected() or reader is None:
        reading.begin(min(target.patience, 10 * listener.lag), listener.lag)
    return listener


@dataclass(frozen=True, slots=True)
class Apart:
    """How two tellings differ: ``lost``, ``extra``, ``repeated``, ``order`` or ``data`` (with where)."""

    how: str
    expected: Heard | None
    actual: Heard | None
    difference: Difference | None = None


def differences(ours: Sequence[Heard], theirs: Sequence[Heard], names: Names) -> list[Apart]:
    """How the deployment's telling differs from the oracle's. What fits is learnt."""
    pairs, free = _paired(ours, theirs, names)
    found: list[Apart] = []
    for n, event in enumerate(ours):
        if n in pairs:
            continue
        other = next((m for m in sorted(free) if theirs[m].event == event.event and _between(n, m, pairs)), None)
        if other is None:
            found.append(Apart("lost", event, None))
            continue
        free.discard(other)
        wrong = Comparison(names).bodies(event.data, theirs[other].data)
        found += [Apart("data", event, theirs[other], each) for each in wrong]
    known = [theirs[m] for m in pairs.values()]
    for m in sorted(free):
        repeated = any(each == theirs[m] for each in known)
        found.append(Apart("repeated" if repeated else "extra", None, theirs[m]))
    places = [pairs[n] for n in sorted(pairs)]
    if not found and places != sorted(places):
        first = next(n for n, m in enumerate(places) if m != sorted(places)[n])
        found.append(Apart("order", ours[first], theirs[sorted(places)[first]]))
    return found


def _paired(ours: Sequence[Heard], theirs: Sequence[Heard], names: Names) -> tuple[dict[int, int], set[int]]:
    """Which event is which, and those of the deployment that are none."""
    pairs: dict[int, int] = {}
    free = set(range(len(theirs)))
    for n, event in enumerate(ours):
        for m in sorted(free, key=lambda m, n=n: (m < max(pairs.values(), default=-1), abs(m - n), m)):  # type: ignore[misc]
            if _fits(event, theirs[m], names):
                pairs[n] = m
                free.discard(m)
                break
    return pairs, free


def _between(n: int, m: int, pairs: Mapping[int, int]) -> bool:
    """Whether two events stand at the same place among those that are known to be the same."""
    before = [theirs for ours, theirs in pairs.items() if ours < n]
    after = [theirs for ours, theirs in pairs.items() if ours > n]
    return max(before, default=-1) < m < min(after, default=m + 1)


def _fits(ours: Heard, theirs: Heard, names: Names) -> bool:
    if ours.event != theirs.event:
        return False
    tried = Names(dict(names.there), dict(names.here))
    if Comparison(tried).bodies(ours.data, theirs.data):
        return False
    names.there.update(tried.there)
    names.here.update(tried.here)
    return True


def _heard(told: Told) -> Heard:
    return Heard(told.event or "message", told.id, _data(told.data))


def _data(value: Json) -> Json:
    return parsed(value) if isinstance(value, str) else value
