"""FastAPI: pydantic's own core reads the values, so that coercions and wordings are the real ones.

Shapes and order are those of FastAPI's ``RequestValidationError``: path, query and body errors in one list, each with
``type``, ``loc``, ``msg``, ``input`` and, where there is one, ``ctx``. Unknown keys are ignored; numbers, booleans and
UUIDs are read leniently. A body that is no JSON is the finding ``malformed``, one that Python's ``json`` cannot read at
all ``unparsable``; both are told before anything else.

Where FastAPI itself breaks down (500), because an input cannot be written as JSON again, the answer here is the 422
that it tried to give: NaN and infinities are ``finite_number``, and stand as ``null``.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast
from urllib.parse import parse_qs

from pydantic_core import CoreSchema, SchemaValidator, ValidationError, core_schema

from tasktwin.behaviour.asked import Asked, Finding
from tasktwin.contract import Operation
from tasktwin.wire import MAX_DEPTH, Json, depth

LARGEST = 2**63
"""Integers from here on are written as doubles, as JSON readers take them."""


class Fields(dict[str, Json]):
    """What a body's model names, as it was read. ``sent`` is all that came."""

    sent: Json = None


class Model:
    """What a model's instance is made of; it only holds attributes."""


def read(asked: Asked) -> Finding:
    """Read a request as FastAPI would."""
    plan = _plan(asked.operation)
    given = parse_qs(asked.query.decode("latin-1"), keep_blank_values=True)
    raw: dict[str, Json] = {
        "path": {
            name: value.encode(errors="surrogateescape").decode(errors="replace") for name, value in asked.path.items()
        },
        "query": {name: each if name in plan.lists else each[-1] for name, each in given.items()},
    }
    if plan.body is not None and asked.body:
        try:
            raw["body"] = _decoded(asked)
        except json.JSONDecodeError as error:
            context = {"error": error.msg}
            fault = {
                "type": "json_invalid",
                "loc": ["body", error.pos],
                "msg": "JSON decode error",
                "input": {},
                "ctx": context,
            }
            return Finding(raw["path"], {}, None, (fault,), "malformed")
        except (ValueError, RecursionError):
            return Finding(raw["path"], {}, None, (), "unparsable")
    return _found(plan, raw)


def _decoded(asked: Asked) -> Json:
    """The body as FastAPI hands it to pydantic: JSON if it says so, else its text. Raises ``ValueError``, ``RecursionError``."""
    kind, _, subtype = asked.content_type.partition(";")[0].strip().lower().partition("/")
    if kind != "application" or not (subtype == "json" or subtype.endswith("+json")):
        return asked.body.decode(errors="replace")
    value = json.loads(asked.body)
    if depth(value) > MAX_DEPTH:
        raise RecursionError
    return value


class _Plan:
    """The validators of one operation, for its path, its query and its body. ``lists`` may be sent several times."""

    def __init__(self, operation: Operation) -> None:
        maker = _Maker(operation)
        places: dict[str, dict[str, core_schema.ModelField]] = {"path": {}, "query": {}}
        for each in operation.declared:
            if each.where in places:
                places[each.where][each.name] = maker.field(each.node.get("schema", {}), required=each.required)
        schemas = {each.name: operation.resolved(each.node.get("schema", {})) for each in operation.declared}
        self.lists = {name for name, schema in schemas.items() if schema.get("type") == "array"}
        self.places = {place: maker.validator(_model(place, fields)) for place, fields in places.items() if fields}
        schema = operation.body_schema
        self.body = maker.validator(maker.core(schema)) if schema is not None else None
        self.body_required = operation.body_required


@lru_cache(maxsize=1024)
def _plan(operation: Operation) -> _Plan:
    return _Plan(operation)


def _found(plan: _Plan, raw: Mapping[str, Json]) -> Finding:
    faults: list[Json] = []
    values: dict[str, dict[str, Json]] = {"path": {}, "query": {}}
    for place, validator in plan.places.items():
        found, wrong = _validated(validator, raw[place], place)
        values[place] = found or {}
        faults += wrong
    body: Json = None
    if plan.body is not None and "body" in raw:
        found, wrong = _validated(plan.body, raw["body"], "body")
        faults += wrong
        body = writable(found)
        if isinstance(body, dict):
            body = Fields(body)
            body.sent = writable(raw["body"])
    elif plan.body_required:
        faults.append({"type": "missing", "loc": ["body"], "msg": "Field required", "input": None})
    return Finding(values["path"], values["query"], body, tuple(faults))


def _validated(validator: SchemaValidator, value: Any, place: str) -> tuple[Json, list[Json]]:
    try:
        return _plain(validator.validate_python(value, from_attributes=True)), []
    except ValidationError as error:
        return None, [_told(each, place) for each in error.errors(include_url=False)]


def _told(error: Any, place: str) -> Json:
    sent = error["input"]
    told = {"type": error["type"], "loc": [place, *error["loc"]], "msg": error["msg"], "input": sent}
    if isinstance(sent, float) and not _is_finite(sent):
        told["type"], told["msg"] = "finite_number", "Input should be a finite number"
    elif "ctx" in error:
        told["ctx"] = {key: {} if isinstance(each, Exception) else each for key, each in error["ctx"].items()}
    if place != "body" and error["type"] == "missing":
        told["input"] = None
    return writable(told)


def writable(value: Any) -> Json:
    """The value as JSON can be written: no NaN, no infinity, no lone surrogate, no integer that nobody would read back."""
    if isinstance(value, dict):
        return {writable(str(key)): writable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [writable(each) for each in value]
    if isinstance(value, str) and not value.isascii():
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return value if _is_finite(value) else None
    if isinstance(value, int) and not -LARGEST <= value < LARGEST:
        return _as_double(value)
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)


def _is_finite(value: float) -> bool:
    return abs(value) < float("inf")


def _as_double(value: int) -> Json:
    try:
        return float(value)
    except OverflowError:
        return str(value)


def _plain(value: Any) -> Json:
    """A validated value, its models as what was set in them."""
    if isinstance(value, Model):
        given = cast("Any", value).__pydantic_fields_set__
        return {key: _plain(each) for key, each in vars(value).items() if key in given}
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _model(name: str, fields: dict[str, core_schema.ModelField]) -> CoreSchema:
    return core_schema.model_schema(type(name, (Model,), {}), core_schema.model_fields_schema(fields))


class _Maker:
    """Makes pydantic's core schemas of an operation's JSON Schemas; what is referred to is made once, by its reference."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.definitions: dict[str, CoreSchema] = {}

    def validator(self, schema: CoreSchema) -> SchemaValidator:
        """A validator for a schema that was made here."""
        return SchemaValidator(core_schema.definitions_schema(schema, list(self.definitions.values())))

    def field(self, schema: Json, *, required: bool) -> core_schema.ModelField:
        """A field of a model, or a parameter."""
        made = self.core(schema)
        if required:
            return core_schema.model_field(made)
        return core_schema.model_field(
            core_schema.with_default_schema(made, default=self.operation.resolved(schema).get("default"))
        )

    def core(self, schema: Json, name: str = "") -> CoreSchema:
        """A JSON Schema as pydantic's core knows it."""
        reference = schema.get("$ref") if isinstance(schema, Mapping) else None
        if isinstance(reference, str):
            if reference not in self.definitions:
                self.definitions[reference] = core_schema.any_schema()
                made = self.core(self.operation.resolved(schema), reference.rsplit("/", 1)[-1])
                self.definitions[reference] = cast("CoreSchema", {**made, "ref": reference})
            return core_schema.definition_reference_schema(reference)
        if not isinstance(schema, Mapping):
            return core_schema.any_schema()
        kind = schema.get("type")
        options = (
            schema.get("anyOf")
            or schema.get("oneOf")
            or ([{**schema, "type": each} for each in kind] if isinstance(kind, list) else None)
        )
        if options:
            return self._either(options)
        if "enum" in schema:
            return core_schema.literal_schema(list(schema["enum"]))
        return self._simple(schema, str(kind), name or str(schema.get("title", "")))

    def _either(self, options: list[Json]) -> CoreSchema:
        made = [self.core(each) for each in options if each.get("type") != "null"]
        if not made:
            return core_schema.none_schema()
        whole = made[0] if len(made) == 1 else core_schema.union_schema(list(made))
        return core_schema.nullable_schema(whole) if len(made) < len(options) else whole

    def _simple(self, schema: Mapping[str, Json], kind: str, name: str) -> CoreSchema:
        match kind:
            case "string":
                return _string(schema)
            case "integer":
                return core_schema.int_schema(**_bounds(schema))
            case "number":
                return core_schema.float_schema(**_bounds(schema))
            case "boolean":
                return core_schema.bool_schema()
            case "null":
                return core_schema.none_schema()
            case "array":
                items = self.core(schema.get("items", {}))
                return core_schema.list_schema(
                    items, min_length=schema.get("minItems"), max_length=schema.get("maxItems")
                )
            case "object" if schema.get("properties"):
                required = schema.get("required", ())
                return _model(
                    name or "Model",
                    {key: self.field(each, required=key in required) for key, each in schema["properties"].items()},
                )
            case "object":
                return core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())
        return core_schema.any_schema()


def _string(schema: Mapping[str, Json]) -> CoreSchema:
    match schema.get("format"):
        case "uuid":
            return core_schema.uuid_schema()
        case "date-time":
            return core_schema.datetime_schema()
        case "date":
            return core_schema.date_schema()
    return core_schema.str_schema(
        min_length=schema.get("minLength"), max_length=schema.get("maxLength"), pattern=schema.get("pattern")
    )


def _bounds(schema: Mapping[str, Json]) -> dict[str, Any]:
    names = {
        "ge": "minimum",
        "le": "maximum",
        "gt": "exclusiveMinimum",
        "lt": "exclusiveMaximum",
        "multiple_of": "multipleOf",
    }
    return {key: schema[name] for key, name in names.items() if name in schema}
