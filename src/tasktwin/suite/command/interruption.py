"""Ctrl-C: before anything was sent it ends the process at once; later the run winds down. The exit code is 130 in both."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tasktwin.suite.budget import Budget

INTERRUPTED: Final = 130


@contextmanager
def at_once() -> Iterator[None]:
    """Within it there is nothing to wind down, and a trace of half done imports would help nobody."""
    if not _hears() or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, lambda _signal, _frame: os._exit(INTERRUPTED))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def stoppable(budget: "Budget") -> Iterator[None]:
    """A SIGTERM ends the run as Ctrl-C does: what was made is put away, what was found is told."""
    if not _hears():
        yield
        return

    def stop(_signal: int, _frame: FrameType | None) -> None:
        budget.interrupted = True
        raise KeyboardInterrupt

    ignores = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    before = {
        each: signal.signal(each, stop)
        for each in (signal.SIGTERM, signal.SIGINT)
        if each == signal.SIGTERM or not ignores
    }
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _hears() -> bool:
    """Whether this is the thread that signals come to."""
    return threading.current_thread() is threading.main_thread()
