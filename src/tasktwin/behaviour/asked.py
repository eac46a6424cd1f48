"""What a dialect is asked, and what it finds."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tasktwin.contract import Operation
from tasktwin.wire import Json


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came: decoded path values, the raw query, the Content-Type and the body's bytes."""

    operation: Operation
    path: Mapping[str, str]
    query: bytes
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """What a dialect read, and the faults it found in its own words; ``kind`` names the refusal."""

    path: dict[str, Json]
    query: dict[str, Json]
    body: Json
    faults: tuple[Json, ...] = ()
    kind: str = "invalid"


Dialect: TypeAlias = Callable[[Asked], Finding]
"""How a family of servers reads a request and words what is wrong with it."""
