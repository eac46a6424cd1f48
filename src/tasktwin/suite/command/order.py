"""What was asked for, read from the command line's words."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from math import isfinite
from typing import Final, Literal
from urllib.parse import urlsplit

from tasktwin.errors import MisuseError
from tasktwin.suite.run import PHASES
from tasktwin.suite.target import PATIENCE

SCENARIOS: Final = "scenarios"
KNOWN: Final = (SCENARIOS, *PHASES)

_SPAN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)?", re.ASCII)
_RATE: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(?:/(s|m|h))?", re.ASCII)
_SHARD: Final = re.compile(r"(\d{1,4})/(\d{1,4})", re.ASCII)
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0}


@dataclass(frozen=True, slots=True)
class Order:
    """One call of ``verify`` or ``fuzz``, or what ``load`` has in common with them.

    ``writes``: globs of operations that may write; ``None`` if nothing was said. ``patience``: seconds for an answer.
    """

    command: Literal["verify", "fuzz", "load"]
    url: str
    provider: str
    phases: tuple[str, ...]
    credentials: str = ""
    seed: int = 0
    time_budget: float | None = None
    max_examples: int = 100
    rate: float = 0.0
    workers: int = 1
    operations: tuple[str, ...] = ()
    read_only: bool = False
    writes: tuple[str, ...] | None = None
    shard: tuple[int, int] = (1, 1)
    report: str = ""
    baseline: str = ""
    cleanup: bool = True
    dry_run: bool = False
    quiet: bool = False
    as_json: bool = False
    patience: float = PATIENCE

    def __post_init__(self) -> None:
        """Raises ``MisuseError`` for what contradicts itself."""
        if self.read_only and self.writes is not None:
            raise MisuseError("--read-only and --allow-writes contradict each other")
        if any("://" in each for each in self.writes or ()):
            raise MisuseError(
                "--allow-writes takes a GLOB of operations: put the URL before it, or write --allow-writes=*"
            )

    @property
    def globs(self) -> tuple[str, ...]:
        """The operations that may write."""
        if self.read_only:
            return ()
        if self.writes is not None:
            return self.writes
        return ("*",) if is_loopback(self.url) else ()


def is_loopback(url: str) -> bool:
    """Whether only this machine can be meant. A name that merely leads here is not trusted."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def span(option: str, text: str) -> float:
    """``60s``, ``5m``, ``500ms`` in seconds. Raises ``MisuseError``."""
    found = _SPAN.fullmatch(text.strip())
    seconds = float(found[1]) * _UNITS[found[2] or "s"] if found else 0.0
    if not 0 < seconds <= 86_400 * 7:
        raise MisuseError(f"{option}: {text[:40]!r} is no span of time: write 60s, 5m or 1h, at most a week")
    return seconds


def rate(option: str, text: str) -> float:
    """``10/s``, ``600/m`` as requests a second. Raises ``MisuseError``."""
    found = _RATE.fullmatch(text.strip())
    each = float(found[1]) / _UNITS[found[2] or "s"] if found else 0.0
    if not each > 0 or not isfinite(each):
        raise MisuseError(f"{option}: {text[:40]!r} is no rate: write 10/s or 600/m")
    return each


def shard(option: str, text: str) -> tuple[int, int]:
    """``2/4`` as a pair. Raises ``MisuseError``."""
    found = _SHARD.fullmatch(text.strip())
    index, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= index <= count:
        raise MisuseError(f"{option}: {text[:40]!r} is no shard: write I/N with I from 1 to N")
    return index, count


def phases(option: str, texts: Iterable[str]) -> tuple[str, ...]:
    """Names of phases, separated by commas, in the order in which they are taken. Raises ``MisuseError``."""
    wanted = [each.strip() for text in texts for each in text.split(",") if each.strip()]
    for each in wanted:
        if each not in KNOWN:
            raise MisuseError(f"{option}: there is no phase {each[:40]!r}; there are {', '.join(KNOWN)}")
    if not wanted:
        raise MisuseError(f"{option}: no phase is named; there are {', '.join(KNOWN)}")
    return tuple(each for each in KNOWN if each in wanted)
