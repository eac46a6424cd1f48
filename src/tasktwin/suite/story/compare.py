"""How a deployment's answer differs from the oracle's, when identifiers and times are each side's own."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tasktwin.contract.violation import token
from tasktwin.state import parse_instant
from tasktwin.wire import Json

TOLERANCE = 4.0
"""Seconds by which a time may differ between the two sides."""

MOST = 20
"""No comparison reports more differences than this."""

How: TypeAlias = Literal["missing", "value", "order", "extra"]

_OPAQUE = re.compile(r"(?=.*\d)[A-Za-z0-9_.:/+=-]{16,}")
_MADE = re.compile(r"(^|_)(id|ids|number|slug|url|token|key|secret|signature|path|etag)$|url", re.IGNORECASE)
"""The names of members whose values a machine makes up; elsewhere only what looks like nothing a person writes."""

_IDENTIFIER = re.compile(r"(^|_)id$", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9_-]{8,}")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Difference:
    """Where an answer is not as it should be. ``pointer`` is into the body."""

    pointer: str
    how: How
    expected: Json
    actual: Json

    @property
    def general(self) -> str:
        """The pointer without list positions."""
        return general(self.pointer)


def general(pointer: str) -> str:
    """A JSON pointer without list positions."""
    return re.sub(r"/\d+(?=/|$)", "/*", pointer)


@dataclass(slots=True)
class Names:
    """Which identifier of the oracle is which of the deployment: learnt from answers at the same place, and kept to."""

    there: dict[Json, Json] = field(default_factory=dict)
    here: dict[Json, Json] = field(default_factory=dict)

    def fits(self, ours: Json, theirs: Json) -> bool | None:
        """Whether two identifiers are the same one; ``None`` if neither is known yet."""
        if ours in self.there:
            return bool(self.there[ours] == theirs)
        if theirs in self.here:
            return bool(self.here[theirs] == ours)
        return None

    def learn(self, ours: Json, theirs: Json) -> None:
        """From now on these two are the same, unless one of them is another's already."""
        if self.fits(ours, theirs) is None:
            self.there[ours], self.here[theirs] = theirs, ours

    def translate(self, text: str) -> str:
        """A text of the oracle with the identifiers in it as the deployment has them."""
        return _WORD.sub(lambda word: str(self.there.get(word[0], word[0])), text)


@dataclass(slots=True)
class Comparison:
    """Compares bodies."""

    names: Names

    def bodies(self, ours: Json, theirs: Json) -> list[Difference]:
        """The differences, at most ``MOST``. Identifiers that are new are learnt on the way."""
        found: list[Difference] = []
        for each in self._values(ours, theirs, "", ""):
            found.append(each)
            if len(found) >= MOST:
                break
        return found

    def _values(self, ours: Json, theirs: Json, at: str, name: str) -> Iterator[Difference]:
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            yield from self._objects(ours, theirs, at)
        elif isinstance(ours, list) and isinstance(theirs, list):
            yield from self._lists(ours, theirs, at, name)
        elif not self._scalars(ours, theirs, name):
            yield Difference(at, "value", ours, theirs)

    def _objects(self, ours: Mapping[str, Json], theirs: Mapping[str, Json], at: str) -> Iterator[Difference]:
        for name, value in ours.items():
            here = at + token(name)
            if name in theirs:
                yield from self._values(value, theirs[name], here, name)
            elif value is not None:
                yield Difference(here, "missing", value, None)

    def _lists(self, ours: list[Json], theirs: list[Json], at: str, name: str) -> Iterator[Difference]:
        if _are_rows(ours) and _are_rows(theirs) and (ours or theirs):
            yield from self._rows(ours, theirs, at)
        elif len(ours) != len(theirs):
            yield Difference(at, "value", ours, theirs)
        else:
            for n, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
                yield from self._values(mine, other, f"{at}/{n}", name)

    def _rows(self, ours: list[dict[str, Json]], theirs: list[dict[str, Json]], at: str) -> Iterator[Difference]:
        """Rows are told apart by their identifiers; those that are new are taken to stand in the same order."""
        expected = [self.names.there.get(row["id"], row["id"]) for row in ours]
        shown = [row["id"] for row in theirs]
        fresh = [n for n, key in enumerate(expected) if key not in shown and ours[n]["id"] not in self.names.there]
        spare = dict.fromkeys(key for key in shown if key not in expected and key not in self.names.here)
        for mine, key in zip(fresh, spare, strict=False):
            self.names.learn(ours[mine]["id"], key)
            expected[mine] = key
        places = {key: n for n, key in enumerate(shown)}
        for row, key in zip(ours, expected, strict=True):
            if key in places:
                yield from self._values(row, theirs[places[key]], f"{at}/{places[key]}", "")
            else:
                yield Difference(f"{at}/*", "missing", {**row, "id": key}, None)
        wanted = set(expected)
        for n, key in enumerate(shown):
            if key not in wanted:
                yield Difference(f"{at}/{n}", "extra", None, theirs[n])
            elif shown.index(key) != n:
                yield Difference(f"{at}/{n}", "extra", "each row once", theirs[n])
        if sorted(map(str, expected)) == sorted(map(str, shown)) and expected != shown:
            yield Difference(at, "order", expected, shown)

    def _scalars(self, ours: Json, theirs: Json, name: str) -> bool:
        if ours == theirs and isinstance(ours, bool) == isinstance(theirs, bool):
            return self._kept(ours, name)
        if isinstance(ours, bool) or isinstance(theirs, bool) or ours is None or theirs is None:
            return False
        if isinstance(ours, str) != isinstance(theirs, str):
            return bool(_IDENTIFIER.search(name)) and self._identifiers(ours, theirs, name)
        return self._identifiers(ours, theirs, name) or self._times(ours, theirs)

    def _kept(self, value: Json, name: str) -> bool:
        """An identifier that is the same on both sides is so from now on, unless it is known to be another one's."""
        if not isinstance(value, (str, int)) or not (isinstance(value, str) or _IDENTIFIER.search(name)):
            return True
        fits = self.names.fits(value, value)
        if fits is None and _IDENTIFIER.search(name):
            self.names.learn(value, value)
        return fits is not False or not _IDENTIFIER.search(name)

    def _identifiers(self, ours: Json, theirs: Json, name: str) -> bool:
        known = (
            self.names.fits(ours, theirs) if isinstance(ours, (str, int)) and isinstance(theirs, (str, int)) else False
        )
        if known is not None:
            return known
        if isinstance(ours, str) and self.names.translate(ours) == theirs:
            return True
        if not _are_made(ours, theirs, name):
            return False
        self.names.learn(ours, theirs)
        return True

    def _times(self, ours: Json, theirs: Json) -> bool:
        mine, other = _seconds(ours), _seconds(theirs)
        if mine is None or other is None:
            return False
        return abs(other - mine) <= TOLERANCE


def _are_rows(values: list[Json]) -> bool:
    return all(isinstance(each, dict) and isinstance(each.get("id"), (str, int)) for each in values)


def _are_made(ours: Json, theirs: Json, name: str) -> bool:
    """Whether both look like something that a machine made up for this occasion."""
    if _IDENTIFIER.search(name):
        return True
    if isinstance(ours, int):
        return bool(_MADE.search(name)) and ours < 1e9
    if not isinstance(ours, str) or not isinstance(theirs, str) or _seconds(ours) is not None:
        return False
    if _MADE.search(name):
        return (
            _DIGITS.sub("0", ours) == _DIGITS.sub("0", theirs)
            or bool(_OPAQUE.fullmatch(ours) and _OPAQUE.fullmatch(theirs))
            or ("://" in ours and "://" in theirs)
        )
    return bool(_OPAQUE.fullmatch(ours) and _OPAQUE.fullmatch(theirs) and len(ours) == len(theirs))


def is_time(value: Json) -> bool:
    """Whether a value is a time."""
    return _seconds(value) is not None


def _seconds(value: Json) -> float | None:
    """A time in seconds since 1970: ISO 8601, or a number that can only be one; ``None`` if it is none."""
    if isinstance(value, str):
        if not value[:4].isdigit() or len(value) < 16:
            return None
        try:
            return parse_instant(value) / 1_000_000
        except ValueError:
            return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and value > 1e9:
        return value / 1000 if value > 1e12 else float(value)
    return None
