"""What ``tasktwin proxy`` does beside passing on: it begins, tells what breaks the contract, and sums up at the end."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Final
from urllib.parse import urlsplit

from tasktwin.errors import DataError, Problem, printable
from tasktwin.provider import load
from tasktwin.suite.budget import Budget
from tasktwin.suite.command.session import see_url
from tasktwin.suite.finding import Finding, as_json
from tasktwin.suite.proxy.judgement import CLIENT_RULES, PHASE
from tasktwin.suite.proxy.relay import CONNECT, Relay
from tasktwin.suite.proxy.watch import Watch
from tasktwin.suite.run import Ended, Options, Run
from tasktwin.suite.target import Callers, Target
from tasktwin.wire import dumps

FINE, FINDINGS, UNREACHABLE = 0, 1, 3

_COLOURS: Final = {"failure": "31;1", "note": "33", "warning": "33;1"}


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for."""

    url: str
    provider: str
    report: str = ""
    as_json: bool = False
    quiet: bool = False

    @property
    def command(self) -> str:
        """The command that repeats it."""
        report = f" --report {quote(self.report)}" if self.report else ""
        return f"tasktwin proxy {quote(self.url)} --provider {quote(self.provider)}{report}"


class Session:
    """One proxy, from its begin to its end. Raises ``DataError`` and ``MisuseError`` for an order that cannot be."""

    def __init__(self, order: Order) -> None:
        see_url(order.url)
        self.order = order
        if order.report:  # found out now, not after hours
            _make_folder(Path(order.report))
        provider = load(order.provider)
        target = Target(order.url, Callers({}, secret=True), Budget())
        self.run = Run(provider, target, Options(phases=(PHASE,)))
        self.watch = Watch(self.run, self._tell, self._warn, keep=bool(order.report))

    def open(self, own: str) -> Relay:
        """The ASGI application. ``own`` is the base URL under which it will be served."""
        self.run.target.budget.begin()
        self.watch.soon(self._see_target)
        return Relay(self.order.url, own, self.watch)

    def close(self) -> int:
        """Sum up; the exit code: 1 if the server or the client broke the contract, 3 if the target was never reached."""
        self.watch.close()
        run, order = self.run, self.order
        run.units = [f"{PHASE}:{name}" for name in dict.fromkeys(name for name, _ in sorted(run.answered)) if name]
        run.ended.append(Ended(PHASE, run.target.budget.used))
        run.target.close()
        files = self._write()
        if order.as_json:
            sys.stdout.writelines(dumps(as_json(each)).decode() + "\n" for each in run.findings)
        else:
            from rich.console import Console  # noqa: PLC0415 - heavy

            from tasktwin.suite.proxy.summary import print_summary  # noqa: PLC0415

            print_summary(self.watch, Console(file=sys.stdout), files)
        if run.findings.failures:
            return FINDINGS
        return UNREACHABLE if self.watch.failed and not run.answered else FINE

    def _write(self) -> list[Path]:
        from tasktwin.suite.report import write_reports  # noqa: PLC0415 - heavy

        order = self.order
        return write_reports(Path(order.report), self.run, command=order.command, url=order.url) if order.report else []

    def _see_target(self) -> None:
        """A proxy may start before its target, but whoever mistyped the URL wants to know."""
        parts = urlsplit(self.order.url)
        place = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        try:
            socket.create_connection(place, CONNECT).close()
        except OSError as error:
            self._warn(f"{self.order.url} cannot be reached yet: {error.strerror or error}")

    def _tell(self, finding: Finding, untold: int) -> None:
        who = "client" if finding.rule in CLIENT_RULES else "server"
        again = f" ({untold:,} more times before)" if untold else ""
        self._write_line(finding.severity, f"{who}: {finding.title} [{finding.rule}]{again}")

    def _warn(self, text: str) -> None:
        self._write_line("warning", text)

    def _write_line(self, level: str, text: str) -> None:
        if self.order.quiet:
            return
        coloured = sys.stderr.isatty() and not os.environ.get("NO_COLOR")
        mark = f"\x1b[{_COLOURS[level]}m{level:<7}\x1b[0m" if coloured else f"{level:<7}"
        try:
            sys.stderr.write(f"{mark} {printable(text)[:500]}\n")
            sys.stderr.flush()
        except OSError:  # nobody listens any more; what passes is not to suffer from it
            return


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            Problem(f"the reports cannot be written: {error.strerror or error}", file=str(folder))
        ) from None


@contextmanager
def stoppable() -> Iterator[None]:
    """A SIGTERM ends the proxy as Ctrl-C does: stopping is how it ends, so that neither is an interruption."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)
