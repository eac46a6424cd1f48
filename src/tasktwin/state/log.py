"""Events in memory: a numbered log per topic, bounded in length and in topics; copied on write like tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from tasktwin.state.store import Event
from tasktwin.wire import Json

Bounds: TypeAlias = tuple[int, int]
"""How many events a topic keeps, and how many topics keep events; both at least 1."""


@dataclass(slots=True)
class Topic:
    """The kept events of a topic by number. ``touched`` orders topics by their last write, ``last`` is its newest event."""

    era: object
    oldest: int
    newest: int
    touched: int
    events: dict[int, Event]
    last: Event | None = None

    def copy(self, era: object) -> "Topic":
        """A topic of another era that can be changed without changing this one."""
        return Topic(era, self.oldest, self.newest, self.touched, self.events.copy(), self.last)


class Written(NamedTuple):
    """What one append did, for undoing it: the event, what fell out, and how the topic ended before."""

    event: Event
    fallen: Sequence[Event]
    retired: Sequence[tuple[str, Topic]]
    touched: int
    last: Event | None


class Log:
    """All topics. ``retired`` ones lost their events to the limit on topics; their numbers go on where they were."""

    __slots__ = ("era", "retired", "topics", "writes")

    def __init__(self, era: object) -> None:
        self.era = era
        self.topics: dict[str, Topic] = {}
        self.retired: dict[str, Event] = {}
        self.writes = 0

    def copy(self, era: object) -> "Log":
        """A log of another era; its topics are copied when they are written."""
        twin = Log(era)
        twin.topics, twin.retired, twin.writes = self.topics.copy(), self.retired.copy(), self.writes
        return twin

    def append(self, name: str, instant: int, kind: str, data: Json, bounds: Bounds) -> Written:
        """Write an event and drop what no longer fits: the topic's oldest events, the topics longest not written."""
        event_limit, topic_limit = bounds
        topic = self._writable(name)
        touched, last, number = topic.touched, topic.last, topic.newest + 1
        serial = last.serial + 1 if last and last.instant // 1000 == instant // 1000 else 0
        event = Event(name, number, instant, kind, data, serial)
        topic.events[number] = topic.last = event
        topic.newest = number
        self.writes = topic.touched = self.writes + 1
        fallen: Sequence[Event] = ()
        if number - topic.oldest >= event_limit:
            fallen = [topic.events.pop(each) for each in range(topic.oldest, number - event_limit + 1)]
            topic.oldest += len(fallen)
        retired = self._retire(topic_limit) if len(self.topics) > topic_limit else ()
        return Written(event, fallen, retired, touched, last)

    def undo(self, written: Written) -> None:
        """Be as before that append, which must be the last one that was not undone."""
        for name, topic in written.retired:
            self.topics[name] = topic
            del self.retired[name]
        name = written.event.topic
        topic = self._writable(name)
        del topic.events[topic.newest]
        topic.newest -= 1
        topic.events.update((event.number, event) for event in written.fallen)
        topic.oldest -= len(written.fallen)
        topic.touched, topic.last = written.touched, written.last
        if not topic.events:
            del self.topics[name]
            if topic.last:
                self.retired[name] = topic.last

    def read(self, name: str, after: int, limit: int | None) -> list[Event]:
        """A slice of a topic; see ``Store.events``."""
        topic = self.topics.get(name)
        if topic is None:
            return []
        numbers = range(max(after + 1, topic.oldest), topic.newest + 1)
        return [topic.events[number] for number in numbers[:limit]]

    def bounds(self) -> dict[str, tuple[int, int]]:
        """The oldest and the newest number of each topic; see ``Store.topics``."""
        spans = {name: (topic.oldest, topic.newest) for name, topic in self.topics.items()}
        spans |= {name: (last.number + 1, last.number) for name, last in self.retired.items()}
        return dict(sorted(spans.items()))

    def span(self, name: str) -> tuple[int, int]:
        """The oldest and the newest number of one topic; see ``Store.span``."""
        topic = self.topics.get(name)
        if topic:
            return topic.oldest, topic.newest
        last = self.retired.get(name)
        return (last.number + 1, last.number) if last else (1, 0)

    def _writable(self, name: str) -> Topic:
        topic = self.topics.get(name)
        if topic is None:
            last = self.retired.pop(name, None)
            newest = last.number if last else 0
            topic = self.topics[name] = Topic(self.era, newest + 1, newest, 0, {}, last)
        elif topic.era is not self.era:
            topic = self.topics[name] = topic.copy(self.era)
        return topic

    def _retire(self, topic_limit: int) -> list[tuple[str, Topic]]:
        # Several at once, because looking for the longest unwritten costs a scan. They mostly stand in order already.
        surplus = max(1 + topic_limit // 16, len(self.topics) - topic_limit)
        last = sorted([topic.touched for topic in self.topics.values()])[surplus - 1]
        oldest = [(name, topic) for name, topic in self.topics.items() if topic.touched <= last]
        for name, topic in oldest:
            del self.topics[name]
            if topic.last:
                self.retired[name] = topic.last._replace(data=None)
        return oldest
