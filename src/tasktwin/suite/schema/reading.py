"""How the provider itself would read a request: what it finds wrong with it, and where that is known from."""

from collections.abc import Mapping

from tasktwin.behaviour.lifecycle import Provenance
from tasktwin.behaviour.rules import Asked
from tasktwin.contract import Match, Operation, Violation
from tasktwin.provider import Provider
from tasktwin.provider.resolver import parse_provenance
from tasktwin.suite import certainty
from tasktwin.suite.traffic import Request
from tasktwin.wire import Json

DEEPEST = 40
"""Levels of a schema that are looked into."""


def faults(provider: Provider, request: Request) -> tuple[Violation, ...]:
    """What is wrong with a request by the contract; nothing where the provider is known to read it all the same.

    Frameworks convert (``false`` is a number to some), and JSON-RPC answers for its own bodies.
    """
    rules = provider.rules
    path, _, query = request.path.partition("?")
    match = rules.contract.match(request.method, path)
    if not isinstance(match, Match):
        return ()
    operation, headers = match.operation, [(k.encode(), v.encode("latin-1")) for k, v in request.headers.items()]
    media = request.headers.get("content-type", "")
    found: tuple[Violation, ...] = operation.read(match.path_values, query.encode(), headers, request.body).violations
    if rules.dialect is not None:
        asked = Asked(operation, match.path_values, query.encode(), media, request.body)
        return found if rules.dialect(asked).faults else ()
    binding = rules.bindings.get(operation.id)
    if binding and binding.verb == "rpc" and all(_rpc_tells(each) for each in found):
        return ()
    return found


def request_mark(provider: Provider, operation: str, violation: Violation | None) -> Provenance:
    """The nearest mark around what a request breaks; the operation's if there is none."""
    mark = certainty.operation_mark(provider, operation)
    found = provider.rules.contract.operations.get(operation)
    if found is None or violation is None:
        return mark
    parts = [part.replace("~1", "/").replace("~0", "~") for part in violation.pointer.split("/")[1:]]
    if violation.where != "body":
        named = [
            each.node for each in found.declared if parts and each.where == violation.where and each.name == parts[0]
        ]
        return (_within(provider, named[0], parts[1:]) if named else None) or mark
    return _within(provider, _body_schema(found), parts) or mark


def _rpc_tells(violation: Violation) -> bool:
    return violation.where == "body" and violation.keyword != "media-type"


def _body_schema(operation: Operation) -> Json:
    body = operation.raw.get("requestBody", {})
    content = body.get("content", {}) if isinstance(body, Mapping) else {}
    return next((each.get("schema") for each in content.values() if isinstance(each, Mapping)), None)


def _within(provider: Provider, node: Json, parts: list[str], depth: int = 0) -> Provenance | None:
    """The innermost mark on the way down a schema."""
    if not isinstance(node, Mapping) or depth > DEEPEST:
        return None
    text = node.get("x-provenance")
    mark = parse_provenance(str(text)) if text else None
    inner = [_within(provider, each, parts, depth + 1) for each in _nearer(provider.rules.contract.document, node)]
    if parts and isinstance(node.get("properties"), Mapping) and parts[0] in node["properties"]:
        inner.append(_within(provider, node["properties"][parts[0]], parts[1:], depth + 1))
    if parts and "items" in node:
        inner.append(_within(provider, node["items"], parts[1:], depth + 1))
    return next((each for each in reversed(inner) if each), None) or mark


def _nearer(document: Json, node: Mapping[str, Json]) -> list[Json]:
    """What stands for a schema as well: what it refers to and its branches."""
    branches = [each for key in ("allOf", "oneOf", "anyOf") for each in node.get(key, ())]
    branches += [node["schema"]] if "schema" in node else []
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        target = document
        for part in reference[2:].split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        branches.append(target)
    return branches
