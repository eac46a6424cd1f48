"""What is wrong with a document is said once, all at once, and where."""

import datetime as dt
from typing import Any

import pytest
from tests.contract.documents import OK, contract, document

from tasktwin.contract import compile_contract
from tasktwin.errors import DataError

ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}


def problems(broken: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(DataError) as caught:
        compile_contract(broken)
    return [(problem.pointer, problem.message, problem.hint) for problem in caught.value.problems]


@pytest.mark.parametrize("broken", [{}, [], None, {"openapi": "3.2.0"}, {"swagger": "2.0"}, {"openapi": 3.1}], ids=str)
def test_an_unknown_version_is_refused(broken: Any) -> None:
    assert problems(broken)[0][0] == "/openapi"


def get(**parts: Any) -> dict[str, Any]:
    return {"/": {"get": parts}}


CASES = [
    ("nowhere", get(parameters=[{"$ref": "#/components/parameters/Pgae"}]), "/paths/~1/get/parameters/0", "leads nowhere"),
    ("remote", get(parameters=[{"$ref": "other.yaml#/x"}]), "/paths/~1/get/parameters/0", "leads out of the document"),
    ("cyclic", get(parameters=[{"$ref": "#/components/parameters/Loop"}]), "/paths/~1/get/parameters/0", "back to itself"),
    ("cyclic schema", get(responses={"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Loop"}}}}}), "/components/schemas/Loop", "refers to itself"),
    ("bad pattern", get(parameters=[{"name": "a", "in": "query", "schema": {"items": {"pattern": "("}}}]), "/paths/~1/get/parameters/0/schema/items/pattern", '"(" is not a "regex"'),
    ("bad type", get(parameters=[{"name": "a", "in": "query", "schema": {"type": "text"}}]), "/paths/~1/get/parameters/0/schema/type", "text"),
    ("style", get(parameters=[{"name": "a", "in": "query", "style": "matrix", "schema": {}}]), "/paths/~1/get/parameters/0/style", "'matrix'"),
    ("parameter without schema", get(parameters=[{"name": "a", "in": "query"}]), "/paths/~1/get/parameters/0", "either a schema or a content"),
    ("parameter in the body", get(parameters=[{"name": "a", "in": "body"}]), "/paths/~1/get/parameters/0", "a parameter needs a name"),
    ("parameter twice", get(parameters=[{"name": "a", "in": "query", "schema": {}}] * 2), "/paths/~1/get/parameters/1", "declared twice"),
    ("security", get(security=[{"Barer": []}]), "/paths/~1/get/security/0/Barer", "no security scheme"),
    ("status", get(responses={"2000": {"description": ""}}), "/paths/~1/get/responses/2000", "is not a status"),
    ("path parameter without declaration", {"/{id}": {"get": {}}}, "/paths/~1{id}/get", "{id} in the path is not declared"),
    ("declaration without path parameter", {"/": {"get": {"parameters": [ID]}}}, "/paths/~1/get/parameters/0", "has no {id}"),
    ("same template", {"/{id}": {"get": {"parameters": [ID]}}, "/{x}": {"get": {"parameters": [{**ID, "name": "x"}]}}}, "/paths/~1{x}", "the same requests as /{id}"),
    ("operation twice", {"/a": {"get": {"operationId": "x"}}, "/b": {"get": {"operationId": "x"}}}, "/paths/~1b/get/operationId", "'x' is taken"),
    ("no slash", {"a": {"get": {}}}, "/paths/a", "starts with a slash"),
    ("brace", {"/a{": {"get": {}}}, "/paths/~1a{", "unbalanced brace"),
    ("list for object", {"/": {"get": {"requestBody": {"content": []}}}}, "/paths/~1/get/requestBody/content", "an object is expected"),
    ("object for list", {"/": {"get": {"parameters": {}}}}, "/paths/~1/get/parameters", "a list is expected"),
    ("null for operation", {"/": {"get": {"parameters": None, "responses": 7}}}, "/paths/~1/get/responses", "an object is expected"),
]  # fmt: skip


@pytest.mark.parametrize(("paths", "pointer", "message"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_wrong_document_is_refused_with_a_pointer(paths: dict[str, Any], pointer: str, message: str) -> None:
    components = {
        "parameters": {
            "Page": {"name": "page", "in": "query", "schema": {}},
            "Loop": {"$ref": "#/components/parameters/Loop"},
        },
        "schemas": {"Loop": {"allOf": [{"$ref": "#/components/schemas/Loop"}]}},
        "securitySchemes": {"Bearer": {"type": "http", "scheme": "bearer"}},
    }
    if "Loop" not in str(paths):
        del components["schemas"]
    found = problems(document(paths, components=components))
    assert [(where, message in text) for where, text, _ in found if where == pointer] == [(pointer, True)]


def test_statuses_may_be_numbers() -> None:
    compiled = contract({"/": {"get": {"operationId": "it", "responses": {200: {"description": "", "x-n": {1: 2}}}}}})
    assert compiled.operations["it"].success == 200


def nested(levels: int) -> Any:
    value: Any = {}
    for _ in range(levels):
        value = {"items": value}
    return value


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"default": dt.date(2026, 1, 1)}, "is no JSON value"),
        ({"enum": [{None: 1}]}, "the key None is no text"),
        (nested(300), "nested deeper"),
        (nested(120), "schemas nested deeper"),
    ],
    ids=["date", "key", "deep document", "deep schema"],
)
def test_what_is_no_json_is_refused(schema: Any, message: str) -> None:
    found = problems(document({"/": {"get": {"parameters": [{"name": "a", "in": "query", "schema": schema}]}}}))
    assert message in found[0][1]


def test_all_problems_come_at_once_with_hints() -> None:
    components = {
        "schemas": {"Task": {"type": "object"}},
        "securitySchemes": {"Bearer": {"type": "http", "scheme": "bearer"}},
    }
    schema = {"$ref": "#/components/schemas/Taks"}
    body = {"content": {"application/json": {"schema": schema}}}
    found = problems(
        document({"/": {"post": {"requestBody": body, "security": [{"Baerer": []}]}}}, components=components)
    )
    assert {hint for _, _, hint in found} == {"Did you mean '#/components/schemas/Task'?", "Did you mean 'Bearer'?"}


def test_operations_know_their_place_and_their_security() -> None:
    schemes = {
        "K": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "U": {"type": "apiKey", "in": "query", "name": "u"},
    }
    paths = {
        "/a": {
            "get": {"operationId": "one", "x-fact": 1, "security": [{"K": [], "U": ["read"]}, {}]},
            "post": {"security": []},
            "put": {},
        }
    }
    compiled = contract(paths, components={"securitySchemes": schemes}, security=[{"K": []}])
    one, anonymous, default = compiled.operations["one"], compiled.operations["post /a"], compiled.operations["put /a"]
    assert (one.pointer, one.extensions) == ("/paths/~1a/get", {"x-fact": 1})
    assert one.security == ((("K", ()), ("U", ("read",))), ())
    assert (anonymous.security, default.security) == ((), ((("K", ()),),))


def test_a_component_schema_can_be_used_by_name() -> None:
    schemas = {
        "Base": {"properties": {"id": {"type": "integer", "readOnly": True}}},
        "Task": {"allOf": [{"$ref": "#/components/schemas/Base"}], "properties": {"name": {}}},
        "Alias": {"$ref": "#/components/schemas/Task"},
    }
    compiled = contract({}, components={"schemas": schemas})
    alias = compiled.schema("Alias")
    assert list(alias.properties) == ["id", "name"]
    assert alias.is_valid({"id": 1})
    assert [(item.pointer, item.keyword) for item in alias.check({"id": "x"})] == [("/id", "type")]
    with pytest.raises(KeyError):
        compiled.schema("Nobody")


def test_parameters_of_the_path_item_are_shared_and_can_be_replaced() -> None:
    shared = [
        {"name": "a", "in": "query", "schema": {"type": "integer"}},
        {"name": "b", "in": "query", "schema": {"type": "integer"}},
    ]
    own = [{"name": "b", "in": "query", "schema": {"type": "boolean"}}]
    compiled = contract({"/": {"parameters": shared, "get": {"operationId": "it", "parameters": own, "responses": OK}}})
    assert compiled.operations["it"].read({}, b"a=1&b=true", (), b"").query == {"a": 1, "b": True}
