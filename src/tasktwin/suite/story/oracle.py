"""The oracle: a twin's world in process, which says what a deployment should answer."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from tasktwin.behaviour.stream import Subscription
from tasktwin.behaviour.world import Fired, World
from tasktwin.behaviour.worlds import Plan, Worlds
from tasktwin.exchange.exchange import Exchange
from tasktwin.exchange.pipeline import Pipeline
from tasktwin.provider import Provider
from tasktwin.state import Row
from tasktwin.suite.target import altered
from tasktwin.suite.traffic import Request
from tasktwin.wire import Json, dumps

REFUSED = "refused: "


@dataclass(frozen=True, slots=True)
class Answer:
    """What should come back. ``kind`` is the kind of refusal, "" for a success.

    ``taken`` are the transitions (lifecycle, name) that it takes. ``modelled``: whether the twin knows the answer at all.
    """

    status: int
    media: str
    shape: Json
    headers: Mapping[str, str]
    reason: str
    kind: str
    taken: tuple[tuple[str, str], ...]
    operation: str
    modelled: bool
    events: tuple[Json, ...] = ()

    @property
    def good(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300


class Oracle:
    """One world that nobody else sees. Its time stands still but for ``pass_time``; limits are off."""

    def __init__(
        self, provider: Provider, now: int, seed: int = 0, seeds: str = "default", url: str = "http://localhost"
    ) -> None:
        self.provider = provider
        self.url = urlsplit(url)
        self._pipeline = Pipeline(provider.rules, "log")
        plan = Plan(seeds if seeds in provider.seeds else next(iter(provider.seeds)), seed, now, "frozen", 0)
        self._worlds = Worlds(provider.rules, provider.seeds, plan)
        self.world: World = self._worlds.get()
        self.world.limits = "off"

    @property
    def now(self) -> int:
        """Its time (µs)."""
        return self.world.clock.now()

    def until(self, instant: int) -> list[Fired]:
        """Let its time be this; what timers did on the way. Time that is over already stays."""
        ahead = instant - self.now
        return self.world.advance(ahead / 1_000_000) if ahead > 0 else []

    def next_due(self) -> int | None:
        """When the next timer goes off."""
        return self.world.store.next_due()

    @contextmanager
    def trying(self) -> Iterator[Self]:
        """Whatever happens inside is undone."""
        world = self.world
        saved, taken, clock = world.save(), world.taken.copy(), world.clock.copy()
        try:
            yield self
        finally:
            world.restore(saved)
            world.taken, world.clock = taken, clock

    def answer(self, request: Request) -> Answer:
        """What the deployment should answer to this, having taken it in."""
        return self._answered(self._exchange(request))[0]

    def listen(self, request: Request) -> tuple[Answer, Subscription | None]:
        """The same, and where a stream is answered, its reader: whatever happens later it will tell."""
        exchange = self._exchange(request)
        exchange.wishes.pop("stream")
        return self._answered(exchange)

    def _answered(self, exchange: Exchange) -> tuple[Answer, Subscription | None]:
        before = self.world.taken.copy()
        while self._pipeline.answer(exchange):
            pass  # in process nobody waits
        events: list[Json] = []
        stream = exchange.stream
        if stream and stream.bounded:
            while not stream.over:
                events += [told.value for told in stream.take() if told.data is not None and not told.beat]
            self._pipeline.close(exchange, stream.over, 0.0)
        taken = tuple((self.world.taken - before).elements())
        reason = "state" if stream else exchange.reason
        answer = Answer(
            exchange.status,
            exchange.media,
            exchange.shape,
            {name.lower(): value for name, value in exchange.extra},
            reason,
            reason.removeprefix(REFUSED) if reason.startswith(REFUSED) else "",
            taken,
            exchange.match.operation.id if exchange.match else "",
            exchange.status != 501 and reason not in {"not-modelled", "example", "defect", "response-breaks-contract"},
            tuple(events),
        )
        return answer, stream

    def row(self, collection: str, key: str) -> Row | None:
        """A row as it is kept."""
        return self.world.read(collection, key)

    def _exchange(self, request: Request) -> Exchange:
        path, _, query = request.path.partition("?")
        signed = altered({name: who.headers for name, who in self.provider.rules.principals.items()}, request.as_)
        sent = {"host": self.url.netloc}
        sent |= {name.lower(): value for name, value in {**request.headers, **signed}.items()}
        headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in sent.items()]
        exchange = Exchange(self.world, request.method, path, query.encode(), headers, request.body)
        exchange.scheme, exchange.prefix = self.url.scheme, self.url.path.rstrip("/")
        exchange.too_large = len(request.body) > self.provider.rules.limit
        exchange.wishes["stream"] = "bounded"
        return exchange


def as_body(value: Json) -> bytes:
    """A JSON value as it is sent."""
    return dumps(value)
