"""The JSON Schemas of our own files, as editors and scripts get them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema_rs import Draft202012Validator, meta
from tests.provider.small import FILES

from tasktwin.cli import main
from tasktwin.provider.data_file import SCHEMAS
from tasktwin.provider.yaml_file import read_yaml

ROOT = Path(__file__).parents[2]
DATA = [*ROOT.glob("fixtures/*/provider.yaml"), *ROOT.glob("fixtures/*/seeds/*.yaml")]


def schema(kind: str) -> dict[str, object]:
    result = CliRunner().invoke(main, ["check", "--schema", kind])
    assert result.exit_code == 0
    found: dict[str, object] = json.loads(result.output)
    return found


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_published_schema_is_valid_json_schema(kind: str) -> None:
    found = schema(kind)
    meta.validate(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"] == f"urn:tasktwin:{kind}"


@pytest.mark.parametrize("path", DATA, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_bundled_file_names_its_schema_where_editors_look(path: Path) -> None:
    first = path.read_text(encoding="utf-8").split("\n", 1)[0]
    marker, _, target = first.partition("$schema=")
    assert marker == "# yaml-language-server: "
    named = json.loads((path.parent / target).read_bytes())
    kind = "seeds" if path.parent.name == "seeds" else "provider"
    assert named == schema(kind)
    assert Draft202012Validator(named).is_valid(read_yaml(path, path.name))


def test_every_key_of_the_schema_tells_unknown_ones_apart() -> None:
    nodes: list[object] = [schema("provider"), schema("seeds")]
    loose = []
    while nodes:
        node = nodes.pop()
        if isinstance(node, dict):
            if "properties" in node and node.get("additionalProperties", True) is True:
                loose.append(node.get("description"))
            nodes += [inner for inner in node.values() if isinstance(inner, (dict, list))]
        elif isinstance(node, list):
            nodes += node
    assert loose == []


def test_the_small_provider_of_these_tests_obeys_the_published_schema(tmp_path: Path) -> None:
    for name, text in FILES.items():
        path = tmp_path / Path(name).name
        path.write_text(text, encoding="utf-8")
        kind = {"provider.yaml": "provider", "default.yaml": "seeds"}.get(path.name)
        if kind:
            assert Draft202012Validator(schema(kind)).is_valid(read_yaml(path, name))
