"""What a deployment showed in the course of a story: it is held against itself."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tasktwin.suite.story.compare import Difference, Names, is_time
from tasktwin.suite.story.step import Step, at
from tasktwin.wire import Json


@dataclass(frozen=True, slots=True)
class Seen:
    """What a caller was shown of a row: each field on both sides."""

    ours: dict[str, Json]
    theirs: dict[str, Json]


@dataclass(slots=True)
class Memory:
    """The rows that callers were shown, by the oracle's identifiers.

    ``exact``: the provider's times are finer than seconds. ``known`` and ``shown`` are the identifiers on each side.
    """

    names: Names
    exact: bool = True
    known: set[Json] = field(default_factory=set)
    shown: set[Json] = field(default_factory=set)
    _seen: dict[tuple[str, str], Seen] = field(default_factory=dict)
    _makers: dict[str, str] = field(default_factory=dict)
    _listed: set[tuple[str, str, str]] = field(default_factory=set)

    def keep(
        self, step: Step, mine: Mapping[str, Json], other: Mapping[str, Json], *, made: bool, listed: bool
    ) -> None:
        """Remember a row. ``made``: by a request that writes; ``listed``: by one that no filter narrowed."""
        key = str(mine["id"])
        before = self._seen.get((key, step.as_), Seen({}, {}))
        self._seen[key, step.as_] = Seen({**before.ours, **mine}, {**before.theirs, **other})
        self.known.add(mine["id"])
        self.shown.add(other["id"])
        if made:
            self._makers.setdefault(key, step.as_)
        if listed:
            self._listed.add((step.operation, step.as_, key))

    def ours(self, key: Json) -> Json:
        """The oracle's identifier for one of the deployment's."""
        return self.names.here.get(key, key)

    def is_foreign(self, step: Step, keys: Iterable[Json]) -> bool:
        """Whether another caller made one of these rows (the oracle's identifiers)."""
        return any(self._makers.get(str(key), step.as_) != step.as_ for key in keys)

    def is_strange(self, step: Step, keys: Iterable[Json]) -> bool:
        """Whether nobody showed one of these rows to the caller, nor made the caller it."""
        return any(str(key) not in self._makers and (str(key), step.as_) not in self._seen for key in keys)

    def before(self, step: Step, shape: Json, found: Difference) -> Json:
        """What the deployment showed before, if the oracle says that nothing changed since; else ``...``."""
        parent, _, name = found.pointer.rpartition("/")
        try:
            seen = self._seen[str(at(shape, parent)["id"]), step.as_]
        except (KeyError, TypeError):
            return ...
        if name not in seen.ours or seen.ours[name] != found.expected or seen.theirs.get(name, ...) == found.actual:
            return ...
        return seen.theirs.get(name, ...)

    def turned(self, step: Step, ours: Json, theirs: Json, told: Collection[str]) -> Iterator[tuple[Difference, Json]]:
        """What the deployment shows otherwise than before, where the oracle shows just what it did; and what it was.

        Members in ``told`` are left out.
        """
        for mine, other in rows(ours, theirs, self.names):
            seen = self._seen.get((str(mine["id"]), step.as_))
            for name, value in mine.items() if seen else ():
                if seen is None or name not in seen.theirs or name not in other or seen.ours.get(name, ...) != value:
                    continue
                before, now = seen.theirs[name], other[name]
                if before == now or name in told or isinstance(now, (dict, list)) or isinstance(before, (dict, list)):
                    continue
                if self.exact or not is_time(now):
                    yield Difference(f"/{name}", "value", value, now), before

    def contradicts(self, step: Step, found: Difference, filters: Mapping[str, str]) -> bool:
        """Whether a list shows a row twice, or goes against the filters asked for and what the target says of the row.

        ``filters``: parameters and the fields that they compare.
        """
        if found.how == "extra" and found.expected is not None:
            return True
        asked = {filters[name]: value for name, value in step.query.items() if name in filters}
        row = found.actual if found.how == "extra" else found.expected
        if not asked or not isinstance(row, Mapping) or "id" not in row:
            return False
        if found.how == "extra":
            return any(name in row and _is_other(row[name], value) for name, value in asked.items())
        key = str(self.ours(row["id"]))
        seen = self._seen.get((key, step.as_))
        if seen is None or (step.operation, step.as_, key) not in self._listed:
            return False
        return all(name in seen.theirs and not _is_other(seen.theirs[name], value) for name, value in asked.items())


def rows(ours: Json, theirs: Json, names: Names) -> Iterator[tuple[dict[str, Json], dict[str, Json]]]:
    """The pairs of rows that two answers show, by identifier."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        if isinstance(ours.get("id"), (str, int)) and "id" in theirs:
            if names.there.get(ours["id"], ours["id"]) == theirs["id"]:
                yield dict(ours), dict(theirs)
            return
        for name in ours:
            if name in theirs:
                yield from rows(ours[name], theirs[name], names)
    elif isinstance(ours, list) and isinstance(theirs, list):
        there = {row["id"]: row for row in theirs if isinstance(row, Mapping) and isinstance(row.get("id"), (str, int))}
        for row in ours:
            if isinstance(row, Mapping) and isinstance(row.get("id"), (str, int)):
                other = there.get(names.there.get(row["id"], row["id"]))
                if other is not None:
                    yield dict(row), dict(other)


def _is_other(value: Json, asked: Json) -> bool:
    """Whether a row's value is another than the one that a filter asks for; of what is no scalar one cannot say."""
    return isinstance(value, (str, int, float)) and str(value).lower() != str(asked).lower()
