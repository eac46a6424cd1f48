"""Rows that are made up from what a contract says."""

import pytest

from tasktwin.contract import compile_contract
from tasktwin.provider.first_row import made_up
from tasktwin.wire import Json

CASES: dict[str, tuple[Json, Json]] = {
    "text": ({"type": "string"}, "First name"),
    "long-text": ({"type": "string", "minLength": 12}, "First namexx"),
    "short-text": ({"type": "string", "maxLength": 3}, "Fir"),
    "instant": ({"type": "string", "format": "date-time"}, "2026-01-01T00:00:00Z"),
    "whole-number": ({"type": "integer"}, 1),
    "least": ({"type": "integer", "minimum": 7}, 7),
    "above": ({"type": "integer", "exclusiveMinimum": 7}, 8),
    "above-in-3.0": ({"type": "integer", "minimum": 7, "exclusiveMinimum": True}, 8),
    "fraction": ({"type": "number", "minimum": 1.5}, 2),
    "highest": ({"type": "integer", "maximum": -3}, -3),
    "step": ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
    "truth": ({"type": "boolean"}, False),
    "said": ({"type": "string", "example": "Ann"}, "Ann"),
    "default": ({"type": "string", "default": "Ann"}, "Ann"),
    "one-of-several": ({"enum": [None, "b", "c"]}, "b"),
    "maybe-nothing": ({"type": ["null", "integer"]}, 1),
    "list": ({"type": "array", "items": {"type": "integer"}}, []),
    "list-of-two": ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
    "any-of": ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
    "reference": ({"$ref": "#/components/schemas/Pet"}, {"name": "Name"}),
    "all-of": ({"allOf": [{"$ref": "#/components/schemas/Pet"}, {"required": ["n"], "properties": {"n": {"const": 4}}}]}, {"name": "Name", "n": 4}),
    "itself": ({"$ref": "#/components/schemas/Node"}, None),
    "secret": ({"type": "string", "writeOnly": True}, None),
    "anything": (True, "First name"),
}  # fmt: skip
SCHEMAS = {
    "Pet": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}},
    "Node": {"$ref": "#/components/schemas/Node"},
}  # fmt: skip


@pytest.mark.parametrize(("schema", "value"), CASES.values(), ids=CASES)
def test_a_value_is_made_up_by_its_schema(schema: Json, value: Json) -> None:
    document = {"openapi": "3.1.0", "info": {"title": "", "version": ""}, "paths": {}}
    contract = compile_contract(document)
    contract.document["components"] = {"schemas": SCHEMAS}
    assert made_up(contract, schema, "first_name") == (
        value if schema != {"$ref": "#/components/schemas/Node"} else "First name"
    )


def test_a_schema_that_holds_itself_comes_to_an_end() -> None:
    tree = {"type": "object", "required": ["child"], "properties": {"child": {"$ref": "#/components/schemas/Tree"}}}
    contract = compile_contract({"openapi": "3.1.0", "info": {"title": "", "version": ""}, "paths": {}, "components": {"schemas": {"Tree": tree}}})  # fmt: skip
    assert str(made_up(contract, tree, "tree")).count("child") == 6
