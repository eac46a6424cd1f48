"""What an operation takes: which of its inputs name rows, and of which kind; bodies and values to try."""

import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property

from tasktwin.behaviour.rules import Binding
from tasktwin.contract import Operation
from tasktwin.contract.sample import NoSampleError, sample
from tasktwin.provider import Provider
from tasktwin.wire import Json

_PLACE = re.compile(r"\$request\.(path|query|header)\.([\w-]+)|\$request\.body#/([\w~/-]+)")

NOT_WALKED = frozenset({"rpc", "document", "upload", "example"})
"""Verbs that others look at."""


@dataclass(frozen=True, slots=True)
class Place:
    """An input: ``where`` is path, query, header or body; a body's ``name`` is a top-level member."""

    where: str
    name: str


@dataclass(frozen=True)
class Inputs:
    """The inputs of one operation. ``rows`` says which of them name a row of which collection; ``main`` is the row it acts on."""

    provider: Provider
    operation: Operation
    binding: Binding
    rows: Mapping[Place, str] = field(default_factory=dict)
    main: Place | None = None
    pool: Mapping[str, Json] = field(default_factory=dict)

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return self.operation.method not in {"GET", "HEAD", "OPTIONS"}

    @cached_property
    def needed(self) -> dict[Place, str]:
        """Those of the ``rows`` without which it cannot be asked for."""
        optional = set(self.optional)
        return {
            place: name
            for place, name in self.rows.items()
            if place.where == "path" or (place.where == "body" and place.name not in optional)
        }

    @property
    def is_shared(self) -> bool:
        """Whether it shows what is there without naming a row: a list, a wallet, a count."""
        return not self.writes and not self.needed and self.binding.verb in {"list", "compute"}

    @cached_property
    def path(self) -> dict[str, Json]:
        """Values for the path's parameters that name no row."""
        found: dict[str, Json] = {}
        for declared in self.operation.declared:
            if declared.where == "path" and Place("path", declared.name) not in self.rows:
                found[declared.name] = _usual(declared.node, self.operation.resolved(declared.node.get("schema", {})))
        return found

    @cached_property
    def query(self) -> dict[str, list[Json]]:
        """Values to try for the query's parameters: all words of an enumeration, else what the document shows."""
        found: dict[str, list[Json]] = {}
        for declared in self.operation.declared:
            if declared.where != "query" or Place("query", declared.name) in self.rows:
                continue
            schema = self.operation.resolved(declared.node.get("schema", {}))
            values = list(schema.get("enum", ()))
            if schema.get("type") == "boolean":
                values = [True, False]
            elif schema.get("type") == "integer":
                least = int(schema.get("minimum", 0))
                values = [least, least + 1, least + 2]
            for key in ("example", "default"):
                values += [declared.node[key]] if key in declared.node else []
            found[declared.name] = [value for value in values if value is not None]
        return {name: values for name, values in found.items() if values}

    @cached_property
    def filters(self) -> dict[str, str]:
        """The query's parameters that a list is narrowed by, and the field that each compares."""
        spec = self.provider.data.get("operations", {}).get(self.operation.id, {}).get("filter", {})
        found = {}
        for name, text in spec.items():
            match = _PLACE.fullmatch(text) if isinstance(text, str) else None
            if match and match[1] == "query":
                found[match[2]] = name
        return found

    @property
    def page_size(self) -> str:
        """The query's parameter for the size of a page; "" if there is none."""
        page = self.provider.data.get("operations", {}).get(self.operation.id, {}).get("page")
        text = self.provider.data.get("paging", {}).get(page, {}).get("size") if page else None
        return str(text).removeprefix("$request.query.") if text else ""

    @cached_property
    def bodies(self) -> list[dict[str, Json]]:
        """Bodies to begin with: the document's own examples, else one that its schema allows."""
        if self.operation.body is None:
            return []
        media = self.operation.raw.get("requestBody", {})
        content = media.get("content", {}) if isinstance(media, Mapping) else {}
        found = [deepcopy(each) for medium in content.values() for each in _examples(medium, self.provider)]
        objects = [each for each in found if isinstance(each, dict)]
        return objects or list(self._sampled())

    @cached_property
    def variants(self) -> list[dict[str, Json]]:
        """The bodies, richer ones first, and one for each word of a member that can be sent alone.

        Richer are one of all their members together, and one of what other operations on such rows show for them.
        """
        found = list(self.bodies)
        if len(found) > 1:
            found.insert(0, {name: value for each in reversed(found) for name, value in each.items()})
        pooled = {name: self.pool[name] for name, _ in self._properties() if name in self.pool}
        if found and pooled and pooled not in found:
            found.insert(0, pooled)
        schema = self.operation.body_schema or {}
        if self.bodies and not schema.get("required"):
            found += [{}] if {} not in found else []
            found += [{name: word} for name, words in self.enums.items() for word in words if word is not None]
        return found

    @cached_property
    def enums(self) -> dict[str, list[Json]]:
        """The body's members that take one of a few words."""
        return {name: words for name, node in self._properties() if (words := self._words(node))}

    @cached_property
    def optional(self) -> list[str]:
        """The body's members that may be left out."""
        schema = self.operation.body_schema or {}
        required = set(schema.get("required", ()))
        return [name for name, _ in self._properties() if name not in required]

    def _properties(self) -> list[tuple[str, Json]]:
        schema = self.operation.body_schema or {}
        return list(schema.get("properties", {}).items())

    def _words(self, node: Json) -> list[Json]:
        resolved = self.operation.resolved(node) if isinstance(node, dict) else {}
        return list(resolved.get("enum", ()))

    def _sampled(self) -> Iterator[dict[str, Json]]:
        medium = self.operation.body.content.first_json() if self.operation.body else None
        if medium is None or medium.schema is None:
            return
        try:
            value = sample(medium.schema, self.operation.id)
        except NoSampleError:
            return
        if isinstance(value, dict):
            yield value


def all_inputs(provider: Provider) -> dict[str, Inputs]:
    """The inputs of every operation that can be walked, by operation."""
    found = {}
    for name, binding in provider.rules.bindings.items():
        operation = provider.rules.contract.operations.get(name)
        if operation is None or binding.verb in NOT_WALKED:
            continue
        rows, main = _rows(provider, operation)
        found[name] = Inputs(provider, operation, binding, rows, main)
    for name, each in found.items():
        if each.binding.verb in {"create", "update"} and each.binding.collection:
            found[name] = replace(each, pool=_pool(found.values(), each.binding.collection.name))
    return found


def _pool(inputs: Iterable[Inputs], collection: str) -> dict[str, Json]:
    """What the examples of all operations that write such rows show for each member: the longest of each."""
    pool: dict[str, Json] = {}
    for each in inputs:
        if each.binding.verb not in {"create", "update"} or not each.binding.collection:
            continue
        if each.binding.collection.name == collection:
            for name, value in (pair for body in each.bodies for pair in body.items()):
                if value is not None and len(str(value)) > len(str(pool.get(name, ""))):
                    pool[name] = value
    return pool


def _rows(provider: Provider, operation: Operation) -> tuple[dict[Place, str], Place | None]:
    """Which inputs name rows, by the data: the row an operation acts on, and those that it needs."""
    spec = provider.data.get("operations", {}).get(operation.id, {})
    rows: dict[Place, str] = {}
    main = _place(spec.get("row"))
    if main and spec.get("collection"):
        rows[main] = spec["collection"]
    for need in spec.get("needs", ()):
        place = _place(need.get("id"))
        if place:
            rows.setdefault(place, need["collection"])
            main = main or (place if place.where == "path" else None)
    return rows, main


def _place(text: Json) -> Place | None:
    match = _PLACE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    return Place("body", match[3]) if match[3] else Place(match[1], match[2])


def _usual(node: Mapping[str, Json], schema: Mapping[str, Json]) -> Json:
    for key in ("example", "default"):
        for each in (node, schema):
            if key in each:
                return each[key]
    examples = node.get("examples")
    if isinstance(examples, Mapping):
        for each in examples.values():
            if isinstance(each, Mapping) and "value" in each:
                return each["value"]
    return next(iter(schema.get("enum", ())), "x")


def _examples(medium: Json, provider: Provider) -> Iterator[Json]:
    if not isinstance(medium, Mapping):
        return
    if "example" in medium:
        yield medium["example"]
    for each in medium.get("examples", {}).values():
        node = each
        if isinstance(node, Mapping) and "$ref" in node:
            node = provider.rules.contract.document
            for part in each["$ref"][2:].split("/"):
                node = node[part]
        if isinstance(node, Mapping) and "value" in node:
            yield node["value"]
