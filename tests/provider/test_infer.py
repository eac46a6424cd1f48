"""A folder with a document and nothing else: what its paths tell is served, and the rest says that it is not."""

from pathlib import Path

import pytest

from tasktwin import Twin, load
from tasktwin.provider.check import check_provider
from tasktwin.provider.infer import singular

ONE = """\
openapi: %s
info: {title: To do, version: "1"}
paths:
  /v1/todos:
    get: {operationId: listTodos, responses: {"200": {description: All., content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Todo"}}}}}}}
    post: {operationId: addTodo, requestBody: {$ref: "#/components/requestBodies/Todo"}, responses: {"201": {$ref: "#/components/responses/One"}}}
  /v1/todos/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get: {operationId: getTodo, responses: {"200": {$ref: "#/components/responses/One"}}}
    patch: {operationId: editTodo, requestBody: {$ref: "#/components/requestBodies/Todo"}, responses: {"200": {$ref: "#/components/responses/One"}}}
    delete: {operationId: dropTodo, responses: {"204": {description: Gone.}}}
  /v1/todos/{id}/share:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    post: {operationId: shareTodo, responses: {"200": {description: Shared.}}}
components:
  requestBodies:
    Todo: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Todo"}}}}
  responses:
    One: {description: One., content: {application/json: {schema: {$ref: "#/components/schemas/Todo"}}}}
  schemas:
    Todo:
      type: object
      required: [title]
      properties:
        id: {type: integer, readOnly: true}
        title: {type: string}
        due: {type: string}
        note: %s
        createdAt: {type: string, format: date-time, readOnly: true}
"""
NULLABLE = {"3.0.3": "{type: string, nullable: true}", "3.1.0": '{type: [string, "null"]}'}


@pytest.fixture(params=NULLABLE)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "openapi.yaml").write_text(ONE % (request.param, NULLABLE[request.param]), encoding="utf-8")
    return tmp_path


def test_what_is_made_can_be_read_listed_changed_and_removed(folder: Path) -> None:
    with Twin(str(folder), now="2026-01-01T00:00:00Z", clock="frozen") as twin:
        made = twin.request("POST", "/v1/todos", json={"title": "Paint"})
        todo = {"id": 1, "title": "Paint", "note": None, "createdAt": "2026-01-01T00:00:00Z"}
        assert (made.status, made.json()) == (201, todo)
        assert twin.request("GET", "/v1/todos/1").json() == todo
        assert twin.request("GET", "/v1/todos").json() == [todo]
        changed = twin.request("PATCH", "/v1/todos/1", json={"title": "Paint it", "due": "soon"})
        assert changed.json() == {**todo, "title": "Paint it", "due": "soon"}
        assert twin.request("DELETE", "/v1/todos/1").status == 204
        assert twin.request("GET", "/v1/todos/1").status == 404


def test_an_operation_without_a_verb_says_that_it_is_not_modelled(folder: Path) -> None:
    answer = Twin(str(folder)).request("POST", "/v1/todos/1/share")
    assert (answer.status, answer.headers["tasktwin-reason"]) == (501, "not-modelled")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "the twin does not model shareTodo"


def test_a_refusal_is_a_problem_although_the_document_declares_none(folder: Path) -> None:
    answer = Twin(str(folder)).request("GET", "/v1/todos/7")
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json() == {
        "type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is no such todo",
    }  # fmt: skip


def test_check_counts_what_was_inferred_and_names_what_was_not(folder: Path) -> None:
    report = check_provider(str(folder))
    assert report.figures["operations bound"] == "5 of 6"
    assert [(each.level, each.message, each.line) for each in report.problems] == [
        ("warning", "shareTodo is not modelled", 14)
    ]


def test_the_provider_is_named_after_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "My To-do API"
    folder.mkdir()
    (folder / "openapi.yaml").write_text(ONE % ("3.1.0", NULLABLE["3.1.0"]), encoding="utf-8")
    provider = load(str(folder))
    assert (provider.name, provider.title, provider.inferred) == ("my-to-do-api", "To do", True)


def test_seeds_beside_the_document_are_rows_of_the_inferred_collections(folder: Path) -> None:
    (folder / "seeds").mkdir()
    (folder / "seeds" / "default.yaml").write_text(
        "about: One\nrows: {todo: [{id: 5, title: Cook}]}\n", encoding="utf-8"
    )
    twin = Twin(str(folder))
    assert [each["title"] for each in twin.request("GET", "/v1/todos").json()] == ["Cook"]


def split(folder: Path) -> None:
    """The same document in four files, which refer to each other in every direction."""
    (folder / "paths").mkdir()
    (folder / "schemas").mkdir()
    (folder / "openapi.yaml").write_text(
        'openapi: 3.1.0\ninfo: {title: To do, version: "1"}\n'
        "paths:\n  /todos: {$ref: paths/all.yaml}\n  /todos/{id}: {$ref: './paths/one.yaml#/item'}\n"
        "components: {schemas: {Todo: {$ref: 'schemas/to%20do.json'}}}\n",
        encoding="utf-8",
    )
    (folder / "paths" / "all.yaml").write_text(
        "get: {operationId: listTodos, responses: {'200': {description: All., content: {application/json: {schema: {type: array, items: {$ref: ../openapi.yaml#/components/schemas/Todo}}}}}}}\n"
        "post: {operationId: addTodo, requestBody: {content: {application/json: {schema: {$ref: '../schemas/to%20do.json'}}}}, responses: {'201': {$ref: 'one.yaml#/answers/One'}}}\n",
        encoding="utf-8",
    )
    (folder / "paths" / "one.yaml").write_text(
        "item:\n  parameters: [{name: id, in: path, required: true, schema: {type: string}}]\n"
        "  get: {operationId: getTodo, responses: {'200': {$ref: '#/answers/One'}}}\n"
        "answers: {One: {description: One., content: {application/json: {schema: {$ref: '../schemas/to%20do.json'}}}}}\n",
        encoding="utf-8",
    )
    (folder / "schemas" / "to do.json").write_text(
        '{"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "part_of": {"$ref": "#"}}}',
        encoding="utf-8",
    )


def test_a_document_in_several_files_serves_like_one_in_one(tmp_path: Path) -> None:
    split(tmp_path)
    assert check_provider(str(tmp_path)).problems == []
    with Twin(str(tmp_path)) as twin:
        made = twin.request("POST", "/todos", json={"id": "ours", "part_of": {"id": "b"}}).json()
        assert (made["part_of"], made["id"]) != ({"id": "b"}, "ours"), "the twin gives the identifiers"
        assert twin.request("GET", f"/todos/{made['id']}").json() == made
        assert twin.request("GET", "/todos").json() == [made]
        assert twin.request("POST", "/todos", json={"id": "c", "part_of": {"id": 5}}).status == 422


@pytest.mark.parametrize(("plural", "one"), [("tasks", "task"), ("categories", "category"), ("news", "new"), ("glass", "glass"), ("staff", "staff")])  # fmt: skip
def test_collections_are_named_in_the_singular(plural: str, one: str) -> None:
    assert singular(plural) == one
