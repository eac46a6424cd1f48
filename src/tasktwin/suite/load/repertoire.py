"""Which scenarios users can play over and over at a target, and why not the others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from tasktwin.errors import MisuseError
from tasktwin.provider import Provider
from tasktwin.provider.scenario import Scenario, Step, Workflow, read_scenario
from tasktwin.provider.yaml_file import did_you_mean
from tasktwin.suite.command.plan import Permission
from tasktwin.suite.target import Callers

LONGEST: Final = 3.0
"""Seconds that a step may really wait: whoever waits longer is no load."""


@dataclass(frozen=True, slots=True)
class Omitted:
    """A scenario that is left out, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Repertoire:
    """What is played, and what is not."""

    played: tuple[Scenario, ...]
    omitted: tuple[Omitted, ...]


def scenarios_of(provider: Provider, globs: Sequence[str]) -> tuple[Scenario, ...]:
    """The provider's scenarios whose names match one of the globs; all without any.

    Raises ``DataError`` for one that cannot be read, ``MisuseError`` for a glob that matches none.
    """
    found = [read_scenario(path, provider.rules) for path in provider.scenarios]
    names = [each.name for each in found]
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in names):
            hint = did_you_mean(glob, names) or f"There are {', '.join(names)}"
            raise MisuseError(f"--scenario: no scenario is called {glob[:80]!r}. {hint}")
    return tuple(each for each in found if not globs or any(fnmatchcase(each.name, glob) for glob in globs))


@dataclass(frozen=True, slots=True)
class Chooser:
    """Chooses for one target. ``worlds``: each user has a world with a clock of its own there, as twins offer them."""

    permission: Permission
    callers: Callers
    worlds: bool

    def choose(self, scenarios: Iterable[Scenario]) -> Repertoire:
        """What can be played, as far as that is known before."""
        told = [(each, self.obstacle(each)) for each in scenarios]
        played = tuple(each for each, why in told if not why)
        return Repertoire(played, tuple(Omitted(each.name, why) for each, why in told if why))

    def obstacle(self, scenario: Scenario) -> str:
        """Why a scenario cannot be played, "" if it can: at least its beginning, up to what was not allowed."""
        steps = [step for flow in scenario.workflows.values() for step in flow.steps]
        if not self.worlds and (why := next(filter(None, map(_needs_a_twin, steps)), "")):
            return why
        called = {step.workflow for step in steps}
        begun = [flow for flow in scenario.workflows.values() if flow.id not in called]
        told = [self._hindrance(flow) for flow in begun]
        return "" if not all(told) else next(iter(told), "it has no workflow that begins by itself")

    def _hindrance(self, flow: Workflow) -> str:
        """Why not even the first step of a workflow can be taken."""
        if lacks := sorted(flow.required - set(flow.inputs)):
            return f"its input {lacks[0]!r} has no default"
        first = flow.steps[0] if flow.steps else None
        if first is None or not first.operation:
            return ""
        if first.as_ and first.as_ not in self.callers.headers:
            return f"there are no credentials for {first.as_}"
        rules = self.permission.provider.rules
        binding = rules.bindings.get(first.operation)
        is_rpc = bool(binding and binding.methods)  # whether such a call writes is told by its body
        if is_rpc or self.permission.allows(rules.contract.operations[first.operation]):
            return ""
        return f"it begins with {first.operation}, which writes and was not allowed"


def _needs_a_twin(step: Step) -> str:
    if step.trigger:
        return f"only a twin lets {step.trigger.name!r} happen by order"
    waits = max([step.wait, *(each.after for each in (*step.on_success, *step.on_failure))])
    return f"it waits {waits:,g} s, and users have no clock of their own there" if waits > LONGEST else ""
