"""What the contract's schemas tell about fields: who may set them, their defaults and formats, whether they may be null."""

from collections.abc import Callable, Mapping
from urllib.parse import unquote

from jsonschema_rs import Draft202012Validator

from tasktwin.behaviour.expression import look_up, steps_of
from tasktwin.behaviour.rules import Collection
from tasktwin.contract import Contract, Operation, Schema
from tasktwin.contract.violation import token
from tasktwin.state import Row
from tasktwin.wire import Json


def accepted(operation: Operation, collection: Collection | None) -> frozenset[str]:
    """The fields that this operation's body may set: writable ones that its own schema names, or all if it names none."""
    if collection is None:
        return frozenset()
    named = _of_body(operation).keys()
    return collection.writable & named if named else collection.writable


def defaults_of(operation: Operation) -> dict[str, Json]:
    """The defaults that the body's own schema gives its properties."""
    return {
        name: each["default"]
        for name, each in _of_body(operation).items()
        if isinstance(each, Mapping) and "default" in each
    }


def default_of(schema: Json) -> Json:
    """The default of one property, ``None`` if it has none."""
    return schema.get("default") if isinstance(schema, Mapping) else None


def formats(contract: Contract, schema: Json, depth: int = 8) -> set[str]:
    """The formats of a property, looked for through references and anyOf, oneOf, allOf."""
    if not isinstance(schema, Mapping) or not depth:
        return set()
    found = {str(schema["format"])} if "format" in schema else set()
    branches = [inner for key in ("anyOf", "oneOf", "allOf") for inner in schema.get(key, ())]
    if "$ref" in schema:
        branches.append(look_up(contract.document, steps_of(unquote(schema["$ref"]))))
    return found.union(*(formats(contract, inner, depth - 1) for inner in branches))


def left_out(schema: Schema) -> frozenset[str]:
    """The optional fields that may be absent but not null."""
    required = {each.pointer for each in schema.check({})}
    optional = [field for field in schema.properties if token(field) not in required]
    return frozenset(
        field for field in optional if token(field) in {each.pointer for each in schema.check({field: None})}
    )


def _of_body(operation: Operation) -> Mapping[str, Json]:
    medium = operation.body.content.first_json() if operation.body else None
    return medium.schema.properties if medium and medium.schema else {}


def fault_finder(parts: list[Mapping[str, Json]]) -> Callable[[Row], str]:
    """What is wrong with the fields of a row that the contract knows nothing of; "" if nothing is."""
    properties = {name: schema for part in parts for name, schema in part.items()}
    validator = Draft202012Validator({"type": "object", "properties": properties}, validate_formats=True)

    def fault(row: Row) -> str:
        error = next(iter(validator.iter_errors(row)), None) if properties else None
        return f"/{'/'.join(map(str, error.instance_path))}: {error.message}" if error else ""

    return fault
