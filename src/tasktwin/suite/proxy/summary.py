"""The end of a proxy on the terminal: what broke the contract, what passed, and what was never seen."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tasktwin.suite.finding import Finding
from tasktwin.suite.proxy.judgement import CLIENT_RULES
from tasktwin.suite.proxy.watch import Watch
from tasktwin.suite.report.account import Account, account_of
from tasktwin.suite.report.legible import clipped, duration, legible
from tasktwin.suite.report.tale import contradicted

if TYPE_CHECKING:
    from rich.console import Console

MOST: Final = 50
"""Findings that are told; of more only the number."""

MOST_NAMES: Final = 20
"""Names in one list."""

MOST_TEXT: Final = 600
"""Characters of one text."""

_COLOURS: Final = {"failure": "bold red", "note": "yellow"}


def print_summary(watch: Watch, console: "Console", reports: Sequence[Path] = ()) -> None:
    """Print what came of it. ``reports`` are the files that were written."""
    account = account_of(watch.run, command="", url=watch.run.target.url)
    for finding in account.findings[:MOST]:
        _print_finding(console, finding)
    left = len(account.findings) - MOST + watch.more if len(account.findings) > MOST else watch.more
    if left:
        console.print(f"and {left:,} more findings: --report DIR tells of at most 1,000\n")
    _print_facts(console, list(_facts(watch, account, reports)))
    _line(console, headline(account), "bold red" if account.failures else "bold green")


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


def _print_finding(console: "Console", finding: Finding) -> None:
    from rich.text import Text  # noqa: PLC0415 - heavy

    who = "client" if finding.rule in CLIENT_RULES else "server"
    title = Text(legible(clipped(finding.title, MOST_TEXT)), style="bold")
    console.print(Text.assemble((finding.severity, _COLOURS[finding.severity]), f"  {who}: ", title))
    told = {
        "rule": finding.rule,
        "expected": finding.expected,
        "actual": finding.actual,
        "contradicts": contradicted(finding),
        "found": f"{finding.times:,} times" if finding.times > 1 else "",
    }
    _print_facts(console, [(f"  {name}", text) for name, text in told.items() if text])
    _line(console, "  script", "dim")
    for line in finding.script.rstrip().split("\n"):
        _line(console, f"    {line}")
    console.print()


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


def _came(declared: str, statuses: object) -> bool:
    """Whether an answer came that a declared status, range or default means."""
    assert isinstance(statuses, dict)
    if declared.isdigit():
        return int(declared) in statuses
    return declared == "default" or any(str(each)[0] == declared[0] for each in statuses)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _print_facts(console: "Console", facts: Sequence[tuple[str, str]]) -> None:
    """Names and texts in two columns."""
    from rich.table import Table  # noqa: PLC0415 - heavy
    from rich.text import Text  # noqa: PLC0415

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, text in facts:
        table.add_row(name, Text(legible(clipped(text, MOST_TEXT))))
    console.print(table)


def _line(console: "Console", text: str, style: str = "") -> None:
    """One line that is never wrapped, so that it can be copied."""
    from rich.text import Text  # noqa: PLC0415 - heavy

    console.print(Text(legible(text), style=style), soft_wrap=True)
