"""Our own data files: read, and held against their JSON Schemas."""

from functools import cache
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from tasktwin.errors import DataError, Problem
from tasktwin.provider.yaml_file import did_you_mean, located, read_yaml
from tasktwin.wire import Json

SCHEMAS = ("provider", "scenario", "seeds")
WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "boolean": "true or false",
}
MOST_PROBLEMS = 50


def schema_text(kind: str) -> bytes:
    """The JSON Schema of one of our files, as it is published."""
    return (resources.files("tasktwin.provider") / "schemas" / f"{kind}.json").read_bytes()


@cache
def _schema(kind: str) -> Json:
    return orjson.loads(schema_text(kind))


@cache
def _validator(kind: str) -> Any:
    return jsonschema_rs.Draft202012Validator(_schema(kind), validate_formats=True)


def read_data(path: Path, name: str, kind: str) -> Json:
    """A data file that obeys its schema. Raises ``DataError`` with every problem's line."""
    value = read_yaml(path, name)
    validator = _validator(kind)
    if validator.is_valid(value):
        return value
    errors = islice(validator.iter_errors(value), MOST_PROBLEMS)
    raise DataError(*located([_problem(error, kind) for error in errors], path, name))


def _problem(error: Any, kind: str) -> Problem:
    pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in error.instance_path)
    match error.kind.name:
        case "additionalProperties":
            word = error.kind.unexpected[0]
            return Problem(
                f"unknown key {word!r}", f"{pointer}/{word}", hint=did_you_mean(word, _known_keys(error, kind))
            )
        case "enum":
            options = [str(each) for each in error.kind.options]
            return Problem(
                f"{error.instance!r} is not known here", pointer, hint=did_you_mean(str(error.instance), options)
            )
        case "required":
            return Problem(f"the key {error.kind.property.strip(chr(34))!r} is missing", pointer)
        case "type":
            wanted = " or ".join(WORDS.get(each, each) for each in error.kind.types)
            return Problem(f"{wanted} is expected here, not {_shown(error.instance)}", pointer)
        case "pattern" | "oneOf" | "anyOf":
            about = _schema_at(error, kind).get("description", "")
            return Problem(f"{_shown(error.instance)} does not fit here", pointer, hint=about)
    return Problem(error.message[:300], pointer)


def _shown(value: Json) -> str:
    """A value, when it is short enough to be recognised by."""
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    return "nothing" if value is None else repr(value)[:80]


def _known_keys(error: Any, kind: str) -> list[str]:
    """The keys allowed where an unknown one was found."""
    return list(_schema_at(error, kind)["properties"])


def _schema_at(error: Any, kind: str) -> Json:
    """The schema whose keyword is broken."""
    schema = _schema(kind)
    for step in error.schema_path[:-1]:
        schema = schema[step]
    return schema
