"""What a failure of Schemathesis's means: a finding, with what it contradicts and how to see it again."""

import re
from collections.abc import Iterator, Sequence

from schemathesis.core.failures import AcceptedNegativeData, Failure, ServerError
from schemathesis.openapi.checks import AllowHeaderMismatch, IgnoredAuth, UndefinedStatusCode, UnsupportedMethodResponse

from tasktwin.provider import Provider
from tasktwin.suite import certainty
from tasktwin.suite.conformance import mismatches
from tasktwin.suite.finding import Basis, Finding, Line
from tasktwin.suite.report.legible import clipped
from tasktwin.suite.request_fault import basis_of_faults, faults
from tasktwin.suite.run import Run
from tasktwin.suite.schema.check import SLOW, Broken
from tasktwin.suite.schema.script import script

METHODS = Basis(
    "standard",
    "RFC 9110 §15.5.6: a method that the target does not support is answered with 405, and Allow lists those it does.",
    "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.6",
)

SILENT = Basis(
    "standard",
    "RFC 9110 §3.4: a server answers each request with a response.",
    "https://www.rfc-editor.org/rfc/rfc9110#section-3.4",
)

INCOMPLETE = Basis(
    "standard",
    "RFC 9112 §8: a message that ends before its framing says so is incomplete.",
    "https://www.rfc-editor.org/rfc/rfc9112#section-8",
)

CONFORMANCE = {
    "status_code_conformance": {"status"},
    "content_type_conformance": {"media-type"},
    "response_headers_conformance": set[str](),
    "response_schema_conformance": set[str](),
}
"""Checks of an answer against the contract, and the keywords of violations that only they tell."""

TITLES = {
    "answered": "No whole answer",
    "envelope": "Status and envelope disagree",
    "paging": "A page's numbers disagree",
    "error_dialect": "An error in other words than the API's",
}

MOST_SHOWN = 300
"""Characters of an answer that a finding quotes."""


def cause_of(provider: Provider, check: str, failure: Failure, line: Line | None) -> str:
    """What two failures have in common that are one: never the random data."""
    if _is_silent(check, line):
        return f"server.silent:{_operation(provider, failure, line)}"
    return f"schema.{check}:{_operation(provider, failure, line)}:{_key(failure, line, provider)}"


def findings_of(run: Run, phase: str, check: str, failure: Failure, story: Sequence[Line]) -> Iterator[Finding]:
    """The findings that a failure of a check is, the last line of the story being where it shows."""
    last = story[-1]
    if check in CONFORMANCE:
        found = [*_of_contract(run, phase, check, story)]
        yield from found
        if found:
            return
    expected, actual = _words(run.provider, failure, last)
    operation, is_silent = _operation(run.provider, failure, last), _is_silent(check, last)
    yield Finding(
        rule="server.silent" if is_silent else f"schema.{check}",
        operation=operation,
        title=f"{operation} is not answered" if is_silent else f"{operation}: {_title(failure)}",
        expected=expected,
        actual=actual,
        basis=_basis(run.provider, check, failure, last),
        cause=cause_of(run.provider, check, failure, last),
        phase=phase,
        story=tuple(story),
        script=script(run.target, story, f"expected: {expected}\nactual:   {actual}"),
        pointer=failure.wrong.pointer if isinstance(failure, Broken) else "",
        severity_override="note" if isinstance(failure, Broken) and failure.wrong.kind in SLOW else None,
    )


def _is_silent(check: str, line: Line | None) -> bool:
    """Whether nothing at all came back: that is one cause, whichever phase meets it."""
    return check == "answered" and line is not None and not line.reply.status


def _operation(provider: Provider, failure: Failure, line: Line | None) -> str:
    """The operation on which a failure shows; of a method that is not declared the one that was tested."""
    named = line.request.operation if line else ""
    operations = provider.rules.contract.operations.values()
    labels = {f"{each.method} {each.path}": each.id for each in operations}
    return named or labels.get(str(failure.operation), str(failure.operation))


def _of_contract(run: Run, phase: str, check: str, story: Sequence[Line]) -> Iterator[Finding]:
    """Where our own reading of the contract sees it too, its words are used, so that both are one finding."""
    last = story[-1]
    told = set.union(*CONFORMANCE.values())
    for each in mismatches(run.provider, last.request, last.reply):
        keyword = each.cause.rpartition(":")[2]
        if keyword in CONFORMANCE[check] or (not CONFORMANCE[check] and keyword not in told):
            yield Finding(
                rule=f"schema.{check}",
                operation=last.request.operation,
                title=each.title,
                expected=each.expected,
                actual=each.actual,
                basis=each.basis,
                cause=each.cause,
                phase=phase,
                story=tuple(story),
                script=script(run.target, story, f"expected: {each.expected}\nactual:   {each.actual}"),
                pointer=each.pointer,
            )


def _title(failure: Failure) -> str:
    return TITLES.get(failure.title, failure.title)


def _words(provider: Provider, failure: Failure, line: Line) -> tuple[str, str]:
    """What was expected and what came."""
    said = clipped(line.reply.body.decode("utf-8", "replace"), MOST_SHOWN)
    came = f"HTTP {line.reply.status}" + (f" {said}" if said else "")
    match failure:
        case Broken():
            return failure.wrong.expected, failure.wrong.actual
        case ServerError():
            return "an answer that is no server error", came
        case IgnoredAuth():
            return "401 or 403", came
        case UndefinedStatusCode():
            return f"one of the statuses {', '.join(failure.defined_status_codes)}", came
        case AcceptedNegativeData():
            wrong = faults(provider, line.request)
            return "a refusal" + (f", because of {wrong[0]}" if wrong else ""), came
        case UnsupportedMethodResponse():
            return f"405 with Allow for {failure.method}", f"HTTP {line.reply.status}, {_allow(line)}"
        case AllowHeaderMismatch():
            return "Allow with the methods of the contract", failure.allow_header
        case _:
            return clipped(" ".join(failure.message.split()), MOST_SHOWN) or failure.title, came


def _allow(line: Line) -> str:
    return f"Allow: {line.reply.headers['allow']}" if "allow" in line.reply.headers else "no Allow"


def _basis(provider: Provider, check: str, failure: Failure, line: Line) -> Basis:
    operation, status = line.request.operation, line.reply.status
    match check:
        case "not_a_server_error":
            return certainty.SERVER_ERROR
        case "answered":
            return INCOMPLETE if status else SILENT
        case "ignored_auth":
            return certainty.SIGN_IN
        case "use_after_free" | "ensure_resource_availability":
            return certainty.ITSELF
        case "unsupported_method" | "allow_header_conformance":
            return METHODS
        case "negative_data_rejection" | "missing_required_header":
            known = basis_of_faults(provider, operation, faults(provider, line.request)[:1])
            mark = certainty.operation_mark(provider, operation)
            return known or certainty.basis_of(provider, mark, f"what {operation} takes")
        case "error_dialect":
            marks = [each.provenance for each in provider.rules.errors.answers.values() if each.status == status]
            mark = certainty.surest(marks) or certainty.operation_mark(provider, operation)
            return certainty.basis_of(provider, mark, f"how errors of {status} look")
        case _:
            pointer = failure.wrong.pointer if isinstance(failure, Broken) else ""
            mark = certainty.answer_mark(provider, operation, status, pointer)
            return certainty.basis_of(provider, mark, f"{operation} {status}{pointer}")


def _key(failure: Failure, line: Line | None, provider: Provider) -> str:
    if isinstance(failure, AcceptedNegativeData) and line is not None:
        wrong = next(iter(faults(provider, line.request)), None)
        place = re.sub(r"/\d+(?=/|$)", "/*", wrong.pointer) if wrong else ""
        return f"{failure.status_code}:{wrong.where}{place}:{wrong.keyword}" if wrong else str(failure.status_code)
    return f"{failure.code}:{failure._unique_key}"  # noqa: SLF001 - what Schemathesis itself tells failures apart by
