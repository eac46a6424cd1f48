"""Does a scenario speak of things that are there: steps, outputs, inputs, workflows, callers, triggers?"""

from collections.abc import Iterable, Iterator

from tasktwin.behaviour.rules import Rules
from tasktwin.contract.router import placeholders
from tasktwin.errors import Problem
from tasktwin.provider.scenario.condition import Stepped, operands
from tasktwin.provider.scenario.document import Criterion, Scenario, Step, Workflow
from tasktwin.provider.scenario.expression import Expression, expressions_in, parse_expression
from tasktwin.provider.yaml_file import did_you_mean
from tasktwin.wire import Json


def problems(scenario: Scenario, rules: Rules) -> Iterator[Problem]:
    """Every name that stands for nothing, with a pointer to where it is used."""
    for n, flow in enumerate(scenario.workflows.values()):
        at = f"/workflows/{n}"
        yield from _unknown("workflow", flow.depends_on, scenario.workflows, f"{at}/dependsOn")
        if flow.id in _all_before(scenario, flow.id):
            yield Problem(f"the workflow {flow.id!r} waits for itself", f"{at}/dependsOn")
        for step in flow.steps:
            yield from _step(scenario, flow, step, rules)
        for name, each in flow.outputs.items():
            yield from _reference(scenario, flow, each, f"{at}/outputs/{name}")


def _all_before(scenario: Scenario, name: str) -> set[str]:
    """The workflows that must be over before this one begins."""
    found: set[str] = set()
    ahead = [name]
    while ahead:
        flow = scenario.workflows.get(ahead.pop())
        fresh = set(flow.depends_on) - found if flow else set()
        found |= fresh
        ahead += fresh
    return found


def _step(scenario: Scenario, flow: Workflow, step: Step, rules: Rules) -> Iterator[Problem]:
    at = step.pointer
    if step.as_:
        yield from _unknown("principal", [step.as_], rules.principals, f"{at}/x-tasktwin-as")
    if step.workflow:
        yield from _unknown("workflow", [step.workflow], scenario.workflows, f"{at}/workflowId")
    if step.trigger:
        triggers = {name for each in rules.lifecycles.values() for name in each.by_trigger}
        yield from _unknown("trigger", [step.trigger.name], triggers, f"{at}/x-tasktwin-trigger/trigger")
        yield from _unknown(
            "collection",
            [step.trigger.collection] if step.trigger.collection else [],
            rules.collections,
            f"{at}/x-tasktwin-trigger/collection",
        )
    yield from _places(step, rules)
    for side, actions in (("onSuccess", step.on_success), ("onFailure", step.on_failure)):
        steps = [each.id for each in flow.steps]
        for action in actions:
            yield from _unknown("step", [action.step] if action.step else [], steps, f"{at}/{side}")
            wanted = [action.workflow] if action.workflow else []
            yield from _unknown("workflow", wanted, scenario.workflows, f"{at}/{side}")
            for each in _of_criteria(action.criteria):
                yield from _reference(scenario, flow, each, f"{at}/{side}")
    for key, each in _all_of(step):
        yield from _reference(scenario, flow, each, f"{at}/{key}")


def _places(step: Step, rules: Rules) -> Iterator[Problem]:
    operation = rules.contract.operations.get(step.operation)
    if operation is None:
        return
    given = {each.name for each in step.parameters if each.place == "path"}
    for name in placeholders(operation.path):
        if name not in given:
            yield Problem(f"{operation.id} needs a value for {name!r} in its path", f"{step.pointer}/parameters")
    for each in step.parameters:
        if not each.place:
            yield Problem(f"the parameter {each.name!r} does not say `in`", f"{step.pointer}/parameters")


def _all_of(step: Step) -> Iterator[tuple[str, Expression]]:
    """Every expression of a step, with the key under which it stands."""
    templates: list[tuple[str, Json]] = [("parameters", each.value) for each in step.parameters]
    templates += [("requestBody", step.payload), *(("requestBody", value) for _, value in step.replacements)]
    templates += [("x-tasktwin-trigger", step.trigger.id)] if step.trigger else []
    templates += [("x-tasktwin-stream", step.stream.resume)] if step.stream else []
    for key, value in templates:
        for text in expressions_in(value):
            try:
                yield key, parse_expression(text)
            except ValueError:
                yield key, Expression(text, "")
    for key, criteria in (("successCriteria", step.criteria), ("x-tasktwin-successCriteria", step.own_criteria)):
        yield from ((key, each) for each in _of_criteria(criteria))
    for key, outputs in (("outputs", step.outputs), ("x-tasktwin-outputs", step.own_outputs)):
        yield from ((key, each) for each in outputs.values())


def _of_criteria(criteria: Iterable[Criterion]) -> Iterator[Expression]:
    for each in criteria:
        if each.context:
            yield each.context
        for operand in operands(each.simple) if each.simple else ():
            if isinstance(operand, Expression):
                yield operand
            elif isinstance(operand, Stepped):
                yield operand.expression


def _reference(scenario: Scenario, flow: Workflow, each: Expression, at: str) -> Iterator[Problem]:
    match each.root:
        case "":
            yield Problem(f"{each.text[:80]!r} is no runtime expression", at)
        case "inputs":
            yield from _unknown("input", [each.name], flow.names, at)
        case "steps":
            steps = {step.id: step for step in flow.steps}
            yield from _unknown("step", [each.owner], steps, at)
            if each.owner in steps:
                yield from _unknown("output", [each.name], _outputs(scenario, steps[each.owner]), at)
        case "workflows.outputs" | "workflows.inputs":
            yield from _unknown("workflow", [each.owner], scenario.workflows, at)
        case "sourceDescriptions":
            yield from _unknown("source description", [each.owner], scenario.sources, at)


def _outputs(scenario: Scenario, step: Step) -> list[str]:
    called = scenario.workflows.get(step.workflow)
    return [*step.outputs, *step.own_outputs, *(called.outputs if called else ())]


def _unknown(what: str, names: Iterable[str], known: Iterable[str], at: str) -> Iterator[Problem]:
    known = list(known)
    for name in names:
        if name not in known:
            yield Problem(f"there is no {what} {name!r}", at, hint=did_you_mean(name, known))
