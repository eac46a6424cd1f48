"""Values made from schemas satisfy them, by the word of another validator, and are the same for the same seed."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from time import thread_time
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from tests.contract.documents import answering

from tasktwin.contract import Contract, Schema, compile_contract
from tasktwin.contract.sample import PATIENCE, NoSampleError, sample

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.yaml"))
SEEDS = ("a", "b", "c")


def made(schema: Any, seed: str = "a", **options: Any) -> Any:
    return sample(wanted(schema, **options), seed)


def wanted(schema: Any, **options: Any) -> Schema:
    responses = answering(schema, **options).responses
    content = responses.by_key["200"].content
    assert content is not None
    found = content.media["application/json"].schema
    assert found is not None
    return found


def independent(schema: Schema) -> jsonschema.Draft202012Validator:
    """Another implementation; what must not travel this way is a property that nothing satisfies."""
    whole = json.dumps({"$defs": schema.bank, **schema.converted})
    whole = whole.replace("urn:tasktwin#/", "#/").replace('{"writeOnly": true}', "false")
    checker = jsonschema.FormatChecker()
    return jsonschema.Draft202012Validator(json.loads(whole), format_checker=checker)


def wrong(schema: Schema) -> list[str]:
    """What the other implementation says against what is made."""
    judge = independent(schema)
    return [error.message for seed in SEEDS for error in judge.iter_errors(sample(schema, seed))]


def schemas(contract: Contract) -> list[Schema]:
    """All component schemas and all schemas of JSON answers."""
    found = [contract.schema(name) for name in contract.document.get("components", {}).get("schemas", {})]
    for operation in contract.operations.values():
        for response in operation.responses.by_key.values():
            media = response.content.media.values() if response.content else ()
            found += [medium.schema for medium in media if medium.schema and medium.form == "json"]
    return found


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_is_made_from_the_corpus_satisfies_another_validator(path: Path) -> None:
    for schema in schemas(compile_contract(yaml.safe_load(path.read_text()))):
        assert wrong(schema) == []


TREE = {
    "Tree": {
        "type": "object",
        "required": ["name", "leaves"],
        "properties": {
            "name": {"type": "string"},
            "leaves": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}},
            "other": {"$ref": "#/components/schemas/Bush"},
        },
    },
    "Bush": {"type": "object", "properties": {"tree": {"$ref": "#/components/schemas/Tree"}, "n": {"type": "integer"}}},
    "Cat": {
        "type": "object",
        "required": ["kind", "lives"],
        "properties": {"kind": {"type": "string"}, "lives": {"type": "integer"}},
    },
    "Dog": {
        "type": "object",
        "required": ["kind", "bark"],
        "properties": {"kind": {"type": "string"}, "bark": {"type": "string"}},
    },
}
PETS = [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]

KEYWORDS: dict[str, Any] = {
    "pattern": {"type": "string", "pattern": "^(TASK|JOB)-[0-9]{4,6}(/[a-z]+)?$"},
    "pattern and lengths": {"type": "string", "pattern": "^[a-c]+$", "minLength": 5, "maxLength": 6},
    "lengths": {"type": "string", "minLength": 40, "maxLength": 41},
    "multipleOf": {"type": "integer", "multipleOf": 7, "minimum": 100, "maximum": 130},
    "multipleOf of a fraction": {"type": "number", "multipleOf": 0.25, "minimum": 0.3, "maximum": 0.6},
    "exclusive bounds": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.01},
    "one number only": {"type": "integer", "exclusiveMinimum": 4, "maximum": 5},
    "large numbers": {"type": "integer", "minimum": 9_000_000_000_000_000, "format": "int64"},
    "uniqueItems": {"type": "array", "items": {"enum": [1, 2, 3, 4]}, "uniqueItems": True, "minItems": 4},
    "many items": {"type": "array", "items": {"type": "boolean"}, "minItems": 9, "maxItems": 9},
    "prefixItems": {
        "type": "array",
        "prefixItems": [{"type": "string"}, {"type": "null"}],
        "items": False,
        "minItems": 2,
    },
    "contains": {"type": "array", "items": {"type": "integer"}, "contains": {"const": 7}, "minContains": 2},
    "minProperties": {"type": "object", "minProperties": 4, "additionalProperties": {"type": "integer"}},
    "maxProperties": {"type": "object", "maxProperties": 1},
    "more than is declared": {"type": "object", "properties": {"a": {"type": "null"}}, "minProperties": 3},
    "patternProperties": {
        "type": "object",
        "patternProperties": {"^x-": {"type": "integer"}},
        "additionalProperties": False,
        "minProperties": 2,
    },
    "propertyNames": {"type": "object", "propertyNames": {"maxLength": 2}, "minProperties": 3},
    "dependentRequired": {
        "type": "object",
        "properties": {"card": {"type": "string"}},
        "required": ["card"],
        "dependentRequired": {"card": ["address"]},
    },
    "if then else": {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": ["a", "b"]}},
        "if": {"properties": {"kind": {"const": "a"}}},
        "then": {"required": ["x"], "properties": {"x": {"type": "integer"}}},
        "else": {"required": ["y"], "properties": {"y": {"type": "null"}}},
    },
    "not": {"type": "string", "not": {"enum": ["", "a"]}, "maxLength": 1, "pattern": "^[ab]?$"},
    "const": {"const": {"a": [1, None]}},
    "oneOf": {"oneOf": [{"type": "integer", "multipleOf": 3}, {"type": "integer", "multipleOf": 5}]},
    "anyOf with null": {"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]},
    "allOf of objects": {
        "allOf": [
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "maxLength": 1}}},
            {"type": "object", "required": ["b"], "properties": {"b": {"type": "integer"}, "a": {}}},
        ]
    },
    "unevaluatedProperties": {
        "allOf": [{"properties": {"a": {"type": "integer"}}}],
        "type": "object",
        "minProperties": 1,
        "unevaluatedProperties": False,
    },
    "oneOf with a discriminator": {"oneOf": PETS, "discriminator": {"propertyName": "kind"}},
    "recursive": {"$ref": "#/components/schemas/Tree"},
    "anything": {},
}


@pytest.mark.parametrize("name", KEYWORDS)
def test_every_keyword_is_obeyed(name: str) -> None:
    schema = wanted(KEYWORDS[name], schemas=TREE)
    assert wrong(schema) == []


FORMATS: dict[str, Callable[[str], object]] = {
    "uuid": UUID,
    "date-time": datetime.fromisoformat,
    "date": lambda text: datetime.strptime(text, "%Y-%m-%d"),  # noqa: DTZ007 - only whether it is one
    "ipv4": lambda text: ip_address(text).version == 4,
    "ipv6": lambda text: ip_address(text).version == 6,
    "email": lambda text: text.index("@"),
    "uri": lambda text: urlsplit(text).scheme[0],
    "hostname": lambda text: text.index("."),
}


@pytest.mark.parametrize("length", [{}, {"maxLength": 40}], ids=["free", "with a length"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_text_is_of_its_format(name: str, length: dict[str, int]) -> None:
    for seed in SEEDS:
        text = made({"type": "string", "format": name, **length}, seed)
        assert FORMATS[name](text) is not False
        assert len(text) <= 40


def test_what_is_read_only_is_there_and_what_is_write_only_is_not() -> None:
    properties = {
        "id": {"type": "integer", "readOnly": True},
        "password": {"type": "string", "writeOnly": True},
    }
    assert set(made({"type": "object", "required": ["id", "password"], "properties": properties})) == {"id"}


def test_a_30_schema_may_be_null() -> None:
    schema = {"type": "integer", "nullable": True, "minimum": 3, "maximum": 4, "exclusiveMaximum": True}
    assert {made(schema, str(n), version="3.0.3") for n in range(12)} == {None, 3}


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_documented_values_of_properties_are_taken(version: str) -> None:
    given = {"type": "string", "example": "Read 40 invoices"}
    schema = {"type": "object", "properties": {"title": given, "n": {"type": "integer"}}}
    assert made(schema, version=version)["title"] == "Read 40 invoices"


def test_a_documented_value_that_breaks_the_schema_is_not_taken() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 5, "example": 4}}}
    assert made(schema)["n"] >= 5


def test_an_object_has_all_that_is_declared_and_no_more_and_reads_well() -> None:
    properties = {
        "name": {"type": "string"},
        "count": {"type": "integer"},
        "at": {"type": "string", "format": "date-time"},
    }
    found = made({"type": "object", "properties": properties})
    assert set(found) == set(properties)
    assert found["name"].isalpha()
    assert 0 <= found["count"] <= 1000
    assert isinstance(found["count"], int)
    assert found["at"].startswith("202")


def test_another_seed_makes_another_value() -> None:
    schema = {"type": "object", "properties": {"id": {"type": "string", "format": "uuid"}}}
    assert len({made(schema, str(n))["id"] for n in range(20)}) == 20


PROCESS = """
import sys
from tasktwin.contract import compile_contract
from tasktwin.contract.sample import sample
from tests.contract.test_sample import TREE, wanted
sys.stdout.write(str([sample(wanted({"$ref": "#/components/schemas/Tree"}, schemas=TREE), str(n)) for n in range(9)]))
"""


def test_another_process_in_another_folder_makes_the_same_values_and_leaves_nothing_behind(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    told = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r}); {PROCESS}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    tree = {"$ref": "#/components/schemas/Tree"}
    assert told.stdout == str([made(tree, str(n), schemas=TREE) for n in range(9)])
    assert not list(tmp_path.iterdir())


IMPOSSIBLE: dict[str, Any] = {
    "lengths": {"type": "string", "minLength": 5, "maxLength": 4},
    "bounds": {
        "type": "object",
        "required": ["n"],
        "properties": {"n": {"type": "integer", "minimum": 2, "maximum": 1}},
    },
    "false": {"type": "array", "items": False, "minItems": 1},
    "larger than any answer": {"type": "string", "minLength": 300_000},
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_nothing_satisfies_is_told_in_time(name: str) -> None:
    began = thread_time()
    with pytest.raises(NoSampleError, match=r"no value is found for the schema at /paths/~1/get/responses/200/"):
        made(IMPOSSIBLE[name])
    assert thread_time() - began < PATIENCE + 3
