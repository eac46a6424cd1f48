"""What ``tasktwin load`` does before Locust begins and after it ended: look, plan, start it, and the exit code."""

import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from types import FrameType
from typing import Final

from tasktwin.errors import MisuseError, printable
from tasktwin.provider import Provider, load
from tasktwin.suite.budget import Budget
from tasktwin.suite.clock import WORLDS, TargetTime
from tasktwin.suite.command.interruption import INTERRUPTED, at_once
from tasktwin.suite.command.judge import FINE, UNREACHABLE, WRONG, see_places
from tasktwin.suite.command.order import Order
from tasktwin.suite.command.plan import Permission
from tasktwin.suite.command.session import callers_of, see_url
from tasktwin.suite.load import plan as planning
from tasktwin.suite.load.repertoire import Chooser, Repertoire, scenarios_of
from tasktwin.suite.load.settings import Settings
from tasktwin.suite.target import Callers, Target, UnreachableError
from tasktwin.wire import dumps

SWARM: Final = Path(__file__).with_name("swarm.py")
AT_ONCE: Final = 100
"""Users that begin in a second at most, if nothing else is said: Locust warns of more."""


@dataclass(frozen=True, slots=True)
class Load:
    """One call of ``load``: what it shares with ``verify``, and what is Locust's. ``locust`` are words for it."""

    order: Order
    users: int = 10
    spawn_rate: float | None = None
    scenarios: tuple[str, ...] = ()
    master: bool = False
    worker: bool = False
    master_host: str = ""
    processes: int = 0
    locust: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises ``MisuseError`` for what contradicts itself."""
        if self.master and self.worker:
            raise MisuseError("--master and --worker contradict each other: start one process for each")
        if self.master and self.processes:
            raise MisuseError(
                "--processes brings a master of its own: leave out --master, or start workers by --worker"
            )
        if self.master_host and not self.worker:
            raise MisuseError("--master-host says where a --worker finds its master")

    @property
    def rate(self) -> float:
        """Users that begin in a second."""
        return self.spawn_rate or float(min(self.users, AT_ONCE))

    @property
    def words(self) -> list[str]:
        """Locust's command line."""
        order = self.order
        report = Path(order.report) / "load"
        words = [sys.executable, "-P", str(SWARM), "-f", str(SWARM), "--headless", "--host", order.url]
        words += ["--worker"] if self.worker else ["--users", str(self.users), "--spawn-rate", f"{self.rate:g}"]
        words += ["--run-time", f"{math.ceil(order.time_budget)}s"] if order.time_budget and not self.worker else []
        words += ["--master"] if self.master else []
        words += ["--master-host", self.master_host] if self.master_host else []
        words += ["--processes", str(self.processes)] if self.processes else []
        words += ["--html", f"{report}.html", "--csv", str(report)] if order.report and not self.worker else []
        words += ["--json"] if order.as_json else []
        words += ["--only-summary", "--loglevel", "WARNING"] if order.quiet else []
        return [*words, *self.locust]


def carry_out(wish: Load) -> int:
    """The exit code. Raises ``DataError`` and ``MisuseError`` before anything is sent."""
    order = wish.order
    with at_once():
        see_url(order.url)
        see_locust()
        provider = load(order.provider)
        callers = callers_of(order, provider)
        plan = planning.plan_of(wish, provider, callers)
        if order.dry_run:
            sys.stdout.write(dumps(plan.as_document()).decode() + "\n" if order.as_json else plan.as_text())
            return FINE
        see_places(order)
        tell = _silence if order.quiet else sys.stderr.write
        tell(plan.as_text())
        try:
            found, control = _look(wish, provider, callers)
        except UnreachableError as error:
            advice = f"Is it running, and is this its base URL? Try: curl -i {quote(printable(order.url))}"
            sys.stderr.write(f"error: {callers.redact(printable(str(error)))}. {advice}\n")
            return UNREACHABLE
        tell(planning.told(found, worlds=bool(control)))
        _see_something(found)
        names = tuple(each.name for each in found.played)
        settings = Settings(order.url, order.provider, order.credentials, order.globs, names, control)
        sys.stderr.flush()
    code = _run(wish.words, settings)
    if order.report and not wish.worker:
        tell(f"reports in {printable(str(order.report))}: load.html, load_stats.csv and more\n")
    return code


def see_locust() -> None:
    """Raises ``MisuseError`` when Locust is not installed, with what to do about it."""
    if find_spec("locust") is None:
        raise MisuseError("load needs locust, which is not installed: pip install 'tasktwin[load]'")


def _look(wish: Load, provider: Provider, callers: Callers) -> tuple[Repertoire, str]:
    """What can be played there, and the URL of what gives worlds. Raises ``UnreachableError``."""
    order = wish.order
    target = Target(order.url, callers, Budget(), patience=order.patience)
    try:
        control = TargetTime(target).control
    finally:
        target.close()
    if WORLDS in order.url:  # all users share that world: its clock is not one user's to move
        control = ""
    chooser = Chooser(Permission(provider, order.globs), callers, bool(control))
    return chooser.choose(scenarios_of(provider, wish.scenarios)), control


def _see_something(found: Repertoire) -> None:
    if found.played:
        return
    first = found.omitted[0]
    hint = ". --allow-writes [GLOB] allows it" if any("not allowed" in each.why for each in found.omitted) else ""
    raise MisuseError(f"there is nothing to play: {first.name} is left out because {first.why}{hint}")


def _run(words: list[str], settings: Settings) -> int:
    """Run Locust in a process of its own, where gevent can patch what is not imported yet; the exit code."""
    with _passing_on() as begun:
        begun.locust = subprocess.Popen(words, env=settings.as_environment(), start_new_session=True)  # noqa: S603
        code = begun.locust.wait()
    if begun.is_interrupted:
        return INTERRUPTED
    if code < 0:
        sys.stderr.write(f"error: Locust was ended by {signal.Signals(-code).name}\n")
        return WRONG
    return code


@dataclass(slots=True)
class _Begun:
    """Locust's process, which has a session of its own: so that it hears of an interruption once, and from here."""

    locust: subprocess.Popen[bytes] | None = None
    is_interrupted: bool = False

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        """Ctrl-C and SIGTERM alike: with the one Locust ends in order, and writes its report."""
        self.is_interrupted = True
        if self.locust is None:
            raise KeyboardInterrupt
        with suppress(ProcessLookupError):
            os.killpg(self.locust.pid, signal.SIGINT)


@contextmanager
def _passing_on() -> Iterator[_Begun]:
    begun = _Begun()
    ignores = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    wanted = [signal.SIGTERM] if ignores else [signal.SIGTERM, signal.SIGINT]
    before = {each: signal.signal(each, begun.stop) for each in wanted}
    try:
        yield begun
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _silence(_text: str) -> int:
    return 0
