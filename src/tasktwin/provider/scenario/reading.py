"""From a file to a scenario: held against the schema, its references followed, its names looked up."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from tasktwin.behaviour.lifecycle import Provenance
from tasktwin.behaviour.rules import Rules
from tasktwin.errors import DataError, Problem
from tasktwin.provider.data_file import read_data
from tasktwin.provider.resolver import parse_provenance
from tasktwin.provider.scenario import naming
from tasktwin.provider.scenario.condition import parse_condition
from tasktwin.provider.scenario.document import (
    Action,
    Criterion,
    Parameter,
    Scenario,
    Step,
    StreamWish,
    Trigger,
    Workflow,
)
from tasktwin.provider.scenario.expression import Expression, parse_expression
from tasktwin.provider.yaml_file import did_you_mean, located

S = TypeVar("S")
T = TypeVar("T")
Node = dict[str, Any]

NOBODY: Final = "nobody"
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_ENDING: Final = ".arazzo.yaml"


def read_scenario(path: Path, rules: Rules) -> Scenario:
    """The scenario in a file, for this provider. Raises ``DataError`` with everything that is wrong, each with its line."""
    called = f"{path.parent.name}/{path.name}"
    document = read_data(path, called, "scenario")
    reader = _Reader(document, rules)
    scenario = reader.scenario(path)
    problems = reader.problems or list(naming.problems(scenario, rules))
    if problems:
        raise DataError(*located(problems, path, called))
    return scenario


def check_scenario(path: Path, rules: Rules) -> Iterator[Problem]:
    """Everything that is wrong with the scenario in a file."""
    try:
        read_scenario(path, rules)
    except DataError as error:
        yield from error.problems


class _Reader:
    """Turns one document into values. Problems are collected, with pointers, so that all are told at once."""

    def __init__(self, document: Node, rules: Rules) -> None:
        self.document = document
        self.rules = rules
        self.components: Node = document.get("components", {})
        self.problems: list[Problem] = []

    def scenario(self, path: Path) -> Scenario:
        info = self.document["info"]
        flows = [self._workflow(node, f"/workflows/{n}") for n, node in enumerate(self.document["workflows"])]
        self._once([flow.id for flow in flows], "/workflows", "workflow")
        return Scenario(
            path.name.removesuffix(_ENDING),
            info["title"],
            info.get("summary") or info.get("description", ""),
            path,
            {flow.id: flow for flow in flows},
            {each["name"]: each["url"] for each in self.document["sourceDescriptions"]},
            _provenance(self.document),
        )

    def _once(self, names: Iterable[str], at: str, what: str) -> None:
        seen: set[str] = set()
        for n, name in enumerate(names):
            if name in seen:
                self.problems.append(
                    Problem(f"there are two with the name {name!r}: a {what} has its own", f"{at}/{n}")
                )
            seen.add(name)

    def _workflow(self, node: Node, at: str) -> Workflow:
        schema = self._schema(node.get("inputs", {}), f"{at}/inputs")
        inputs, required = schema.get("properties"), schema.get("required")
        inputs = inputs if isinstance(inputs, dict) else {}
        steps = tuple(self._step(each, f"{at}/steps/{n}", node) for n, each in enumerate(node["steps"]))
        self._once([step.id for step in steps], f"{at}/steps", "step")
        return Workflow(
            node["workflowId"],
            node.get("summary") or node.get("description", ""),
            steps,
            {name: each["default"] for name, each in inputs.items() if isinstance(each, dict) and "default" in each},
            frozenset(inputs),
            frozenset(map(str, required)) if isinstance(required, list) else frozenset(),
            tuple(node.get("dependsOn", ())),
            self._outputs(node.get("outputs", {}), f"{at}/outputs"),
            _provenance(node),
        )

    def _schema(self, schema: Node, at: str) -> Node:
        """The schema of the inputs, its reference followed."""
        target = schema.get("$ref")
        if not isinstance(target, str):
            return schema
        return self._named("inputs", target.removeprefix("#/components/inputs/"), f"{at}/$ref") or {}

    def _step(self, node: Node, at: str, flow: Node) -> Step:
        body = node.get("requestBody", {})
        stream = node.get("x-tasktwin-stream")
        trigger = node.get("x-tasktwin-trigger")
        caller = node.get("x-tasktwin-as")
        return Step(
            node["stepId"],
            node.get("description", ""),
            at,
            self._operation(node, at),
            node.get("workflowId", ""),
            "" if caller == NOBODY else caller,
            self._parameters(flow.get("parameters", ()), node.get("parameters", ()), f"{at}/parameters"),
            body.get("contentType", ""),
            body.get("payload"),
            "payload" in body,
            tuple((each["target"], each["value"]) for each in body.get("replacements", ())),
            self._criteria(node.get("successCriteria", ()), f"{at}/successCriteria"),
            self._criteria(node.get("x-tasktwin-successCriteria", ()), f"{at}/x-tasktwin-successCriteria"),
            self._outputs(node.get("outputs", {}), f"{at}/outputs"),
            self._outputs(node.get("x-tasktwin-outputs", {}), f"{at}/x-tasktwin-outputs"),
            self._actions("successActions", node.get("onSuccess", ()), flow, f"{at}/onSuccess"),
            self._actions("failureActions", node.get("onFailure", ()), flow, f"{at}/onFailure"),
            _seconds(node.get("x-tasktwin-wait", "0s")),
            Trigger(trigger["trigger"], trigger.get("collection", ""), trigger["id"]) if trigger else None,
            StreamWish(stream.get("events", 0), stream.get("until", ""), stream.get("resume"))
            if stream is not None
            else None,
            _provenance(node),
        )

    def _operation(self, node: Node, at: str) -> str:
        named = [key for key in ("operationId", "operationPath", "workflowId") if key in node]
        if len(named) != 1:
            self.problems.append(Problem("a step names one operationId, operationPath or workflowId", at))
            return ""
        known = self.rules.contract.operations
        if "operationPath" in node:
            pointer = node["operationPath"].rpartition("#")[2]
            found = next((each.id for each in known.values() if each.pointer == pointer), "")
            if not found:
                self.problems.append(Problem(f"there is no operation at {pointer[:120]!r}", f"{at}/operationPath"))
            return found
        operation = str(node.get("operationId", "")).rsplit(".", 1)[-1] if "operationId" in node else ""
        if operation and operation not in known:
            hint = did_you_mean(operation, [*known])
            self.problems.append(Problem(f"there is no operation {operation!r}", f"{at}/operationId", hint=hint))
        return operation

    def _parameters(self, common: Iterable[Node], own: Iterable[Node], at: str) -> tuple[Parameter, ...]:
        """The step's own parameters, and those of its workflow that it does not replace."""
        found: dict[tuple[str, str], Parameter] = {}
        for n, node in enumerate(chain(common, own)):
            whole = self._followed("parameters", node, f"{at}/{n}")
            if whole is None:
                continue
            if "name" not in whole or "value" not in whole:
                self.problems.append(Problem("a parameter needs a name and a value", f"{at}/{n}"))
                continue
            place = whole.get("in", "")
            found[place, whole["name"]] = Parameter(whole["name"], place, whole["value"])
        return tuple(found.values())

    def _actions(self, kind: str, own: Iterable[Node], flow: Node, at: str) -> tuple[Action, ...]:
        found: dict[str, Action] = {}
        for n, node in enumerate(chain(own, flow.get(kind, ()))):
            whole = self._followed(kind, node, f"{at}/{n}")
            if whole is None:
                continue
            if "name" not in whole or "type" not in whole:
                self.problems.append(Problem("an action needs a name and a type", f"{at}/{n}"))
            elif whole["name"] not in found:
                found[whole["name"]] = self._action(whole, f"{at}/{n}")
        return tuple(found.values())

    def _action(self, node: Node, at: str) -> Action:
        if node["type"] == "goto" and ("stepId" in node) == ("workflowId" in node):
            self.problems.append(Problem("goto needs a stepId or a workflowId", at))
        return Action(
            node["name"],
            node["type"],
            node.get("stepId", ""),
            node.get("workflowId", ""),
            node.get("retryAfter", 0.0),
            node.get("retryLimit", 1),
            self._criteria(node.get("criteria", ()), f"{at}/criteria"),
        )

    def _followed(self, kind: str, node: Node, at: str) -> Node | None:
        """A node, or what it refers to, with the value that it puts in its place."""
        if "reference" not in node:
            return node
        prefix = f"$components.{kind}."
        if not node["reference"].startswith(prefix):
            self.problems.append(Problem(f"a reference begins with {prefix}", f"{at}/reference"))
            return None
        found = self._named(kind, node["reference"].removeprefix(prefix), f"{at}/reference")
        return found if found is None else {**found, **{key: node[key] for key in ("value",) if key in node}}

    def _named(self, kind: str, name: str, at: str) -> Node | None:
        known = self.components.get(kind, {})
        if name not in known:
            self.problems.append(Problem(f"there are no {kind} {name!r}", at, hint=did_you_mean(name, known)))
            return None
        return cast("Node", known[name])

    def _criteria(self, nodes: Iterable[Node], at: str) -> tuple[Criterion, ...]:
        found = (self._try(_criterion, node, f"{at}/{n}/condition") for n, node in enumerate(nodes))
        return tuple(each for each in found if each is not None)

    def _outputs(self, nodes: Mapping[str, str], at: str) -> dict[str, Expression]:
        found = {name: self._try(parse_expression, text, f"{at}/{name}") for name, text in nodes.items()}
        return {name: each for name, each in found.items() if each is not None}

    def _try(self, read: Callable[[S], T], of: S, at: str) -> T | None:
        try:
            return read(of)
        except ValueError as error:
            self.problems.append(Problem(str(error), at))
            return None


def _criterion(node: Node) -> Criterion:
    """One criterion. Raises ``ValueError``."""
    kind = node.get("type", "simple")
    kind = kind["type"] if isinstance(kind, dict) else kind
    if kind == "xpath":
        raise ValueError("criteria of the type xpath are not played: no answer here is XML")
    if kind == "simple":
        return Criterion(node["condition"], "simple", parse_condition(node["condition"]))
    if "context" not in node:
        raise ValueError(f"a criterion of the type {kind} needs a context")
    return Criterion(node["condition"], kind, None, parse_expression(node["context"]))


def _provenance(node: Node) -> Provenance | None:
    return parse_provenance(node["x-provenance"]) if "x-provenance" in node else None


def _seconds(text: str) -> float:
    return float(text[:-1]) * _UNITS[text[-1]]
