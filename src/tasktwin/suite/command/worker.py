"""A run in several processes: each does a shard of it, and what they found is put together."""

import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Final

from tasktwin.errors import TasktwinError
from tasktwin.provider import load
from tasktwin.suite.command.order import Order
from tasktwin.suite.command.session import End, Session, open_session
from tasktwin.suite.finding import Finding
from tasktwin.suite.run import Ended, Event, Found, Run, Skipped, Started, Waits, Went
from tasktwin.suite.traffic import Sent

PATIENCE: Final = 60.0
"""Seconds that a worker has to put away what it made, once it was told to stop."""

SEVERITY: Final[tuple[End, ...]] = ("done", "unreachable", "lost", "interrupted")


@dataclass(frozen=True, slots=True)
class Share:
    """What one worker came to."""

    end: End
    findings: tuple[Finding, ...]
    accepted: dict[str, int]
    units: tuple[str, ...]
    undone: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    ended: tuple[Ended, ...]
    taken: Counter[tuple[str, str]]
    answered: Counter[tuple[str, int]]
    leftovers: tuple[str, ...]
    cut: str
    traffic: tuple[Sent, ...]
    sent: int


def shards(order: Order) -> list[Order]:
    """The order for each worker: together their shards are this one's, and their rates its rate."""
    index, count = order.shard
    return [
        replace(order, workers=1, rate=order.rate / order.workers, shard=(index + count * n, count * order.workers))
        for n in range(order.workers)
    ]


def share(session: Session, known: frozenset[str]) -> End:
    """Let workers do the run, and put into ``session.run`` what they came to."""
    processes: list[BaseProcess] = []
    pipes: list[Connection] = []
    over: dict[str, list[Ended]] = {}
    try:
        with _held_back():
            for order in shards(session.order):
                _start(order, known, processes, pipes)
        session.run.target.budget.begin()
        found = _gather(session.run, pipes, None, over)
    except KeyboardInterrupt:
        for process in processes:
            with suppress(OSError):
                os.kill(process.pid or 0, signal.SIGINT) if process.is_alive() and process.pid else None
        found = _gather(session.run, pipes, PATIENCE, over)
        session.run.cut = session.run.cut or "interrupted"
        return "interrupted"
    finally:
        for process in processes:
            process.join(1.0)
            process.kill()
    return _worst(found, len(processes), session.run)


def _start(order: Order, known: frozenset[str], processes: list[BaseProcess], pipes: list[Connection]) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    worker = context.Process(target=_work, args=(theirs, order, known), daemon=True)
    worker.start()
    theirs.close()
    processes.append(worker)
    pipes.append(ours)


@contextmanager
def _held_back() -> Iterator[None]:
    """Processes that begin within it hear of Ctrl-C when they are ready to, not in the middle of their imports."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # its start would let signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _worst(found: Sequence[Share], workers: int, run: Run) -> End:
    if len(found) < workers:
        run.cut = run.cut or f"{workers - len(found)} of {workers} workers ended before their time"
        return "lost"
    return max((each.end for each in found), key=SEVERITY.index)


def _gather(run: Run, pipes: list[Connection], patience: float | None, over: dict[str, list[Ended]]) -> list[Share]:
    """What the workers send, until each has sent its share or is gone. ``over``: the ends of phases, not told yet."""
    found: list[Share] = []
    workers = len(pipes) + max(map(len, over.values()), default=0)
    while pipes:
        ready = wait(pipes, patience)
        if not ready:
            break
        for pipe in [each for each in pipes if each in ready]:
            try:
                told: Event | Share | TasktwinError | int = pipe.recv()
            except (EOFError, OSError):
                pipes.remove(pipe)
                continue
            if isinstance(told, Share):
                found.append(told)
                _merge(run, told)
                pipes.remove(pipe)
            elif isinstance(told, Ended):
                over.setdefault(told.phase, []).append(told)
                if len(over[told.phase]) == workers:
                    run.tell(_last(over.pop(told.phase)))
            else:
                _pass_on(run, told)
    for ends in over.values():
        run.tell(_last(ends))
    return found


def _pass_on(run: Run, told: Event | TasktwinError | int) -> None:
    """What a worker tells on its way: an event, so many requests, or what keeps it from working, which is raised."""
    if isinstance(told, TasktwinError):
        raise told
    if isinstance(told, int):
        run.target.sent += told
    elif isinstance(told, (Found, Went, Started, Waits)):
        run.tell(told)


def _last(ends: Sequence[Ended]) -> Ended:
    """The end of a phase of which each worker did a part: it is over when the last of them is."""
    cuts = dict.fromkeys(each.cut for each in ends if each.cut)
    return Ended(ends[0].phase, max(each.seconds for each in ends), "; ".join(cuts))


def _merge(run: Run, other: Share) -> None:
    for each in other.findings:
        run.findings.add(each)
    for cause, times in other.accepted.items():
        run.findings.accepted[cause] = run.findings.accepted.get(cause, 0) + times
    run.units += other.units
    run.undone += other.undone
    run.skipped += [each for each in other.skipped if each not in run.skipped]
    run.ended += other.ended
    run.taken += other.taken
    run.answered += other.answered
    run.leftovers += other.leftovers
    run.cut = run.cut or other.cut
    begun = len(run.target.traffic)
    run.target.traffic.extend(replace(each, number=begun + n) for n, each in enumerate(other.traffic, 1))


def _work(theirs: Connection, order: Order, known: frozenset[str]) -> None:
    """One worker, from its beginning to its end."""
    try:
        if hasattr(signal, "pthread_sigmask"):
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # it was held back until here
        session = open_session(order, load(order.provider), known, theirs.send)
        told = 0

        def count(_sent: Sent) -> None:
            nonlocal told
            told += 1
            theirs.send(1)

        session.run.target.observers.append(count)
        end = session.go()
        theirs.send(_share(session.run, end, told))
    except TasktwinError as error:
        theirs.send(error)
    except KeyboardInterrupt:
        theirs.close()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is said: nothing is left to interrupt


def _share(run: Run, end: End, sent: int) -> Share:
    return Share(
        end,
        tuple(run.findings.by_cause.values()),
        run.findings.accepted,
        tuple(run.units),
        tuple(run.undone),
        tuple(run.skipped),
        tuple(run.ended),
        run.taken,
        run.answered,
        tuple(run.leftovers),
        run.cut,
        tuple(run.target.traffic),
        sent,
    )
