"""The phase ``scenarios``: every document of the provider, each a unit of its own."""

from collections.abc import Mapping
from functools import partial

from tasktwin.provider.scenario import Scenario, read_scenario
from tasktwin.suite.clock import TargetTime
from tasktwin.suite.run import Run
from tasktwin.suite.scenario.player import PHASE, Player
from tasktwin.suite.scenario.request import Desk

WORLD = "verify-{}"
"""Where a target has worlds, a scenario is played in one of its own, so that none disturbs another or the user's."""


def scenarios(run: Run) -> None:
    """Play the provider's scenarios.

    Raises ``DataError`` before anything is sent if one cannot be read, ``SpentError`` and ``UnreachableError``.
    """
    found = [read_scenario(path, run.provider.rules) for path in run.provider.scenarios]
    wanted = [each for each in found if _is_asked_for(run, each)]
    if not wanted:
        why = "none has a step with an operation that was asked for" if found else "the provider has none"
        run.skip(PHASE, "all", why)
        return
    time, desk = TargetTime(run.target), Desk(run.provider)
    run.work(PHASE, [(each.name, partial(_play, run, each, time, desk)) for each in wanted])


def _is_asked_for(run: Run, scenario: Scenario) -> bool:
    steps = (step for flow in scenario.workflows.values() for step in flow.steps)
    return any(run.asked_for(step.operation) for step in steps if step.operation)


def _play(run: Run, scenario: Scenario, time: TargetTime, desk: Desk) -> None:
    world = time.world_of(WORLD.format(scenario.name))
    try:
        Player(run, scenario, world, desk).play_all()
        if world.world:
            _count(run, world.taken())
    finally:
        world.leave()


def _count(run: Run, taken: Mapping[str, Mapping[str, int]]) -> None:
    """Note the transitions that a twin says were taken; names that the provider does not have are none of ours."""
    for name, life in run.provider.rules.lifecycles.items():
        found = taken.get(name, {})
        run.taken.update({(name, each): found[each] for each in life.transitions if isinstance(found.get(each), int)})
