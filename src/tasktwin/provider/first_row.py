"""A first row for each collection, from what the contract says of it: its examples, or a value made up by its schema."""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Final

from tasktwin.behaviour.expression import look_up, steps_of
from tasktwin.behaviour.rules import Collection
from tasktwin.behaviour.seed import Batch, Seeds, compile_maker
from tasktwin.behaviour.worlds import Plan, Worlds
from tasktwin.contract import Contract
from tasktwin.contract.sample import NoSampleError, sample
from tasktwin.errors import DataError, MisuseError, Refusal
from tasktwin.provider.provider import Provider
from tasktwin.state import Query
from tasktwin.wire import Json, dumps

_DEEPEST: Final = 6
_FORMATS: Final = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "uuid": "00000000-0000-4000-8000-000000000001",
    "email": "ann@example.com",
    "uri": "https://example.com/1",
    "uri-reference": "/1",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "decimal": "1",
    "byte": "MQ==",
}


def first_rows(provider: Provider) -> dict[str, dict[str, Json]]:
    """A row for each collection of which one was found that can be sown and obeys the collection's schema."""
    rows: dict[str, dict[str, Json]] = {}
    for name, collection in provider.rules.collections.items():
        for candidate in _candidates(provider, collection):
            row = _fitting(candidate, collection)
            if row and _passes(provider, collection, row):
                rows[name] = row
                break
    return rows


def _candidates(provider: Provider, collection: Collection) -> Iterator[Json]:
    """What may be a row, the most telling first."""
    schema, contract = collection.schema, provider.rules.contract
    if schema is None:
        return
    yield from _examples(schema.resolved)
    for operation in contract.operations.values():
        binding = provider.rules.bindings.get(operation.id)
        if binding and binding.collection is collection:
            yield from _answered(contract, operation.raw, str(operation.success))
    required = schema.resolved.get("required", ())
    yield {name: made_up(contract, node, name) for name, node in schema.properties.items()}
    yield {name: made_up(contract, node, name) for name, node in schema.properties.items() if name in required}
    try:
        yield sample(schema, "seeds")
    except NoSampleError:
        return  # or no generator is installed: then there is no row


def _examples(node: Json) -> Iterator[Json]:
    """The examples of a schema, or of a media type."""
    if "example" in node:
        yield node["example"]
    several = node.get("examples")
    if isinstance(several, list):
        yield from several
    elif isinstance(several, Mapping):
        yield from (each["value"] for each in several.values() if isinstance(each, Mapping) and "value" in each)


def _answered(contract: Contract, raw: Mapping[str, Json], status: str) -> Iterator[Json]:
    """The examples of an operation's success; of a list, its items."""
    answer = _resolved(contract, raw.get("responses", {}).get(status, {}))
    for media in answer.get("content", {}).values():
        for example in _examples(media if isinstance(media, Mapping) else {}):
            yield from example if isinstance(example, list) else [example]


def made_up(contract: Contract, node: Json, name: str, depth: int = 0) -> Json:
    """A value by a schema of the document, ``None`` where none is at hand. It need not obey every keyword."""
    node = _resolved(contract, node)
    if depth > _DEEPEST or node.get("writeOnly"):
        return None
    said = [node[key] for key in ("const", "example", "default") if node.get(key) is not None]
    said += [each for key in ("enum", "examples") for each in _listed(node.get(key)) if each is not None]
    if said or node.get("type") == "null":
        return said[0] if said else None
    kinds = [each for each in _listed(node.get("type")) if each != "null"]
    if not kinds and (parts := [*_listed(node.get("anyOf")), *_listed(node.get("oneOf"))]):
        values = (made_up(contract, each, name, depth + 1) for each in parts)
        return next((each for each in values if each is not None), None)
    if node.get("allOf") or "properties" in node or kinds[:1] == ["object"]:
        return _object(contract, node, depth)
    if kinds[:1] == ["array"]:
        item = made_up(contract, node.get("items", {}), name, depth + 1) if node.get("minItems") else None
        return [] if item is None else [item] * _count(node, "minItems")
    return _scalar(node, kinds[0] if kinds else "string", name)


def _object(contract: Contract, node: dict[str, Json], depth: int) -> Json:
    """What ``allOf`` and the required properties say together."""
    result: dict[str, Json] = {}
    for part in _listed(node.get("allOf")):
        value = made_up(contract, part, "", depth + 1)
        if not isinstance(value, dict):
            return value
        result |= value
    own, required = node.get("properties"), _listed(node.get("required"))
    if isinstance(own, Mapping):
        result |= {name: made_up(contract, own[name], name, depth + 1) for name in own if name in required}
    return {name: value for name, value in result.items() if value is not None}


def _scalar(node: dict[str, Json], kind: str, name: str) -> Json:
    if kind == "boolean":
        return False
    if kind in ("integer", "number"):
        return _number(node)
    if node.get("format") in _FORMATS:
        return _FORMATS[node["format"]]
    text = name.replace("_", " ").strip().capitalize() or "Text"
    return text.ljust(_count(node, "minLength"), "x")[: _count(node, "maxLength") or None]


def _number(node: dict[str, Json]) -> Json:
    """The least whole number that is allowed, but 1 rather than less."""
    low, above, high = (node.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    least = [float(each) for each in (low, above) if isinstance(each, int | float) and not isinstance(each, bool)]
    value = max([1, *(ceil(each) for each in least)])
    if above is True or (least and value in least and above is not None):
        value += 1
    if isinstance(high, int | float) and value > high:
        value = int(high)
    step = node.get("multipleOf")
    return step * ceil(value / step) if isinstance(step, int) and step > 0 else value


def _count(node: dict[str, Json], key: str) -> int:
    value = node.get(key, 0)
    return min(value, 1_000) if isinstance(value, int) else 0


def _listed(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _resolved(contract: Contract, node: Json) -> dict[str, Json]:
    """What a node is or refers to; a schema that is no mapping says nothing."""
    for _ in range(_DEEPEST):
        if not isinstance(node, Mapping) or not isinstance(node.get("$ref"), str):
            break
        node = look_up(contract.document, steps_of(node["$ref"]))
    return dict(node) if isinstance(node, Mapping) else {}


def _fitting(candidate: Json, collection: Collection) -> dict[str, Json]:
    """A candidate as seeds may write it: known fields that are not null, none that looks like an expression."""
    if not isinstance(candidate, dict):
        return {}
    known = {key: candidate[key] for key in collection.blank if candidate.get(key) is not None}
    row = {key: each for key, each in known.items() if b"$" not in dumps(each)}
    for name in collection.instants & row.keys():
        row[name] = "-1h"
    if collection.make_id == "number":
        row.pop(collection.id_field, None)  # given in order, so that no later row gets the same
    return row


def _passes(provider: Provider, collection: Collection, row: dict[str, Json]) -> bool:
    """Whether a world can begin with this row, and the contract has nothing against it then."""
    try:
        seeds = Seeds("default", "", (Batch(collection.name, compile_maker(row)),))
        world = Worlds(provider.rules, {"default": seeds}, Plan(mode="frozen")).get()
    except (DataError, Refusal, MisuseError, ValueError):
        return False
    (sown,) = world.store.find(Query(collection.name), 0, 1)
    return collection.schema is None or collection.schema.is_valid(sown)
