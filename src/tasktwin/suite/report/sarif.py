"""The findings as SARIF 2.1.0, for code scanning.

Plain dicts, checked against the standard's own schema by the tests: the libraries that there are either no longer live
or check less than that schema does.
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from tasktwin.errors import Problem
from tasktwin.provider.document import told_by_file
from tasktwin.suite.finding import Finding, Line
from tasktwin.suite.report.account import Account
from tasktwin.suite.report.legible import legible
from tasktwin.suite.report.rule import Rule, rule
from tasktwin.suite.report.tale import contradicted, facts, outcome, shown
from tasktwin.wire import Json

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
DOCUMENT = "openapi.yaml"

MOST_TOLD = 500
"""Notifications of what was skipped; report.json has all of it."""


def as_sarif(account: Account) -> dict[str, Json]:
    """One run. A result is fingerprinted by its cause, and stands at its operation in the OpenAPI document."""
    rules = {each.rule: rule(each.rule) for each in account.findings}
    order = {name: at for at, name in enumerate(rules)}
    lines = _lines(account)
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "tasktwin",
                        "version": version("tasktwin"),
                        "semanticVersion": version("tasktwin"),
                        "rules": [_rule(each) for each in rules.values()],
                    }
                },
                "automationDetails": {"id": f"tasktwin/{account.provider.name}/"},
                "invocations": [_invocation(account)],
                "columnKind": "unicodeCodePoints",
                "results": [_result(each, order[each.rule], account, lines) for each in account.findings],
                "properties": {
                    "target": account.url,
                    "provider": account.provider.name,
                    "seed": account.seed,
                    "verdict": account.verdict,
                    "accepted": dict(account.accepted),
                },
            }
        ],
    }


def _rule(each: Rule) -> Json:
    text = f"{each.about} {each.look}".strip()
    markdown = f"{each.about}\n\n**Where to look:** {each.look}" if each.look else each.about
    return {
        "id": each.id,
        "name": each.name,
        "shortDescription": {"text": each.title},
        "fullDescription": {"text": each.about},
        "help": {"text": text, "markdown": markdown},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["api", each.id.partition(".")[0]]},
    }


def _invocation(account: Account) -> Json:
    skipped = [f"{part.name}: {what}: {why}" for part in account.parts for what, why in part.skipped]
    cuts = [f"{part.name} was cut: {part.cut}" for part in account.parts if part.cut]
    return {
        "commandLine": account.command,
        "executionSuccessful": not account.cut,
        "endTimeUtc": account.at,
        "toolExecutionNotifications": [
            *({"level": "warning", "message": {"text": text}} for text in cuts),
            *({"level": "note", "message": {"text": text}} for text in skipped[:MOST_TOLD]),
        ],
    }


def _result(finding: Finding, index: int, account: Account, lines: Mapping[str, int]) -> Json:
    result = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "kind": "fail",
        "level": "note" if finding.severity == "note" else "error",
        "message": {"text": legible(f"{finding.title}\n\n{facts(finding)}")},
        "locations": [_location(finding, account, lines)],
        "partialFingerprints": {"cause/v1": finding.cause},
        "occurrenceCount": max(1, finding.times),
        "properties": {
            "phase": finding.phase,
            "contradicts": contradicted(finding),
            "expected": finding.expected,
            "actual": finding.actual,
            "pointer": finding.pointer,
            "script": finding.script,
        },
    }
    told, _ = shown(finding)
    if told:
        steps = [_step(number, line, account.url) for number, line in told]
        result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    return result


def _location(finding: Finding, account: Account, lines: Mapping[str, int]) -> Json:
    """The operation. The line of the document is what code scanning shows it at, and asks for."""
    place: dict[str, Json] = {
        "artifactLocation": {"uri": _uri(account.provider.folder)},
        "region": {"startLine": lines.get(finding.operation, 0) or 1},
    }
    named = finding.operation or account.provider.name
    return {
        "physicalLocation": place,
        "logicalLocations": [
            {"name": named, "fullyQualifiedName": f"{account.provider.name}/{named}", "kind": "function"}
        ],
    }


def _uri(folder: Path) -> str:
    """The document, seen from where the run was started; one elsewhere by the name of its folder."""
    here = Path.cwd()
    whole = folder.resolve()
    seen = whole.relative_to(here) if whole.is_relative_to(here) else Path("fixtures", folder.name)
    return quote((seen / DOCUMENT).as_posix())


def _lines(account: Account) -> dict[str, int]:
    """Where the operations of the findings begin in the document."""
    operations = account.provider.rules.contract.operations
    names = [name for name in dict.fromkeys(each.operation for each in account.findings) if name in operations]
    folder = account.provider.folder
    problems = [Problem("", pointer=operations[name].pointer) for name in names]
    told = told_by_file(problems, folder / DOCUMENT, f"{folder.name}/{DOCUMENT}")
    return {name: problem.line for name, problem in zip(names, told, strict=True)}


def _step(number: int, line: Line, url: str) -> Json:
    request, reply = line.request, line.reply
    who = f"{request.as_ or 'nobody'}: {request.method} {request.path} → {outcome(line)}"
    asked: dict[str, Json] = {"method": request.method, "target": f"{url.rstrip('/')}{request.path}"}
    if request.headers:
        asked["headers"] = dict(request.headers)
    if request.body:
        asked["body"] = {"text": request.body.decode("utf-8", "replace")}
    answered: dict[str, Json] = {"noResponseReceived": not reply.status}
    if reply.status:
        answered |= {"statusCode": reply.status, "headers": dict(reply.headers)}
        answered["body"] = {"text": reply.body.decode("utf-8", "replace")}
    return {
        "executionOrder": number,
        "location": {"message": {"text": f"{line.about}: {who}" if line.about else who}},
        "webRequest": asked,
        "webResponse": answered,
    }
