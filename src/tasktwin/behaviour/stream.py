"""Streams: readers of the event log. Each sees what stands there, in the same order, as the provider words it.

A subscription only ever looks at the log and at the world's time: it has no events of its own, so that two readers
cannot disagree, and one who comes back after a cut goes on where it was. Nothing here waits; see ``server/stream.py``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tasktwin.behaviour.expression import Scope
from tasktwin.behaviour.rules import Collection
from tasktwin.behaviour.telling import Saying, StreamRule, Told
from tasktwin.behaviour.view import show
from tasktwin.behaviour.world import World
from tasktwin.errors import Refusal
from tasktwin.state import Event, Row, format_instant

MOST = 64
"""So many events are told at once; the rest when those are on their way."""

MOST_FRAMES = 1_024
"""So many events each world keeps as they were told, for readers who are told the same."""

ENDED, BOUNDED, RESET = "it ended", "the present end of the log", "the world began again"
BEHIND = "dropped: it fell behind what the log keeps"
BROKEN = "its next event would break the contract"
DEFECT = "the twin has a defect"

_MOMENT = re.compile(r"(\d{1,19})(?:-(\d{1,19}))?", re.ASCII)
_NUMBER = re.compile(r"\d{1,19}", re.ASCII)

Checker = Callable[[Told], bool]
"""Whether an event may be sent."""


@dataclass(slots=True, eq=False)
class Subscription:
    """One reader of a topic. ``position`` is the number of the last event that it has behind it.

    ``over`` says why nothing more will come; "" as long as something may. ``check`` is asked before an event is told.
    """

    world: World
    rule: StreamRule
    scope: Scope
    topic: str
    collection: Collection | None
    row: Row
    position: int = 0
    bounded: bool = False
    over: str = ""
    check: Checker | None = None
    count: int = 0
    era: int = field(init=False)
    opened: int = field(init=False)
    _first: list[Told] = field(default_factory=list)
    _idle: int = field(init=False)
    _waiting: bool = field(init=False)
    _key: str = field(init=False)

    def __post_init__(self) -> None:
        """Begin now."""
        self.era, self.opened = self.world.era, self.world.instant
        self._idle = self.opened
        self._waiting = self.world.store.span(self.topic)[1] == 0
        self._key = str(self.row[self.collection.id_field]) if self.collection and self.row else ""

    def take(self, most: int = MOST) -> list[Told]:
        """What is to be told by now, in order, at most so many; the next call goes on."""
        told: list[Told] = []
        while self._first:
            self._say(self._first.pop(0), told)
        if not self.over and self.world.era != self.era:
            self.over = RESET
        elif not self.over and self._follow(told, most) and not self.over:
            if self.bounded:
                self.over = BOUNDED
            else:
                self._pass_time(told, self.world.instant, most)
        return told

    def due(self) -> int | None:
        """The instant at which there is something to say even if nothing happens; ``None`` if there is none."""
        rule = self.rule
        dues = [self._idle + rule.heartbeat.span] if rule.heartbeat else []
        if rule.lasts:
            dues.append(self.opened + rule.lasts.span)
        if rule.wait and self._waiting:
            dues.append(self.opened + rule.wait.span)
        return min(dues, default=None)

    def _follow(self, told: list[Told], most: int) -> bool:
        """Tell the events of the log; whether its end was reached."""
        store = self.world.store
        if self.position < store.span(self.topic)[0] - 1:
            self.over = BEHIND
            return False
        while not self.over and len(told) < most:
            wanted = most - len(told)
            events = store.events(self.topic, self.position, wanted)
            for event in events:
                if not self._pass_time(told, event.instant, most) or len(told) >= most:
                    return False
                self._tell(event, told)
                if self.over:
                    return False
            if len(events) < wanted:
                return not self.over
        return False

    def _pass_time(self, told: list[Told], until: int, most: int) -> bool:
        """Say what falls due until an instant; whether the reader is there then, and not over or full."""
        rule = self.rule
        while (due := self.due()) is not None and due <= until:
            if len(told) >= most:
                return False
            for pause, armed in ((rule.lasts, True), (rule.wait, self._waiting)):
                if pause and armed and due == self.opened + pause.span:
                    self._say(pause.say.told(self.scope, ends=True), told)
                    return False
            assert rule.heartbeat is not None
            self._say(rule.heartbeat.say.told(self.scope, beat=True), told)
            self._idle = due
        return not self.over

    def _tell(self, event: Event, told: list[Told]) -> None:
        self.position, self._waiting = event.number, False
        one = self._worded(event)
        if one is None:
            return
        if one.data is not None or one.event or one.comment:
            self._idle = max(self._idle, event.instant)
            self._say(one, told)
        elif one.ends:
            self.over = ENDED

    def _worded(self, event: Event) -> Told | None:
        """The event in the stream's words; kept for other readers if they are told the same."""
        if not self.rule.shared:
            return self._word(event)
        frames, key = self.world.frames, (id(self.rule), self.topic, event.number)
        if key not in frames:
            if len(frames) >= MOST_FRAMES:
                frames.clear()
            frames[key] = self._word(event)
        known: Told | None = frames[key]
        return known

    def _word(self, event: Event) -> Told | None:
        row = event.data.get("row") if isinstance(event.data, dict) else None
        row = self.row if row is None else row
        scope = self._scope(row)
        at = format_instant(event.instant, self.world.rules.precision)
        scope["event"] = {"number": event.number, "kind": event.kind, "at": at, "data": event.data}
        telling = self.rule.find(scope, event, row)
        if telling is None:
            return None
        ends = telling.ends is not None and telling.ends.holds(scope, row)
        one = telling.say.told(scope, ends=ends) if telling.say else Told(ends=ends)
        if telling.identified and telling.say:
            one.id = self.rule.identify(event, self._key)
        return one

    def _scope(self, row: Row) -> Scope:
        scope = {**self.scope, **self.world.scope(), "row": row}
        if not self.rule.shared and self.collection and row:
            scope["response.body"] = show(self.world, self.collection, row, scope)
        return scope

    def _say(self, one: Told, told: list[Told]) -> None:
        if self.check and one.data is not None and not self.check(one):
            self.over = BROKEN
            return
        told.append(one)
        self.count += not one.beat
        if one.ends:
            self.over = ENDED

    def begin(self, *, resumed: bool) -> None:
        """Prepare what is told first: how soon to come back, and to those who did not resume what is now."""
        rule = self.rule
        if rule.retry is not None:
            self._first.append(Told(retry=rule.retry, beat=True))
        oldest, newest = self.world.store.span(self.topic)
        last = self.world.store.events(self.topic, newest - 1, 1) if newest >= oldest and newest else []
        if rule.now and rule.now.say and not resumed:
            scope = self._scope(self.row)
            ends = rule.now.ends is not None and rule.now.ends.holds(scope, self.row)
            one = rule.now.say.told(scope, ends=ends)
            if rule.now.identified and last:
                one.id = rule.identify(last[0], self._key)
            self._first.append(one)
        if last and self.position >= newest:
            ending = self._word(last[0])
            if ending and ending.ends and not (self._first and self._first[-1].ends):
                self._end_after_first()

    def _end_after_first(self) -> None:
        if self._first:
            self._first[-1].ends = True
        else:
            self.over = ENDED


def subscribe(world: World, rule: StreamRule, scope: Scope, collection: Collection | None, row: Row) -> Subscription:
    """Open a stream where the request wants to begin. Raises ``Refusal`` if that point is none, or no longer kept."""
    scope = {**scope, "row": row}
    reader = Subscription(world, rule, scope, str(rule.topic(scope)), collection, row, bounded=rule.bounded)
    oldest, newest = world.store.span(reader.topic)
    resume = rule.resume(scope) if rule.ids != "none" else None
    if not resume:
        reader.position = newest if rule.begin(scope) == "end" else oldest - 1
        reader.begin(resumed=False)
        return reader
    found = position_of(world, rule, reader.topic, str(resume))
    if found is None and isinstance(rule.bad_id, Saying):
        reader._first.append(rule.bad_id.told(scope, ends=True))  # noqa: SLF001 - the reader is being made here
        return reader
    if found is None:
        raise Refusal(str(rule.bad_id), f"{str(resume)[:60]!r} is no event of this stream")
    if rule.gone and not oldest - 1 <= found <= newest:
        kept = f"it keeps {oldest} to {newest}" if newest >= oldest else "it keeps nothing"
        raise Refusal(rule.gone, f"the log cannot go on after event {found}: {kept}. Begin again without an id")
    reader.position = min(max(found, oldest - 1), newest)
    reader.begin(resumed=True)
    return reader


def row_of(rule: StreamRule, scope: Scope) -> str:
    """The row that a request goes on with instead of making one; "" if it does not. Raises ``Refusal`` for what is no id."""
    resume = rule.resume(scope) if rule.ids == "row" else None
    key = str(resume).rpartition(":")[0] if resume else ""
    if resume and not key and isinstance(rule.bad_id, str):
        raise Refusal(rule.bad_id, f"{str(resume)[:60]!r} is no event of this stream")
    return key


def position_of(world: World, rule: StreamRule, topic: str, text: str) -> int | None:
    """The number of the event that an id stands for, or of the last one before it; ``None`` if it is no id."""
    if rule.ids == "time":
        found = _MOMENT.fullmatch(text)
        return _before(world, topic, (int(found[1]), int(found[2] or 0))) if found else None
    number = text.rpartition(":")[2] if rule.ids == "row" else text
    return int(number) if _NUMBER.fullmatch(number) else None


def _before(world: World, topic: str, moment: tuple[int, int]) -> int:
    """The number of the last event at or before a moment, found by halves; 0 if that is before all that is kept."""
    oldest, newest = world.store.span(topic)
    low, high = oldest - 1, newest
    while low < high:
        middle = (low + high + 1) // 2
        if world.store.events(topic, middle - 1, 1)[0].moment <= moment:
            low = middle
        else:
            high = middle - 1
    return 0 if low < oldest and moment != (0, 0) else low
