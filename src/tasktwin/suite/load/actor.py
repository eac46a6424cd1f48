"""One user: plays scenarios over and over with connections of its own, where possible in a world of its own."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from secrets import token_urlsafe
from time import sleep
from typing import TYPE_CHECKING, Final

from tasktwin.errors import MisuseError, printable
from tasktwin.provider import Provider, load
from tasktwin.provider.scenario import Scenario
from tasktwin.state import elapsed
from tasktwin.suite.budget import Budget, SpentError
from tasktwin.suite.clock import TargetTime
from tasktwin.suite.command.plan import Permission
from tasktwin.suite.command.session import callers_of
from tasktwin.suite.finding import Finding
from tasktwin.suite.load.repertoire import scenarios_of
from tasktwin.suite.load.score import Measured, Score, short
from tasktwin.suite.load.settings import Settings
from tasktwin.suite.run import Options, Run
from tasktwin.suite.scenario.player import Player
from tasktwin.suite.scenario.request import Desk
from tasktwin.suite.target import Callers, Target, UnreachableError
from tasktwin.suite.traffic import Reply, Request

if TYPE_CHECKING:
    import ssl

    import httpx2

PAUSE: Final = 1.0
"""Seconds that a user waits after a play in which nothing was answered."""

MOST_TOLD: Final = 100
"""So many different things beside failures are told in a process."""

LOG: Final = logging.getLogger("tasktwin.load")


class Line(Target):
    """A user's own line to the target. That nobody is there is an answer like others: it is recorded, and goes on."""

    def __init__(self, url: str, callers: Callers, may_send: Callable[[Request], bool]) -> None:
        super().__init__(url, callers, Budget(), may_send)
        self.traffic = deque(maxlen=1)

    def _open(self) -> "httpx2.Client":
        import httpx2  # noqa: PLC0415 - heavy

        timeout = httpx2.Timeout(self.patience, connect=min(5.0, self.patience))
        return httpx2.Client(timeout=timeout, verify=_trust(), follow_redirects=False, trust_env=False)

    def _once(self, request: Request, patience: float) -> Reply:
        began = elapsed()
        try:
            return super()._once(request, patience)
        except UnreachableError as error:
            return self._nothing(error.__cause__, began)

    @contextmanager
    def open(self, request: Request, patience: float | None = None) -> "Iterator[httpx2.Response]":
        """As ``Target.open``; that nobody was there is recorded before it is raised."""
        import httpx2  # noqa: PLC0415 - heavy

        began = elapsed()
        try:
            with super().open(request, patience) as response:
                yield response
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            self.record(request, self._nothing(error, began))
            raise

    def _nothing(self, error: BaseException | None, began: float) -> Reply:
        why = type(error).__name__ if error else "unreachable"
        return Reply(0, {}, b"", elapsed() - began, self.now(), cut=True, problem=f"no answer: {why}")


@lru_cache(maxsize=1)
def _trust() -> "ssl.SSLContext":
    """Whom to trust: read once, since that takes long and there are many users."""
    import httpx2  # noqa: PLC0415 - heavy

    return httpx2.create_ssl_context(trust_env=False)


@dataclass(slots=True)
class Playing(Run):
    """A run that keeps nothing: what is wrong goes to the ``score``, what else is worth knowing is told once."""

    score: Score | None = None

    def report(self, finding: Finding) -> bool:
        """Blame the last request for it, unless it contradicts no more than what we assume."""
        if finding.severity == "failure" and self.score:
            self.score.blame(short(finding))
        else:
            tell_once(logging.INFO, self.target.callers.redact(f"note: {short(finding)}"))
        return True

    def skip(self, phase: str, what: str, why: str) -> None:
        """Say once in a process what cannot be played to its end."""
        if self.score:
            self.score.refuse()
        tell_once(logging.INFO, f"{phase}: {what} is cut short: {why}")


@dataclass(slots=True)
class Troupe:
    """What all users of a process share. Raises ``DataError`` and ``MisuseError`` like the command itself."""

    settings: Settings
    provider: Provider
    callers: Callers
    scenarios: tuple[Scenario, ...]
    permission: Permission
    desk: Desk

    @classmethod
    def gather(cls, settings: Settings) -> "Troupe":
        """Read all that is needed."""
        provider = load(settings.provider)
        callers = callers_of(settings.order, provider)
        scenarios = scenarios_of(provider, settings.scenarios)
        return cls(settings, provider, callers, scenarios, Permission(provider, settings.writes), Desk(provider))

    def actor(self, tell: Callable[[Measured], None]) -> "Actor":
        """A further user, in no world yet."""
        return Actor(self, Score(self.provider, self.callers, tell))


@dataclass(slots=True)
class Actor:
    """One user. ``world`` is its own, "" where the target has none."""

    troupe: Troupe
    score: Score
    line: Line = field(init=False)
    run: Playing = field(init=False)
    time: TargetTime = field(init=False)
    world: str = field(init=False)

    def __post_init__(self) -> None:
        """Take up the line; nothing is sent yet."""
        settings, troupe = self.troupe.settings, self.troupe
        self.line = Line(settings.url, troupe.callers, troupe.permission)
        self.line.observers.append(self.score.take)
        self.run = Playing(troupe.provider, self.line, Options(("scenarios",)), score=self.score)
        self.time = TargetTime(self.line, "", 0, settings.control)
        self.world = f"load-{token_urlsafe(12)}" if settings.control else ""

    def play(self, scenario: Scenario) -> None:
        """Play it once, from the world's beginning. Never raises for what the target does."""
        sent, is_lost = self.score.count, False
        try:
            self._play(scenario)
        except (UnreachableError, SpentError) as error:
            self.score.refuse()
            is_lost = True
            tell_once(logging.WARNING, self.troupe.callers.redact(str(error)))
        except MisuseError as error:  # such as a criterion that needs a library
            is_lost = True
            tell_once(logging.ERROR, self.troupe.callers.redact(f"{scenario.name}: {error}"))
        finally:
            self.score.settle()
        is_silent = any(each.reply.status == 0 for each in self.line.traffic)
        if is_lost or is_silent or self.score.count == sent:
            sleep(PAUSE)

    def _play(self, scenario: Scenario) -> None:
        time = self.time.world_of(self.world) if self.world else self.time
        if self.world and not time.world:  # what comes of it is told by the requests
            tell_once(logging.WARNING, "the target would not put a world back: what users find there may be wrong")
            time = TargetTime(self.line, self.world, 0, self.troupe.settings.control)
        try:
            Player(self.run, scenario, time, self.troupe.desk).play_all()
        finally:
            time.leave()

    def leave(self) -> None:
        """The world is no longer needed."""
        if self.world:
            TargetTime(self.line, self.world, 0, self.troupe.settings.control).forget()
        self.line.close()


_told: set[str] = set()


def tell_once(level: int, text: str) -> None:
    """Tell something that holds for every user."""
    if text in _told or len(_told) >= MOST_TOLD:
        return
    _told.add(text)
    LOG.log(level, "%s", printable(text))
