"""The verbs: what an operation does to the rows, inside a transaction that is open already."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tasktwin.behaviour.expression import Scope
from tasktwin.behaviour.rules import Binding, Collection, Need, Unique
from tasktwin.behaviour.step import Step
from tasktwin.behaviour.storage import upload
from tasktwin.behaviour.stream import Subscription, row_of, subscribe
from tasktwin.behaviour.telling import StreamRule
from tasktwin.behaviour.view import show
from tasktwin.behaviour.world import World
from tasktwin.contract import Operation
from tasktwin.errors import Refusal
from tasktwin.state import Query, Row, holds
from tasktwin.wire import Json

Keep: TypeAlias = Callable[[Row], bool]

EVENT_STREAM = "text/event-stream"
UNBUFFERED = (("cache-control", "no-cache"), ("x-accel-buffering", "no"))
"""Nobody on the way may keep a stream back: the second is for nginx."""


@dataclass(slots=True)
class Call:
    """One operation asked for: its inputs as the contract read them, and who asks.

    ``also`` are further roots for templates. For streams: ``stream`` is asked for instead of the operation's own
    answer, ``topic`` was begun by this very request before, ``bounded`` asks to end where the log ends now.
    """

    operation: str
    principal: dict[str, Json] | None = None
    path: Mapping[str, Json] = field(default_factory=dict)
    query: Mapping[str, Json] = field(default_factory=dict)
    header: Mapping[str, Json] = field(default_factory=dict)
    body: Json = None
    unreadable: str = ""
    late: Refusal | None = None
    url: Callable[[], str] = str
    admitted: Mapping[str, Row | None] = field(default_factory=dict)
    stream: StreamRule | None = None
    also: Mapping[str, Json] = field(default_factory=dict)
    topic: str = ""
    bounded: bool = False


@dataclass(slots=True)
class Outcome:
    """What came of a call. ``body`` is not wrapped yet; ``refusal`` is set when something was done all the same.

    ``media`` is set for what is not JSON: ``body`` is text or bytes then. ``headers`` are further ones to send.
    """

    body: Json
    reason: str = "state"
    refusal: Refusal | None = None
    status: int = 0
    media: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    stream: Subscription | None = None


def act(world: World, binding: Binding, call: Call) -> Outcome:
    """Do what the binding says. Raises ``Refusal``."""
    told: dict[str, Json] = {}
    scope = {
        **world.scope(),
        "principal": call.principal,
        "request.path": call.path,
        "request.query": call.query,
        "request.header": call.header,
        "request.body": call.body,
        "request.url": call.url,
        "late": call.late,
        "told": told,
        **call.admitted,
        **call.also,
    }
    for guard in binding.first_guards:
        guard.check(scope, {})
    if binding.first:
        world.rules.effects[binding.first](_step(world, binding, scope, {}))
    for need in binding.needs:
        scope[need.name] = needed(world, scope, need)
    if binding.row is None and binding.guards:
        _guard(binding, scope, {})
    stream = binding.stream or call.stream
    body = None
    if stream is None or not _goes_on(world, binding, stream, call, scope):
        body = VERBS[binding.verb](world, binding, scope)
    if stream:
        opened = subscribe(world, stream, scope, binding.collection, told.get("row") or {})
        opened.bounded = opened.bounded or call.bounded
        return Outcome(None, stream.provenance.reason, media=EVENT_STREAM, headers=UNBUFFERED, stream=opened)
    if "answer" in told:
        name, row = told["answer"]
        body = show(world, world.rules.collections[name], row, scope)
    refusal = told.get("refusal")
    if refusal is not None and binding.collection:
        refusal.data = show(world, binding.collection, refusal.data, scope)
    elif binding.answer and binding.verb not in ("list", "compute"):
        body = binding.answer({**scope, "response.body": body})
    media, headers = told.get("media", ""), told.get("headers", ())
    return Outcome(body, binding.provenance.reason, refusal, binding.status, media, headers)


def admit(
    world: World, operation: Operation, principal: dict[str, Json], path: Mapping[str, Json]
) -> dict[str, Row | None]:
    """The rows that every signed-in caller must be let in by, such as a project and its membership. Raises ``Refusal``.

    They are asked for only by operations whose path has a parameter.
    """
    scope = {**world.scope(), "principal": principal, "request.path": path}
    found: dict[str, Row | None] = {}
    if "{" in operation.path:
        for need in world.rules.admission:
            found[need.name] = scope[need.name] = needed(world, scope, need)
    return found


def needed(world: World, scope: Scope, need: Need) -> Row | None:
    """The row that a need asks for; ``None`` only where it is optional. Raises ``Refusal``."""
    row = world.store.get(need.collection.name, str(need.id(scope)))
    if row is None or not need.collection.visible.holds(scope, row) or not need.where.holds(scope, row):
        if need.optional:
            return None
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
    if scope["late"]:
        raise scope["late"]
    if binding.guards:
        _guard(binding, scope, row)
    scope["told"]["row"] = row
    return row


def _goes_on(world: World, binding: Binding, stream: StreamRule, call: Call, scope: Scope) -> bool:
    """Whether the stream of a row that was made before goes on, so that nothing is made. Raises ``Refusal``."""
    collection = binding.collection
    key = call.topic.partition(":")[2] or row_of(stream, scope)
    if not key or collection is None:
        return False
    row = world.store.get(collection.name, key)
    if row is None or not collection.visible.holds(scope, row) or not _made(world, binding, collection, row):
        raise Refusal(stream.gone or "not_found", f"there is no {collection.name} {key[:60]!r} to go on with")
    scope["told"]["row"] = row
    return True


def _made(world: World, binding: Binding, collection: Collection, row: Row) -> bool:
    """Whether it was this operation that made the row, as far as the log still tells."""
    events = world.store.events(collection.topic(row), 0, 1)
    made = {way.name for way in binding.transitions()}
    return not events or events[0].number > 1 or events[0].kind in made


def _guard(binding: Binding, scope: Scope, row: Row) -> None:
    seen = {**scope, "row": row}
    for guard in binding.guards:
        guard.check(seen, row)


def _accepted(binding: Binding, scope: Scope) -> dict[str, Json]:
    """The fields that a body may set, with what the binding copies and sets over them."""
    body, accepts = scope["request.body"], binding.accepts
    sent: dict[str, Json] = body if isinstance(body, dict) else {}
    if not sent.keys() <= accepts:
        sent = {key: value for key, value in sent.items() if key in accepts}
    copied = {name: scope[binding.copies[0]].get(name) for name in binding.copies[1]} if binding.copies else {}
    values = binding.values(scope) if binding.values else {}
    return {**binding.defaults, **copied, **sent, **values}


def _create(world: World, binding: Binding, scope: Scope) -> Json:
    collection, fields = _own(binding), _accepted(binding, scope)
    if binding.unique:
        _refuse_second(world, binding.unique, collection, scope)
    ways = binding.transitions()
    if not ways or not collection.lifecycle:
        step = _step(world, binding, scope, world.make(collection.name, fields))
        if binding.effect:
            world.rules.effects[binding.effect](step)
        scope["told"]["row"] = step.row
        return show(world, binding.shows or collection, step.row, scope)
    row = world.create(scope, collection, world.choose(scope, collection, None, ways), fields)
    scope["told"]["row"] = row
    return show(world, binding.shows or collection, row, scope)


def _refuse_second(world: World, unique: Unique, collection: Collection, scope: Scope) -> None:
    if world.first(collection.name, unique.where, scope):
        raise Refusal(unique.refuse, f"there is such a {collection.name} already")


def _step(world: World, binding: Binding, scope: Scope, row: Row, before: Row | None = None) -> Step:
    return Step(world, scope, binding.collection.name if binding.collection else "", row, before, None)


def _read(world: World, binding: Binding, scope: Scope) -> Json:
    return show(world, _own(binding), _row(world, binding, scope), scope)


def _update(world: World, binding: Binding, scope: Scope) -> Json:
    collection, row = _own(binding), _row(world, binding, scope)
    ways, fields = binding.transitions(), _accepted(binding, scope)
    if ways and collection.lifecycle:
        if collection.lifecycle.field in binding.accepts:
            ways = tuple(way for way in ways if way.to == fields.get(collection.lifecycle.field))
        way = world.choose(scope, collection, row, ways)
        row = world.pass_on(scope, collection, way, row, fields)
        return show(world, collection, row, scope)
    step = _step(world, binding, scope, world.change(collection.name, row, **fields), row)
    if binding.effect:
        world.rules.effects[binding.effect](step)
    return show(world, collection, step.row, scope)


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
    query = _query(world, binding, scope)
    paging = binding.paging
    if paging is None:
        return _shown(world, binding, world.store.find(query) if query else [], scope)
    start, size = paging.place(scope)
    offset = (start - 1) * size if paging.style == "page" else start
    total = world.store.count(query) if query else 0
    rows = world.store.find(query, offset, size) if query and offset < total else []
    scope["page"] = {
        "items": _shown(world, binding, rows, scope),
        "total": total,
        "number": start,
        "size": size,
        "more": offset + len(rows) < total,
        **(links(scope["request.url"](), offset, size, total) if paging.style == "offset" else {}),
    }
    return paging.answer(scope)


def _shown(world: World, binding: Binding, rows: list[Row], scope: Scope) -> list[Json]:
    collection = binding.shows or _own(binding)
    shown = [show(world, collection, row, scope) for row in rows]
    if binding.answer is None:
        return list(shown)
    return [binding.answer({**scope, "row": row}) for row in shown]


def _query(world: World, binding: Binding, scope: Scope) -> Query | None:
    """The list's query; ``None`` when nothing can fit."""
    step = _step(world, binding, scope, {})
    asked: dict[str, Json] = {}
    tests: list[Keep] = []
    for line in binding.filters:
        value = line.value(scope)
        if value is not None and line.test is not None:
            tests.append(partial(line.test, step, value=value))
        elif isinstance(value, (list, dict)):
            tests.append(_among(line.field, value if isinstance(value, list) else [value]))
        elif value is not None:
            asked[line.field] = value
    query = world.select(_own(binding).name, binding.where, scope, asked)
    if query is None:
        return None
    text = binding.search.value(scope) if binding.search else None
    search = None
    if binding.search and isinstance(text, str):
        search = (binding.search.fields, text)
    elif binding.search and text is not None:
        tests.append(partial(holds, fields=binding.search.fields, part=text))
    keep = _all([query.keep, *tests] if query.keep else tests)
    return query._replace(order=binding.order, descending=binding.descending, keep=keep, search=search)


def _among(name: str, wanted: list[Json]) -> Keep:
    if not all(isinstance(each, str) for each in wanted):
        return lambda row: row.get(name) in wanted
    texts = frozenset(wanted)
    return lambda row: isinstance(row.get(name), str) and row[name] in texts


def _all(tests: list[Keep]) -> Keep | None:
    if len(tests) <= 1:
        return tests[0] if tests else None
    return lambda row: all(test(row) for test in tests)


def links(url: str, offset: int, size: int, total: int) -> dict[str, Json]:
    """Absolute links to the next and the previous page: the other parameters kept, all in order of their names."""
    parts = urlsplit(url)
    asked = dict(parse_qsl(parts.query, keep_blank_values=True))

    def link(start: int) -> str:
        query = {**asked, "limit": str(size), "offset": str(start)}
        if start <= 0:
            del query["offset"]
        return urlunsplit(parts._replace(query=urlencode(sorted(query.items()))))

    return {
        "next": link(offset + size) if offset + size < total else None,
        "previous": link(offset - size) if offset > 0 else None,
    }


def _compute(world: World, binding: Binding, scope: Scope) -> Json:
    row = _row(world, binding, scope) if binding.row else {}
    body = world.rules.effects[binding.effect](_step(world, binding, scope, row)) if binding.effect else None
    return binding.answer({**scope, "row": row, "response.body": body}) if binding.answer else body


def _upload(world: World, binding: Binding, scope: Scope) -> Json:
    upload(_step(world, binding, scope, {}))


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
    "upload": _upload,
    "document": _document,
}
