"""The run for people: one file that is read offline, needs no script and loads nothing."""

from base64 import b64encode
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from tasktwin.suite.finding import Finding, Line, leads_to
from tasktwin.suite.report.account import Account, Asked, Part, Walked
from tasktwin.suite.report.legible import clipped, duration, legible, pretty
from tasktwin.suite.report.rule import rule
from tasktwin.suite.report.tale import outcome, shown

MOST = 200
"""Findings of one severity that are told in full; of more only the titles."""

MOST_BODY = 2_000
"""Characters of a body."""

MOST_NAMES = 12
"""Names that stand in one line of what was skipped."""


def as_html(account: Account) -> str:
    """The page. Whatever a deployment sent stands in it as text, bounded, its control characters as escapes."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - rarely used

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    environment.filters |= {"duration": duration, "count": "{:,}".format, "clip": clipped, "told": _told}
    page = environment.from_string((files("tasktwin.suite.report") / "page.html.jinja").read_text("utf-8"))
    return page.render(_page(account))


def _shown(value: object) -> object:
    """Every text that is put into the page goes through here."""
    return legible(value) if type(value) is str else value


def _told(text: str) -> str:
    """A text in running words."""
    return clipped(text, MOST_BODY)


def _page(account: Account) -> dict[str, Any]:
    failures = [each for each in account.findings if each.severity == "failure"]
    notes = [each for each in account.findings if each.severity == "note"]
    statuses = sorted({status for each in account.operations for status in each.statuses})
    groups = [("failure", "Failures", failures), ("note", "Notes", notes)]
    return {
        "version": version("tasktwin"),
        "account": account,
        "verdict": account.outcome,
        "failures": len(failures),
        "notes": len(notes),
        "groups": [(kind, name, map(_finding, found[:MOST]), found[MOST:]) for kind, name, found in groups if found],
        "parts": [(part, _skipped(part)) for part in account.parts],
        "statuses": statuses,
        "asked": sum(bool(each.statuses) for each in account.operations if each.path),
        "known": sum(bool(each.path) for each in account.operations),
        "operations": [(each, [_cell(each, status) for status in statuses]) for each in account.operations],
        "drawings": [_drawing(each) for each in account.lifecycles],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    told, left_out = shown(finding)
    url = finding.basis.url
    return {
        "it": finding,
        "rule": rule(finding.rule),
        "steps": [_step(number, line) for number, line in told],
        "left_out": left_out,
        "leads_to": leads_to(finding.story[-1].reply) if finding.story else "",
        "url": url if url.startswith(("https://", "http://")) else "",
    }


def _step(number: int, line: Line) -> dict[str, Any]:
    status = line.reply.status
    return {
        "number": number,
        "it": line,
        "who": line.request.as_ or "nobody",
        "outcome": clipped(outcome(line), 300),
        "look": f"s{status // 100}" if 100 <= status < 600 else "s0",
        "headers": "\n".join(f"{name}: {clipped(value, 300)}" for name, value in line.request.headers.items()),
        "sent": _body(line.request.body, line.request.headers),
        "answered": _body(line.reply.body, line.reply.headers),
    }


def _body(body: bytes, headers: Mapping[str, str]) -> str:
    text = body.decode("utf-8", "replace")
    media = {name.lower(): value for name, value in headers.items()}.get("content-type", "json")
    return clipped(pretty(text) if "json" in media.lower() else text, MOST_BODY)


def _skipped(part: Part) -> list[tuple[str, str]]:
    """What was skipped, together where the reason is the same."""
    reasons: dict[str, list[str]] = {}
    for what, why in part.skipped:
        reasons.setdefault(why, []).append(what)
    told = []
    for why, names in reasons.items():
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        told.append((clipped(", ".join(names[:MOST_NAMES]), 600) + more, clipped(why, 600)))
    return told


def _cell(asked: Asked, status: int) -> tuple[str, str]:
    """The text of a cell and its look: what is declared and was not seen is a dot."""
    declared = {str(status), f"{status // 100}XX"} & {each.upper() for each in asked.declared}
    count = asked.statuses.get(status, 0)
    if not count:
        return ("·", "quiet") if declared else ("", "quiet")
    return f"{count:,}", "" if declared or "default" in asked.declared or not asked.path else "undeclared"


def _drawing(walked: Walked) -> dict[str, Any]:
    from tasktwin.diagram import svg  # noqa: PLC0415 - 10 ms that only a report needs

    drawn = svg(walked.lifecycle, taken=[name for name, count in walked.taken.items() if count])
    return {
        "walked": walked,
        "image": b64encode(drawn.encode()).decode(),
        "missing": ", ".join(name for name, count in walked.taken.items() if not count),
    }
