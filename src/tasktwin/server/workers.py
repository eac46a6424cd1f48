"""``tasktwin serve --workers``: several processes at one address, each replaced when it dies."""

import os
import signal
import socket
import sys
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from threading import Event, Thread
from typing import Final

from tasktwin.errors import MisuseError, TasktwinError
from tasktwin.server.run import GRACE, run
from tasktwin.server.serving import Serving
from tasktwin.state import elapsed
from tasktwin.state.redis_link import PATIENCE

LOOK: Final = 0.2
"""Seconds after which a dead worker is noticed at the latest."""

MOST_DEATHS: Final = 5
"""So many workers may die within ``SPAN`` seconds; then something is wrong that does not pass."""

SPAN: Final = 10.0

LONGEST_END: Final = GRACE + 2 * PATIENCE + 1
"""Seconds that workers have to end: Redis may let them wait before open requests are given time, and behind that."""


def run_workers(serving: Serving, listeners: Sequence[socket.socket]) -> None:
    """Serve in a process for each socket until told to stop; one that dies is replaced, and who waits at its socket waits on.

    Raises ``KeyboardInterrupt`` when Ctrl-C stopped it, and ``MisuseError`` when workers die again and again.
    """
    told: list[int] = []
    stop = Event()

    def end(number: int, _frame: object) -> None:
        told.append(number)
        stop.set()

    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, end)
    deaths: deque[float] = deque(maxlen=MOST_DEATHS)
    workers = [_begin(serving, listener) for listener in listeners]
    try:
        while not stop.is_set():
            wait([each.sentinel for each in workers], LOOK)
            for place, worker in enumerate(workers):
                if stop.is_set() or worker.is_alive():
                    continue
                deaths.append(elapsed())
                if len(deaths) == MOST_DEATHS and deaths[-1] - deaths[0] < SPAN:
                    raise MisuseError(f"{MOST_DEATHS} workers died within {SPAN:.0f} s: see above for why")
                workers[place] = _begin(serving, listeners[place])
    finally:
        _end(workers)
        for listener in listeners:
            listener.close()
    if signal.SIGINT in told:
        raise KeyboardInterrupt


def _begin(serving: Serving, listener: socket.socket) -> BaseProcess:
    worker = get_context("spawn").Process(target=_work, args=(serving, listener), name="tasktwin worker")
    worker.start()
    return worker


def _end(workers: Sequence[BaseProcess]) -> None:
    """Let them end, and make them if they do not."""
    for worker in workers:
        worker.terminate()
    until = elapsed() + LONGEST_END
    for worker in workers:
        worker.join(max(0.0, until - elapsed()))
        if worker.is_alive():
            worker.kill()
            worker.join()


def _work(serving: Serving, listener: socket.socket) -> None:
    """What a worker does."""
    Thread(target=_end_with_parent, daemon=True).start()
    try:
        with suppress(KeyboardInterrupt):
            run(serving.application(), listener, serving.line)
    except TasktwinError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(1)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
