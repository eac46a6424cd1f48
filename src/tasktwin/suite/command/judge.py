"""What ``verify`` and ``fuzz`` do: plan, run, put away, report; and the exit code that comes of it."""

import sys
import tempfile
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final, TextIO

from tasktwin.errors import DataError, Problem, printable
from tasktwin.provider import load
from tasktwin.suite.command.interruption import INTERRUPTED, at_once, stoppable
from tasktwin.suite.command.order import Order
from tasktwin.suite.command.plan import as_document, plan_of, print_plan
from tasktwin.suite.command.progress import Progress
from tasktwin.suite.command.session import End, Session, callers_of, open_session, see_installed, see_url
from tasktwin.suite.command.worker import share
from tasktwin.suite.run import PHASES, Run
from tasktwin.suite.target import STORM
from tasktwin.wire import Json, dumps

if TYPE_CHECKING:
    from rich.console import Console

    from tasktwin.suite.baseline import Baseline

FINE, FINDINGS, WRONG, UNREACHABLE = 0, 1, 2, 3
TOO_MANY: Final = 429
REFUSED: Final = frozenset({TOO_MANY, 503})


def judge(order: Order) -> int:
    """Carry out an order; its exit code. Raises ``DataError`` and ``MisuseError`` before anything is sent."""
    with at_once():
        see_url(order.url)
        see_installed(order.phases)
        provider = load(order.provider)
        plan = plan_of(order, provider, callers_of(order, provider))
        if order.dry_run:
            _print_json(as_document(plan)) if order.as_json else print_plan(plan, _console(sys.stdout), whole=True)
            return FINE
        baseline = _baseline(order)
        see_places(order)
        errors = None if order.quiet else _console(sys.stderr)
        if errors:
            print_plan(plan, errors, whole=False)
        session = open_session(order, provider, baseline.causes if baseline else frozenset())
    run = session.run
    with Progress(errors, run, lambda: run.target.sent) as progress, stoppable(run.target.budget):
        run.tell = progress.hear
        end = session.go() if order.workers == 1 else share(session, run.findings.known)
    run.cut = run.cut or why_nothing_was_judged(run)
    _tell(session, baseline)
    if run.cut and end != "interrupted":
        sys.stderr.write(f"error: {run.target.callers.redact(printable(run.cut))}{_advice(run, end)}\n")
    return _code(run, end)


def _baseline(order: Order) -> "Baseline | None":
    """What is known already. Raises ``DataError``."""
    from tasktwin.suite.baseline import read_baseline  # noqa: PLC0415 - beside its only use

    return read_baseline(Path(order.baseline)) if order.baseline else None


def _advice(run: Run, end: End) -> str:
    """What to do where the target cannot be reached."""
    if end != "unreachable":
        return ""
    if any(each.reply.status for each in run.target.traffic):
        return ". It answered before: see in its log what the last requests did to it, and start it again"
    return f". Is it running, and is this its base URL? Try: curl -i {quote(printable(run.target.url))}"


def _tell(session: Session, baseline: "Baseline | None") -> None:
    """Write the reports, and print what came of it."""
    from tasktwin.suite.baseline import write_baseline  # noqa: PLC0415 - heavy parts of it
    from tasktwin.suite.report import account_of, write_reports  # noqa: PLC0415
    from tasktwin.suite.summary import print_summary, summary  # noqa: PLC0415

    order, run = session.order, session.run
    again = command_of(order)
    files: list[Path] = []
    try:
        files += write_reports(Path(order.report), run, command=again, url=order.url) if order.report else []
    finally:  # a disk that is full must not take with it what was found
        if order.as_json:
            _print_json(summary(run, command=again))
        else:
            print_summary(run, _console(sys.stdout), command=again, reports=files)
    if baseline is not None and baseline.is_missing and not run.cut:
        write_baseline(baseline.path, account_of(run, command=again, url=order.url).findings)


def _code(run: Run, end: End) -> int:
    if end == "interrupted":
        return INTERRUPTED
    if end in {"unreachable", "lost"}:
        return UNREACHABLE if end == "unreachable" else WRONG
    if run.findings.failures and not _is_refused(run):
        return FINDINGS
    return UNREACHABLE if run.cut else FINE


def why_nothing_was_judged(run: Run) -> str:
    """Why a run that came to its end says nothing of the deployment, "" if it does say something."""
    traffic = list(run.target.traffic)
    last = [each.reply.status for each in traffic[-STORM:]]
    refused = next((each.cut for each in run.ended if "keeps refusing" in each.cut), "")
    if refused and len(last) == STORM and REFUSED.issuperset(last):
        return refused
    if _is_refused(run):
        return f"the target refused all {len(traffic):,} requests with {TOO_MANY}"
    is_whole = any(not each.reply.cut or each.reply.streams for each in traffic)
    if traffic and not is_whole and not run.findings.failures:
        return f"not one of {len(traffic):,} answers came whole: {traffic[-1].reply.problem}"
    return ""


def _is_refused(run: Run) -> bool:
    """Whether not one request was let through."""
    return bool(run.target.traffic) and all(each.reply.status == TOO_MANY for each in run.target.traffic)


def see_places(order: Order) -> None:
    """Raises ``DataError`` where reports and baseline cannot be written: found out now, not after hours."""
    for what, folder in (("reports", order.report), ("baseline", order.baseline and str(Path(order.baseline).parent))):
        if not folder:
            continue
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            problem = f"the {what} cannot be written here: {error.strerror or error}"
            raise DataError(Problem(problem, file=folder)) from None


def command_of(order: Order) -> str:
    """The command that repeats an order."""
    plain = Order(order.command, order.url, order.provider, order.phases)
    words = ["tasktwin", order.command, order.url, "--provider", order.provider, "--seed", str(order.seed)]
    whole = ("scenarios",) if order.command == "verify" else PHASES
    words += ["--phases", ",".join(order.phases)] if order.phases != whole else []
    words += ["--credentials", order.credentials] if order.credentials else []
    words += ["--time-budget", f"{order.time_budget:g}s"] if order.time_budget else []
    words += ["--max-examples", str(order.max_examples)] if order.max_examples != plain.max_examples else []
    words += ["--rate", f"{order.rate:g}/s"] if order.rate else []
    words += ["--workers", str(order.workers)] if order.workers != 1 else []
    words += [word for each in order.operations for word in ("--operation", each)]
    words += ["--read-only"] if order.read_only else []
    words += [f"--allow-writes={each}" for each in order.writes or ()]
    words += ["--shard", f"{order.shard[0]}/{order.shard[1]}"] if order.shard != (1, 1) else []
    words += ["--baseline", order.baseline] if order.baseline else []
    words += [] if order.cleanup else ["--no-cleanup"]
    return " ".join(map(quote, words))


def _print_json(document: Json) -> None:
    sys.stdout.write(dumps(document).decode() + "\n")


def _console(file: TextIO) -> "Console":
    from rich.console import Console  # noqa: PLC0415 - heavy

    return Console(file=file)
