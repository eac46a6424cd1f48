"""Reading a stream of server-sent events as it comes, and what is wrong with its lines (WHATWG HTML §9.2.5, §9.2.6).

Libraries for clients pass over what a client cannot use, as the standard tells them to; here that is what is looked for.
"""

import re
import socket
import threading
from codecs import getincrementaldecoder
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from tasktwin.contract.event import EVENT_STREAM
from tasktwin.errors import TasktwinError
from tasktwin.state import elapsed
from tasktwin.suite.target import MOST_BODY, Target, UnreachableError
from tasktwin.suite.traffic import Reply, Request
from tasktwin.wire import Json, loads

if TYPE_CHECKING:
    import httpx2

LONGEST: Final = 90.0
"""Seconds without a byte after which nobody listens any more."""

MOST_EVENTS: Final = 2_000
MOST_FLAWS: Final = 10

_LINE: Final = re.compile(r"\r\n|\r(?!\Z)|\n")
"""A CR at the very end may be the first half of a CRLF: it waits for what follows."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One event as a client takes it. ``id`` is that of its own line, "" without one; ``data`` as JSON if it is that."""

    event: str
    id: str
    data: Json

    @property
    def value(self) -> dict[str, Json]:
        """What the contract's event schema describes."""
        named = {} if self.event == "message" else {"event": self.event}
        return {**named, **({"id": self.id} if self.id else {}), "data": self.data}


class Frames:
    """Takes a stream piece by piece; ``heard`` are the whole events, ``flaws`` what clients must ignore."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.flaws: list[str] = []
        self.comments = 0
        self._decoder = getincrementaldecoder("utf-8")("strict")
        self._rest = self._id = self._name = ""
        self._data: list[str] = []
        self._begun = False

    def take(self, piece: bytes) -> None:
        """Read on."""
        try:
            text = self._decoder.decode(piece)
        except UnicodeDecodeError as error:
            self._flaw(f"it is not UTF-8: {error.reason}")
            self._decoder.reset()
            text = piece.decode("utf-8", "replace")
        text = self._rest + text
        if not self._begun and text:
            text, self._begun = text.removeprefix("\ufeff"), True
        *lines, self._rest = _LINE.split(text)
        for line in lines:
            self._line(line)

    def finish(self) -> None:
        """The stream is over: what is not whole is lost to every client."""
        if self._data or self._rest.strip("\r\n"):
            self._flaw("it ends within an event, which no client will see")

    def _line(self, line: str) -> None:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            self._dispatch()
        elif field == "event":
            self._name = value
        elif field == "data":
            self._data.append(value)
        elif field == "id" and "\0" not in value:
            self._id = value
        elif field == "id":
            self._flaw("an id has a NUL in it: clients ignore it")
        elif field == "retry":
            if not (value.isascii() and value.isdigit()):
                self._flaw(f"retry is {value[:40]!r}, no number: clients ignore it")
        elif not field:
            self.comments += 1
        else:
            self._flaw(f"a line begins with {field[:40]!r}, which is no field: clients ignore it")

    def _dispatch(self) -> None:
        if self._data and len(self.heard) < MOST_EVENTS:
            self.heard.append(Heard(self._name or "message", self._id, parsed("\n".join(self._data))))
        elif self._name and not self._data:
            self._flaw(f"an event {self._name[:40]!r} has no data: clients drop it")
        self._name, self._id, self._data = "", "", []

    def _flaw(self, text: str) -> None:
        if len(self.flaws) < MOST_FLAWS and text not in self.flaws:
            self.flaws.append(text)


class Reading:
    """One answer of the target, read in a thread of its own while other requests go on.

    Whoever waits for it has a deadline; ``close`` cuts the connection.
    """

    def __init__(self, target: Target, request: Request) -> None:
        self.request = request
        self.status = 0
        self.headers: dict[str, str] = {}
        self.problem = ""
        self.ended = False
        self.frames = Frames()
        self._target = target
        self._began = elapsed()
        self._parts: list[bytes] = []
        self._news = threading.Condition()
        self._error: TasktwinError | None = None
        self._stop: Callable[[], None] = lambda: None
        self._closed = False
        self._thread = threading.Thread(target=self._read, name="stream", daemon=True)
        self._thread.start()

    @property
    def streams(self) -> bool:
        """Whether what comes is a stream of events."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower() == EVENT_STREAM

    def wait(self, enough: Callable[[list[Heard]], bool], seconds: float) -> bool:
        """Until the events are enough, or it is over, or so much time has passed; whether they are enough.

        Raises ``SpentError`` and ``UnreachableError``.
        """
        until = elapsed() + seconds
        with self._news:
            while not enough(self.frames.heard) and not self.ended and (left := until - elapsed()) > 0:
                self._news.wait(left)
            if self._error:
                raise self._error
            return enough(self.frames.heard)

    def begin(self, seconds: float, rest: float = 1.0) -> bool:
        """Wait for the head of the answer, and a while for the whole of it if it is no stream; whether the head came."""
        self.wait(lambda _: bool(self.status), seconds)
        if self.status and not self.streams:
            self.wait(lambda _: False, rest if self.status >= 300 else min(rest, 0.2))
        return self.status != 0

    def end(self, seconds: float) -> bool:
        """Wait for the end; whether it came."""
        self.wait(lambda _: False, seconds)
        return self.ended

    def close(self) -> Reply:
        """Cut it off, if it is not over; what came of it."""
        with self._news:
            self._closed = True
            self._stop()
        self._thread.join(1.0)
        with self._news:
            body = b"".join(self._parts)
        reply = self.reply(body)
        self._target.record(self.request, reply)
        return reply

    def reply(self, body: bytes) -> Reply:
        """The answer as far as it came."""
        broken = bool(self.problem) or not self.status
        seconds = elapsed() - self._began
        problem = self.problem or ("" if self.status else "no answer")
        return Reply(self.status, self.headers, body, seconds, self._target.now(), broken, problem)

    def _read(self) -> None:
        import httpx2  # noqa: PLC0415 - heavy

        alone = replace(self.request, headers={**self.request.headers, "connection": "close"})  # it may be cut
        try:
            with self._target.open(alone, LONGEST) as response:
                self._begin(response)
                size = 0
                for piece in response.iter_bytes():
                    size += len(piece)
                    if size > MOST_BODY or self._closed:
                        break
                    self._take(piece)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            self._fail(UnreachableError(f"{self._target.url} cannot be reached: {error or type(error).__name__}"))
        except (httpx2.HTTPError, OSError) as error:
            self.problem = "" if self._closed else f"it broke off: {type(error).__name__}"
        except TasktwinError as error:
            self._fail(error)
        finally:
            self._end()

    def _begin(self, response: "httpx2.Response") -> None:
        wire = response.extensions.get("network_stream")
        link = wire.get_extra_info("socket") if wire else None
        with self._news:
            self.headers = {name.lower(): value for name, value in response.headers.items()}
            self.status = response.status_code
            if isinstance(link, socket.socket):
                self._stop = lambda: _shut(link)
            self._news.notify_all()

    def _take(self, piece: bytes) -> None:
        with self._news:
            self._parts.append(piece)
            if self.streams:
                self.frames.take(piece)
            self._news.notify_all()

    def _fail(self, error: TasktwinError) -> None:
        self._error = error

    def _end(self) -> None:
        with self._news:
            if self.streams and not self._closed:
                self.frames.finish()
            self.ended = True
            self._news.notify_all()


def parsed(text: str) -> Json:
    """A text as the JSON that it is, else as it is."""
    try:
        return loads(text.encode())
    except ValueError:
        return text


def _shut(link: socket.socket) -> None:
    try:
        link.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was faster
