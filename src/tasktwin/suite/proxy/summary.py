"""The end of a proxy on the terminal: what broke the contract, what passed, and what was never seen."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tasktwin.suite.finding import Finding
from tasktwin.suite.proxy.judgement import CLIENT_RULES
from tasktwin.suite.proxy.watch import Watch
from tasktwin.suite.report.account import Account, account_of
from tasktwin.suite.report.legible import duration
from tasktwin.suite.report.tale import contradicted
from tasktwin.suite.terminal import MOST, print_facts, print_finding, print_line

if TYPE_CHECKING:
    from rich.console import Console

MOST_NAMES: Final = 20
"""Names in one list."""


def print_summary(watch: Watch, console: "Console", reports: Sequence[Path] = ()) -> None:
    """Print what came of it. ``reports`` are the files that were written."""
    account = account_of(watch.run, command="", url=watch.run.target.url)
    for finding in account.findings[:MOST]:
        print_finding(console, finding, _told(finding), "client" if finding.rule in CLIENT_RULES else "server")
    left = len(account.findings) - MOST + watch.more if len(account.findings) > MOST else watch.more
    if left:
        console.print(f"and {left:,} more findings: --report DIR tells of at most 1,000\n")
    print_facts(console, _facts(watch, account, reports))
    print_line(console, headline(account), "bold red" if account.failures else "bold green")


def headline(account: Account) -> str:
    """The last line: how many findings, whose they are, and what passed."""
    failures = [each for each in account.findings if each.severity == "failure"]
    client = sum(each.rule in CLIENT_RULES for each in failures)
    whose = f" ({len(failures) - client} of the server, {client} of the client)" if failures else ""
    spent = f"{_counted(account.requests, 'request')} in {duration(account.seconds)}"
    return (
        f"{_counted(len(failures), 'failure')}{whose}, {_counted(len(account.findings) - len(failures), 'note')}"
        f" ({account.provider.name} at {account.url}; {spent})"
    )


def _told(finding: Finding) -> Iterator[tuple[str, str]]:
    yield "rule", finding.rule
    yield "expected", finding.expected
    yield "actual", finding.actual
    yield "contradicts", contradicted(finding)
    yield "found", f"{finding.times:,} times" if finding.times > 1 else ""


def _facts(watch: Watch, account: Account, reports: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """What is to know besides the findings."""
    for why, times in sorted(watch.unjudged.items()):
        yield "not judged", f"{times:,}: {why}"
    if watch.failed:
        yield "unreached", f"{_counted(watch.failed, 'request')} could not be passed on"
    known = [each for each in account.operations if each.path]
    seen = [each for each in known if each.statuses]
    declared = sum(len(each.declared) for each in known)
    missing = [(each.id, status) for each in seen for status in each.declared if not _came(status, each.statuses)]
    answers = declared - sum(len(each.declared) for each in known if not each.statuses) - len(missing)
    yield "covered", f"{len(seen)} of {len(known)} operations, {answers} of {declared} declared answers"
    unseen = [each.id for each in known if not each.statuses]
    if unseen:
        yield "never seen", _listed(unseen)
    if missing:
        yield "nor", _listed([f"{name} {status}" for name, status in missing])
    for path in reports:
        yield "report", str(path)


def _came(declared: str, statuses: Mapping[int, int]) -> bool:
    """Whether an answer came that a declared status, range or default means."""
    if declared.isdigit():
        return int(declared) in statuses
    return declared == "default" or any(str(each)[0] == declared[0] for each in statuses)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
