"""What goes over the wire: one request and the reply to it, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from tasktwin.state import Clock
from tasktwin.wire import Json, loads

NOBODY = ""
"""The caller who sends no credentials."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent. ``path`` is percent-encoded and has the query; ``as_`` names the principal whose credentials go with it.

    ``headers`` hold no credentials: those are added when it is sent, and never kept. ``operation`` is what it means.
    """

    method: str
    path: str
    as_: str = NOBODY
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    operation: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. ``headers`` have lower-case names. ``cut``: the connection ended before the answer did.

    ``status`` is 0 when nothing came back at all. ``at`` is when it was there (µs), by ``Target.now``.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    at: int = 0
    cut: bool = False
    problem: str = ""

    @property
    def media(self) -> str:
        """The Content-Type as it came; "" if there is none."""
        return self.headers.get("content-type", "")

    @property
    def is_json(self) -> bool:
        """Whether the media type says JSON."""
        return self.media.partition(";")[0].strip().lower().endswith(("/json", "+json"))

    @property
    def wait(self) -> float | None:
        """Seconds that it asks to wait before the request is sent again; ``None`` if it does not."""
        if self.status not in {429, 503}:
            return None
        said = self.headers.get("retry-after", "").strip()
        if said.isdecimal():
            return float(said)
        try:
            moment = parsedate_to_datetime(said).timestamp()
        except (ValueError, OverflowError):
            return 1.0 if self.status == 429 else None
        return max(0.0, moment - Clock().now() / 1_000_000)

    @property
    def streams(self) -> bool:
        """Whether it is a stream of events: left as it is open, it was read as far as one wished."""
        return self.media.partition(";")[0].strip().lower() == "text/event-stream"

    @property
    def good(self) -> bool:
        """Whether it is a success."""
        return 200 <= self.status < 300

    def json(self) -> Json:
        """The body as a value, ``None`` if it is none: what is not JSON is the contract's business."""
        try:
            return loads(self.body) if self.body else None
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Sent:
    """One exchange, as the reports show it. ``number`` counts from 1; ``phase`` is why it was sent."""

    number: int
    phase: str
    request: Request
    reply: Reply
    started: int
