"""What is wrong with an exchange that passed: whether the client broke the contract, or the server."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tasktwin.contract import Match, NoMethod, Violation
from tasktwin.contract.event import EVENT_STREAM
from tasktwin.provider import Provider
from tasktwin.suite import certainty
from tasktwin.suite.conformance import mismatches
from tasktwin.suite.finding import Basis, Finding, Line
from tasktwin.suite.proxy.head import Headers, is_stream, line
from tasktwin.suite.story.compare import general
from tasktwin.suite.story.judge import Mismatch, short
from tasktwin.suite.traffic import Reply, Request
from tasktwin.wire import Json

PHASE: Final = "proxy"

CLIENT_RULES: Final = frozenset({"client.request", "client.unknown"})
"""What only a client can break; all else is the server's."""

SILENT: Final = Basis(
    "standard",
    "RFC 9110 §3.4: a server answers each request with a response.",
    "https://www.rfc-editor.org/rfc/rfc9110#section-3.4",
)
CUT: Final = Basis(
    "standard",
    "RFC 9112 §8: a message that ends before its length is incomplete.",
    "https://www.rfc-editor.org/rfc/rfc9112#section-8",
)
STREAM_CUT: Final = Basis(
    "assumed", "A stream is expected to end, not to break off; readers are expected to come back."
)
NOT_DESCRIBED: Final = Basis("assumed", "The contract describes nothing of the kind, so nobody has promised anything.")

_WITHOUT_BODY: Final = frozenset({204, 304})
_SHALLOW: Final = frozenset({"status", "media-type"})
_ID: Final = re.compile(r"/(?!v\d+(?:/|$))[^/]*\d[^/]*")


@dataclass(frozen=True, slots=True)
class Passed:
    """One exchange. Bodies are decoded, and ``None`` where they are not known whole.

    ``status`` is 0 if no answer came. ``problem`` is what the server did wrong on the wire, in words.
    """

    method: str
    path: str
    query: bytes
    headers: Headers
    body: bytes | None
    status: int = 0
    told: Headers = ()
    answer: bytes | None = None
    seconds: float = 0.0
    problem: str = ""

    @property
    def is_stream(self) -> bool:
        """Whether the answer is a stream of events."""
        return is_stream(self.told)


def operation_of(provider: Provider, passed: Passed) -> str:
    """What the request means; "" if nothing that the contract describes."""
    found = provider.rules.contract.match(passed.method, passed.path)
    return found.operation.id if isinstance(found, Match) else ""


def judged(provider: Provider, passed: Passed) -> Iterator[Mismatch]:
    """How an exchange breaks the contract, one mismatch for each place; the client's first."""
    found = provider.rules.contract.match(passed.method, passed.path)
    if isinstance(found, Match):
        yield from _sent(provider, passed, found)
        yield from _answered(provider, passed)
        name = found.operation.id
    else:
        name = f"{passed.method} {passed.path[:200]}"
        if not isinstance(found, NoMethod) or passed.method != "OPTIONS":
            yield _unknown(passed, name)
    if passed.problem:
        yield broken_off(passed, name)


def broken_off(passed: Passed, name: str) -> Mismatch:
    """An answer that did not come, or not whole. ``name`` is the operation's, or what stands for it."""
    if not passed.status:
        return _cut("server.silent", f"{name} is not answered", passed, SILENT, name)
    title = f"{name} is answered with less than a whole answer"
    return _cut("server.cut", title, passed, STREAM_CUT if passed.is_stream else CUT, name)


def no_stream(provider: Provider, operation: str, status: int) -> Violation | None:
    """Why an operation may not answer so with a stream; ``None`` if it may."""
    found = provider.rules.contract.operations[operation].check_event(status, {"data": None})
    return next((each for each in found if each.keyword == "media-type"), None)


def event_mismatches(provider: Provider, operation: str, status: int, event: dict[str, Json]) -> Iterator[Mismatch]:
    """How one event of a stream breaks the contract."""
    for violation in provider.rules.contract.operations[operation].check_event(status, event):
        pointer, name = general(violation.pointer), str(event.get("event", "message"))[:80]
        mark = certainty.answer_mark(provider, operation, status, violation.pointer)
        yield Mismatch(
            "contract.event",
            f"{operation} streams an event {name!r} against the contract{_at(pointer)}: {violation.message}",
            _expected(violation),
            short(violation.actual) if violation.actual is not None else short(event),
            certainty.basis_of(provider, mark, f"{operation} {status}{pointer}"),
            f"contract.event:{operation}:{status}:{name}:{pointer}:{violation.keyword}",
            violation.pointer,
        )


def finding_of(mismatch: Mismatch, passed: Passed, operation: str, script: str) -> Finding:
    """What was wrong, with the exchange that shows it. Credentials are still in it. ``script`` sends it again."""
    return Finding(
        mismatch.rule,
        operation,
        mismatch.title,
        mismatch.expected,
        mismatch.actual,
        mismatch.basis,
        mismatch.cause,
        PHASE,
        story=(Line(request_of(passed, operation), reply_of(passed), "as it passed"),),
        script=script,
        pointer=mismatch.pointer,
    )


def request_of(passed: Passed, operation: str) -> Request:
    """The request as reports show it."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in passed.headers}
    query = f"?{passed.query.decode('latin-1')}" if passed.query else ""
    return Request(passed.method, passed.path + query, "client", headers, passed.body or b"", operation)


def reply_of(passed: Passed) -> Reply:
    """The answer as reports show it."""
    names = dict.fromkeys(name.lower() for name, _ in passed.told)
    headers = {name.decode("latin-1"): line(passed.told, name).decode("latin-1") for name in names}
    return Reply(
        passed.status, headers, passed.answer or b"", passed.seconds, cut=bool(passed.problem), problem=passed.problem
    )


def _sent(provider: Provider, passed: Passed, found: Match) -> Iterator[Mismatch]:  # type: ignore[type-arg]
    operation = found.operation
    reading = operation.read(found.path_values, passed.query, passed.headers, passed.body or b"")
    for violation in reading.violations:
        if violation.where == "body" and passed.body is None and violation.keyword != "media-type":
            continue
        place = f"{violation.where}{general(violation.pointer)}"
        mark = certainty.request_mark(provider, operation.id, violation.where, violation.pointer)
        outcome = f"; the server answered {passed.status}" if passed.status else ""
        yield Mismatch(
            "client.request",
            f"{operation.id} is sent against the contract at {place}: {violation.message}",
            _expected(violation),
            (short(violation.actual) if violation.actual is not None else "not there, or not readable") + outcome,
            certainty.basis_of(provider, mark, f"{operation.id} {place}"),
            f"client.request:{operation.id}:{place}:{violation.keyword}",
            violation.pointer,
        )


def _answered(provider: Provider, passed: Passed) -> Iterator[Mismatch]:
    """What is wrong with the answer. Of one whose body is not known, or has none to have, only the head is judged."""
    conditional = line(passed.headers, b"if-none-match") or line(passed.headers, b"if-modified-since")
    if not passed.status or (passed.status == 304 and conditional):
        return
    shallow = passed.answer is None or passed.method == "HEAD" or passed.status in _WITHOUT_BODY
    request, reply = request_of(passed, ""), reply_of(passed)
    if reply.cut:
        reply = Reply(reply.status, reply.headers)
    for mismatch in mismatches(provider, request, reply):
        if not shallow or mismatch.cause.rpartition(":")[2] in _SHALLOW:
            yield mismatch
    if passed.is_stream and reply.good:
        yield from _undeclared_stream(provider, passed)


def _undeclared_stream(provider: Provider, passed: Passed) -> Iterator[Mismatch]:
    """A stream where the contract has none. Of streams that it has, the events are judged."""
    operation = operation_of(provider, passed)
    violation = no_stream(provider, operation, passed.status)
    if violation is not None:
        mark = certainty.answer_mark(provider, operation, passed.status)
        yield Mismatch(
            "contract.response",
            f"{operation} answers {passed.status} against the contract: {violation.message}",
            violation.message,
            EVENT_STREAM,
            certainty.basis_of(provider, mark, f"{operation} {passed.status}"),
            f"contract.response:{operation}:{passed.status}::media-type",
        )


def _unknown(passed: Passed, name: str) -> Mismatch:
    return Mismatch(
        "client.unknown",
        f"the contract has no operation for {name}",
        "a request that the contract describes",
        f"{name}, answered with {passed.status}" if passed.status else name,
        NOT_DESCRIBED,
        f"client.unknown:{_ID.sub('/*', name)}",
    )


def _cut(rule: str, title: str, passed: Passed, basis: Basis, name: str) -> Mismatch:
    return Mismatch(rule, title, "a whole answer", passed.problem, basis, f"{rule}:{_ID.sub('/*', name)}")


def _at(pointer: str) -> str:
    return f" at {pointer}" if pointer else ""


def _expected(violation: Violation) -> str:
    return short(violation.expected) if violation.expected is not None else violation.message
