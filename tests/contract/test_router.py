"""Which operation a request means."""

from typing import Any

import pytest
from tests.contract.documents import contract

from tasktwin.contract import Contract, Match, NoMethod, NoPath


def market(**rest: Any) -> Contract:
    def item(*names: str, methods: tuple[str, ...] = ("get",)) -> dict[str, Any]:
        parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
        return {"parameters": parameters, **{method: {} for method in methods}}

    paths = {
        "/tasks/{task_id}": item("task_id", methods=("get", "delete")),
        "/tasks/hall": item(),
        "/tasks/": item(methods=("get", "post")),
        "/tasks/{id}/log": item("id"),
        "/{kind}/hall/{day}": item("kind", "day"),
        "/files/{name}.json": item("name"),
        "/files/{name}-{size}.png": item("name", "size"),
        "/ü": item(),
        "/": item(),
    }
    return contract(paths, **rest)


@pytest.mark.parametrize(
    ("path", "operation", "values"),
    [
        ("/tasks/hall", "get /tasks/hall", {}),
        ("/tasks/7", "get /tasks/{task_id}", {"task_id": "7"}),
        ("/tasks/hall/log", "get /tasks/{id}/log", {"id": "hall"}),
        ("/tasks/hall/monday", "get /{kind}/hall/{day}", {"kind": "tasks", "day": "monday"}),
        ("/tasks/a%2Fb", "get /tasks/{task_id}", {"task_id": "a/b"}),
        ("/tasks/%C3%A9", "get /tasks/{task_id}", {"task_id": "é"}),
        ("/tasks/%zz", "get /tasks/{task_id}", {"task_id": "%zz"}),
        ("/tasks/..", "get /tasks/{task_id}", {"task_id": ".."}),
        ("/tasks/%2e%2e", "get /tasks/{task_id}", {"task_id": ".."}),
        ("/t%61sks/hall", "get /tasks/hall", {}),
        ("/%C3%BC", "get /ü", {}),
        ("/files/a.b.json", "get /files/{name}.json", {"name": "a.b"}),
        ("/files/cat-12.png", "get /files/{name}-{size}.png", {"name": "cat", "size": "12"}),
        ("/", "get /", {}),
    ],
)
def test_the_most_static_template_wins(path: str, operation: str, values: dict[str, str]) -> None:
    found = market().match("GET", path)
    assert isinstance(found, Match)
    assert (found.operation.id, found.path_values) == (operation, values)


@pytest.mark.parametrize(
    "path",
    ["/x", "/tasks//log", "//tasks", "/tasks//", "//", "/files/.json", "/files/" + "-" * 5000 + ".gif", "/" * 9999],
)
def test_a_path_without_template_is_no_path(path: str) -> None:
    assert isinstance(market().match("GET", path), NoPath)


@pytest.mark.parametrize(
    ("path", "slash"),
    [
        ("/tasks/", "same"),
        ("/tasks", "missing"),
        ("/tasks/7/", "added"),
        ("/tasks/hall/", "added"),
        ("/tasks/7", "same"),
    ],
)
def test_one_trailing_slash_is_forgiven_and_reported(path: str, slash: str) -> None:
    found = market().match("GET", path)
    assert isinstance(found, Match)
    assert found.slash == slash


def test_the_template_takes_over_where_the_static_path_lacks_the_method() -> None:
    found = market().match("DELETE", "/tasks/hall")
    assert isinstance(found, Match)
    assert found.path_values == {"task_id": "hall"}


def test_an_unknown_method_is_told_all_that_are_allowed_there() -> None:
    assert market().match("PATCH", "/tasks/hall") == NoMethod(("DELETE", "GET", "HEAD", "OPTIONS"))


def test_head_falls_back_to_get() -> None:
    found = market().match("HEAD", "/tasks/hall")
    assert isinstance(found, Match)
    assert (found.operation.method, found.head) == ("GET", True)


@pytest.mark.parametrize("url", ["https://x.test/api/v1", "/api/v1/", "{base}/v1"])
def test_the_path_of_the_first_server_is_part_of_every_path(url: str) -> None:
    served = market(servers=[{"url": url, "variables": {"base": {"default": "https://x.test/api"}}}, {"url": "/other"}])
    assert isinstance(served.match("GET", "/api/v1/tasks/hall"), Match)
    assert isinstance(served.match("GET", "/tasks/hall"), NoPath)


def test_bad_utf8_in_a_path_is_a_violation_later() -> None:
    found = market().match("GET", "/tasks/%FF")
    assert isinstance(found, Match)
    assert [item.keyword for item in found.operation.read(found.path_values, b"", (), b"").violations] == ["encoding"]
