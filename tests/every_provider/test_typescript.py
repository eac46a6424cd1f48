"""TypeScript users of every bundled provider: openapi-typescript makes types from its document, and a client compiles.

The client makes one call for each GET of the document, with openapi-fetch, under ``tsc --strict``.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml
from tests import npm

from tasktwin.provider import bundled
from tasktwin.wire import Json

PACKAGES = ("openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3")
MODERN = (
    "--target", "es2022", "--lib", "es2022,dom", "--module", "esnext", "--moduleResolution", "bundler", "--skipLibCheck",
)  # fmt: skip
HEAD = """import createClient from "openapi-fetch";
import type { paths } from "./types";

const client = createClient<paths>({ baseUrl: "http://localhost" });"""


class Project(NamedTuple):
    """A folder with the types of a document."""

    folder: Path
    document: Json


@pytest.fixture(scope="module", params=bundled())
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The types of a provider's document, beside the packages that a client imports."""
    path, folder = npm.ROOT / "fixtures" / request.param / "openapi.yaml", tmp_path_factory.mktemp(request.param)
    done = npm.run(PACKAGES, "openapi-typescript/bin/cli.js", str(path), "--output", str(folder / "types.ts"))
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "node_modules").symlink_to(npm.install(PACKAGES))
    return Project(folder, yaml.safe_load(path.read_text(encoding="utf-8")))


def test_a_client_of_every_get_compiles_with_the_types_of_the_document(project: Project) -> None:
    calls = [call(project.document, path) for path, item in project.document["paths"].items() if "get" in item]
    assert calls, "a document without a GET has nothing to show"
    assert compiled(project, *calls) == ""


def test_a_client_that_leaves_out_a_path_parameter_or_misspells_a_path_does_not_compile(project: Project) -> None:
    bare = [path for path, item in project.document["paths"].items() if "get" in item and "{" in path]
    calls = [f"void client.GET({json.dumps(path)});" for path in [*bare[:1], "/there/is/no/such/path"]]
    lines = re.findall(r"client\.ts\((\d+),", compiled(project, *calls))
    assert lines == ["5", "6"][: len(calls)]


def compiled(project: Project, *calls: str) -> str:
    """What the compiler says of a client with these calls, ``""`` if nothing."""
    (project.folder / "client.ts").write_text("\n".join([HEAD, *calls, ""]), encoding="utf-8")
    done = npm.run(PACKAGES, "typescript/bin/tsc", "--strict", "--noEmit", *MODERN, "client.ts", cwd=project.folder)
    assert (done.returncode == 0) == (done.stdout == ""), done.stdout + done.stderr
    return done.stdout


def call(document: Json, path: str) -> str:
    """A call to GET a path, with all that it requires; what comes back is looked at."""
    params: dict[str, dict[str, Json]] = {}
    for each in required(document, path):
        params.setdefault(each["in"], {})[each["name"]] = value(document, each["schema"])
    given = f", {{ params: {json.dumps(params)} }}" if params else ""
    target = json.dumps(path)
    return f"void client.GET({target}{given}).then(({{ data, error, response }}) => [data, error, response.status]);"


def required(document: Json, path: str) -> Iterator[Json]:
    """The parameters without which no GET of a path is made."""
    item = document["paths"][path]
    for each in [*item.get("parameters", []), *item["get"].get("parameters", [])]:
        parameter = resolved(document, each)
        if parameter.get("required"):
            yield parameter


def resolved(document: Json, node: Json) -> Json:
    """What a node is or refers to."""
    while "$ref" in node:
        target = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def value(document: Json, schema: Json) -> Json:
    """A value of a parameter's type."""
    node = resolved(document, schema)
    if "enum" in node:
        return node["enum"][0]
    kind = node.get("type", "string")
    kinds: dict[str, Json] = {"string": "x", "integer": 1, "number": 1, "boolean": True, "array": []}
    return kinds[kind[0] if isinstance(kind, list) else kind]
