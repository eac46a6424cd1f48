"""What must hold for the behaviour of every folder under ``fixtures/``, whichever API it describes."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from tasktwin import Provider, Twin, load
from tasktwin.behaviour.rules import Collection
from tasktwin.behaviour.worlds import Plan, Worlds
from tasktwin.cli import main
from tasktwin.contract import Operation
from tasktwin.provider.check import check_provider
from tasktwin.state import Query, Row
from tasktwin.wire import Json, dumps

NAMES = sorted(folder.name for folder in (Path(__file__).parents[2] / "fixtures").iterdir() if folder.is_dir())
MOST_ROWS = 500

provider_of = cache(load)
OPERATIONS = [
    pytest.param(name, each, id=f"{name}-{each}")
    for name in NAMES
    for each in provider_of(name).rules.contract.operations
]
SEEDS = [pytest.param(name, each, id=f"{name}-{each}") for name in NAMES for each in provider_of(name).seeds]
EXAMPLES = [
    pytest.param(operation, int(status), id=f"{name}-{operation.id}-{status}")
    for name in NAMES
    for operation in provider_of(name).rules.contract.operations.values()
    for status in operation.raw["responses"]
    if status.isdigit() and operation.example(int(status))
]


@pytest.mark.parametrize("name", NAMES)
def test_check_finds_nothing_wrong(name: str) -> None:
    assert [str(problem) for problem in check_provider(name).errors] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_lifecycles_have_no_problems(name: str) -> None:
    lifecycles = provider_of(name).rules.lifecycles
    assert lifecycles
    assert {each: lifecycle.problems() for each, lifecycle in lifecycles.items() if lifecycle.problems()} == {}


@pytest.mark.parametrize(("name", "seeds"), SEEDS)
def test_the_seeds_sow_rows_that_obey_their_schemas(name: str, seeds: str) -> None:
    provider = provider_of(name)
    world = Worlds(provider.rules, provider.seeds, Plan(seeds, mode="frozen")).get()
    broken = {
        f"{collection.name} {row[collection.id_field]}": [str(each) for each in violations]
        for collection in provider.rules.collections.values()
        for row in world.store.find(Query(collection.name), 0, MOST_ROWS)
        if collection.schema and (violations := collection.schema.check(shown(collection, row)))
    }
    assert broken == {}


@pytest.mark.parametrize(("name", "seeds"), SEEDS)
def test_a_row_is_in_a_state_of_its_lifecycle(name: str, seeds: str) -> None:
    provider = provider_of(name)
    world = Worlds(provider.rules, provider.seeds, Plan(seeds, mode="frozen")).get()
    for lifecycle in provider.rules.lifecycles.values():
        states = {row.get(lifecycle.field) for row in world.store.find(Query(lifecycle.collection))}
        assert states <= lifecycle.states.keys()


@pytest.mark.parametrize("name", NAMES)
def test_the_default_seeds_show_every_state_of_some_lifecycle(name: str) -> None:
    provider = provider_of(name)
    world = Worlds(provider.rules, provider.seeds, Plan(mode="frozen")).get()
    shown_whole = [
        lifecycle.name
        for lifecycle in provider.rules.lifecycles.values()
        if {row.get(lifecycle.field) for row in world.store.find(Query(lifecycle.collection))}
        == lifecycle.states.keys()
    ]
    assert shown_whole


@pytest.mark.parametrize("name", NAMES)
def test_every_demo_principal_signs_in_as_somebody_else(name: str) -> None:
    provider = provider_of(name)
    twin = Twin(provider)
    reads = [
        re.sub(r"{[^}]*}", "1", each.path)
        for each in provider.rules.contract.operations.values()
        if each.method == "GET" and each.security
    ]
    for who, path in product(provider.rules.principals, reads):
        assert twin.request("GET", path, as_=who).status < 500
    signed_in = {entry.principal for entry in twin.journal.entries()} - {""}
    assert len(signed_in) == len(provider.rules.principals)


@pytest.mark.parametrize("form", ["mermaid", "dot", "svg"])
@pytest.mark.parametrize("name", NAMES)
def test_every_lifecycle_is_drawn(name: str, form: str) -> None:
    for each in provider_of(name).rules.lifecycles:
        drawn = CliRunner().invoke(main, ["graph", name, "--format", form, "--lifecycle", each])
        assert drawn.exit_code == 0
        states = provider_of(name).rules.lifecycles[each].states
        assert [state for state in states if state not in drawn.output] == []


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_an_operation_answers_its_documented_example_to_everybody(name: str, operation: str) -> None:
    provider = provider_of(name)
    found = provider.rules.contract.operations[operation]
    twin = Twin(provider)
    for who in (*provider.rules.principals, ""):
        for path, body in product(paths(provider, twin, found), bodies(provider, found)):
            answer = twin.request(found.method, path, content=body, headers=media(found), as_=who)
            assert answer.status < 500 or answer.headers["tasktwin-reason"] == "not-modelled", answer.content
    assert twin.journal.count(operation=operation) > 0


@pytest.mark.parametrize(("operation", "status"), EXAMPLES)
def test_a_declared_response_example_keeps_the_contract(operation: Operation, status: int) -> None:
    example = operation.example(status)
    assert example is not None
    assert [str(each) for each in operation.check_response(status, *example)] == []


def shown(collection: Collection, row: Row) -> Row:
    """The row as a client sees it, with nothing to join."""
    joined = {join.field: join.otherwise for join in collection.joins}
    return {key: value for key, value in row.items() if key not in collection.private} | joined


def followed(provider: Provider, node: Json) -> Json:
    """The node, or what its local reference leads to."""
    while isinstance(node, dict) and "$ref" in node:
        target = provider.rules.contract.document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def paths(provider: Provider, twin: Twin, operation: Operation) -> list[str]:
    """The path, with identifiers of rows of every kind, and an unknown one, where parameters stand."""
    if "{" not in operation.path:
        return [operation.path]
    rows = [
        str(row[collection.id_field])
        for collection in provider.rules.collections.values()
        if collection.schema
        for row in twin.world.store.find(Query(collection.name), 0, 4)
    ]
    steps = operation.path.split("/")
    return ["/".join(quote(key, safe="") if "{" in step else step for step in steps) for key in [*rows, "unknown"]]


def bodies(provider: Provider, operation: Operation) -> Iterator[bytes]:
    """The documented examples of the body; an empty one where there is none."""
    content = followed(provider, operation.raw.get("requestBody", {})).get("content", {})
    for medium in content.values():
        if "example" in medium:
            yield dumps(medium["example"])
        for each in medium.get("examples", {}).values():
            yield dumps(followed(provider, each)["value"])
        if "example" not in medium and "examples" not in medium:
            schema = followed(provider, medium["schema"])
            yield from (dumps(each) for each in (schema.get("examples") or [schema.get("example", {})])[:1])
    if not content:
        yield b""


def media(operation: Operation) -> dict[str, str]:
    return {"Content-Type": operation.request_media[0]} if operation.request_media else {}
