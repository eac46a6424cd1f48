"""A stream of server-sent events, read as far as a step wishes (WHATWG HTML §9.2)."""

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tasktwin.provider.scenario import StreamWish
from tasktwin.state import elapsed
from tasktwin.suite.scenario.scope import as_value
from tasktwin.suite.target import MOST_BODY, Target, UnreachableError
from tasktwin.suite.traffic import Reply, Request
from tasktwin.wire import Json

if TYPE_CHECKING:
    import httpx2

PATIENCE: Final = 60.0
"""Seconds within which the events that a step wishes for must have come."""

MEDIA: Final = "text/event-stream"

_LINE: Final = re.compile(r"\r\n|\r(?!\Z)|\n")
"""A CR at the very end may be the first half of a CRLF: it waits for what follows."""


def read(target: Target, request: Request, wish: StreamWish) -> tuple[Reply, Json]:
    """The answer as far as it was read, and its events: ``[{"id", "event", "data"}]``; another body as a value.

    Raises ``SpentError`` and ``UnreachableError``.
    """
    import httpx2  # noqa: PLC0415 - heavy

    began, patience = elapsed(), min(PATIENCE, target.budget.left)
    status, headers, problem, parts, events = 0, dict[str, str](), "", list[bytes](), Events()
    try:
        with target.open(request, min(patience, 2 * target.patience)) as response:
            status, headers = response.status_code, {name.lower(): text for name, text in response.headers.items()}
            for piece, problem in _pieces(response, began + patience):
                parts.append(piece)
                if _is_stream(headers):
                    events.take(piece)
                if problem or is_enough(events.all, wish):
                    break
    except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
        raise UnreachableError(f"{target.url} cannot be reached: {error or type(error).__name__}") from error
    except httpx2.HTTPError as error:
        problem = f"the stream broke off: {type(error).__name__}"
    body = b"".join(parts)
    reply = Reply(status, headers, body, elapsed() - began, target.now(), bool(problem), problem)
    target.record(request, reply)
    return reply, events.all if _is_stream(headers) else as_value(body)


class Events:
    """Takes a stream piece by piece, and holds the events that are whole, their data as JSON where it is that."""

    def __init__(self) -> None:
        self.all: list[dict[str, Json]] = []
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._rest = self._last = self._name = ""
        self._data: list[str] = []
        self._begun = False

    def take(self, piece: bytes) -> None:
        """Read on."""
        text = self._rest + self._decoder.decode(piece)
        if not self._begun and text:
            text, self._begun = text.removeprefix("\ufeff"), True
        *lines, self._rest = _LINE.split(text)
        for line in lines:
            self._line(line)

    def _line(self, line: str) -> None:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if self._data:
                data = as_value("\n".join(self._data).encode())
                self.all.append({"id": self._last, "event": self._name or "message", "data": data})
            self._name, self._data = "", []
        elif field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        elif field == "id" and "\0" not in value:
            self._last = value


def is_enough(events: list[dict[str, Json]], wish: StreamWish) -> bool:
    """Whether all came that the step wishes for."""
    if wish.events and len(events) >= wish.events:
        return True
    return bool(wish.until and events) and any(each["event"] == wish.until for each in events)


def _is_stream(headers: dict[str, str]) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == MEDIA


def _pieces(response: "httpx2.Response", until: float) -> Iterator[tuple[bytes, str]]:
    """The body in pieces, each with what keeps it from being read further."""
    size = 0
    for piece in response.iter_bytes():
        size += len(piece)
        if size > MOST_BODY:
            yield b"", f"the stream is longer than {MOST_BODY // 1_048_576} MiB"
            return
        yield piece, "" if elapsed() < until else "the events did not come in time"
