"""The first ``provider.yaml`` of an API: what was inferred, written out, with what to say next beside it."""

from collections.abc import Iterator, Mapping

from tasktwin.behaviour.rules import Collection
from tasktwin.provider.provenance import facts
from tasktwin.provider.provider import Provider
from tasktwin.provider.yaml_text import block, line
from tasktwin.wire import Json

STATES = ("status", "state", "phase", "stage")
"""Fields that often hold where a row is in its lifecycle."""

HEAD = """\
# yaml-language-server: $schema={schemas}/provider.json
# What OpenAPI cannot say about this API. What follows was inferred from openapi.yaml: correct it, and go on.
# `tasktwin check` says what is wrong; an editor with the YAML language server completes every key.
"""

NEXT = """
# How the API refuses. Without it: problem+json, with the kind as its title. Kinds are free; the engine's own are in
# `tasktwin check --schema provider`. The shape must be what openapi.yaml declares for errors.
# errors:
#   shape: {error: $error#/kind, message: $error#/message}
#   kinds:
#     not_found: {status: 404, message: there is no such thing, provenance: "assumed: no page says"}

# Who calls. Without it any credential will do where openapi.yaml asks for one. The look-up needs a collection of
# credentials, `token: {schema: null, fields: [id, secret, user]}` above, and its rows in seeds/.
# sign_in:
#   - channel: people
#     provenance: "assumed: no page says"
#     look_ups:
#       - {as: token, scheme: SCHEME, collection: token, where: {secret: $credential}, unknown: bad_credential}
#     principal: {name: "{$token#/user}", user: $token#/user}
# principals:
#   ann: {about: Can do all, headers: {Authorization: Bearer ann-token}}

# How lists are cut: name it in an operation that lists, `page: pages`.
# paging:
#   pages: {style: page, start: $request.query.page, size: $request.query.size, answer: $page#/items}
"""


def draft(provider: Provider, schemas: str) -> str:
    """The file's text. ``schemas`` is the folder of the JSON Schemas, seen from it."""
    data = provider.data
    parts = [HEAD.format(schemas=schemas), block({key: data[key] for key in ("provider", "title")})]
    parts += _sources(provider)
    parts += _collections(data["collections"])
    parts += _operations(provider)
    scheme = next(iter(provider.rules.contract.schemes), "SCHEME")
    parts.append(NEXT.replace("SCHEME", _key(scheme)))
    parts += _lifecycle(provider)
    return "".join(parts)


def _sources(provider: Provider) -> Iterator[str]:
    """The sources that the document's own marks of provenance name; most documents have none."""
    found = [each.provenance for each in facts(provider)]
    if tags := dict.fromkeys(each.note for each in found if each.kind in ("stated", "observed")):
        yield "\n# What the marks `x-provenance` in openapi.yaml refer to. Say what each is: {title: …, url: …}.\nsources:\n"
        for tag in tags:
            yield f"  {_entry(tag, {'title': tag})}\n"


def _collections(collections: Mapping[str, Json]) -> Iterator[str]:
    yield "\n# Kinds of rows, each with the schema in openapi.yaml that it obeys.\n"
    if not collections:
        yield "# Nothing in the paths tells of any: a pair such as /todos and /todos/{todo_id}, answered with a component\n"
        yield "# schema, would. todo: {schema: Todo}\n"
        yield "collections: {}\n"
        return
    yield "collections:\n"
    for name, each in collections.items():
        yield f"  {_entry(name, each)}\n"


def _operations(provider: Provider) -> Iterator[str]:
    """Those that are bound, each in a line, and the others as comments."""
    bound, contract = provider.data["operations"], provider.rules.contract
    yield "\n# What each operation does with them; `row` is the one that its path names.\n"
    yield "operations:\n" if bound else "operations: {}\n"
    for name, each in bound.items():
        yield f"  {_entry(name, each)}\n"
    left = [each for each in contract.operations.values() if each.id not in bound]
    if left:
        yield "  # Not modelled yet, so the twin answers 501. Give them a verb (create, read, list, update, delete; move, along\n"
        yield "  # a lifecycle) and the collection that they act on:\n"
    for operation in left:
        yield f"  # {_key(operation.id)}: {operation.method} {operation.path}\n"


def _entry(name: str, value: Json) -> str:
    """``name: {…}`` in one line."""
    return line({name: value})[1:-1]


def _lifecycle(provider: Provider) -> Iterator[str]:
    """A lifecycle to begin with, of the first collection that has a field for it, as a comment."""
    yield "\n# How rows change: the states of a field, and what leads from one to the next: an operation, a trigger\n"
    yield "# (POST /_tasktwin/events/NAME) or time (after: 3d). What no transition allows is refused.\n"
    found = next(filter(None, map(_states, provider.rules.collections.values())), None)
    name, field, states = found or ("todo", "status", ["open", "done"])
    create = _creating(provider, name) or "addTodo"
    first, *others = states
    told = [_entry(first, {"provenance": "PROVENANCE"}).replace("PROVENANCE", '&p "assumed: no page says"')]
    told += [f"{_key(each)}: {{final: true, provenance: *p}}" for each in others]
    way = [f"create: {{operation: {_key(create)}, from: new, to: {_key(first)}, provenance: *p}}"]
    way += [
        f"{_key(each)}: {{trigger: {_key(each)}, from: {_key(first)}, to: {_key(each)}, provenance: *p}}"
        for each in others
    ]
    lines = ["lifecycles:", f"  {name}:", f"    collection: {name}", f"    field: {field}", "    states:"]
    lines += [*(f"      {each}" for each in told), "    transitions:", *(f"      {each}" for each in way)]
    yield "".join(f"# {each}\n" for each in lines)


def _key(name: str) -> str:
    return line([name])[1:-1]


def _states(collection: Collection) -> tuple[str, str, list[str]] | None:
    for field in STATES:
        node = collection.properties.get(field)
        values = node.get("enum") if isinstance(node, Mapping) else None
        if isinstance(values, list) and values and all(isinstance(each, str) for each in values):
            return collection.name, field, values
    return None


def _creating(provider: Provider, collection: str) -> str | None:
    operations = provider.data["operations"]
    made = [name for name, each in operations.items() if each == {"verb": "create", "collection": collection}]
    return next(iter(made), None)
