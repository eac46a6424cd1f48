"""The deployment. Every request to it goes through here: credentials, budget, rate, ``Retry-After``, what is recorded."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from tasktwin.errors import MisuseError, TasktwinError
from tasktwin.state import Clock, elapsed
from tasktwin.suite.budget import Budget, SpentError
from tasktwin.suite.traffic import Reply, Request, Sent

if TYPE_CHECKING:
    import httpx2

MOST_BODY = 4_194_304
"""Bytes that are read of an answer; of a longer one the rest is not taken."""

MOST_KEPT = 20_000
"""So many exchanges are remembered for the reports."""

PATIENCE = 10.0
"""Seconds within which a whole answer must be there."""

TOO_SLOW = "the answer did not end in time"

WORLD = "Tasktwin-World"
"""The header that chooses a world, of a target that offers them."""

WITHOUT = " without "
WRONG = " with a wrong "

TRIES = 4
"""So often a request is sent that is answered with 429 or 503 and a ``Retry-After``."""

LONGEST_WAIT = 30.0
"""Seconds that a ``Retry-After`` may ask for; one that asks for more is obeyed by giving up."""

STORM = 3
"""So many requests in a row that stay refused for their number end the run."""

LOST = 5
"""After so many requests in a row without an answer the target is asked something plain: is it gone?"""

LISTENS = 2.0
"""Seconds for which an event stream is read that is left open; of an operation whose streams were left before, less."""

GLANCE = 0.25
"""Seconds for which every stream is read, however many were left before."""


class UnreachableError(TasktwinError):
    """The target cannot be reached, or can no longer."""


@dataclass(slots=True)
class Callers:
    """The headers of each principal. ``secret``: they come from the user, and stand in no output.

    ``written`` is how a header's value is written where a person reads it: a shell variable in place of a secret.
    """

    headers: Mapping[str, Mapping[str, str]]
    secret: bool = False
    written: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def of(self, name: str) -> Mapping[str, str]:
        """The headers of a principal as they are sent; see ``altered``."""
        return altered(self.headers, name)

    def shown(self, name: str) -> Mapping[str, str]:
        """The headers of a principal as they may be printed."""
        return altered(self.written if self.secret else self.headers, name)

    def redact(self, text: str) -> str:
        """A text without any of the secrets."""
        if not self.secret:
            return text
        for headers in self.headers.values():
            for value in headers.values():
                for part in (value, value.rpartition(" ")[2]):
                    if len(part) >= 6:
                        text = text.replace(part, "[redacted]")
        return text


def altered(headers: Mapping[str, Mapping[str, str]], name: str) -> Mapping[str, str]:
    """The headers of a principal; of ``NAME without HEADER`` all but that one, of ``NAME with a wrong HEADER`` that spoilt."""
    who, without, header = name.partition(WITHOUT)
    if without:
        return {key: value for key, value in headers.get(who, {}).items() if key != header}
    who, wrong, header = name.partition(WRONG)
    own = headers.get(who, {})
    return {key: f"{value}0" if key == header else value for key, value in own.items()} if wrong else own


class TargetClock(Protocol):
    """What a target offers that lets its time be moved."""

    def pass_time(self, seconds: float) -> str:
        """Move it forward, and tell ``Target.shift``; "" when it did, else why it cannot."""

    def own_world(self, name: str, now: int) -> AbstractContextManager[bool]:
        """What is sent meanwhile goes to a new world in which it is ``now`` (µs); whether there is one."""


class Target:
    """A deployment under ``url``. Safe to use from several threads.

    ``may_send`` says whether a request may be sent; others raise ``MisuseError``: whoever plans one asks first.
    ``observers`` are told of each exchange, ``waits`` of each wait that the target asks for: seconds, and why. ``beats``
    are the seconds between the signs of life of an operation's stream, where they are known. ``passed`` counts the seconds
    that were let pass.
    """

    def __init__(
        self,
        url: str,
        callers: Callers,
        budget: Budget,
        may_send: Callable[[Request], bool] = lambda _request: True,
        patience: float = PATIENCE,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise MisuseError(f"{url!r} is no URL of a deployment: it begins with http:// or https://")
        self.url = url.rstrip("/")
        self.callers = callers
        self.budget = budget
        self.may_send = may_send
        self.patience = patience
        self.phase = ""
        self.observers: list[Callable[[Sent], None]] = []
        self.waits: Callable[[float, str], None] = lambda _seconds, _why: None
        self.beats: Mapping[str, float] = {}
        self.traffic: deque[Sent] = deque(maxlen=MOST_KEPT)
        self.sent = 0
        self.stopped = threading.Event()
        self.clock: TargetClock | None = None
        self.world = ""
        self._lost = self._storm = 0
        self._plain = Request("GET", "/")
        self._left: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._clock = Clock()
        self._shift = 0
        self.passed = 0.0
        self.client = self._open()

    def _open(self) -> "httpx2.Client":
        import httpx2  # noqa: PLC0415 - heavy

        limits = httpx2.Limits(max_connections=64, max_keepalive_connections=16)
        timeout = httpx2.Timeout(self.patience, connect=min(5.0, self.patience))
        return httpx2.Client(timeout=timeout, limits=limits, follow_redirects=False, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self.client.close()

    def now(self) -> int:
        """The target's time (µs), as far as it is known: ours, and by how much it is known to be ahead."""
        return self._clock.now() + self._shift

    @property
    def ahead(self) -> int:
        """Microseconds by which the target's clock is taken to be ahead of ours."""
        return self._shift

    def shift(self, microseconds: int) -> None:
        """The target's clock is known to be ahead of ours by so much more."""
        self._shift += microseconds

    @property
    def has_clock(self) -> bool:
        """Whether the target lets its clock be moved."""
        return self.clock is not None

    def pass_time(self, seconds: float) -> bool:
        """Let time pass on the target, by its own clock if it offers one, else really; whether it did.

        What really takes longer than the budget has left, or than ``LONGEST_WAIT``, is not waited for.
        """
        if self.clock is not None:
            has_passed = not self.clock.pass_time(seconds)
        else:
            has_passed = seconds <= min(LONGEST_WAIT, self.budget.left)
            if has_passed:
                self.stopped.wait(seconds)
        self.passed += max(0.0, seconds) * has_passed
        return has_passed

    def send(self, request: Request, patience: float | None = None, *, obeys: bool = True) -> Reply:
        """Send a request and wait for its whole answer. Who ``obeys`` sends it again when it was told to wait.

        Raises ``SpentError`` when the budget is spent, ``UnreachableError`` when the target is gone, ``MisuseError``
        for a request that is not allowed.
        """
        if not self.may_send(request):
            raise MisuseError(f"{request.operation or request.method} writes, and was not allowed")
        for attempt in range(TRIES):
            self.budget.take()
            reply = self._once(request, patience or self.patience)
            self._record(request, reply)
            wait = reply.wait
            if wait is None or not obeys:
                self._storm = 0
                return reply
            if wait > min(LONGEST_WAIT, self.budget.left) or attempt == TRIES - 1:
                break
            if wait:
                self.waits(wait, _why(request, reply))
            self.stopped.wait(wait)
        self._storm += 1
        if self._storm >= STORM:
            raise SpentError(f"the target keeps refusing with {reply.status} and asks to wait {reply.wait:g} s")
        return reply

    @contextmanager
    def open(self, request: Request, patience: float | None = None) -> Iterator["httpx2.Response"]:
        """An answer that is read piece by piece: a stream. Raises like ``send``."""
        if not self.may_send(request):
            raise MisuseError(f"{request.operation or request.method} writes, and was not allowed")
        import httpx2  # noqa: PLC0415 - heavy

        self.budget.take()
        timeout = httpx2.Timeout(patience or self.patience)
        with self.client.stream(
            request.method, self.url + request.path, headers=self.wired(request), content=request.body, timeout=timeout
        ) as response:
            yield response

    def wired(self, request: Request) -> dict[str, str]:
        """The headers as they are sent, credentials included."""
        own = self.callers.of(request.as_)
        world = {WORLD: self.world} if self.world else {}
        return {"accept": "*/*", "accept-encoding": "gzip", "user-agent": "tasktwin", **world, **request.headers, **own}

    def record(self, request: Request, reply: Reply) -> None:
        """Remember an exchange that was not sent by ``send``."""
        self._record(request, reply)

    def _once(self, request: Request, patience: float) -> Reply:
        import httpx2  # noqa: PLC0415 - heavy

        began = elapsed()
        try:
            with self.client.stream(
                request.method, self.url + request.path, headers=self.wired(request), content=request.body
            ) as response:
                self._lost = 0
                headers = {name.lower(): value for name, value in response.headers.items()}
                reply = Reply(response.status_code, headers)
                if reply.streams:
                    body, problem = self._listen(request, response, began + patience)
                else:
                    body, problem = _read(response, began + patience)
                reply = replace(reply, body=body, seconds=elapsed() - began, at=self.now(), problem=problem)
                reply = replace(reply, cut=bool(problem))
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise self._gone(error) from error
        except httpx2.HTTPError as error:
            return self._unanswered(error, began)
        except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
            raise MisuseError(f"{request.method} {request.path[:200]!r} cannot be sent: {error}") from error
        if request.method == "GET" and not reply.cut:
            self._plain = request
        return reply

    def _listen(self, request: Request, response: "httpx2.Response", until: float) -> tuple[bytes, str]:
        """A stream, read until it ends or was listened to for long enough: nobody knows whether it ever will end.

        The more streams of an operation were left open, the shorter the next is listened to: their number has no bound.
        """
        most = min(LISTENS, self.beats.get(request.operation, LISTENS)) / (self._left[request.operation] + 1)
        seconds = min(max(most, GLANCE), until - elapsed())
        response.request.extensions["timeout"]["read"] = max(seconds, 0.01)
        body, problem = _read(response, elapsed() + seconds)
        if problem != TOO_SLOW:
            return body, problem
        self._left[request.operation] += 1
        return body, f"it is an open stream, left after {seconds:.1f} s"

    def _gone(self, error: Exception) -> UnreachableError:
        return UnreachableError(f"{self.url} cannot be reached: {error or type(error).__name__}")

    def _unanswered(self, error: Exception, began: float) -> Reply:
        self._lost += 1
        if self._lost >= LOST:
            if not self._answers():
                raise UnreachableError(
                    f"{self.url} gave no answer to {LOST} requests in a row: {type(error).__name__}"
                ) from error
            self._lost = 0
        return Reply(0, {}, b"", elapsed() - began, self.now(), cut=True, problem=f"no answer: {type(error).__name__}")

    def _answers(self) -> bool:
        """Whether the target still answers something plain: what it answered before, or its root. Raises ``SpentError``."""
        import httpx2  # noqa: PLC0415 - heavy

        for request in dict.fromkeys((self._plain.path, "/")):
            self.budget.take()
            try:
                with self.client.stream("GET", self.url + request, headers=self.wired(self._plain)):
                    return True
            except httpx2.HTTPError:
                continue
        return False

    def _record(self, request: Request, reply: Reply) -> None:
        with self._lock:
            self.sent += 1
            sent = Sent(self.sent, self.phase, request, reply, self.now() - round(reply.seconds * 1_000_000))
            self.traffic.append(sent)
        for observe in self.observers:
            observe(sent)


def _read(response: "httpx2.Response", until: float) -> tuple[bytes, str]:
    """The body, and what kept it from being read whole."""
    import httpx2  # noqa: PLC0415 - heavy

    parts: list[bytes] = []
    size = 0
    try:
        for chunk in response.iter_bytes():
            parts.append(chunk)
            size += len(chunk)
            if size > MOST_BODY:
                return b"".join(parts)[:MOST_BODY], f"the answer is larger than {MOST_BODY // 1_048_576} MiB"
            if elapsed() > until:
                return b"".join(parts), TOO_SLOW
    except httpx2.ReadTimeout:
        return b"".join(parts), TOO_SLOW
    except httpx2.HTTPError as error:
        return b"".join(parts), f"the answer broke off: {error or type(error).__name__}"
    return b"".join(parts), ""


def _why(request: Request, reply: Reply) -> str:
    """Why one waits before a request is sent again."""
    said = reply.headers.get("retry-after", "").strip()
    asks = f"Retry-After: {said[:40]}" if said else "no Retry-After"
    return f"{request.operation or request.method} is answered with {reply.status} and {asks}"
