"""The run for CI: one test suite for each phase, one test case for each unit of work and for each finding."""

from typing import TYPE_CHECKING

from tasktwin.suite.finding import Finding
from tasktwin.suite.report.account import Account, Part
from tasktwin.suite.report.legible import clipped, legible
from tasktwin.suite.report.tale import telling

if TYPE_CHECKING:
    from junitparser import TestCase, TestSuite

MOST = 20_000
"""Characters that the text of one test case may have."""


def as_junit(account: Account) -> bytes:
    """A document in the form that Jenkins, GitLab and GitHub's actions read. Notes pass; what was skipped says why."""
    from junitparser import JUnitXml  # noqa: PLC0415 - rarely used

    root = JUnitXml(f"tasktwin {account.provider.name}")
    suites = [(part, _suite(account, part)) for part in account.parts]
    for _, suite in suites:
        root.add_testsuite(suite)
    root.update_statistics()  # type: ignore[no-untyped-call]
    for part, suite in suites:
        suite.time = part.seconds
    root.time = account.seconds
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + _bytes(root.tostring())  # type: ignore[no-untyped-call]


def _bytes(made: bytes) -> bytes:
    """Without the declaration, which the library writes in its own way."""
    return made.partition(b"?>\n")[2] if made.startswith(b"<?xml") else made


def _suite(account: Account, part: Part) -> "TestSuite":
    from junitparser import TestSuite  # noqa: PLC0415

    suite = TestSuite(part.name)
    suite.timestamp = account.at.removesuffix("Z")
    facts = {"target": account.url, "provider": account.provider.name, "seed": str(account.seed)}
    for name, value in {**facts, "command": account.command, "cut": part.cut}.items():
        if value:
            suite.add_property(name, legible(value))
    home = f"tasktwin.{account.provider.name}.{part.name}"
    found = [each for each in account.findings if each.phase == part.name]
    cases = [_case(unit, home) for unit in part.units]
    cases += [_found(each, home) for each in found]
    cases += [_skipped(what, why, home) for what, why in part.skipped]
    cases += _ends(account, part, home)
    suite.add_testcases(cases)
    return suite


def _case(name: str, home: str) -> "TestCase":
    from junitparser import TestCase  # noqa: PLC0415

    return TestCase(clipped(legible(name), 300), home, 0.0)


def _found(finding: Finding, home: str) -> "TestCase":
    from junitparser import Failure  # noqa: PLC0415

    named = f"{finding.operation}: {finding.title}" if finding.operation else finding.title
    case = _case(f"{named} [{finding.cause}]", f"{home}.{finding.rule}")
    told = clipped(legible(telling(finding)), MOST)
    if finding.severity == "note":
        case.system_out = f"note, fails nothing\n{told}"
        return case
    failure = Failure(clipped(legible(finding.title), 300), legible(finding.rule))
    failure.text = told
    case.result = [failure]
    return case


def _skipped(what: str, why: str, home: str) -> "TestCase":
    from junitparser import Skipped  # noqa: PLC0415

    case = _case(f"skipped: {what}", home)
    case.result = [Skipped(clipped(legible(why), 1_000))]
    return case


def _ends(account: Account, part: Part, home: str) -> "list[TestCase]":
    """A phase that the run's end cut off is an error; one that was never begun is skipped."""
    from junitparser import Error  # noqa: PLC0415

    if not part.done and not part.units:
        return [_skipped("the whole phase", account.cut or "it was not begun", home)]
    if account.cut and part.cut == account.cut:
        case = _case("the phase comes to its end", home)
        case.result = [Error(clipped(legible(part.cut), 1_000), "cut")]
        return [case]
    return []
