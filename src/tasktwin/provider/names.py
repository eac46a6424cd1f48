"""Names that only make sense together: fields of a collection, parameters of an operation, operations of a transition.

They are looked at once all rules are built, since a wrong one does no harm before: it just never fits anything.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tasktwin.behaviour.rules import Binding, Collection, Rules
from tasktwin.contract import Operation
from tasktwin.contract.violation import token
from tasktwin.errors import Problem
from tasktwin.provider.yaml_file import did_you_mean
from tasktwin.wire import Json

Data = Mapping[str, Any]

MOVING = ("create", "update", "move")
"""The verbs that take transitions."""

_PARAMETER = re.compile(r"\$request\.(path|query|header)\.([\w.-]+)")


def no_field(owner: str, field: str, fields: Iterable[str], at: str) -> Problem:
    """A collection lacks a field."""
    return Problem(f"{owner} has no field {field!r}", at, hint=did_you_mean(field, fields))


def unknown_names(data: Data, rules: Rules) -> Iterator[Problem]:
    """Fields that no row has and parameters that no request has, wherever the data name one."""
    for name, spec in data.get("collections", {}).items():
        yield from _of_collection(spec, rules.collections[name], rules, f"/collections{token(name)}")
    for name, spec in data.get("lifecycles", {}).items():
        owner = rules.collections[spec["collection"]]
        for label, way in spec["transitions"].items():
            at = f"/lifecycles{token(name)}/transitions{token(label)}"
            yield from _fields(owner, way.get("requires", ()), f"{at}/requires")
            yield from _keys(owner, way.get("set", {}), f"{at}/set")
            if "operation" in way:
                yield from _parameters(rules.contract.operations[way["operation"]], way.get("set"), f"{at}/set")
    for n, channel in enumerate(data.get("sign_in", ())):
        for m, look in enumerate(channel["look_ups"]):
            if "jwt" in look:
                continue
            at = f"/sign_in/{n}/look_ups/{m}/where"
            yield from _condition(rules.collections[look["collection"]], look["where"], at)
    for name, spec in data.get("operations", {}).items():
        yield from _of_binding(spec, rules.bindings[name], data, rules, f"/operations{token(name)}")


def unfit_operations(rules: Rules) -> Iterator[Problem]:
    """Transitions whose operation does something else, and methods whose operation cannot be one."""
    for name, lifecycle in rules.lifecycles.items():
        for label, way in lifecycle.transitions.items():
            binding = rules.bindings.get(way.operation or "")
            at = f"/lifecycles{token(name)}/transitions{token(label)}/operation"
            if way.operation and binding is None:
                yield Problem(f"{way.operation} is bound to no verb, so that nothing takes this transition", at)
            elif binding and (binding.verb not in MOVING or way not in binding.transitions()):
                what = f"{binding.verb} {binding.collection.name if binding.collection else ''}".strip()
                hint = f"It must be bound to {', '.join(MOVING)} of {lifecycle.collection}."
                yield Problem(
                    f"{way.operation} is bound to {what}, so that nothing takes this transition", at, hint=hint
                )
    for name, binding in rules.bindings.items():
        for label, method in binding.methods.items():
            target = rules.bindings[method.operation]
            if target.verb == "rpc" or target.paging:
                at = f"/operations{token(name)}/methods{token(label)}/operation"
                yield Problem(
                    f"a method cannot stand for {target.operation}, which is {'paged' if target.paging else 'rpc'}", at
                )


def _of_collection(spec: Data, owner: Collection, rules: Rules, at: str) -> Iterator[Problem]:
    yield from _condition(owner, spec.get("visible", {}), f"{at}/visible")
    for role, each in spec.get("roles", {}).items():
        yield from _condition(owner, each, f"{at}/roles{token(role)}")
    yield from _fields(owner, spec.get("read_only", ()), f"{at}/read_only", {*owner.blank, *spec.get("joins", {})})
    yield from _keys(owner, spec.get("decimals", {}), f"{at}/decimals")
    for field, join in spec.get("joins", {}).items():
        other, here = rules.collections[join["collection"]], f"{at}/joins{token(field)}"
        yield from _condition(other, join["where"], f"{here}/where")
        yield from _order(other, join, f"{here}/order")
        if owner.schema and field not in owner.properties:
            yield no_field(owner.schema.pointer.rsplit("/", 1)[1], field, owner.properties, here)


def _of_binding(spec: Data, binding: Binding, data: Data, rules: Rules, at: str) -> Iterator[Problem]:
    owner, operation = binding.collection, rules.contract.operations[binding.operation]
    yield from _parameters(operation, spec, at)
    if "page" in spec:
        yield from _parameters(operation, data["paging"][spec["page"]], f"{at}/page", exact=False)
    for n, need in enumerate(binding.needs):
        yield from _condition(need.collection, spec["needs"][n].get("where", {}), f"{at}/needs/{n}/where")
    for label, method in spec.get("methods", {}).items():
        target = rules.contract.operations[method["operation"]]
        for name in method.get("path", {}):
            yield from _parameter(target, "path", name, f"{at}/methods{token(label)}/path{token(name)}")
        yield from _of_stream(method.get("stream", {}), rules, f"{at}/methods{token(label)}/stream")
    yield from _of_stream(spec.get("stream", {}), rules, f"{at}/stream")
    if owner is None:
        return
    yield from _condition(owner, spec.get("where", {}), f"{at}/where")
    for n, guard in enumerate(spec.get("guards", ())):
        yield from _condition(owner, guard["when"], f"{at}/guards/{n}/when")
    plain = {name: each for name, each in spec.get("filter", {}).items() if isinstance(each, str) or "test" not in each}
    yield from _keys(owner, plain, f"{at}/filter")
    yield from _fields(owner, spec.get("search", {}).get("in", ()), f"{at}/search/in")
    yield from _order(owner, spec, f"{at}/order")
    yield from _keys(owner, spec.get("set", {}), f"{at}/set")
    yield from _condition(owner, spec.get("unique", {}).get("where", {}), f"{at}/unique/where")
    yield from _fields(owner, spec.get("copy", {}).get("fields", ()), f"{at}/copy/fields")


def _of_stream(spec: Data, rules: Rules, at: str) -> Iterator[Problem]:
    """A topic is a collection's name and a row's identifier: no log has another name, and its events tell of such rows."""
    name, _, key = spec.get("topic", "$").partition(":")
    if "$" in name:
        return
    if name not in rules.collections or not key:
        hint = (
            f"Add the row: {name}:{{$row#/id}}." if name in rules.collections else did_you_mean(name, rules.collections)
        )
        yield Problem(f"nothing is ever told in the topic {spec['topic']!r}", f"{at}/topic", hint=hint)
        return
    lines = {f"/events/{n}": line for n, line in enumerate(spec.get("events", ()))} | {"/now": spec.get("now", {})}
    for place, line in lines.items():
        for word in ("when", "ends"):
            if not isinstance(line.get(word, True), bool):
                yield from _condition(rules.collections[name], line[word], f"{at}{place}/{word}")


def _condition(owner: Collection, spec: Json, at: str) -> Iterator[Problem]:
    if isinstance(spec, list):
        for n, each in enumerate(spec):
            yield from _condition(owner, each, f"{at}/{n}")
        return
    yield from _keys(owner, {key: None for key in spec if not key.startswith("$")}, at)


def _keys(owner: Collection, names: Data, at: str) -> Iterator[Problem]:
    return (no_field(owner.name, name, owner.blank, at + token(name)) for name in names if name not in owner.blank)


def _fields(owner: Collection, names: Iterable[str], at: str, known: Iterable[str] = ()) -> Iterator[Problem]:
    known = known or owner.blank
    return (no_field(owner.name, name, known, f"{at}/{n}") for n, name in enumerate(names) if name not in known)


def _order(owner: Collection, spec: Data, at: str) -> Iterator[Problem]:
    field = spec.get("order", "").removeprefix("-")
    if field and field not in owner.blank:
        yield no_field(owner.name, field, owner.blank, at)


def _parameters(operation: Operation, node: Json, at: str, *, exact: bool = True) -> Iterator[Problem]:
    """Parameters that expressions below ``node`` read; the pointer leads to each, or (not ``exact``) stays at ``at``."""
    if isinstance(node, str):
        for where, name in _PARAMETER.findall(node):
            yield from _parameter(operation, where, name, at)
    elif isinstance(node, (Mapping, list)):
        for key, inner in node.items() if isinstance(node, Mapping) else enumerate(node):
            yield from _parameters(operation, inner, at + token(key) if exact else at, exact=exact)


def _parameter(operation: Operation, where: str, name: str, at: str) -> Iterator[Problem]:
    plan = operation.parameters
    known = [each for each, _ in getattr(plan, where)] if plan else []
    name = name.lower() if where == "header" else name
    if name not in known:
        hint = did_you_mean(name, known)
        yield Problem(f"{operation.id} has no {where} parameter {name!r}", at, hint=hint)
