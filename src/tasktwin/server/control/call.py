"""One request to the control plane, as its routes see it, and how they answer."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from starlette.requests import Request
from starlette.responses import Response

from tasktwin.behaviour.rules import Rules
from tasktwin.behaviour.sign_in import recognise
from tasktwin.behaviour.world import World
from tasktwin.behaviour.worlds import Worlds
from tasktwin.contract import Reading
from tasktwin.exchange.pipeline import Pipeline
from tasktwin.server.stream import Hub
from tasktwin.state import parse_instant
from tasktwin.wire import Json, dumps


class ProblemError(Exception):
    """An answer that is a problem."""

    def __init__(self, status: int, detail: str, headers: dict[str, str] | None = None, **more: Json) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers
        self.more = more


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was matched and read. ``name`` is the world's; ``acted_on`` is it, but for routes that act on none."""

    request: Request
    read: Reading
    name: str
    acted_on: World | None
    worlds: Worlds
    pipeline: Pipeline
    hub: Hub
    prefix: str

    @property
    def world(self) -> World:
        """The world that the request acts on."""
        assert self.acted_on is not None
        return self.acted_on

    @property
    def rules(self) -> Rules:
        """The provider's rules."""
        return self.pipeline.rules

    @property
    def origin(self) -> str:
        """Scheme, host and prefix under which the client reached the provider."""
        return f"{self.request.url.scheme}://{self.request.url.netloc}{self.prefix}"

    def who_is(self, demo: str) -> dict[str, Json]:
        """Who signs in with a demo caller's headers, in this world. Raises ``Refusal`` if they are not known here."""
        headers, schemes = self.rules.principals[demo].headers, self.rules.contract.schemes
        raw = [(header.lower().encode(), value.encode("latin-1")) for header, value in headers.items()]
        return recognise(self.world, lambda place: schemes[place].credential(b"", raw) if place in schemes else None)


Handler = Callable[[Call], Response]


def answer(status: int, body: Json) -> Response:
    """A JSON answer, which ends its line as a shell wants it."""
    return Response(dumps(body) + b"\n", status, media_type="application/json")


def problem(status: int, detail: str, headers: dict[str, str] | None = None, **more: Json) -> Response:
    """An RFC 9457 problem."""
    body = {"type": "urn:tasktwin:control", "title": "control plane", "status": status, "detail": detail, **more}
    return Response(dumps(body) + b"\n", status, headers, media_type="application/problem+json")


def read_instant(text: str) -> int:
    """An instant. Raises ``ProblemError``."""
    try:
        return parse_instant(text)
    except ValueError as error:
        raise ProblemError(400, str(error)) from None


def free_name(stem: str, known: int, find: Callable[[str], object]) -> str:
    """``stem-N`` with the first number after those that are ``known`` which nothing has yet."""
    return next(name for number in count(known + 1) if not find(name := f"{stem}-{number}"))
