"""Faults in a file: what ``tasktwin serve --faults`` reads."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from tasktwin.behaviour.fault import Fault, gentle, parse_faults
from tasktwin.behaviour.order import OrderError
from tasktwin.errors import DataError, Problem
from tasktwin.provider.provider import Provider
from tasktwin.provider.yaml_file import located, read_yaml

GENTLE = "gentle"
"""The name of the bundled set, which no file has."""


def read_faults(name: str, providers: Sequence[Provider]) -> tuple[Fault, ...]:
    """The faults in a YAML or JSON file, as the control plane takes them, or the bundled set ``gentle``.

    Each must be able to strike at least one of the providers. Raises ``DataError`` with file and line.
    """
    if name == GENTLE:
        return gentle()
    path = Path(name)
    if not _is_file(path):
        hint = f"Give a file, or {GENTLE} for the bundled set."
        raise DataError(Problem("there is no such file of faults", file=name[:200], hint=hint))
    rules = [each.rules for each in providers]
    operations = frozenset(chain.from_iterable(each.contract.operations for each in rules))
    streams = frozenset(chain.from_iterable(each.streams for each in rules))
    try:
        return parse_faults(read_yaml(path, name), operations, streams)
    except OrderError as error:
        raise DataError(*located([Problem(error.told, error.pointer)], path, name)) from None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # no name that a file could have
        return False
