"""The journal of a world as a stream: every exchange, as soon as it was answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.responses import Response

from tasktwin.behaviour.stream import BOUNDED, MOST, RESET
from tasktwin.behaviour.telling import Told
from tasktwin.behaviour.verb import EVENT_STREAM, UNBUFFERED
from tasktwin.behaviour.world import JOURNAL, World
from tasktwin.exchange.trouble import Trouble
from tasktwin.server.asgi import Receive, Scope, Send
from tasktwin.server.control.har import as_json
from tasktwin.server.stream import Hub, Link
from tasktwin.wire import Json


@dataclass(slots=True, eq=False)
class JournalFeed:
    """Reads on after entry ``position``. ``wanted`` are the journal's filters ``operation`` and ``status``."""

    world: World
    position: int
    wanted: Mapping[str, Json]
    bounded: bool = False
    topic: str = JOURNAL
    over: str = ""
    count: int = 0
    era: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin now."""
        self.era = self.world.journal.era

    def take(self) -> list[Told]:
        """The entries since the last call, at most 64; and a comment if some are no longer kept."""
        journal = self.world.journal
        if journal.era != self.era:
            self.over = RESET
            return []
        lost = journal.oldest - 1 - self.position
        told = [Told(comment=f"{lost} entries are no longer kept", beat=True)] if lost > 0 else []
        entries = journal.entries(**self.wanted, since=self.position, limit=MOST)
        self.position = entries[-1].number if len(entries) == MOST else journal.newest
        self.count += len(entries)
        if self.bounded and self.position == journal.newest:
            self.over = BOUNDED
        return told + [Told(as_json(each), id=str(each.number)) for each in entries]

    def due(self) -> None:
        """Nothing is said while nothing happens."""


class FeedResponse(Response):
    """Answers with a feed until it is over, or the client leaves."""

    def __init__(self, hub: Hub, feed: JournalFeed) -> None:
        super().__init__(media_type=EVENT_STREAM, headers=dict(UNBUFFERED))
        self.hub = hub
        self.feed = feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        heads = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        await send({"type": "http.response.start", "status": 200, "headers": heads})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        await self.hub.serve(self.feed, Trouble(None), Link(scope, receive, send), _say_nothing)


def _say_nothing(_why: str, _seconds: float) -> None:
    """The journal does not tell of its own readers."""
