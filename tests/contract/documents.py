"""Small documents for tests."""

from typing import Any

from tasktwin.contract import Contract, Operation, compile_contract

OK: dict[str, Any] = {"200": {"description": "ok"}}
JSON_LINE = (b"content-type", b"application/json")


def document(paths: dict[str, Any], version: str = "3.1.0", **rest: Any) -> dict[str, Any]:
    """A document with these paths; responses are filled in where they are absent."""
    for item in paths.values():
        for method, operation in item.items():
            if isinstance(operation, dict) and method != "$ref":
                operation.setdefault("responses", OK)
    return {"openapi": version, "info": {"title": "T", "version": "1"}, "paths": paths, **rest}


def contract(paths: dict[str, Any], version: str = "3.1.0", **rest: Any) -> Contract:
    """The same, compiled."""
    return compile_contract(document(paths, version, **rest))


def operation(version: str = "3.1.0", schemas: dict[str, Any] | None = None, **parts: Any) -> Operation:
    """The only operation, GET / or POST / if it has a body, of a document with these schemas."""
    method = "post" if "requestBody" in parts else "get"
    compiled = contract({"/": {method: {"operationId": "it", **parts}}}, version, components={"schemas": schemas or {}})
    return compiled.operations["it"]


def taking(schema: Any, media: str = "application/json", **options: Any) -> Operation:
    """An operation that requires a body of this schema."""
    body = {"required": True, "content": {media: {"schema": schema}}}
    return operation(requestBody=body, **options)


def answering(schema: Any, media: str = "application/json", **options: Any) -> Operation:
    """An operation that answers 200 with this schema."""
    return operation(responses={"200": {"description": "ok", "content": {media: {"schema": schema}}}}, **options)


def asking(name: str, schema: Any, where: str = "query", **parts: Any) -> Operation:
    """An operation with one parameter. A path parameter stands behind the slash."""
    node = {"name": name, "in": where, "schema": schema, **({"required": True} if where == "path" else {}), **parts}
    path = f"/{{{name}}}" if where == "path" else "/"
    return contract({path: {"get": {"operationId": "it", "parameters": [node]}}}).operations["it"]
