"""Each request once, with the verdict on it: a user's last one stays open until its step was judged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tasktwin.errors import printable
from tasktwin.provider import Provider
from tasktwin.suite.command.judge import REFUSED
from tasktwin.suite.finding import Finding
from tasktwin.suite.scenario.verdict import RULE
from tasktwin.suite.story.compare import general
from tasktwin.suite.target import Callers
from tasktwin.suite.traffic import Request, Sent

LONGEST: Final = 240
"""Characters of a failure's text."""

UNANSWERED: Final = "no whole answer: "
REFUSAL: Final = "refused with "
"""How the texts of failures begin that say nothing of what the target does when it does answer."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One request: its ``name`` is the path's template. ``failure`` is a short text, "" for none."""

    method: str
    name: str
    seconds: float
    length: int
    failure: str


@dataclass(slots=True)
class Score:
    """The requests of one user, in their order. Texts of failures hold no values, so that equal ones add up."""

    provider: Provider
    callers: Callers
    tell: Callable[[Measured], None]
    count: int = 0
    _open: Sent | None = None
    _why: str = ""

    def take(self, sent: Sent) -> None:
        """A request was answered, or was not."""
        before = self._open
        if before is not None and before.request is sent.request:
            self.refuse()
        self.settle()
        self._open = sent
        self.count += 1

    def refuse(self) -> None:
        """The last request was refused for the number of requests."""
        if self._open is not None and self._open.reply.status in REFUSED:
            self.blame(f"{REFUSAL}{self._open.reply.status} for the number of requests")

    def blame(self, why: str) -> None:
        """The last request has failed; the first reason counts."""
        self._why = self._why or why

    def settle(self) -> None:
        """Tell of the last request: nothing more will be known of it."""
        sent, why = self._open, self._why
        self._open, self._why = None, ""
        if sent is None:
            return
        reply = sent.reply
        if reply.cut and not (reply.streams and reply.good):
            why = why if why.startswith(REFUSAL) else f"{UNANSWERED}{reply.problem}"
        clean = self.callers.redact(printable(why))[:LONGEST]
        self.tell(Measured(sent.request.method, self._name(sent.request), reply.seconds, len(reply.body), clean))

    def _name(self, request: Request) -> str:
        contract = self.provider.rules.contract
        operation = contract.operations.get(request.operation)
        return contract.prefix + operation.path if operation else request.path.partition("?")[0]


def short(finding: Finding) -> str:
    """A finding in a few words: what of it is the same for every user and every time."""
    status = finding.story[-1].reply.status if finding.story else 0
    if finding.rule != RULE:
        pointer = general(finding.pointer)
        where = f" at {pointer}" if pointer else ""
        return f"{status} against the contract{where}: {finding.cause.rpartition(':')[2]}"
    _, scenario, _, step = finding.cause.split(":", 3)
    return f"{scenario}, step {step}: {status}, expected {finding.expected}"
