"""OpenAPI's schemas, 3.0 and 3.1, as they are checked."""

from typing import Any

import pytest
from tests.contract.documents import JSON_LINE, answering, contract, taking

from tasktwin.contract import Operation


def found(target: Operation, body: bytes) -> list[tuple[str, str]]:
    return [(item.pointer, item.keyword) for item in target.read({}, b"", (JSON_LINE,), body).violations]


@pytest.mark.parametrize(
    ("schema", "accepted", "refused"),
    [
        ({"type": "string", "nullable": True}, b"null", b"1"),
        ({"type": "string", "nullable": True, "enum": ["a", None]}, b"null", b'"b"'),
        ({"type": "string", "nullable": True, "enum": ["a"]}, b'"a"', b"null"),
        ({"nullable": True, "allOf": [{"type": "string"}]}, b'"a"', b"null"),
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": True}, b"1", b"0"),
        ({"type": "integer", "maximum": 9, "exclusiveMaximum": False}, b"9", b"10"),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "example": {"a": 1}}, b"{}", b'{"a":1}'),
    ],
)
def test_the_dialect_of_30(schema: Any, accepted: bytes, refused: bytes) -> None:
    target = taking(schema, version="3.0.3")
    assert not found(target, accepted)
    assert found(target, refused)


def test_what_stands_beside_a_reference_counts_only_in_31() -> None:
    schemas = {"Name": {"type": "string"}}
    schema = {"$ref": "#/components/schemas/Name", "maxLength": 1}
    assert not found(taking(schema, version="3.0.3", schemas=schemas), b'"ab"')
    assert found(taking(schema, schemas=schemas), b'"ab"') == [("", "maxLength")]


@pytest.mark.parametrize(
    ("form", "right", "wrong"),
    [
        ("uuid", "0b5f5f5e-1f1f-4c4c-8a8a-123456789012", "0b5f"),
        ("date-time", "2026-01-01T00:00:00Z", "2026-01-01"),
        ("date", "2026-01-31", "2026-02-31"),
        ("email", "a@b.test", "a"),
        ("uri", "https://a.test/", "a b"),
        ("ipv4", "127.0.0.1", "1.2"),
        ("decimal", "-10.50", "1e5"),
        ("byte", "aGk=", "?"),
        ("int32", 2**31 - 1, 2**31),
        ("int64", -(2**63), 2**63),
    ],
)
def test_formats_are_checked_and_named(form: str, right: Any, wrong: Any) -> None:
    schema = contract({}, components={"schemas": {"It": {"format": form}}}).schema("It")
    assert schema.is_valid(right)
    assert [(item.keyword, item.expected) for item in schema.check(wrong)] == [("format", form)]


def test_a_format_and_a_pattern_both_count() -> None:
    schema = contract({}, components={"schemas": {"It": {"format": "decimal", "pattern": "^1"}}}).schema("It")
    assert [item.keyword for item in schema.check("2e")] == ["pattern", "format"]


HIDDEN = {
    "type": "object",
    "required": ["id", "name", "secret"],
    "additionalProperties": False,
    "properties": {
        "id": {"type": "integer", "readOnly": True},
        "name": {"type": "string"},
        "secret": {"type": "string", "writeOnly": True},
    },
}


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_read_only_properties_are_neither_required_nor_allowed_in_a_request(version: str) -> None:
    target = taking(HIDDEN, version=version)
    assert found(target, b'{"name":"a","secret":"b"}') == []
    assert found(target, b'{"name":"a","secret":"b","id":1}') == [("/id", "readOnly")]


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_write_only_properties_are_neither_required_nor_allowed_in_a_response(version: str) -> None:
    target = answering(HIDDEN, version=version)
    assert target.check_response(200, "application/json", {"id": 1, "name": "a"}) == ()
    broken = target.check_response(200, "application/json", {"id": 1, "name": "a", "secret": "b"})
    assert [(item.pointer, item.keyword) for item in broken] == [("/secret", "writeOnly")]


def test_read_only_is_seen_through_references_and_all_of() -> None:
    schemas = {
        "Id": {"type": "integer", "readOnly": True},
        "Base": {"properties": {"id": {"$ref": "#/components/schemas/Id"}}},
    }
    target = taking({"allOf": [{"$ref": "#/components/schemas/Base"}, {"required": ["id", "name"]}]}, schemas=schemas)
    assert found(target, b'{"name":"a"}') == []
    assert found(target, b'{"name":"a","id":1}') == [("/id", "readOnly")]


PETS = {
    "Cat": {"type": "object", "required": ["lives"], "properties": {"kind": {}, "lives": {"type": "integer"}}},
    "Dog": {"type": "object", "required": ["good"], "properties": {"kind": {}, "good": {"type": "boolean"}}},
}
REFS = [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]


@pytest.mark.parametrize(
    "mapping", [{"Cat": "Cat"}, {"Cat": "#/components/schemas/Cat"}, {}], ids=["names", "references", "implicit"]
)
@pytest.mark.parametrize("word", ["oneOf", "anyOf"])
def test_a_discriminator_leads_to_the_errors_of_its_branch(word: str, mapping: Any) -> None:
    target = taking(
        {word: [*REFS, {"type": "null"}], "discriminator": {"propertyName": "kind", "mapping": mapping}}, schemas=PETS
    )
    assert found(target, b'{"kind":"Cat","lives":9}') == []
    assert found(target, b"null") == []
    assert found(target, b'{"kind":"Cat","lives":"nine"}') == [("/lives", "type")]
    assert found(target, b'{"kind":"Dog"}') == [("/good", "required")]
    assert found(target, b'{"kind":"Fish"}') == [("/kind", "enum")]
    assert found(target, b"{}") == [("/kind", "required")]


def test_the_only_plausible_alternative_explains_the_failure() -> None:
    target = taking(
        {"anyOf": [{"type": "null"}, {"type": "object", "required": ["a"], "properties": {"b": {"type": "integer"}}}]}
    )
    assert found(target, b'{"b":"x"}') == [("/a", "required"), ("/b", "type")]
    assert found(target, b"1") == [("", "anyOf")]


def test_recursive_schemas_and_local_definitions() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}, "x": {"$ref": "#/components/schemas/Node/$defs/X"}}, "$defs": {"X": {"type": "integer"}}, "unevaluatedProperties": False}  # fmt: skip
    target = taking({"$ref": "#/components/schemas/Node"}, schemas={"Node": node})
    assert found(target, b'{"next":{"next":{"x":1}}}') == []
    assert found(target, b'{"next":{"next":{"x":"y"}}}') == [("/next/next/x", "type")]
    assert found(target, b'{"y":1}') == [("/y", "unevaluatedProperties")]


@pytest.mark.parametrize("keyword", ["$id", "$anchor", "$dynamicRef"])
def test_keywords_that_move_references_are_refused(keyword: str) -> None:
    with pytest.raises(Exception, match="is not supported"):
        taking({keyword: "x"})
