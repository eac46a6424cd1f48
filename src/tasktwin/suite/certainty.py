"""What a finding contradicts: the nearest mark of provenance, with its source's title and page."""

from collections.abc import Iterable, Mapping
from typing import Final, Literal, TypeAlias

from tasktwin.behaviour.lifecycle import Provenance, Transition
from tasktwin.provider import Provider
from tasktwin.provider.resolver import parse_provenance
from tasktwin.suite.finding import Basis
from tasktwin.wire import Json

Kind: TypeAlias = Literal["stated", "observed", "assumed"]

RANK: Final = {"stated": 0, "observed": 1, "assumed": 2}
DEEPEST: Final = 40

ITSELF: Final = Basis("itself", "An API agrees with itself: what it said is what it shows, until something changes it.")
SERVER_ERROR: Final = Basis(
    "standard",
    "RFC 9110 §15.6: a 5xx says that the server is aware that it has erred.",
    "https://www.rfc-editor.org/rfc/rfc9110#section-15.6",
)
ACCESS: Final = Basis(
    "standard",
    "OWASP API1:2023: every function that reaches a record by the caller's input checks that the caller may have it.",
    "https://owasp.org/API-Security/editions/2023/en/0xa1-broken-object-level-authorization/",
)
WITHIN: Final = Basis(
    "itself", "What is named under a row is that row's: elsewhere this deployment shows it as another one's."
)
SIGN_IN: Final = Basis(
    "standard",
    "OWASP API2:2023: what needs a sign-in is closed to those who did not, or whose credentials are wrong.",
    "https://owasp.org/API-Security/editions/2023/en/0xa2-broken-authentication/",
)


def basis_of(provider: Provider, mark: Provenance, about: str = "") -> Basis:
    """A mark as what a finding contradicts. ``about`` is the fact itself, in words."""
    tag, _, rest = mark.note.partition(" ")
    source: Mapping[str, str] = provider.data.get("sources", {}).get(tag, {})
    said = ": ".join(filter(None, (about, mark.note if mark.kind == "assumed" else "")))
    where = f" ({source.get('title', tag)}{', ' + rest if rest else ''})" if mark.kind != "assumed" else ""
    return Basis(_kind(mark), f"{said}{where}".strip() or str(mark), source.get("url", ""))


def _kind(mark: Provenance) -> Kind:
    return "stated" if mark.kind == "stated" else "observed" if mark.kind == "observed" else "assumed"


def surest(marks: Iterable[Provenance]) -> Provenance | None:
    """The mark that weighs most."""
    return min(marks, key=lambda mark: RANK.get(mark.kind, 2), default=None)


def weakest(marks: Iterable[Provenance]) -> Provenance | None:
    """The mark that weighs least."""
    return max(marks, key=lambda mark: RANK.get(mark.kind, 2), default=None)


def operation_mark(provider: Provider, operation: str) -> Provenance:
    """Where it is known from that there is such an operation."""
    found = provider.rules.contract.operations.get(operation)
    text = found.extensions.get("x-provenance") if found else None
    if text:
        return parse_provenance(str(text))
    if provider.inferred or not _is_marked(provider):
        return Provenance("stated", "openapi.yaml")
    return Provenance("assumed", "the document does not say")


def answer_mark(provider: Provider, operation: str, status: int, pointer: str = "") -> Provenance:
    """The nearest mark around a place in an answer; the operation's if there is none."""
    found = provider.rules.contract.operations.get(operation)
    mark = operation_mark(provider, operation)
    if found is None:
        return mark
    responses = found.raw.get("responses", {})
    response = responses.get(str(status)) or responses.get(f"{status // 100}XX") or responses.get("default")
    return _within_content(provider.rules.contract.document, response, _parts(pointer)) or mark


def request_mark(provider: Provider, operation: str, where: str, pointer: str) -> Provenance:
    """The nearest mark around a place in a request; the operation's if there is none.

    ``where`` is body, path, query, header or cookie; of a parameter the pointer begins with its name.
    """
    found = provider.rules.contract.operations.get(operation)
    mark, parts = operation_mark(provider, operation), _parts(pointer)
    if found is None:
        return mark
    document = provider.rules.contract.document
    if where == "body":
        return _within_content(document, found.raw.get("requestBody"), parts) or mark
    declared = next((each.node for each in found.declared if each.where == where and each.name in parts[:1]), None)
    node, own = _followed(document, declared)
    schema = node.get("schema") if isinstance(node, Mapping) else None
    return _within(document, schema, parts[1:], 0) or own or mark


def ways_mark(ways: Iterable[Transition]) -> Provenance | None:
    """How sure it is that these transitions are as they are."""
    return surest(way.provenance for way in ways)


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _within_content(document: Json, node: Json, parts: list[str]) -> Provenance | None:
    """The innermost mark on the way through a request's or an answer's body."""
    node, own = _followed(document, node)
    content = node.get("content", {}) if isinstance(node, Mapping) else {}
    medium = next(iter(content.values()), None) if isinstance(content, Mapping) else None
    schema = medium.get("schema") if isinstance(medium, Mapping) else None
    return _within(document, schema, parts, 0) or own


def _within(document: Json, node: Json, parts: list[str], depth: int) -> Provenance | None:
    """The innermost mark on the way down a schema."""
    if depth > DEEPEST:
        return None
    node, mark = _followed(document, node)
    if not isinstance(node, Mapping):
        return mark
    if not parts:
        return mark
    name, rest = parts[0], parts[1:]
    inner: Provenance | None = None
    properties = node.get("properties")
    if isinstance(properties, Mapping) and name in properties:
        inner = _within(document, properties[name], rest, depth + 1)
    elif (name.isdigit() or name == "*") and "items" in node:
        inner = _within(document, node["items"], rest, depth + 1)
    branches = [each for key in ("allOf", "oneOf", "anyOf") for each in node.get(key, ())]
    for each in branches:
        inner = _within(document, each, parts, depth + 1) or inner
    return inner or mark


def _followed(document: Json, node: Json) -> tuple[Json, Provenance | None]:
    """A node behind its references, and the nearest mark passed on the way: that of the reference counts before the target's."""
    mark: Provenance | None = None
    for _ in range(DEEPEST):
        if not isinstance(node, Mapping):
            break
        text = node.get("x-provenance")
        mark = mark or (parse_provenance(str(text)) if text else None)
        reference = node.get("$ref")
        if not isinstance(reference, str) or not reference.startswith("#/"):
            break
        target = document
        for part in reference[2:].split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node, mark


def _is_marked(provider: Provider) -> bool:
    """Whether the document speaks of provenance at all: one that does not is the API's own word."""
    return any("x-provenance" in each.extensions for each in provider.rules.contract.operations.values())
