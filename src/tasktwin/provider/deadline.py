"""Checks that end: in a process of their own, with so much time and memory, whatever a folder holds.

Some data cannot be bounded by looking at it: schemas that apply each other twice at every level take a time that
doubles with each, in every validator there is.
"""

import multiprocessing
import warnings
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from tasktwin.errors import DataError, Problem
from tasktwin.provider.check import Report, check_provider

PATIENCE = 30.0
"""Seconds for one folder; the bundled ones take a few."""

TOO_MUCH = "Is it very large, or do its schemas apply each other many times over?"

MOST_MEMORY = 4 * 1024**3
"""Bytes of address space."""


def check_all(names: Sequence[str], *, write_fidelity: bool = False, patience: float = PATIENCE) -> list[Report]:
    """Check providers, each as ``check_provider`` does; one that takes too long is wrong for that.

    Where processes cannot be forked they are checked in this one, without an end.
    """
    if "fork" not in multiprocessing.get_all_start_methods():
        return [check_provider(name, write_fidelity=write_fidelity) for name in names]
    reports: list[Report] = []
    while len(reports) < len(names):
        reports += _some(names[len(reports) :], patience, write_fidelity=write_fidelity)
    return reports


def _some(names: Sequence[str], patience: float, *, write_fidelity: bool) -> list[Report]:
    """The reports up to the first that does not come."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_check, args=(theirs, names, write_fidelity), daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: the child needs none of them
        child.start()
    theirs.close()
    reports: list[Report] = []
    try:
        while len(reports) < len(names):
            try:
                lost = () if ours.poll(patience) else (f"checking took longer than {patience:.0f} s", TOO_MUCH)
                reports.append(_given_up(names[len(reports)], *lost) if lost else ours.recv())
            except EOFError:
                lost = ("checking ended before its time", "Did it need too much memory?")
                reports.append(_given_up(names[len(reports)], *lost))
            if lost:
                break
    finally:
        child.kill()
        child.join()
        ours.close()
    return reports


def _given_up(name: str, message: str, hint: str) -> Report:
    return Report(name, [Problem(message, file=name, hint=hint)])


def _check(theirs: Connection, names: Sequence[str], write_fidelity: bool) -> None:  # noqa: FBT001 - as processes are told
    _limit_memory()
    for name in names:
        try:
            report = check_provider(name, write_fidelity=write_fidelity)
        except DataError as error:
            report = Report(name, list(error.problems))
        except MemoryError:
            report = Report(name, [Problem("checking needs too much memory", file=name)])
        theirs.send(report)


def _limit_memory() -> None:
    try:
        import resource  # noqa: PLC0415 - not there on every system
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most: Any = MOST_MEMORY if hard == resource.RLIM_INFINITY else min(MOST_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))
