"""Where each fact of a provider comes from, gathered from its contract and its behaviour."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tasktwin.behaviour.lifecycle import Provenance
from tasktwin.contract.violation import token
from tasktwin.provider.provider import Provider
from tasktwin.provider.resolver import parse_provenance
from tasktwin.wire import Json

KINDS = ("stated", "observed", "assumed")
SECTIONS = {
    "securitySchemes": "Sign-in",
    "parameters": "Parameters",
    "responses": "Answers",
    "headers": "Headers",
    "schemas": "Fields",
}
"""What the components of a document are called here."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: the file's part it stands in (``Operations``, ``Errors`` …), what it is about, its source, its file."""

    part: str
    about: str
    pointer: str
    provenance: Provenance
    file: str = "openapi.yaml"


def facts(provider: Provider) -> list[Fact]:
    """Every fact that says where it comes from, the contract's first."""
    assumed = [
        Fact("Effects", about, f"/assumptions{token(about)}", Provenance("assumed", why), "provider.yaml")
        for about, why in provider.data.get("assumptions", {}).items()
    ]
    return [*_contract(provider), *_behaviour(provider.data, ""), *assumed]


def counts(found: list[Fact]) -> dict[str, int]:
    """How many facts are stated, observed and assumed."""
    tally = Counter(fact.provenance.kind for fact in found)
    return {kind: tally[kind] for kind in KINDS}


def _contract(provider: Provider) -> Iterator[Fact]:
    document = provider.rules.contract.document
    for operation in provider.rules.contract.operations.values():
        if "x-provenance" in operation.extensions:
            about = f"{operation.id} ({operation.method} {operation.path})"
            mark = parse_provenance(operation.extensions["x-provenance"])
            yield Fact("Operations", about, operation.pointer, mark)
        for n, each in enumerate(operation.raw.get("parameters", ())):
            about = f"{operation.id} {each.get('name')}"
            yield from _marked(each, "Parameters", about, f"{operation.pointer}/parameters/{n}")
    for section, part in SECTIONS.items():
        for name, each in document.get("components", {}).get(section, {}).items():
            yield from _marked(each, part, name, f"/components/{section}{token(name)}")


def _marked(node: Json, part: str, about: str, pointer: str) -> Iterator[Fact]:
    """The marks of a schema and of everything in it; a property is about ``Schema.property``."""
    if isinstance(node, list):
        for n, inner in enumerate(node):
            yield from _marked(inner, part, about, f"{pointer}/{n}")
    if not isinstance(node, Mapping):
        return
    if "x-provenance" in node:
        yield Fact(part, about, pointer, parse_provenance(node["x-provenance"]))
    for key, inner in node.items():
        if key == "x-codes" and isinstance(inner, Mapping):
            yield from _codes(inner, f"{pointer}/x-codes")
        elif key == "properties" and isinstance(inner, Mapping):
            for name, each in inner.items():
                yield from _marked(each, part, f"{about}.{name}", f"{pointer}/properties{token(name)}")
        elif key not in ("example", "examples", "default", "enum", "const"):
            yield from _marked(inner, part, about, pointer + token(key))


def _codes(codes: Mapping[str, Json], pointer: str) -> Iterator[Fact]:
    for code, each in codes.items():
        for key in ("provenance", "status_provenance"):
            if isinstance(each, Mapping) and key in each:
                about = f"code {code}" if key == "provenance" else f"HTTP status of code {code}"
                yield Fact("Errors", about, f"{pointer}/{code}", parse_provenance(each[key]))


PARTS = {
    "lifecycles": "Lifecycles",
    "errors": "Errors",
    "sign_in": "Sign-in",
    "operations": "Operations",
    "idempotency": "Idempotency",
}


def _behaviour(node: Json, pointer: str) -> Iterator[Fact]:
    if isinstance(node, Mapping):
        if isinstance(node.get("provenance"), str):
            steps = pointer.split("/")[1:]
            about = " ".join(step for step in steps[1:] if step not in ("kinds", "transitions", "states")) or steps[0]
            part, mark = PARTS.get(steps[0], steps[0].capitalize()), parse_provenance(node["provenance"])
            yield Fact(part, about.replace("~1", "/").replace("~0", "~"), pointer, mark, "provider.yaml")
        for key, inner in node.items():
            yield from _behaviour(inner, pointer + token(key))
    elif isinstance(node, list):
        for n, inner in enumerate(node):
            yield from _behaviour(inner, f"{pointer}/{n}")
