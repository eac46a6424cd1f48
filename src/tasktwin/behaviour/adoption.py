"""Rows that were made under other rules, made to fit the rules of now: what ``--reload`` keeps, and what it cannot."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tasktwin.behaviour.lifecycle import Lifecycle
from tasktwin.behaviour.rules import Collection, Rules
from tasktwin.state import Query, Row, Timer, parse_instant

if TYPE_CHECKING:
    from tasktwin.behaviour.world import World


def refit(world: "World", old: Rules) -> Counter[str]:
    """Make a world's rows and timers, made under ``old``, fit its rules; what was lost or fits no longer, and how often.

    Fields that are new get their defaults, those that are gone go; rows of a collection that is gone are dropped. A
    timer whose rule changed runs anew, from the row's last change.
    """
    told: Counter[str] = Counter()
    sizes = world.store.sizes()
    for name, before in old.collections.items():
        now = world.rules.collections.get(name)
        if name not in sizes or now is before:
            continue
        if now is None:
            told[f"the rows of {name} dropped: there is no such collection any more"] += _drop(world, before)
        else:
            _refill(world, before, now)
            told.update(_strangers(world, now))
    for timer in world.store.timers():
        if timer.lifecycle and not _stands(timer, world.rules):
            world.store.disarm(timer.lifecycle, timer.row)
    return told


def _drop(world: "World", gone: Collection) -> int:
    rows = world.store.find(Query(gone.name))
    for row in rows:
        world.store.delete(gone.name, str(row[gone.id_field]))
    return len(rows)


def _refill(world: "World", before: Collection, now: Collection) -> None:
    """Give the rows the fields that are new, take those that are gone, and start timers whose rule changed."""
    fresh = {key: value for key, value in now.blank.items() if key not in before.blank}
    fresh = {key: value for key, value in fresh.items() if value is not None or key not in now.left_out}
    gone = before.blank.keys() - now.blank.keys()
    retimed = _retimed(before.lifecycle, now.lifecycle)
    if not (fresh or gone or retimed):
        return
    for row in world.store.find(Query(now.name)):
        fitting = row
        if fresh or gone:
            fitting = {**fresh, **{key: value for key, value in row.items() if key not in gone}}
            world.store.put(now.name, str(row[before.id_field]), fitting)
        if now.lifecycle and row.get(now.lifecycle.field) in retimed:
            world.arm(now, fitting, _since(world, now, fitting))


def _retimed(before: Lifecycle | None, now: Lifecycle | None) -> set[str]:
    """The states whose timer is another one now."""
    old = {state: (way.name, way.after) for state, way in before.timers.items()} if before else {}
    new = {state: (way.name, way.after) for state, way in now.timers.items()} if now else {}
    return {state for state in old.keys() | new.keys() if old.get(state) != new.get(state)}


def _since(world: "World", collection: Collection, row: Row) -> int:
    stamp = row.get(collection.updated) or row.get(collection.created)
    return parse_instant(str(stamp)) if stamp else world.instant


def _strangers(world: "World", collection: Collection) -> Iterator[str]:
    """A line for each row whose state its lifecycle knows no longer: it stays, but nothing can be done with it."""
    lifecycle = collection.lifecycle
    if lifecycle is None:
        return
    for row in world.store.find(Query(collection.name)):
        if (state := row.get(lifecycle.field)) not in lifecycle.states:
            yield f"the rows of {collection.name} left in the state {str(state)[:40]!r}, which there is no more"


def _stands(timer: Timer, rules: Rules) -> bool:
    lifecycle = rules.lifecycles.get(timer.lifecycle)
    return lifecycle is not None and lifecycle.collection in rules.collections and timer.name in lifecycle.transitions
