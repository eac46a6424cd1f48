"""What ``tasktwin load`` is going to do, for a person or as JSON; printed before anything is sent."""

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Protocol

from tasktwin.errors import printable
from tasktwin.provider import Provider
from tasktwin.suite.command import plan as whole
from tasktwin.suite.command.order import Order
from tasktwin.suite.command.plan import Planned
from tasktwin.suite.load.repertoire import LONGEST, Repertoire, scenarios_of
from tasktwin.suite.target import Callers
from tasktwin.wire import Json


class Wish(Protocol):
    """What was asked for."""

    @property
    def order(self) -> Order:
        """What it shares with ``verify``."""

    @property
    def users(self) -> int:
        """How many play at once."""

    @property
    def rate(self) -> float:
        """How many begin in a second."""

    @property
    def scenarios(self) -> tuple[str, ...]:
        """Globs."""

    @property
    def worker(self) -> bool:
        """Whether a master says how many users there are, and how long."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``users`` is 0 where a master says it. ``operations`` are those of the scenarios' steps."""

    url: str
    provider: str
    principals: tuple[str, ...]
    own_credentials: bool
    operations: tuple[Planned, ...]
    scenarios: tuple[str, ...]
    users: int
    spawn_rate: float
    seconds: float | None

    def as_document(self) -> dict[str, Json]:
        """As ``--json --dry-run`` prints it."""
        return {
            "command": "load",
            "target": self.url,
            "provider": self.provider,
            "principals": list(self.principals),
            "operations": [asdict(each) for each in self.operations],
            "scenarios": list(self.scenarios),
            "users": self.users or None,
            "spawn_rate": self.spawn_rate,
            "seconds": self.seconds,
        }

    def as_text(self) -> str:
        """As a person reads it."""
        writing = [each for each in self.operations if each.writes]
        denied = [each.id for each in writing if not each.allowed]
        whose = "your credentials" if self.own_credentials else "demo credentials"
        lines = [
            ("scenarios", ", ".join(self.scenarios)),
            ("callers", f"{', '.join(self.principals)} ({whose})"),
            (
                "operations",
                f"{len(self.operations)}, {len(writing)} of which write"
                + (
                    f", {len(denied)} not allowed: {', '.join(denied)}; --allow-writes [GLOB] sends them"
                    if denied
                    else ""
                ),
            ),
            ("users", f"{self.users:,}, {self.spawn_rate:g} more each second" if self.users else "as the master says"),
            ("time", _time(self)),
        ]
        head = printable(f"load {self.provider} at {self.url}")
        return "\n".join([head, *(f"  {name:<12}{printable(text)}" for name, text in lines)]) + "\n"


def plan_of(wish: Wish, provider: Provider, callers: Callers) -> Plan:
    """The plan. Raises ``DataError``, and ``MisuseError`` for globs that match nothing and where nothing can be played."""
    order = wish.order
    plan = whole.plan_of(order, provider, callers)
    scenarios = scenarios_of(provider, wish.scenarios)
    used = {step.operation for each in scenarios for flow in each.workflows.values() for step in flow.steps}
    return Plan(
        order.url,
        provider.name,
        plan.principals,
        plan.own_credentials,
        tuple(each for each in plan.operations if each.id in used),
        tuple(each.name for each in scenarios),
        0 if wish.worker else wish.users,
        wish.rate,
        None if wish.worker else order.time_budget,
    )


def told(found: Repertoire, *, worlds: bool) -> str:
    """What was seen at the target, and what is left out for it."""
    where = (
        "each user has one of its own, put back before each scenario"
        if worlds
        else f"none: all users share the target's data, what they make stays there, nothing waits over {LONGEST:g} s"
    )
    reasons = defaultdict[str, list[str]](list)
    for each in found.omitted:
        reasons[each.why].append(each.name)
    omitted = [f"  left out    {printable(', '.join(names) + ': ' + why)}" for why, names in reasons.items()]
    return "\n".join([f"  worlds      {where}", *omitted]) + "\n"


def _time(plan: Plan) -> str:
    if plan.seconds is not None:
        return f"{plan.seconds:g} s"
    return "until Ctrl-C" if plan.users else "as the master says"
