"""Locust's part: its process begins here, and this is its locustfile. Nothing else imports this module."""

import logging
import os
import signal
import sys
import threading
import time

if __name__ == "__main__":  # an interruption of half done imports would leave a trace
    signal.signal(signal.SIGINT, lambda _signal, _frame: os._exit(130))

from collections.abc import Callable
from typing import Any, Final

import gevent
import locust  # before what is ours: it has gevent patch the sockets
from locust import User, events
from locust.env import Environment
from locust.main import main
from locust.runners import WorkerRunner

from tasktwin.provider.scenario import Scenario
from tasktwin.suite.load.actor import Actor, Troupe
from tasktwin.suite.load.score import REFUSAL, UNANSWERED, Measured
from tasktwin.suite.load.settings import Settings

UNREACHABLE: Final = 3
A_LOOK: Final = 1.0
"""Seconds between looks at whether whoever started this is still there."""


def as_task(scenario: Scenario) -> Callable[["ScenarioUser"], None]:
    """A scenario as one of Locust's tasks: its statistics and its ``--tags`` know it by its name."""

    def play(user: "ScenarioUser") -> None:
        user.actor.play(scenario)

    play.__name__ = scenario.name
    tagged: Callable[[ScenarioUser], None] = locust.tag(scenario.name)(play)
    return tagged


class ScenarioUser(User):
    """Plays scenarios, one after the other, as chance has it."""

    abstract = __name__ == "__main__"
    troupe: Troupe
    actor: Actor

    def on_start(self) -> None:
        """Take a line of its own, and a world."""
        self.actor = self.troupe.actor(self.tell)

    def on_stop(self) -> None:
        """Put the world away."""
        self.actor.leave()

    def tell(self, measured: Measured) -> None:
        """One request, as Locust counts it."""
        self.environment.events.request.fire(
            request_type=measured.method,
            name=measured.name,
            response_time=measured.seconds * 1_000,
            response_length=measured.length,
            response=None,
            exception=Failure(measured.failure) if measured.failure else None,
            context={},
        )


class Failure(Exception):  # noqa: N818 - its name stands in Locust's reports
    """A request that failed. Locust shows what it is by its ``repr``."""

    def __repr__(self) -> str:
        """The text alone."""
        return str(self)


def interrupt() -> None:
    """Raise it where Locust waits for it."""
    hub = gevent.get_hub()
    hub.loop.run_callback(hub.parent.throw, KeyboardInterrupt)


def begin(environment: Environment, **_kwargs: Any) -> None:
    """An interruption ends the run, not the user whose turn it is; and nobody is left behind when the command is killed."""
    gevent.signal_handler(signal.SIGINT, interrupt)
    parent = os.getppid()

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(A_LOOK)
        if environment.runner is not None:
            environment.runner.quit()

    threading.Thread(target=look, daemon=True).start()


def judge(environment: Environment, **_kwargs: Any) -> None:
    """A run in which nothing was answered says nothing of the target."""
    runner = environment.runner
    if runner is None or isinstance(runner, WorkerRunner):
        return
    silent = sum(
        each.occurrences for each in runner.errors.values() if str(each.error).startswith((UNANSWERED, REFUSAL))
    )
    if silent >= runner.stats.total.num_requests:
        environment.process_exit_code = UNREACHABLE


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main()  # type: ignore[no-untyped-call]
    except KeyboardInterrupt:
        sys.exit(130)
else:
    for name in ("httpx2", "httpcore2"):  # they log URLs and headers, and credentials with them
        logging.getLogger(name).setLevel(logging.WARNING)
    ScenarioUser.troupe = Troupe.gather(Settings.read(os.environ))
    ScenarioUser.tasks = [as_task(each) for each in ScenarioUser.troupe.scenarios]
    events.init.add_listener(begin)  # type: ignore[no-untyped-call]
    events.quitting.add_listener(judge)  # type: ignore[no-untyped-call]
