"""The end of a run on the terminal: what came of it, and each finding in a few lines. Coloured where that is wanted."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasktwin.suite.finding import Finding, leads_to
from tasktwin.suite.report.account import Account, account_of, as_document
from tasktwin.suite.report.legible import duration
from tasktwin.suite.report.tale import contradicted
from tasktwin.suite.run import Run
from tasktwin.suite.terminal import MOST, print_facts, print_finding, print_line
from tasktwin.wire import Json

if TYPE_CHECKING:
    from rich.console import Console

MOST_LEFT = 5
"""Resources that were left over and are named."""

REPEAT = "to repeat"

_COLOURS = {"failed": "bold red", "cut": "bold yellow", "passed": "bold green"}


def summary(run: Run, *, command: str = "") -> dict[str, Json]:
    """The same for ``--json``: what ``report.json`` holds."""
    return as_document(account_of(run, command=command, url=run.target.url))


def print_summary(run: Run, console: "Console", *, command: str = "", reports: Sequence[Path] = ()) -> None:
    """Print what came of a run. ``command`` repeats it; ``reports`` are the files that were written."""
    account = account_of(run, command=command, url=run.target.url)
    for finding in account.findings[:MOST]:
        print_finding(console, finding, _facts(finding))
    if len(account.findings) > MOST:
        console.print(f"and {len(account.findings) - MOST:,} more findings: --report DIR tells of all\n")
    print_facts(console, _ends(account, reports), least=len(REPEAT))
    if account.command:
        print_line(console, f"{REPEAT}  {account.command}")
    print_line(console, _headline(account), _COLOURS[account.verdict])


def _facts(finding: Finding) -> Iterator[tuple[str, str]]:
    times = f", found {finding.times} times" if finding.times > 1 else ""
    steps = len(finding.story)
    yield "operation", f"{finding.operation} ({finding.rule})" if finding.operation else finding.rule
    yield "expected", finding.expected
    yield "actual", finding.actual
    yield "leads to", leads_to(finding.story[-1].reply) if finding.story else ""
    yield "where", finding.pointer
    yield "contradicts", contradicted(finding)
    yield "story", f"{steps} step{'' if steps == 1 else 's'}{times}" if steps else times.removeprefix(", ")


def _ends(account: Account, reports: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """What is to know besides the findings."""
    yield from _cuts(account)
    yield from _undone(account)
    for part in account.parts:
        if part.skipped:
            reasons = list(dict.fromkeys(why for _, why in part.skipped))
            more = f"; and {len(reasons) - 3} more reasons" if len(reasons) > 3 else ""
            yield "skipped", f"{part.name}: {len(part.skipped)} ({'; '.join(reasons[:3])}{more})"
    if account.accepted:
        yield "accepted", f"{len(account.accepted)} of the baseline came up again"
    for each in account.leftovers[:MOST_LEFT]:
        yield "left over", each
    if len(account.leftovers) > MOST_LEFT:
        yield "left over", f"and {len(account.leftovers) - MOST_LEFT:,} more: --report DIR lists all"
    for each in account.doubts:
        yield "beware", each
    yield "covered", _coverage(account)
    for path in reports:
        yield "report", str(path)


def _cuts(account: Account) -> Iterator[tuple[str, str]]:
    """What ended phases early, once for each reason."""
    names: dict[str, list[str]] = {}
    for part in account.parts:
        if part.cut:
            names.setdefault(part.cut, []).append(part.name)
    return (("cut short", f"{', '.join(each)}: {why}") for why, each in names.items())


def _undone(account: Account) -> Iterator[tuple[str, str]]:
    """What was not looked at, because the run was cut short."""
    for part in account.parts:
        if part.undone:
            names = ", ".join(part.undone[:MOST_LEFT])
            more = f" and {len(part.undone) - MOST_LEFT:,} more" if len(part.undone) > MOST_LEFT else ""
            yield (
                "not done",
                f"{part.name}: {len(part.undone):,} of {len(part.units) + len(part.undone):,}, {names}{more}",
            )
    later = [each.name for each in account.parts if not (each.units or each.undone) and (each.cut or not each.done)]
    if later:
        yield "not done", f"{', '.join(later)}: nothing of it"


def _coverage(account: Account) -> str:
    known = [each for each in account.operations if each.path]
    asked = sum(bool(each.statuses) for each in known)
    seen = sum(each.covered for each in account.lifecycles)
    of = sum(len(each.taken) for each in account.lifecycles)
    return f"{asked} of {len(known)} operations, {seen} of {of} transitions"


def _headline(account: Account) -> str:
    failures, notes = account.failures, len(account.findings) - account.failures
    counts = f"{failures} failure{'' if failures == 1 else 's'}, {notes} note{'' if notes == 1 else 's'}"
    spent = f"{account.requests:,} requests in {duration(account.seconds)}, seed {account.seed}"
    return f"{counts}: {account.outcome} ({account.provider.name} at {account.url}; {spent})"
