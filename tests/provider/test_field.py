"""Fields as the contract's schemas tell them, seen through the rules that are built from them."""

from pathlib import Path

import pytest
from tests.behaviour.jobs import rules
from tests.provider.small import edited

from tasktwin.behaviour.rules import Collection


def job(folder: Path, old: str, new: str) -> Collection:
    built, _ = rules(folder, edited("openapi.yaml", old, new))
    return built.collections["job"]


@pytest.mark.parametrize(
    "price",
    [
        "{type: string, format: decimal}",
        '{anyOf: [{type: "null"}, {type: string, format: decimal}]}',
        '{allOf: [{$ref: "#/components/schemas/NewJob/properties/price"}]}',
        '{$ref: "#/components/schemas/NewJob/properties/price"}',
        '{$ref: "#/components/schemas/%4eewJob/properties/price"}',
    ],
)
def test_an_amount_is_known_by_its_format_wherever_that_stands(tmp_path: Path, price: str) -> None:
    old = 'price: {type: [string, "null"], format: decimal}\n        state'
    assert job(tmp_path, old, f"price: {price}\n        state").decimals == {"price": 2}


def test_an_optional_field_that_may_not_be_null_is_left_out(tmp_path: Path) -> None:
    assert job(tmp_path, 'worker: {type: [string, "null"]}', "worker: {type: string}").left_out == {"worker"}


def test_a_required_field_is_never_left_out(tmp_path: Path) -> None:
    assert job(tmp_path, 'owner: {type: [string, "null"]}', "owner: {type: string}").left_out == frozenset()


def test_a_body_may_set_what_its_schema_names_and_nobody_keeps_back(tmp_path: Path) -> None:
    built, _ = rules(tmp_path)
    assert built.bindings["createJob"].accepts == {"title", "hours", "price"}
    assert built.collections["job"].writable == {"title", "hours", "price", "worker"}
