"""What a world knows again: who a credential is, and what was answered, as long as the rows are the same."""

from dataclasses import dataclass
from typing import Any

from tasktwin.behaviour.rules import Channel
from tasktwin.wire import Json


@dataclass(slots=True)
class Shown:
    """An answer that was given, and what it rests on: the same while the rows it ``sees`` are the same (``stamps``).

    ``written`` is how it was sent last, at the ``moment`` that its envelope may tell; ``checked`` says when it was seen
    last that they are: while nothing at all was written since, they still are.
    """

    sees: tuple[str, ...]
    stamps: tuple[int, ...]
    answer: Any
    moment: int | None = None
    written: Any = None
    checked: int = -1


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a credential is, as long as the rows that say so are the same (``stamps``), and by which channel."""

    channel: Channel
    stamps: tuple[int, ...]
    principal: dict[str, Json]
    scopes: frozenset[str]
