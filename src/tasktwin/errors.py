"""The tree of errors. It imports nothing.

::

    TasktwinError
    ├── DataError        the data we were given is wrong: a list of problems, each with file, line, pointer and hint
    ├── Refusal          the twin declines a request: a kind from a closed list; the provider's data says how it looks
    ├── MisuseError      the caller used the Python interface or a control route wrongly
    │   └── TooManyWorldsError   no further world fits
    ├── ConflictError    somebody else, who shares the world, was first: nothing was done, do it again
    ├── GoneError        somebody else, who shares the world, deleted it
    └── UnavailableError the store that is shared does not answer
        └── DeniedError      it does not let us

What a check finds in a request or a response is a value (``contract.Violation``), not an exception.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal


def printable(text: str) -> str:
    """A text whose control characters, and what else no terminal should be sent, are written as escapes."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\u3000" else ascii(each)[1:-1] for each in text)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in data: what, where, and what to do about it.

    ``pointer`` is a JSON pointer into ``file``; ``line`` counts from 1, 0 means unknown.
    """

    message: str
    pointer: str = ""
    file: str = ""
    line: int = 0
    hint: str = ""
    level: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """``file:line: message (at pointer). Hint`` with the parts that are known."""
        place = f"{self.file}:{self.line}: " if self.file and self.line else f"{self.file}: " if self.file else ""
        where = f" (at {self.pointer})" if self.pointer else ""
        hint = f" {self.hint}" if self.hint else ""
        return printable(f"{place}{self.message}{where}.{hint}")

    def moved(self, prefix: str) -> "Problem":
        """The same problem seen from further out: ``prefix`` goes before the pointer."""
        return replace(self, pointer=prefix + self.pointer)


class TasktwinError(Exception):
    """The root: everything this package raises on purpose."""


class DataError(TasktwinError):
    """A document, a provider folder or a seed is wrong. ``problems`` holds at least one problem."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


@dataclass(slots=True)
class Refusal(TasktwinError):  # noqa: N818 - a refusal is an answer, not a failure
    """The twin declines. ``kind`` is one of the kinds that the provider's ``errors`` table declares.

    ``detail`` is for a person, ``violations`` are the findings that led here, ``data`` is an agreed payload.
    """

    kind: str
    detail: str = ""
    violations: tuple[Any, ...] = ()
    data: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """The kind and its detail."""
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


class MisuseError(TasktwinError):
    """A call that cannot mean anything: an unknown world, a trigger without an id, a clock set backwards."""


class TooManyWorldsError(MisuseError):
    """No further world fits, and none has been idle long enough to make room."""


class ConflictError(TasktwinError):
    """Somebody else, who shares the world, was first. Nothing was done, and what they did is taken in: do it again."""


class GoneError(TasktwinError):
    """Somebody else, who shares the world, deleted it."""


class UnavailableError(TasktwinError):
    """The store that is shared does not answer. Whether the last write was made is not known; what was told before stands."""


class DeniedError(UnavailableError):
    """The store that is shared does not let us: it wants another password, or permits too little."""
