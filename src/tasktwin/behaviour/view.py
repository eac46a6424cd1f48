"""Rows as clients see them."""

from tasktwin.behaviour.expression import Scope
from tasktwin.behaviour.rules import Collection, Join
from tasktwin.behaviour.world import World
from tasktwin.state import Row
from tasktwin.wire import Json


def show(world: World, collection: Collection, row: Row, scope: Scope) -> Row:
    """A row as a client sees it: without what is private, with what other collections add."""
    if not collection.private and not collection.joins:
        return row
    shown = row.copy()
    for name in collection.private:
        shown.pop(name, None)
    if collection.joins:
        inner = {**scope, "row": row}
        for join in collection.joins:
            shown[join.field] = _joined(world, join, inner)
    return shown


def _joined(world: World, join: Join, scope: Scope) -> Json:
    private = world.rules.collections[join.collection].private
    if not join.all:
        row = world.first(join.collection, join.where, scope, join.order, descending=join.descending)
        return join.otherwise if row is None else join.give({**scope, "row": _public(row, private)})
    query = world.select(join.collection, join.where, scope, {})
    found = world.store.find(query._replace(order=join.order, descending=join.descending)) if query else []
    return [join.give({**scope, "row": _public(row, private)}) for row in found]


def _public(row: Row, private: frozenset[str]) -> Row:
    return {name: value for name, value in row.items() if name not in private} if private else row
