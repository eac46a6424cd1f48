"""Values at the edges of what a request may hold."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.suite.faulty_twin import Answer, Asked, Fault, Twin, deployed, plainly
from tests.suite.market import bundled_desk, market, run_on

from tasktwin.provider import bundled, load
from tasktwin.suite.lifecycle.boundary import LONGEST, MOST, edges
from tasktwin.suite.lifecycle.phase import lifecycle
from tasktwin.suite.lifecycle.tour import Tour

UNIQUE = "    unique: {where: {title: $request.body#/title, owner: $principal#/user}, refuse: twice}\n"


def tour(name: str, provider: str = "market") -> Tour:
    desk, atlas, _ = bundled_desk(provider)
    return next(each for each in edges(desk, atlas) if each.name == f"edges of {name}")


def statuses(provider: str, each: Tour) -> dict[str, int]:
    """The oracle's answer to each trial, by what the trial is about."""
    desk, atlas, _ = bundled_desk(provider)
    name = each.name.removeprefix("edges of ")
    found = next(one for one in [*atlas.ways.values(), *atlas.places.values()] if one.step.operation == name)
    told = {}
    for step in each.trials:
        desk.open(found.before)
        if step.operation == name:
            told[step.about] = desk.answer(found.before, step).status
    return told


def test_the_edges_of_each_member_are_tried() -> None:
    told = statuses("market", tour("createJob"))
    assert {about: told[about] for about in ("no JSON", "hours: minimum 1", "without hours", "price: null")} == {
        "no JSON": 400, "hours: minimum 1": 201, "without hours": 201, "price: null": 201,
    }  # fmt: skip
    refused = (
        "a list in place of an object",
        "as text/plain",
        "hours: beyond minimum",
        "hours: zero",
        "without title",
        "hours: another type",
    )
    assert all(told[about] >= 400 for about in refused)


@pytest.mark.parametrize("provider", ["market", *bundled()])
def test_both_sides_of_the_edges_are_tried_and_not_too_many(provider: str) -> None:
    desk, atlas, _ = bundled_desk(provider)
    found = list(edges(desk, atlas))
    assert found
    for each in found:
        own = [step for step in each.trials if step.about not in {"look at it", "what is listed now"}]
        assert len(own) <= MOST + 3
        assert all(len(str(step.body)) < 3 * LONGEST for step in own)
        told = set(statuses(provider, each).values())
        assert max(told) < 500, each.name
        assert min(told) < 300 or provider != "market"


def test_texts_are_as_long_as_they_may_be_and_one_longer() -> None:
    lengths = {len(str(step.body["title"])) for step in tour("createTask", "uumit").trials if isinstance(step.body, dict) and step.about.startswith("title:")}  # fmt: skip
    assert {199, 200, 201} & lengths >= {200, 201} or len(lengths) > 4


def test_an_update_is_looked_at_after_each_edge() -> None:
    trials = tour("updateTask", "uumit").trials
    changes = [
        n
        for n, step in enumerate(trials)
        if step.operation == "updateTask" and isinstance(step.body, dict) and step.raw is None
    ]
    assert any(trials[n + 1].about == "look at it" for n in changes if n + 1 < len(trials))


async def lenient(asked: Asked, twin: Twin) -> Answer:
    """Makes of no hours one, in place of refusing."""
    return await twin(replace(asked, body=asked.body.replace(b'"hours":0', b'"hours":1')))


@pytest.mark.parametrize(("fault", "rules"), [(lenient, ["request.accepted"]), (plainly, [])], ids=["lenient", "good"])
def test_a_deployment_that_lets_in_what_is_beyond_an_edge_is_found(
    tmp_path: Path, fault: Fault, rules: list[str]
) -> None:
    folder = market(tmp_path, provider=f"{UNIQUE} => ")
    with deployed(folder, fault) as url:
        run = run_on(url, lifecycle, "createJob", provider=load(folder))
    assert [each.rule for each in run.findings] == rules
    assert "lifecycle:edges of createJob" in run.units
