"""One process's part of a run: what it stands on, its phases, and how it came to its end."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, TypeAlias, cast
from urllib.parse import urlsplit

from tasktwin.behaviour.rules import DemoPrincipal
from tasktwin.errors import MisuseError
from tasktwin.provider import Provider
from tasktwin.provider.credential_file import read_credentials
from tasktwin.suite.budget import Budget
from tasktwin.suite.clock import TargetTime
from tasktwin.suite.command.cleanup import Cleaner
from tasktwin.suite.command.order import SCENARIOS, Order
from tasktwin.suite.command.plan import Permission
from tasktwin.suite.finding import Findings
from tasktwin.suite.run import PHASES, SHARES, Event, Options, Phase, Run, Waits, go_through
from tasktwin.suite.target import Callers, Target, UnreachableError

HOMES: Final = {
    SCENARIOS: ("tasktwin.suite.scenario", "scenarios"),
    "protocol": ("tasktwin.suite.protocol.phase", "protocol"),
    "lifecycle": ("tasktwin.suite.lifecycle.phase", "lifecycle"),
    **{name: ("tasktwin.suite.schema", name) for name in ("examples", "coverage", "stateful", "fuzzing")},
}
"""Where each phase is; it is imported when it is wanted."""

NEEDED: Final = ("schemathesis", "hypothesis")

End: TypeAlias = Literal["done", "unreachable", "lost", "interrupted"]
"""``lost``: a worker ended before its time, so that nobody knows what it would have found."""


@dataclass(frozen=True, slots=True)
class Session:
    """A run, and what watches it."""

    order: Order
    run: Run
    cleaner: Cleaner

    def go(self) -> End:
        """Take the phases, then put away what was made."""
        end: End = "interrupted"
        run = self.run
        try:
            end = self._phases()
        finally:
            if not self.order.cleanup or end == "unreachable":
                self.cleaner.leave()
            else:
                self.cleaner.put_away()
            run.target.close()
        return end

    def _phases(self) -> End:
        run = self.run
        try:
            run.target.budget.begin()
            if set(self.order.phases) - {SCENARIOS}:  # scenarios look for themselves
                time = TargetTime(run.target)
                run.target.clock = time if time.offered else None
            shares = SHARES if self.order.command == "fuzz" else None
            go_through(run, [(name, phase_of(name)) for name in self.order.phases], shares)
        except UnreachableError as error:
            run.cut = run.cut or str(error)
            return "unreachable"
        except KeyboardInterrupt:
            run.cut = run.cut or "interrupted"
            run.target.budget.interrupted = False
            return "interrupted"
        return "done"


def open_session(
    order: Order,
    provider: Provider,
    known: frozenset[str] = frozenset(),
    tell: Callable[[Event], None] = lambda _event: None,
) -> Session:
    """Everything that a run stands on. Sends nothing. Raises ``DataError`` and ``MisuseError``."""
    see_url(order.url)
    see_installed(order.phases)
    callers = callers_of(order, provider)
    budget = Budget(order.time_budget, None, order.rate)
    target = Target(order.url, callers, budget, Permission(provider, order.globs), order.patience)
    options = Options(order.phases, order.seed, order.max_examples, order.operations, order.shard, order.cleanup)
    run = Run(_peopled(provider, callers), target, options, Findings(known), tell)
    cleaner = Cleaner(run)
    target.observers += [cleaner.observe]
    target.waits = lambda seconds, why: run.tell(Waits(target.phase, seconds, why))
    target.beats = _beats(provider)
    return Session(order, run, cleaner)


def _peopled(provider: Provider, callers: Callers) -> Provider:
    """The provider; where its data name no principals with the user's: its twin takes any credential then."""
    if provider.rules.principals:
        return provider
    known = {name: DemoPrincipal(name, headers, "") for name, headers in callers.headers.items()}
    return replace(provider, rules=replace(provider.rules, principals=known))


def _beats(provider: Provider) -> dict[str, float]:
    """Seconds between the signs of life of each operation's stream, where the data say so."""
    rules = {name: each.stream for name, each in provider.rules.bindings.items()}
    return {name: rule.heartbeat.span / 1_000_000 for name, rule in rules.items() if rule and rule.heartbeat}


def callers_of(order: Order, provider: Provider) -> Callers:
    """Who sends: the user's credentials, else the provider's demo principals. Raises ``DataError``."""
    principals = provider.rules.principals
    if not order.credentials:
        return Callers({name: dict(each.headers) for name, each in principals.items()})
    found = read_credentials(Path(order.credentials), principals, os.environ)
    return Callers(found.headers, True, found.written)


def phase_of(name: str) -> Phase:
    """A phase by its name."""
    module, function = HOMES[name]
    return cast("Phase", getattr(import_module(module), function))


def see_installed(phases: Sequence[str]) -> None:
    """Raises ``MisuseError`` when what a phase needs is not installed, with what to do about it."""
    if any(name in PHASES for name in phases):
        for name in NEEDED:
            if find_spec(name) is None:
                raise MisuseError(f"fuzzing needs {name}, which is not installed: pip install 'tasktwin[fuzz]'")


def see_url(url: str) -> None:
    """Raises ``MisuseError`` when this is no URL of a deployment."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - it is read to see whether it is one
    except ValueError as error:
        raise MisuseError(f"{url[:200]!r} is no URL: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise MisuseError(f"{url[:200]!r} is no URL of a deployment: it begins with http:// or https://")
    if "@" in parts.netloc:
        raise MisuseError("credentials do not belong into the URL: give them with --credentials FILE")
    if parts.query or parts.fragment:
        raise MisuseError(f"{url[:200]!r} is no base URL: leave out what follows its path")
