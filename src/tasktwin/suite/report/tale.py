"""A finding told in plain text: for CI logs and other places that know no more than lines."""

from tasktwin.suite.finding import Finding, Line, leads_to
from tasktwin.suite.report.legible import clipped

MOST_STEPS = 30
"""Steps of a story that are told; of a longer one the last, since those show it."""

MOST_BODY = 400
"""Characters of a body in one line."""


def telling(finding: Finding) -> str:
    """What is wrong, what it contradicts, how to get there, how to see it again."""
    parts = [finding.title, facts(finding)]
    if finding.story:
        parts.append("Story:\n" + "\n".join(steps(finding)))
    if finding.script:
        parts.append(f"Script:\n{finding.script.rstrip()}")
    return "\n\n".join(parts) + "\n"


def facts(finding: Finding) -> str:
    """Expected, actual and the rest, a line each."""
    times = f"{finding.times} times" if finding.times > 1 else ""
    told = {
        "Severity": finding.severity,
        "Rule": finding.rule,
        "Operation": finding.operation,
        "Expected": finding.expected,
        "Actual": finding.actual,
        "Leads to": leads_to(finding.story[-1].reply) if finding.story else "",
        "Where": finding.pointer,
        "Contradicts": contradicted(finding),
        "Found": times,
        "Cause": finding.cause,
    }
    return "\n".join(f"{name + ':':<13}{value}" for name, value in told.items() if value)


def contradicted(finding: Finding) -> str:
    """The sentence that speaks against what happened, how well it is known, and where it stands."""
    basis = finding.basis
    return f"{basis.text} ({basis.kind})" + (f" {basis.url}" if basis.url else "")


def steps(finding: Finding) -> list[str]:
    """The story in numbered lines."""
    told, left_out = shown(finding)
    lines = [f"  … {left_out} steps before"] if left_out else []
    for number, line in told:
        lines += _step(number, line)
    return lines


def shown(finding: Finding) -> tuple[list[tuple[int, Line]], int]:
    """The steps that are told, each with its number, and how many before them are not."""
    numbered = list(enumerate(finding.story, 1))
    return numbered[-MOST_STEPS:], max(0, len(numbered) - MOST_STEPS)


def _step(number: int, line: Line) -> list[str]:
    request, reply = line.request, line.reply
    about = f"  ({line.about})" if line.about else ""
    lines = [f"{number:3}. {request.as_ or 'nobody'}: {request.method} {request.path} → {outcome(line)}{about}"]
    if request.body:
        lines.append(f"       sent     {_body(request.body)}")
    if reply.body:
        lines.append(f"       answered {_body(reply.body)}")
    return lines


def outcome(line: Line) -> str:
    """The status, or what came instead."""
    if not line.reply.status:
        return line.reply.problem or "no answer"
    about = line.reply.problem or (f"Location: {location}" if (location := leads_to(line.reply)) else "")
    return f"{line.reply.status} ({about})" if about else str(line.reply.status)


def _body(body: bytes) -> str:
    return clipped(body.decode("utf-8", "replace"), MOST_BODY).replace("\n", "\\n")
