"""What will be sent, before anything is: operations, which of them write and may, how many requests, as whom."""

from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from tasktwin.contract import Match, Operation
from tasktwin.errors import MisuseError, printable
from tasktwin.provider import Provider
from tasktwin.provider.yaml_file import did_you_mean
from tasktwin.suite.command.order import SCENARIOS, Order
from tasktwin.suite.target import Callers
from tasktwin.suite.traffic import Request
from tasktwin.wire import Json, loads

if TYPE_CHECKING:
    from rich.console import Console

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
READING: Final = frozenset({"read", "list", "document"})
"""Verbs of a JSON-RPC method's operation that change nothing."""

A_SECOND: Final = 120
"""Requests that a run sends in a second at most, by and large: for the estimate only."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One operation. ``writes``: sending it may change something; ``allowed``: it may be sent."""

    id: str
    method: str
    path: str
    writes: bool
    allowed: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What is going to happen. ``requests`` is an estimate; ``seconds`` bounds the run, ``None`` for no bound.

    ``open``: no operation asks for credentials.
    """

    command: str
    url: str
    provider: str
    phases: tuple[str, ...]
    principals: tuple[str, ...]
    own_credentials: bool
    open: bool
    operations: tuple[Planned, ...]
    requests: int
    rate: float
    seconds: float | None
    seed: int
    shard: tuple[int, int]
    workers: int
    cleanup: bool
    scenarios: tuple[str, ...] = field(default=())


def plan_of(order: Order, provider: Provider, callers: Callers) -> Plan:
    """The plan for an order. Raises ``MisuseError`` for a glob that no operation matches, and for nothing to do."""
    see_globs(order, tuple(provider.rules.contract.operations))
    if order.phases == (SCENARIOS,) and not provider.scenarios:
        raise MisuseError(f"{provider.name} has no scenarios to play; tasktwin fuzz hunts for bugs without any")
    permission = Permission(provider, order.globs)
    asked = [each for each in provider.rules.contract.operations.values() if _is_asked_for(order, each.id)]
    planned = tuple(
        Planned(each.id, each.method, each.path, permission.writes(each), permission.allows(each)) for each in asked
    )
    scenarios, steps = _scenarios(order, provider)
    return Plan(
        order.command,
        order.url,
        provider.name,
        order.phases,
        tuple(callers.headers),
        callers.secret,
        all(not each.security or not all(each.security) for each in asked),
        planned,
        _estimate(order, sum(each.allowed for each in planned), steps),
        order.rate,
        order.time_budget,
        order.seed,
        order.shard,
        order.workers,
        order.cleanup,
        scenarios,
    )


def see_globs(order: Order, operations: tuple[str, ...]) -> None:
    """Raises ``MisuseError`` for a glob that no operation matches: what it was meant for would silently not be done."""
    for option, globs in (("--operation", order.operations), ("--allow-writes", order.writes or ())):
        for glob in globs:
            if not any(fnmatchcase(each, glob) for each in operations):
                raise MisuseError(f"{option}: no operation is called {glob[:80]!r}. {did_you_mean(glob, operations)}")


def _is_asked_for(order: Order, operation: str) -> bool:
    return not order.operations or any(fnmatchcase(operation, each) for each in order.operations)


def _scenarios(order: Order, provider: Provider) -> tuple[tuple[str, ...], int]:
    """The scenarios by name, and how many steps they have. Raises ``DataError`` for one that is wrong."""
    from tasktwin.provider.scenario import read_scenario  # noqa: PLC0415 - only if they are played

    if SCENARIOS not in order.phases:
        return (), 0
    read = [read_scenario(path, provider.rules) for path in provider.scenarios]
    steps = sum(len(flow.steps) for each in read for flow in each.workflows.values())
    return tuple(each.name for each in read), steps


def _estimate(order: Order, operations: int, steps: int) -> int:
    """By and large: what the phases would send, cut to what the time and the rate allow, and to the shard."""
    each = {
        SCENARIOS: steps,
        "protocol": operations * 30,
        "lifecycle": 25 * order.max_examples,
        "examples": operations * 2,
        "coverage": operations * 40,
        "stateful": 6 * order.max_examples,
        "fuzzing": operations * order.max_examples,
    }
    wanted = sum(each[name] for name in order.phases) // order.shard[1]
    if order.time_budget is None:
        return wanted
    return min(wanted, round(order.time_budget * min(order.rate or A_SECOND, A_SECOND) * order.workers))


@dataclass(frozen=True, slots=True)
class Permission:
    """Which requests may be sent: all that only read, and writes of the operations that ``globs`` match."""

    provider: Provider
    globs: tuple[str, ...]

    def __call__(self, request: Request) -> bool:
        """Whether this request may be sent. One that means no known operation counts as a write, unless it is safe."""
        found = self.provider.rules.contract.match(request.method, request.path.partition("?")[0])
        operation = found.operation if isinstance(found, Match) else None
        if operation is None:
            return request.method in SAFE or "*" in self.globs
        if request.method in SAFE or self._only_reads(operation, request):
            return True
        return self._is_named(operation.id)

    def writes(self, operation: Operation) -> bool:
        """Whether sending this may change something."""
        return operation.method not in SAFE

    def allows(self, operation: Operation) -> bool:
        """Whether an operation may be sent in every form."""
        return not self.writes(operation) or self._is_named(operation.id)

    def _is_named(self, operation: str) -> bool:
        return any(fnmatchcase(operation, each) for each in self.globs)

    def _only_reads(self, operation: Operation, request: Request) -> bool:
        """Whether this is a JSON-RPC call of a method that only reads."""
        binding = self.provider.rules.bindings.get(operation.id)
        if binding is None or not binding.methods:
            return False
        try:
            body = loads(request.body)
        except ValueError:
            return False
        name = body.get("method") if isinstance(body, dict) else None
        method = binding.methods.get(name) if isinstance(name, str) else None
        if method is None or method.operation not in self.provider.rules.bindings:
            return False
        return self.provider.rules.bindings[method.operation].verb in READING


def as_document(plan: Plan) -> dict[str, Json]:
    """The plan as ``--json --dry-run`` prints it."""
    return {
        "command": plan.command,
        "target": plan.url,
        "provider": plan.provider,
        "phases": list(plan.phases),
        "principals": list(plan.principals),
        "operations": [
            {"id": each.id, "method": each.method, "path": each.path, "writes": each.writes, "allowed": each.allowed}
            for each in plan.operations
        ],
        "scenarios": list(plan.scenarios),
        "requests": plan.requests,
        "rate": plan.rate or None,
        "seconds": plan.seconds,
        "seed": plan.seed,
        "shard": f"{plan.shard[0]}/{plan.shard[1]}",
        "workers": plan.workers,
        "cleanup": plan.cleanup,
    }


def print_plan(plan: Plan, console: "Console", *, whole: bool) -> None:
    """Print the plan. ``whole`` lists every operation."""
    say: Callable[[str, str], None] = lambda name, text: console.print(  # noqa: E731 - a local form of words
        f"  {name:<12}{printable(text)}", markup=False, highlight=False, soft_wrap=True
    )
    console.print(
        printable(f"{plan.command} {plan.provider} at {plan.url}"), markup=False, highlight=False, soft_wrap=True
    )
    say("phases", ", ".join(plan.phases))
    if plan.scenarios:
        say("scenarios", ", ".join(plan.scenarios))
    say("callers", _callers(plan))
    writing = [each for each in plan.operations if each.writes]
    denied = [each.id for each in writing if not each.allowed]
    say(
        "operations",
        f"{len(plan.operations)}, {len(writing)} of which write" + (f", {len(denied)} not allowed" if denied else ""),
    )
    if denied and not whole:
        say("", f"not sent: {', '.join(denied)}; --allow-writes [GLOB] sends them")
    for each in plan.operations if whole else ():
        mark = "reads" if not each.writes else "writes" if each.allowed else "writes, not allowed"
        say("", f"{each.method:<8}{each.path}  {each.id}  ({mark})")
    say(
        "requests",
        f"about {plan.requests:,}, "
        + (f"at most {plan.rate:g} a second" if plan.rate else "as fast as they are answered"),
    )
    say("time", "until it is done" if plan.seconds is None else f"at most {plan.seconds:g} s")
    shards = f", shard {plan.shard[0]}/{plan.shard[1]}" if plan.shard[1] > 1 else ""
    workers = f", {plan.workers} workers" if plan.workers > 1 else ""
    say("seed", f"{plan.seed}{shards}{workers}")


def _callers(plan: Plan) -> str:
    if plan.principals:
        whose = "your credentials" if plan.own_credentials else "demo credentials"
        return f"{', '.join(plan.principals)} ({whose})"
    if plan.open:
        return "nobody: it asks for no credentials"
    return "nobody, though it asks for credentials: --credentials FILE says whose, or `principals` in provider.yaml"
