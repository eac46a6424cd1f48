"""The twin in process: the same pipeline as over HTTP, without sockets."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import RLock
from types import TracebackType
from typing import Self, get_args
from urllib.parse import urlencode, urlsplit

from tasktwin.behaviour.rules import LimitMode
from tasktwin.behaviour.world import Fired, World
from tasktwin.behaviour.worlds import Plan, Worlds
from tasktwin.errors import MisuseError
from tasktwin.exchange.exchange import Exchange
from tasktwin.exchange.pipeline import Pipeline, Responses
from tasktwin.provider import Provider, load
from tasktwin.state import Journal, Row, parse_instant
from tasktwin.wire import Json, dumps, loads


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: ``status``, lower-case ``headers``, the body as ``content`` and, if it is JSON, by ``json()``."""

    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Json:
        """The body as a value. Raises ``ValueError`` if it is not JSON."""
        return loads(self.content)


class Twin:
    """One API in one world, for a ``with`` statement or for as long as you hold it. Safe to share between threads.

    ``provider`` is a ``Provider``, a bundled name or a folder; ``now`` an ISO 8601 time; ``clock`` is ``real``,
    ``frozen`` or ``xN``; ``limits`` ``on`` lets rate limits refuse. Raises ``DataError`` or ``MisuseError`` like ``load`` and the control plane.
    """

    def __init__(
        self,
        provider: Provider | str,
        *,
        seeds: str = "default",
        seed: int = 0,
        now: str | None = None,
        clock: str = "real",
        responses: Responses = "strict",
        limits: LimitMode = "count",
    ) -> None:
        self.provider = load(provider) if isinstance(provider, str) else provider
        self._lock = RLock()
        self._pipeline = Pipeline(self.provider.rules, responses)
        if responses not in get_args(Responses):
            raise MisuseError(f"responses are {' or '.join(get_args(Responses))}, not {responses!r}")
        if limits not in get_args(LimitMode):
            raise MisuseError(f"limits are {' or '.join(get_args(LimitMode))}, not {limits!r}")
        try:
            instant = parse_instant(now) if now else None
        except ValueError as error:
            raise MisuseError(f"now: {error}") from None
        self.world: World = Worlds(
            self.provider.rules, self.provider.seeds, Plan(seeds, seed, instant, clock, limits=limits)
        ).get()

    def __enter__(self) -> Self:
        """The twin itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing needs closing."""

    @property
    def journal(self) -> Journal:
        """What was asked and answered."""
        return self.world.journal

    def request(
        self,
        method: str,
        url: str,
        *,
        json: Json = None,
        content: bytes = b"",
        params: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        as_: str = "",
    ) -> Answer:
        """Send a request. ``as_`` is a demo principal, whose headers are added. Raises ``MisuseError`` if unknown.

        A stream is read to the present end of its log. Raises ``ConnectionAbortedError`` where a fault cuts the
        connection.
        """
        path, given = _split(url)
        query = "&".join(filter(None, (given, urlencode(params or {}, doseq=True))))
        sent = {name.lower(): value for name, value in {**self._headers(as_), **(headers or {})}.items()}
        if json is not None:
            content, sent = dumps(json), {"content-type": "application/json", **sent}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
        with self._lock:
            exchange = Exchange(self.world, method.upper(), path, query.encode(), raw, content)
            exchange.too_large = len(content) > self.provider.rules.limit
            exchange.wishes["stream"] = "bounded"
            while self._pipeline.answer(exchange):
                pass  # in process nobody waits
            if exchange.stream:
                self._pipeline.collect(exchange)
        if exchange.cut is not None:
            raise ConnectionAbortedError(exchange.reason)
        answered = {
            "content-type": exchange.media,
            "tasktwin-reason": exchange.reason,
            "tasktwin-world": self.world.name,
        }
        return Answer(exchange.status, {**answered, **dict(exchange.extra)}, exchange.answer)

    def read(self, collection: str, key: str) -> Row | None:
        """A row as it is kept."""
        with self._lock:
            self.world.tick()
            return self.world.read(collection, key)

    def advance(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> list[Fired]:
        """Move the clock forward; the timers that fired."""
        with self._lock:
            return self.world.advance(seconds + 60 * minutes + 3_600 * hours + 86_400 * days)

    def trigger(self, name: str, key: str, collection: str = "") -> Row:
        """Fire a lifecycle's trigger on a row."""
        with self._lock:
            return self.world.trigger(name, key, collection)

    def reset(self) -> None:
        """Back to the beginning."""
        with self._lock:
            self.world.begin_again()

    def _headers(self, name: str) -> Mapping[str, str]:
        if not name:
            return {}
        principals = self.provider.rules.principals
        if name not in principals:
            raise MisuseError(f"there is no demo principal {name!r}; there are {', '.join(principals)}")
        return principals[name].headers


def _split(url: str) -> tuple[str, str]:
    """Path and query, as they would be sent: what begins with ``/`` is a path, even if it begins with ``//``."""
    if url.startswith("/"):
        path, _, query = url.partition("#")[0].partition("?")
        return path, query
    parts = urlsplit(url)
    return parts.path or "/", parts.query
