"""Where it is known from what a request may hold: the nearest mark around a place in it."""

from collections.abc import Iterator, Mapping
from typing import Final

from tasktwin.behaviour.lifecycle import Provenance
from tasktwin.contract import Operation, Violation
from tasktwin.provider import Provider
from tasktwin.provider.resolver import parse_provenance
from tasktwin.suite.certainty import operation_mark
from tasktwin.wire import Json

DEEPEST: Final = 40


def sent_mark(provider: Provider, operation: Operation, violation: Violation) -> Provenance:
    """The nearest mark around what a request breaks; the operation's if there is none."""
    document = provider.rules.contract.document
    steps = [part.replace("~1", "/").replace("~0", "~") for part in violation.pointer.split("/")[1:]]
    if violation.where == "body":
        body = _target(document, operation.raw.get("requestBody"))
        content = body.get("content", {})
        nodes = [body, *(each.get("schema") for each in list(content.values())[:1] if isinstance(each, Mapping))]
    else:
        declared = [each for each in operation.declared if each.where == violation.where and each.name in steps[:1]]
        nodes, steps = [node for each in declared for node in (each.node, each.node.get("schema"))], steps[1:]
    marks = [mark for node in nodes[:1] for mark in _marks(document, node, [], 0)]
    marks += [mark for node in nodes[1:] for mark in _marks(document, node, steps, 0)]
    return parse_provenance(marks[-1]) if marks else operation_mark(provider, operation.id)


def _marks(document: Json, node: Json, steps: list[str], depth: int) -> Iterator[str]:
    """The marks on the way down a schema, the innermost last."""
    if depth > DEEPEST or not isinstance(node, Mapping):
        return
    own = node.get("x-provenance")
    target = _target(document, node)
    text = own or target.get("x-provenance")
    if text:
        yield str(text)
    for key in ("allOf", "oneOf", "anyOf"):
        for each in target.get(key, ()):
            yield from _marks(document, each, steps, depth + 1)
    if steps:
        name, properties = steps[0], target.get("properties")
        inner = properties.get(name) if isinstance(properties, Mapping) else None
        yield from _marks(document, inner or (target.get("items") if name.isdigit() else None), steps[1:], depth + 1)


def _target(document: Json, node: Json) -> Mapping[str, Json]:
    """What a node means: that behind its references. All of them were followed when the document was compiled."""
    for _ in range(DEEPEST):
        reference = node.get("$ref") if isinstance(node, Mapping) else None
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        node = document
        for part in reference[2:].split("/"):
            node = node[part.replace("~1", "/").replace("~0", "~")]
    return node if isinstance(node, Mapping) else {}
