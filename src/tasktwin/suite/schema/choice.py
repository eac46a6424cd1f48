"""Which checks are off, where, and why: decided by the provider's data, never by its name."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tasktwin.contract import Operation
from tasktwin.provider import Provider

EVERYWHERE: Mapping[str, str] = {
    "positive_data_acceptance": (
        "a schema cannot say every rule (a date in the future, a key used before), so a refusal proves nothing"
    ),
    "object_level_authorization": "the protocol phase asks for everybody's resources by everybody else",
}
"""Checks that are off for every provider."""

METHODS = ("unsupported_method", "allow_header_conformance")
"""Checks of what a path answers to methods that it does not have."""


@dataclass(frozen=True, slots=True)
class Off:
    """A check that is not made on operations of these names (``*`` for all), and why."""

    check: str
    operation: str
    reason: str


def turned_off(provider: Provider) -> list[Off]:
    """What is off for a provider: everywhere, where its paths overlap, and where ``suite.checks`` says so."""
    operations = [*provider.rules.contract.operations.values()]
    found = [Off(check, "*", reason) for check, reason in EVERYWHERE.items()]
    for operation in operations:
        other = next(_overlapping(operation, operations), None)
        if other is not None:
            reason = f"{operation.path} is an instance of {other.path} as well, which has methods of its own"
            found += [Off(check, operation.id, reason) for check in METHODS]
    for check, each in provider.data.get("suite", {}).get("checks", {}).items():
        found += [Off(check, glob, each["off"]) for glob in each.get("operations", ["*"])]
    return found


def is_off(offs: list[Off], check: str, operation: str) -> bool:
    """Whether a check is off for an operation."""
    return any(each.check == check and fnmatchcase(operation, each.operation) for each in offs)


def _overlapping(operation: Operation, operations: list[Operation]) -> Iterator[Operation]:
    """Operations of other paths of which this one's path is an instance too."""
    for each in operations:
        if each.path != operation.path and re.fullmatch(_pattern(each.path), operation.path):
            yield each


def _pattern(path: str) -> str:
    """A template as a pattern in which each placeholder stands for one segment, and the last slash may be missing."""
    parts = re.split(r"\{[^{}]*\}", path.rstrip("/"))
    return "[^/]+".join(map(re.escape, parts)) + "/?"
