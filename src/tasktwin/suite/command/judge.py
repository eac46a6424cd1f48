"""What ``verify`` and ``fuzz`` do: plan, run, put away, report; and the exit code that comes of it."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Final, TextIO

from tasktwin.errors import printable
from tasktwin.provider import load
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

FINE, FINDINGS, WRONG, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130
REFUSED: Final = frozenset({429, 503})


def judge(order: Order) -> int:
    """Carry out an order; its exit code. Raises ``DataError`` and ``MisuseError`` before anything is sent."""
    from tasktwin.suite.baseline import read_baseline  # noqa: PLC0415 - beside its only use

    see_url(order.url)
    see_installed(order.phases)
    provider = load(order.provider)
    plan = plan_of(order, provider, callers_of(order, provider))
    if order.dry_run:
        _print_json(as_document(plan)) if order.as_json else print_plan(plan, _console(sys.stdout), whole=True)
        return FINE
    baseline = read_baseline(Path(order.baseline)) if order.baseline else None
    known = baseline.causes if baseline else frozenset[str]()
    errors = None if order.quiet else _console(sys.stderr)
    if errors:
        print_plan(plan, errors, whole=False)
    session = open_session(order, provider, known)
    with Progress(errors, session.run, lambda: session.run.target.sent) as progress, _stoppable():
        session.run.tell = progress.hear
        end = session.go() if order.workers == 1 else share(session, known)
    _tell(session, baseline)
    if end in {"unreachable", "lost"}:
        sys.stderr.write(f"error: {session.run.target.callers.redact(printable(session.run.cut))}\n")
    return _code(session.run, end)


def _tell(session: Session, baseline: "Baseline | None") -> None:
    """Write the reports, and print what came of it."""
    from tasktwin.suite.baseline import write_baseline  # noqa: PLC0415 - heavy parts of it
    from tasktwin.suite.report import account_of, write_reports  # noqa: PLC0415
    from tasktwin.suite.summary import print_summary, summary  # noqa: PLC0415

    order, run = session.order, session.run
    again = command_of(order)
    if baseline is not None and baseline.is_missing and not run.cut:
        write_baseline(baseline.path, account_of(run, command=again, url=order.url).findings)
    files = write_reports(Path(order.report), run, command=again, url=order.url) if order.report else []
    if order.as_json:
        _print_json(summary(run, command=again))
    else:
        print_summary(run, _console(sys.stdout), command=again, reports=files)


def _code(run: Run, end: End) -> int:
    if end == "interrupted":
        return INTERRUPTED
    if end in {"unreachable", "lost"}:
        return UNREACHABLE if end == "unreachable" else WRONG
    if run.findings.failures:
        return FINDINGS
    return UNREACHABLE if is_storm(run) else FINE


def is_storm(run: Run) -> bool:
    """Whether the run was ended by a target that refuses everything: then nothing was judged."""
    last = [each.reply.status for each in list(run.target.traffic)[-STORM:]]
    cut = any("keeps refusing" in each.cut for each in run.ended)
    return cut and len(last) == STORM and REFUSED.issuperset(last)


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


@contextmanager
def _stoppable() -> Iterator[None]:
    """A SIGTERM ends the run as Ctrl-C does: what was made is put away, what was found is told."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
