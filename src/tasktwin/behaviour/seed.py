"""Seeds: the rows a world begins with, written out or made by a rule from the world's seed number."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from tasktwin.behaviour.expression import Reader, Scope, compile_template
from tasktwin.behaviour.rules import Collection
from tasktwin.behaviour.world import World
from tasktwin.errors import DataError, MisuseError, Problem, Refusal
from tasktwin.state import Chance, format_instant, parse_instant
from tasktwin.wire import Json

UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
"""Microseconds."""
MOST_ROWS = 1_000_000
LONGEST = 36_500 * UNITS["d"]
"""The longest duration: a hundred years."""


_DURATION = re.compile(r"(\d{1,9})(ms|[smhd])", re.ASCII)
RELATIVE = re.compile(r"([+-])(\d{1,9})([smhd])", re.ASCII)
"""How seeds write a time that counts from the world's beginning."""

Maker: TypeAlias = Callable[[Scope, Chance], Json]


@dataclass(frozen=True, slots=True)
class Batch:
    """``repeat`` rows of one collection, each made by ``make``."""

    collection: str
    make: Maker
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class Seeds:
    """One named set of rows."""

    name: str
    about: str
    batches: tuple[Batch, ...]


def parse_duration(text: str) -> int:
    """``400ms``, ``90s``, ``10m``, ``72h``, ``3d`` to microseconds.

    Raises ``ValueError`` on anything else, on zero and beyond a century.
    """
    found = _DURATION.fullmatch(text)
    span = int(found[1]) * UNITS[found[2]] if found else 0
    if not 0 < span <= LONGEST:
        raise ValueError(
            f"{text!r} is no duration: write 400ms, 90s, 10m, 72h or 3d, more than nothing and at most 36500d"
        )
    return span


def compile_maker(value: Json) -> Maker:
    """A row as the seeds write it: templates, and ``{$pick: […]}`` or ``{$between: [low, high]}`` drawn from the seed."""
    match value:
        case list():
            items = [compile_maker(each) for each in value]
            return lambda scope, chance: [make(scope, chance) for make in items]
        case {"$pick": [_, *_] as choices, **rest} if not rest:
            makers = [compile_maker(each) for each in choices]
            return lambda scope, chance: chance.pick(makers)(scope, chance)
        case {"$between": [int(low), int(high)], **rest} if not rest and low <= high:
            return lambda _scope, chance: low + chance.below(high - low + 1)
        case dict():
            if any(key.startswith("$") for key in value):
                raise DataError(
                    Problem(f"{value!r} makes nothing", hint="Use {$pick: […]} or {$between: [low, high]}.")
                )
            makers_by_key = {key: compile_maker(each) for key, each in value.items()}
            return lambda scope, chance: {key: make(scope, chance) for key, make in makers_by_key.items()}
    read: Reader = compile_template(value)
    return lambda scope, _chance: read(scope)


def sow(world: World, seeds: Seeds) -> None:
    """Put the rows of the seeds into a world, and start the timers of the states they are in.

    Raises ``MisuseError`` for rows that cannot be: an amount that is no number, a time outside the calendar.
    """
    for batch in seeds.batches:
        collection = world.rules.collections[batch.collection]
        chance = Chance(world.beginning.seed, f"seeds:{seeds.name}:{batch.collection}")
        for n in range(batch.repeat):
            try:
                _sow_one(world, collection, batch.make({**world.scope(), "n": n}, chance))
            except (Refusal, ValueError) as error:
                raise MisuseError(
                    f"the seeds {seeds.name!r} cannot make row {n} of {collection.name}: {error}"
                ) from None


def _sow_one(world: World, collection: Collection, fields: dict[str, Json]) -> None:
    row = world.make(collection.name, _dated(fields, collection, world))
    since = row.get(collection.updated) or row.get(collection.created)
    world.arm(collection, row, parse_instant(str(since)) if since else world.instant)


def _dated(fields: dict[str, Json], collection: Collection, world: World) -> dict[str, Json]:
    """Times such as ``-2h`` are relative to the world's beginning."""
    for name in collection.instants & fields.keys():
        if isinstance(fields[name], str) and (found := RELATIVE.fullmatch(fields[name])):
            offset = int(found[1] + found[2]) * UNITS[found[3]]
            try:
                fields[name] = format_instant(world.instant + offset, world.rules.precision)
            except ValueError:
                raise MisuseError(
                    f"a world that begins at {world.now()} has no time {fields[name]}, which its seeds need"
                ) from None
    return fields
