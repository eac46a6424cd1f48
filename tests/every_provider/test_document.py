"""What must hold for the OpenAPI document of every folder under ``fixtures/``, whichever API it describes."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from openapi_schema_validator import OAS30Validator, OAS31Validator, oas30_format_checker, oas31_format_checker
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from tasktwin.wire import Json

FIXTURES = Path(__file__).parents[2] / "fixtures"
FOLDERS = sorted(folder for folder in FIXTURES.iterdir() if folder.is_dir())
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
NAMED = {"paths", "responses", "content", "headers", "schemas", "properties", "patternProperties", "$defs"}
PLAIN = {"example", "examples", "default", "enum", "const"}
PROVENANCE = re.compile(r"(stated|observed) [A-Z][A-Za-z0-9-]*|assumed: \S.*")


@pytest.fixture(scope="module", params=FOLDERS, ids=lambda folder: folder.name)
def document(request: pytest.FixtureRequest) -> Json:
    return yaml.safe_load((request.param / "openapi.yaml").read_text(encoding="utf-8"))


def test_the_document_is_valid_openapi(document: Json) -> None:
    validator = OpenAPIV30SpecValidator if is_3_0(document) else OpenAPIV31SpecValidator
    assert [f"{list(error.absolute_path)}: {error.message}" for error in validator(document).iter_errors()] == []


def test_every_example_is_valid_against_its_schema(document: Json) -> None:
    checked = list(examples(document, document, ""))
    assert checked, "a document without examples has nothing to show"
    assert [fault for pointer, value in checked for fault in faults(document, pointer, value)] == []


def test_every_operation_schema_and_security_scheme_says_how_it_is_known(document: Json) -> None:
    parts = {f"operation {method} {path}": part for path, method, part in operations(document)}
    for kind in ("schemas", "securitySchemes"):
        parts |= {f"{kind} {name}": part for name, part in document["components"].get(kind, {}).items()}
    marks = {name: part.get("x-provenance") for name, part in parts.items()}
    assert {name: mark for name, mark in marks.items() if not is_provenance(mark)} == {}


def test_no_mark_of_provenance_is_malformed(document: Json) -> None:
    found = [(at, value) for at, value in every_value(document, "") if at.endswith("/x-provenance")]
    assert [(at, value) for at, value in found if not is_provenance(value)] == []


def test_every_error_code_says_how_it_is_known(document: Json) -> None:
    tables = [value for _, value in every_value(document, "") if isinstance(value, dict) and "x-codes" in value]
    codes = {code: about for table in tables for code, about in table["x-codes"].items()}
    assert set(codes) == {str(code) for table in tables for code in table["enum"]}
    assert {code: about for code, about in codes.items() if not is_provenance(about.get("provenance"))} == {}


def test_every_operation_has_an_id_of_its_own(document: Json) -> None:
    ids = Counter(part.get("operationId") for _, _, part in operations(document))
    assert {name: times for name, times in ids.items() if times > 1 or not name} == {}


def is_3_0(document: Json) -> bool:
    return str(document["openapi"]).startswith("3.0")


def is_provenance(mark: Json) -> bool:
    return isinstance(mark, str) and PROVENANCE.fullmatch(mark) is not None


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        yield from ((path, method, part) for method, part in item.items() if method in METHODS)


def every_value(node: Json, pointer: str) -> Iterator[tuple[str, Json]]:
    """The node and all below it, each with its JSON pointer."""
    yield pointer, node
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, inner in pairs:
        yield from every_value(inner, f"{pointer}/{escaped(key)}")


def escaped(key: object) -> str:
    """A key as one step of a JSON pointer."""
    return str(key).replace("~", "~0").replace("/", "~1")


def examples(document: Json, node: Json, pointer: str, *, names: bool = False) -> Iterator[tuple[str, Json]]:
    """Every example below the node, with the pointer of the schema it must obey.

    ``names`` is true for a map whose keys are names, such as ``properties``: there, ``example`` is only a name.
    """
    if isinstance(node, dict) and not names:
        schema = pointer + "/schema" if "schema" in node else pointer
        yield from ((schema, value) for value in own_examples(document, node))
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, inner in pairs:
        if names or key not in PLAIN:
            below = f"{pointer}/{escaped(key)}"
            yield from examples(document, inner, below, names=not names and key in NAMED)


def own_examples(document: Json, node: Json) -> Iterator[Json]:
    """The examples of one media type, parameter, header or schema: a dict of named ones, or a schema's list."""
    if "example" in node:
        yield node["example"]
    several = node.get("examples", [])
    if isinstance(several, list):
        yield from several
    elif "schema" in node:
        yield from (resolved(document, example)["value"] for example in several.values())


def resolved(document: Json, node: Json) -> Json:
    while "$ref" in node:
        target = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def faults(document: Json, pointer: str, value: Json) -> list[str]:
    """What is wrong with the value: the document itself is the schema, entered at the pointer, so that references hold."""
    kind, formats = (
        (OAS30Validator, oas30_format_checker) if is_3_0(document) else (OAS31Validator, oas31_format_checker)
    )
    validator = kind({**document, "$ref": "#" + quote(pointer)}, format_checker=formats)
    return [f"{pointer}: {error.message}" for error in validator.iter_errors(value)]
