"""A provider without provider.yaml: what its paths say about collections and verbs, written as such a file would be."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tasktwin.behaviour.expression import look_up, steps_of
from tasktwin.contract import Contract, Operation
from tasktwin.wire import Json

COMPONENT = "#/components/schemas/"
VERBS = {"GET": "read", "PUT": "update", "PATCH": "update", "DELETE": "delete"}
COLLECTION_VERBS = {"GET": "list", "POST": "create"}

_ITEM = re.compile(r".*/(?P<name>[A-Za-z][\w-]*)/\{(?P<key>[^}]+)\}/?")
_LIST = re.compile(r".*/(?P<name>[A-Za-z][\w-]*)/?")


def infer_data(folder: Path, contract: Contract) -> dict[str, Any]:
    """Collections from pairs of paths (``/tasks`` and ``/tasks/{id}``), a verb for each operation on them."""
    names = {found["name"]: found["key"] for path in _paths(contract) if (found := _ITEM.fullmatch(path))}
    collections: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for operation in contract.operations.values():
        found = _ITEM.fullmatch(operation.path) or _LIST.fullmatch(operation.path)
        if not found or found["name"] not in names:
            continue
        item = "key" in found.groupdict()
        verb = (VERBS if item else COLLECTION_VERBS).get(operation.method)
        schema = _row_schema(contract, operation, listed=verb == "list")
        if verb is None or (schema is None and verb != "delete"):
            continue
        name = singular(found["name"])
        if schema:
            collections.setdefault(name, _collection(contract, schema))
        operations[operation.id] = {"verb": verb, "collection": name}
        if item:
            operations[operation.id]["row"] = f"$request.path.{found['key']}"
    operations = {key: each for key, each in operations.items() if each["collection"] in collections}
    title = contract.document.get("info", {}).get("title", folder.name)
    name = re.sub(r"[^a-z0-9_-]+", "-", folder.resolve().name.lower()).strip("-_") or "api"
    return {"provider": name, "title": title, "collections": collections, "operations": operations}


def singular(name: str) -> str:
    """``tasks`` → ``task``, ``categories`` → ``category``."""
    if name.endswith("ies"):
        return name[:-3] + "y"
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name


def _paths(contract: Contract) -> Iterator[str]:
    return (operation.path for operation in contract.operations.values())


def _collection(contract: Contract, schema: str) -> dict[str, Any]:
    fields = contract.schema(schema).properties
    found: dict[str, Any] = {"schema": schema}
    if "id" not in fields:
        found["id"] = {"field": next(iter(fields), "id")}
    elif isinstance(fields["id"], Mapping) and fields["id"].get("type") == "integer":
        found["id"] = {"make": "number"}
    for stamp, names in (
        ("created", ("created_at", "createdAt", "created")),
        ("updated", ("updated_at", "updatedAt", "updated")),
    ):
        if present := [name for name in names if _is_text(fields.get(name))]:
            found[stamp] = present[0]
    return found


def _is_text(schema: Json) -> bool:
    kind = schema.get("type") if isinstance(schema, Mapping) else None
    return kind == "string" or (isinstance(kind, list) and "string" in kind)


def _row_schema(contract: Contract, operation: Operation, *, listed: bool) -> str | None:
    """The component schema of the row that a success answers; for a list, of its items."""
    answer, _ = _followed(contract, operation.raw.get("responses", {}).get(str(operation.success), {}))
    media: dict[str, Json] = next(iter(answer.get("content", {}).values()), {})
    schema: Json = media.get("schema", {})
    if listed:
        schema, _ = _followed(contract, schema)
        schema = schema.get("items", {}) if schema.get("type") == "array" else {}
    _, trail = _followed(contract, schema)
    names = contract.document.get("components", {}).get("schemas", {})
    for name, node in names.items():
        if trail & {f"{COMPONENT}{name}", node.get("$ref") if isinstance(node, Mapping) else None}:
            return name if contract.schema(name).properties else None
    return None


def _followed(contract: Contract, node: Json) -> tuple[dict[str, Json], set[str | None]]:
    """What a node is once its references are followed, and the references on the way."""
    trail: set[str | None] = set()
    while isinstance(node, Mapping) and isinstance(node.get("$ref"), str) and node["$ref"] not in trail:
        trail.add(node["$ref"])
        node = look_up(contract.document, steps_of(unquote(node["$ref"])))
    return (dict(node) if isinstance(node, Mapping) else {}), trail
