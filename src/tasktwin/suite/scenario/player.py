"""Plays the workflows of one document: steps in their order, and what their actions say."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tasktwin.errors import MisuseError
from tasktwin.provider.scenario import Action, Scenario, Step, Workflow
from tasktwin.provider.scenario.expression import fill, spoken
from tasktwin.suite.clock import TargetTime
from tasktwin.suite.conformance import mismatches
from tasktwin.suite.finding import Line
from tasktwin.suite.run import Run
from tasktwin.suite.scenario import stream
from tasktwin.suite.scenario.criterion import Unmet, holds, unmet
from tasktwin.suite.scenario.played import Played
from tasktwin.suite.scenario.request import Desk, MissingError
from tasktwin.suite.scenario.scope import Scope, as_value
from tasktwin.suite.scenario.verdict import Place, broken, finding
from tasktwin.suite.traffic import Reply, Request
from tasktwin.wire import Json

PHASE = "scenarios"

MOST_STEPS = 1_000
"""So many steps of a workflow are played, however often its actions go back."""

DEEPEST = 10
"""So deep may workflows call each other."""


class CannotPlayError(Exception):
    """The rest of a workflow cannot be played, for no fault of the deployment. Its text says why."""


class BrokenError(Exception):
    """A workflow ended where the deployment did not do as it should; that is reported already."""


@dataclass(slots=True)
class Player:
    """Plays one document in one world. ``over`` are the workflows that were played to their end: inputs and outputs."""

    run: Run
    scenario: Scenario
    time: TargetTime
    desk: Desk
    over: dict[str, tuple[Mapping[str, Json], Mapping[str, Json]]] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)
    lines: list[Played] = field(default_factory=list)

    def play_all(self) -> None:
        """Play every workflow. Raises ``SpentError`` and ``UnreachableError``."""
        called = {step.workflow for flow in self.scenario.workflows.values() for step in flow.steps}
        for flow in self.scenario.workflows.values():
            if flow.id not in called or not flow.required - set(flow.inputs):
                self._begin(flow)

    def _begin(self, flow: Workflow) -> None:
        """Play a workflow after those that it depends on, once."""
        if flow.id in self.over or flow.id in self.gone:
            return
        for name in flow.depends_on:
            self._begin(self.scenario.workflows[name])
        lost = [name for name in flow.depends_on if name in self.gone]
        lacks = sorted(flow.required - set(flow.inputs))
        self.lines = []
        try:
            if lost:
                raise CannotPlayError(f"it depends on {lost[0]}, which was not played to its end")  # noqa: TRY301
            if lacks:
                raise CannotPlayError(f"its input {lacks[0]!r} has no default")  # noqa: TRY301
            self.play(flow, flow.inputs, 0)
        except CannotPlayError as error:
            self.gone[flow.id] = str(error)
            self.run.skip(PHASE, f"{self.scenario.name}/{flow.id}", str(error))
        except BrokenError:
            self.gone[flow.id] = "the deployment did not do as it should"

    def play(self, flow: Workflow, inputs: Mapping[str, Json], depth: int) -> Mapping[str, Json]:
        """Play a workflow; its outputs. Raises ``CannotPlayError`` and ``BrokenError``."""
        if depth > DEEPEST:
            raise CannotPlayError(f"workflows call each other deeper than {DEEPEST} levels")
        scope = Scope(self.run.target.url, inputs, self.scenario.sources, self.over)
        tries: Counter[str] = Counter()
        at, played = 0, 0
        while at < len(flow.steps):
            played += 1
            if played > MOST_STEPS:
                raise CannotPlayError(f"it goes in circles: {MOST_STEPS} steps were played")
            at = self._play_step(flow, at, scope, tries, depth)
        scope.outputs = {name: each.value(scope.look) for name, each in flow.outputs.items()}
        self.over[flow.id] = (inputs, scope.outputs)
        return scope.outputs

    def _play_step(self, flow: Workflow, at: int, scope: Scope, tries: Counter[str], depth: int) -> int:
        """Play the step at a place; the place of the one that comes next."""
        step = flow.steps[at]
        try:
            found = self._call(step, scope, depth) if step.workflow else self._send(flow, step, scope)
        except MissingError as error:
            found = [Unmet(str(error), f"the answer of the step {error.owner!r} has none")]
        if not found:
            outputs = {**step.outputs, **step.own_outputs}
            given = {name: each.value(scope.look) for name, each in outputs.items()}
            scope.steps[step.id] = {**scope.steps.get(step.id, {}), **given} if step.workflow else given
        chosen = _chosen(step.on_failure if found else step.on_success, scope)
        if chosen and chosen.kind == "retry" and (tries[step.id] >= chosen.limit or not found):
            chosen = None
        if found and (chosen is None or (chosen.kind == "end" and not chosen.criteria)):
            self._broken(flow, step, found)
        return self._follow(chosen, flow, at, tries, depth)

    def _follow(self, action: Action | None, flow: Workflow, at: int, tries: Counter[str], depth: int) -> int:
        if action is None:
            return at + 1
        if action.kind == "end":
            return len(flow.steps)
        if action.kind == "retry":
            tries[flow.steps[at].id] += 1
            self._pass(action.after)
        if action.workflow:
            other = self.scenario.workflows[action.workflow]
            self.play(other, other.inputs, depth + 1)
            return at if action.kind == "retry" else len(flow.steps)
        if action.step and action.kind == "goto":
            return flow.index(action.step)
        return at

    def _call(self, step: Step, scope: Scope, depth: int) -> list[Unmet]:
        """Play a workflow in a step's place."""
        flow = self.scenario.workflows[step.workflow]
        given = {each.name: fill(each.value, scope.look) for each in step.parameters}
        try:
            scope.outputs = dict(self.play(flow, {**flow.inputs, **given}, depth + 1))
        except BrokenError:
            if not step.on_failure:
                raise
            return [Unmet(f"the workflow {flow.id} to come to its end", "it did not")]
        scope.steps[step.id] = dict(scope.outputs)
        scope.request = scope.reply = scope.body = None
        return []

    def _send(self, flow: Workflow, step: Step, scope: Scope) -> list[Unmet]:
        self._pass(step.wait)
        key = spoken(fill(step.trigger.id, scope.look)) if step.trigger else ""
        if step.trigger and (why := self.time.fire(step.trigger.name, key, step.trigger.collection)):
            raise CannotPlayError(why)
        request = self.desk.write(step, scope, self.time.headers)
        self._see_that_it_may(step, request)
        scope.request, (scope.reply, scope.body) = request, self._ask(step, request)
        self.run.answered[step.operation, scope.reply.status] += 1
        self.lines.append(Played(flow.id, step, Line(request, scope.reply, step.about or step.id), key))
        self._hold(step, request, scope.reply)
        if scope.reply.cut:
            return [Unmet("a whole answer", scope.reply.problem)]
        found = unmet(step, scope)
        if found and scope.reply.status == 429:
            raise CannotPlayError("the target refuses for the number of requests")
        return found

    def _hold(self, step: Step, request: Request, reply: Reply) -> None:
        """Hold an answer against the contract, and note the transition that it tells of where nobody else counts."""
        for each in mismatches(self.run.provider, request, reply):
            self.run.report(broken(self.run, step, each, self.lines, self.time))
        binding = self.run.provider.rules.bindings.get(step.operation)
        ways = binding.transitions() if binding and reply.good and not self.time.world else ()
        if len(ways) == 1 and binding and binding.collection and binding.collection.lifecycle:
            self.run.taken[binding.collection.lifecycle.name, ways[0].name] += 1

    def _ask(self, step: Step, request: Request) -> tuple[Reply, Json]:
        if step.stream:
            return stream.read(self.run.target, request, step.stream)
        reply = self.run.target.send(request)
        return reply, as_value(reply.body)

    def _see_that_it_may(self, step: Step, request: Request) -> None:
        if request.as_ and request.as_ not in self.run.target.callers.headers:
            raise CannotPlayError(f"there are no credentials for {request.as_}")
        if not self.run.target.may_send(request):
            raise CannotPlayError(f"{step.operation} writes, and was not allowed")

    def _pass(self, seconds: float) -> None:
        if why := self.time.pass_time(seconds):
            raise CannotPlayError(why)

    def _broken(self, flow: Workflow, step: Step, found: list[Unmet]) -> None:
        """Report a step that failed. Raises ``BrokenError`` always."""
        if not step.workflow:
            self.run.report(finding(self.run, Place(self.scenario, flow, step), found, self.lines, self.time))
        raise BrokenError


def _chosen(actions: Iterable[Action], scope: Scope) -> Action | None:
    """The first whose criteria all hold."""
    try:
        return next((each for each in actions if all(holds(one, scope) for one in each.criteria)), None)
    except RecursionError as error:
        raise MisuseError("an answer is nested too deeply for a criterion") from error
