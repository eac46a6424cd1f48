"""The verbs: what an operation does to the rows, inside a transaction that is open already."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tasktwin.behaviour.condition import contains
from tasktwin.behaviour.expression import Scope
from tasktwin.behaviour.rules import Binding, Collection, Need, Unique
from tasktwin.behaviour.step import Step
from tasktwin.behaviour.world import World
from tasktwin.errors import Refusal
from tasktwin.state import Query, Row
from tasktwin.wire import Json


@dataclass(slots=True)
class Call:
    """One operation asked for: its inputs as the contract read them, and who asks."""

    operation: str
    principal: dict[str, Json] | None = None
    path: Mapping[str, Json] = field(default_factory=dict)
    query: Mapping[str, Json] = field(default_factory=dict)
    header: Mapping[str, Json] = field(default_factory=dict)
    body: Json = None
    unreadable: str = ""


@dataclass(slots=True)
class Outcome:
    """What came of a call. ``body`` is not wrapped yet; ``refusal`` is set when something was done all the same."""

    body: Json
    reason: str = "state"
    refusal: Refusal | None = None
    status: int = 0


def act(world: World, binding: Binding, call: Call) -> Outcome:
    """Do what the binding says. Raises ``Refusal``."""
    scope = world.scope()
    scope["principal"] = call.principal
    scope["request.path"], scope["request.query"] = call.path, call.query
    scope["request.header"], scope["request.body"] = call.header, call.body
    for need in binding.needs:
        scope[need.name] = _needed(world, scope, need)
    body = VERBS[binding.verb](world, binding, scope)
    refusal = scope.get("refusal")
    if refusal is not None and binding.collection:
        refusal.data = show(world, binding.collection, refusal.data, scope)
    elif binding.answer and binding.verb not in ("list", "compute"):
        body = binding.answer({**scope, "response.body": body})
    assumed = binding.provenance.kind == "assumed"
    return Outcome(body, f"assumed: {binding.provenance.note}" if assumed else "state", refusal, binding.status)


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
            other = world.first(join.collection, join.where, inner, join.order, descending=join.descending)
            shown[join.field] = join.otherwise if other is None else join.give({**inner, "row": other})
    return shown


def _needed(world: World, scope: Scope, need: Need) -> Row:
    row = world.store.get(need.collection.name, str(need.id(scope)))
    if row is None or not need.collection.visible.holds(scope, row) or not need.where.holds(scope, row):
        raise Refusal(need.missing, f"there is no such {need.name}")
    if not world.plays(scope, need.collection, row, need.only):
        raise Refusal("forbidden", f"only {' or '.join(need.only)} may do this")
    lifecycle = need.collection.lifecycle
    if need.states and lifecycle and row.get(lifecycle.field) not in need.states:
        raise Refusal(need.refuse, f"{need.name} is {row.get(lifecycle.field)}; it must be {' or '.join(need.states)}")
    return row


def _own(binding: Binding) -> Collection:
    if binding.collection is None:
        raise AssertionError(binding.operation)
    return binding.collection


def _row(world: World, binding: Binding, scope: Scope) -> Row:
    """The row that the call is about. Not there, not visible, not in its place: all one to the caller."""
    collection = _own(binding)
    row = world.store.get(collection.name, str(binding.row(scope))) if binding.row else None
    if row is None or not collection.visible.holds(scope, row) or not binding.where.holds(scope, row):
        raise Refusal("not_found", f"there is no such {collection.name}")
    if not world.plays(scope, collection, row, binding.only):
        raise Refusal(binding.forbidden, f"only {' or '.join(binding.only)} may do this")
    return row


def _accepted(binding: Binding, scope: Scope) -> dict[str, Json]:
    """The fields that a body may set, with what the binding copies and sets over them."""
    body = scope["request.body"]
    fields = {key: value for key, value in body.items() if key in binding.accepts} if isinstance(body, dict) else {}
    copied = {name: scope[binding.copies[0]].get(name) for name in binding.copies[1]} if binding.copies else {}
    fields = {**binding.defaults, **copied, **fields}
    return {**fields, **binding.values(scope)} if binding.values else fields


def _create(world: World, binding: Binding, scope: Scope) -> Json:
    collection, fields = _own(binding), _accepted(binding, scope)
    if binding.unique:
        _refuse_second(world, binding.unique, collection, scope)
    ways = binding.transitions()
    if not ways or not collection.lifecycle:
        step = _step(world, binding, scope, world.make(collection.name, fields))
        if binding.effect:
            world.rules.effects[binding.effect](step)
        return show(world, binding.shows or collection, step.row, scope)
    way = world.choose(scope, collection, None, ways)
    values = way.values(scope) if way.values else {}
    row = world.make(collection.name, {**fields, **values, collection.lifecycle.field: way.to})
    row = world.enter(scope, collection, way, None, row)
    return show(world, binding.shows or collection, row, scope)


def _refuse_second(world: World, unique: Unique, collection: Collection, scope: Scope) -> None:
    if world.first(collection.name, unique.where, scope):
        raise Refusal(unique.refuse, f"there is such a {collection.name} already")


def _step(world: World, binding: Binding, scope: Scope, row: Row) -> Step:
    return Step(world, scope, binding.collection.name if binding.collection else "", row, None, None)


def _read(world: World, binding: Binding, scope: Scope) -> Json:
    return show(world, _own(binding), _row(world, binding, scope), scope)


def _update(world: World, binding: Binding, scope: Scope) -> Json:
    collection, row = _own(binding), _row(world, binding, scope)
    ways = binding.transitions()
    if ways:
        way = world.choose(scope, collection, row, ways)
        row = world.pass_on(scope, collection, way, row, _accepted(binding, scope))
    else:
        row = world.change(collection.name, row, **_accepted(binding, scope))
    return show(world, collection, row, scope)


def _move(world: World, binding: Binding, scope: Scope) -> Json:
    collection, row = _own(binding), _row(world, binding, scope)
    way = world.choose(scope, collection, row, binding.transitions())
    fields = binding.values({**scope, "row": row}) if binding.values else {}
    row = world.pass_on(scope, collection, way, row, fields)
    return show(world, collection, row, scope)


def _delete(world: World, binding: Binding, scope: Scope) -> Json:
    collection, row = _own(binding), _row(world, binding, scope)
    world.store.delete(collection.name, str(row[collection.id_field]))


def _list(world: World, binding: Binding, scope: Scope) -> Json:
    query = _query(binding, _own(binding), scope)
    paging = binding.paging
    if paging is None:
        return _shown(world, binding, world.store.find(query) if query else [], scope)
    size, start = _whole(paging.size(scope)), _whole(paging.start(scope))
    offset = (start - 1) * size if paging.style == "page" else start
    if size < 0 or offset < 0:
        raise Refusal("invalid", "there is no such page")
    total = world.store.count(query) if query else 0
    rows = world.store.find(query, offset, size) if query and offset < total else []
    scope["page"] = {
        "items": _shown(world, binding, rows, scope),
        "total": total,
        "number": start,
        "size": size,
        "more": offset + len(rows) < total,
    }
    return paging.answer(scope)


def _whole(value: Json) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise Refusal("invalid", f"a page is asked for by whole numbers, not {value!r:.40}") from None


def _shown(world: World, binding: Binding, rows: list[Row], scope: Scope) -> list[Json]:
    collection = binding.shows or _own(binding)
    shown = [show(world, collection, row, scope) for row in rows]
    if binding.answer is None:
        return list(shown)
    return [binding.answer({**scope, "row": row}) for row in shown]


def _query(binding: Binding, collection: Collection, scope: Scope) -> Query | None:
    """The list's query; ``None`` when nothing can fit."""
    asked = {line.field: value for line in binding.filters if (value := line.value(scope)) is not None}
    several = {name: asked.pop(name) for name, value in list(asked.items()) if isinstance(value, (list, dict))}
    either: list[tuple[tuple[str, Json], ...]] = []
    tests: list[Callable[[Row], bool]] = []
    for each in binding.where.alternatives or (binding.where,):
        lines, keep = each.selection(scope)
        equal = dict(lines)
        fits = all(equal.setdefault(name, value) == value for name, value in asked.items())
        if fits and each.applies(scope):
            either.append(tuple(sorted(equal.items())))
            tests += [lambda row: binding.where.holds(scope, row)] if keep and not tests else []
    if not either:
        return None
    tests += [_among(name, value if isinstance(value, list) else [value]) for name, value in several.items()]
    tests += _search(binding, scope)
    first, *others = either
    return Query(collection.name, first, binding.order, binding.descending, _all(tests), tuple(others))


def _among(name: str, wanted: list[Json]) -> Callable[[Row], bool]:
    return lambda row: row.get(name) in wanted


def _search(binding: Binding, scope: Scope) -> list[Callable[[Row], bool]]:
    text = binding.search.value(scope) if binding.search else None
    if binding.search is None or text is None:
        return []
    fields = binding.search.fields
    return [lambda row: any(contains(row.get(name), text) for name in fields)]


def _all(tests: list[Callable[[Row], bool]]) -> Callable[[Row], bool] | None:
    if len(tests) <= 1:
        return tests[0] if tests else None
    return lambda row: all(test(row) for test in tests)


def _compute(world: World, binding: Binding, scope: Scope) -> Json:
    row = _row(world, binding, scope) if binding.row else {}
    body = world.rules.effects[binding.effect](_step(world, binding, scope, row)) if binding.effect else None
    return binding.answer({**scope, "row": row, "response.body": body}) if binding.answer else body


def _document(world: World, _binding: Binding, _scope: Scope) -> Json:
    return world.rules.contract.document


VERBS: dict[str, Callable[[World, Binding, Scope], Json]] = {
    "create": _create,
    "read": _read,
    "list": _list,
    "update": _update,
    "delete": _delete,
    "move": _move,
    "compute": _compute,
    "document": _document,
}
