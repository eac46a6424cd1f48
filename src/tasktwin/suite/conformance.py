"""Whether an answer keeps the contract: its status, media type, headers and body."""

from collections.abc import Iterator, Sequence

from tasktwin.behaviour.lifecycle import Provenance
from tasktwin.contract import Match, Operation, Violation
from tasktwin.contract.event import EVENT_STREAM
from tasktwin.provider import Provider
from tasktwin.suite import certainty
from tasktwin.suite.finding import Basis
from tasktwin.suite.story.compare import general
from tasktwin.suite.story.judge import Mismatch, short
from tasktwin.suite.traffic import Reply, Request
from tasktwin.wire import Json, loads

WITHOUT_BODY = {204, 205, 304}
"""Answers that never have a body: RFC 9110 §15.3.5, §15.3.6, §15.4.5."""

BODYLESS = Provenance(
    "assumed", "the document describes no body of this answer, and does not say either that it has none"
)


def mismatches(provider: Provider, request: Request, reply: Reply) -> Iterator[Mismatch]:
    """How an answer breaks the contract: one mismatch for each place. Answers that never came whole are others' business."""
    if reply.cut or reply.status == 0:
        return
    found = provider.rules.contract.match(request.method, request.path.partition("?")[0])
    if not isinstance(found, Match):
        return
    operation = found.operation
    media = reply.media
    if media.partition(";")[0].strip().lower() == EVENT_STREAM and reply.good:
        return
    try:
        body = _decoded(reply)
    except ValueError as error:
        yield _mismatch(
            provider, operation.id, reply, Violation("response", "", "json", f"the body is no JSON: {error}")
        )
        return
    violations = operation.check_response(reply.status, media, body, dict(reply.headers))
    groups: dict[tuple[str, str], list[Violation]] = {}
    for violation in violations if reply.body else _of_nothing(operation, reply, violations):
        parent = (
            general(violation.pointer).rpartition("/")[0]
            if violation.keyword == "required"
            else general(violation.pointer)
        )
        groups.setdefault((violation.keyword, parent), []).append(violation)
    for together in groups.values():
        yield _mismatch(provider, operation.id, reply, together[0], len(together) - 1)


def _of_nothing(operation: Operation, reply: Reply, found: Sequence[Violation]) -> Sequence[Violation]:
    """What is wrong with an answer without a body: what the document wants of one is told once, and as that."""
    wanted = [each for each in found if not each.pointer and each.keyword not in {"status", "media-type"}]
    if not wanted:
        return found
    first, response = wanted[0], operation.responses.find(reply.status)
    declared = " or ".join(response.content.media) if response and response.content else "a body"
    kind = f" of type {first.expected}" if first.keyword == "type" and isinstance(first.expected, str) else ""
    said = f"the answer is empty, the document declares {declared}{kind}"
    return [
        first._replace(message=said, expected=f"{declared}{kind}", actual="an empty answer"),
        *(each for each in found if each not in wanted),
    ]


def _decoded(reply: Reply) -> Json:
    if reply.is_json:
        return loads(reply.body) if reply.body else None
    if not reply.media:
        return reply.body or None
    if reply.media.startswith("text/"):
        return reply.body.decode("utf-8", "replace")
    return reply.body


def _mismatch(provider: Provider, operation: str, reply: Reply, violation: Violation, more: int = 0) -> Mismatch:
    pointer = general(violation.pointer)
    place = "" if violation.keyword in {"status", "media-type", "json"} else pointer
    is_left_out = violation.keyword == "media-type" and violation.expected == [] and reply.status not in WITHOUT_BODY
    mark = BODYLESS if is_left_out else certainty.answer_mark(provider, operation, reply.status, place)
    basis: Basis = certainty.basis_of(provider, mark, f"{operation} {reply.status}{place}")
    where = f" at {pointer}" if pointer else ""
    return Mismatch(
        "contract.response",
        f"{operation} answers {reply.status} against the contract{where}: {violation.message}"
        + (f" (and {more} more)" if more else ""),
        short(violation.expected) if violation.expected is not None else violation.message,
        short(violation.actual)
        if violation.actual is not None
        else f"{reply.status} {short(reply.body[:200].decode('utf-8', 'replace'))}",
        basis,
        f"contract.response:{operation}:{reply.status}:{pointer}:{violation.keyword}",
        violation.pointer,
        goes_on=True,
    )
