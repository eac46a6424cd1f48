"""An exchange while it passes: what is known of it so far."""

from dataclasses import dataclass, field

from tasktwin.state import elapsed
from tasktwin.suite.proxy.events import EventReader
from tasktwin.suite.proxy.head import Headers, line
from tasktwin.suite.proxy.judgement import Passed
from tasktwin.suite.proxy.kept import Copy, Inflater


@dataclass(slots=True)
class Passing:
    """An exchange while it passes. ``left``: the client did not wait for the end."""

    method: str
    path: str
    query: bytes
    headers: Headers
    sent: Copy
    told: Copy
    status: int = 0
    answer: Headers = ()
    problem: str = ""
    left: bool = False
    listening: "Listening | None" = None
    began: float = field(default_factory=elapsed)

    def passed(self) -> Passed:
        """The exchange as a value, when it is over."""
        body = self.sent.body(line(self.headers, b"content-encoding").decode("latin-1"))
        answer = None if self.problem else self.told.body(line(self.answer, b"content-encoding").decode("latin-1"))
        seconds = elapsed() - self.began
        return Passed(
            self.method,
            self.path,
            self.query,
            self.headers,
            body,
            self.status,
            self.answer,
            answer,
            seconds,
            self.problem,
        )


@dataclass(slots=True)
class Listening:
    """A stream while it passes. ``operation`` is "" where there is nothing to hold its events against."""

    passed: Passed
    operation: str
    inflater: Inflater | None
    reader: EventReader = field(default_factory=EventReader)
    lost: bool = False
