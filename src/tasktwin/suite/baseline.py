"""Findings that are known and accepted: a file to commit, so that a run fails only on what is new."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tasktwin.errors import DataError, Problem
from tasktwin.suite.finding import Finding, Findings
from tasktwin.wire import Json, loads

VERSION = 1
MOST = 16 * 1_048_576
"""Bytes that a baseline may have."""

_KEYS = frozenset({"cause", "title", "rule", "accepted"})
_HINT = "A baseline is written by a run with --baseline FILE when FILE does not exist: move this one away to have it made anew."


@dataclass(frozen=True, slots=True)
class Accepted:
    """One finding that is accepted. ``cause`` decides; ``title`` and ``rule`` are for people, ``when`` is a date or ""."""

    cause: str
    title: str = ""
    rule: str = ""
    when: str = ""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a file accepts. ``is_missing``: there is no file yet, so the run that asked for it is to write it."""

    path: Path
    accepted: tuple[Accepted, ...] = ()
    is_missing: bool = False

    @property
    def causes(self) -> frozenset[str]:
        """For ``Findings(known=…)``."""
        return frozenset(each.cause for each in self.accepted)

    def gone(self, findings: Findings) -> tuple[Accepted, ...]:
        """What is accepted and did not come up. Only a whole run (all phases, no shard, not cut) says that it is mended."""
        return tuple(each for each in self.accepted if each.cause not in findings.accepted)


def read_baseline(path: Path) -> Baseline:
    """What a file accepts; nothing if it does not exist yet. A file that exists is never changed by a run.

    Raises ``DataError`` on a file that is none, with what to do about it.
    """
    if not path.exists():
        return Baseline(path, is_missing=True)
    found = _read(path)
    if not isinstance(found, dict) or found.get("tasktwin") != "baseline":
        raise _wrong(path, 'it is no baseline: an object with "tasktwin": "baseline" is expected', "")
    if found.get("version") != VERSION:
        raise _wrong(
            path, f"it has version {found.get('version')!r}; this tasktwin reads version {VERSION}", "/version"
        )
    listed = found.get("findings")
    if not isinstance(listed, list):
        raise _wrong(path, '"findings" is expected to be a list', "/findings")
    return Baseline(path, tuple(_accepted(path, at, each) for at, each in enumerate(listed)))


def write_baseline(path: Path, findings: Iterable[Finding], when: str = "") -> int:
    """Write a file that accepts these findings, by cause, and say how many they are. ``when`` is a date for the reader.

    The findings are those of ``report.account_of``, which hold no credentials. Raises ``DataError``.
    """
    import orjson  # noqa: PLC0415 - a file for people is indented

    listed = [
        {"cause": each.cause, "rule": each.rule, "title": each.title, **({"accepted": when} if when else {})}
        for each in sorted(findings, key=lambda each: (each.rule, each.cause))
    ]
    found = {"tasktwin": "baseline", "version": VERSION, "findings": listed}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        raise DataError(Problem(f"the baseline cannot be written: {error.strerror}", file=str(path))) from error
    return len(listed)


def _read(path: Path) -> Json:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST + 1)
    except OSError as error:
        raise DataError(Problem(f"the baseline cannot be read: {error.strerror}", file=str(path))) from error
    if len(raw) > MOST:
        raise _wrong(path, f"it is larger than {MOST // 1_048_576} MiB", "")
    try:
        return loads(raw)
    except ValueError as error:
        raise _wrong(path, f"it is no JSON: {error}", "") from error


def _accepted(path: Path, at: int, found: Json) -> Accepted:
    pointer = f"/findings/{at}"
    if not isinstance(found, dict):
        raise _wrong(path, "a finding is expected to be an object", pointer)
    for key, value in found.items():
        if key not in _KEYS:
            raise _wrong(path, f"{key!r} is not known here; there are {', '.join(sorted(_KEYS))}", pointer)
        if not isinstance(value, str):
            raise _wrong(path, f"{key!r} is expected to be a text", f"{pointer}/{key}")
    if not found.get("cause"):
        raise _wrong(path, "a finding has no cause", pointer)
    return Accepted(found["cause"], found.get("title", ""), found.get("rule", ""), found.get("accepted", ""))


def _wrong(path: Path, message: str, pointer: str) -> DataError:
    return DataError(Problem(message, pointer=pointer, file=str(path), hint=_HINT))
