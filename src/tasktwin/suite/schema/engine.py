"""Schemathesis's engine on the target: one run of it for each unit of work, its events as findings and skips."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from hypothesis import strategies
from hypothesis.control import current_build_context
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.transport import Response
from schemathesis.engine import events
from schemathesis.engine.context import EngineContext
from schemathesis.engine.core import EventStream, ExecutionPlan
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.engine.run import Phase, PhaseName
from schemathesis.generation.case import Case
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.schemas import OpenApiSchema

from tasktwin.contract import Operation
from tasktwin.suite.budget import SpentError
from tasktwin.suite.finding import Finding, Line
from tasktwin.suite.request_fault import faults
from tasktwin.suite.run import Run, Went
from tasktwin.suite.schema.check import registered
from tasktwin.suite.schema.choice import Off, is_off, turned_off
from tasktwin.suite.schema.failure import CONFORMANCE, cause_of, findings_of
from tasktwin.suite.schema.transport import TargetTransport, is_broken
from tasktwin.suite.story.step import probe
from tasktwin.suite.traffic import Request

MOST_EVENTS = 50
"""So many events of a stream are read."""

MOST_STEPS = 8
"""So many requests a stateful scenario has."""

FEW = 10
"""One in so many examples is enough for an operation that takes nothing but identifiers: the rest says the same."""

REFUSALS = ["4xx", "5xx"]
"""Any of these refuses wrong data; which one is right is the contract's business."""

OTHER_METHODS = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "TRACE")

OWN_CHECKS = ("answered", "envelope", "paging", "error_dialect")


class SignedIn:
    """Marks cases as signed in. Who it is and the credentials are the transport's business, so that none is kept."""

    def __init__(self, public: frozenset[str]) -> None:
        self.public = public

    def get(self, case: Case[Any], _ctx: Any) -> bool | None:
        """Whether the operation knows sign-in at all."""
        return None if case.operation.label in self.public else True

    def set(self, case: Case[Any], data: bool, ctx: Any) -> None:  # noqa: FBT001 - Schemathesis's protocol
        """Nothing stands in the case itself."""


@dataclass(slots=True)
class Engine:
    """Schemathesis, bound to a run's target for one phase."""

    run: Run
    phase: str
    transport: TargetTransport
    schema: BaseSchema
    operations: list[Operation]
    scenarios: int = 0
    told: set[tuple[str, str]] = field(default_factory=set)
    is_short: bool = False

    def see_that_all_was_sent(self) -> None:
        """Raises ``SpentError`` if the time was too short for one of the units."""
        if self.is_short:
            raise SpentError(self.run.target.budget.over)

    def work(self, unit: str, schema: BaseSchema, seconds: float) -> None:
        """Let the engine do a unit: the phase on a schema, for so many seconds at most (infinite for no bound).

        Raises ``SpentError``, ``UnreachableError`` and KeyboardInterrupt as they come, after what was found is told.
        """
        name = PhaseName(self.phase)
        most: Any = None if seconds == float("inf") else max(seconds, 0.0)
        context = EngineContext(schema=schema, stop_event=threading.Event(), max_time=most)
        self.transport.give_up = lambda: setattr(context.control, "max_time", 0)
        plan = ExecutionPlan([Phase(name)])
        stream = EventStream(plan.execute(context), context.control.stop_event)
        interrupted = False
        try:
            for event in stream:
                interrupted = interrupted or isinstance(event, events.Interrupted)
                self._hear(event)
                if isinstance(event, events.PhaseFinished):
                    break
        finally:
            stream.stop()
            stream.generator.close()
        ended, left = self.transport.ended, self.run.target.budget.left
        by_engine = ended is None and not interrupted and context.control.has_reached_time_limit
        if by_engine or (isinstance(ended, SpentError) and left <= 0):  # who of the two saw it first is chance
            self.is_short = True
            self.run.skip(self.phase, unit, "its share of the time was over before all was sent")
        if ended is not None:
            raise ended
        if interrupted:
            raise KeyboardInterrupt

    def only(self, *operations: Operation) -> BaseSchema:
        """The schema with these operations."""
        wanted = {(each.method, each.path) for each in operations}
        return self.schema.include(lambda context: (context.operation.method.upper(), context.operation.path) in wanted)

    def _hear(self, event: events.EngineEvent) -> None:
        if isinstance(event, events.ScenarioFinished):
            self._judge(event.recorder)
            self._progress()
        elif isinstance(event, events.NonFatalError):
            self._skip(event.label, event.value)
        elif isinstance(event, events.FatalError):
            self._skip("engine", event.exception)

    def _progress(self) -> None:
        """A stateful run is one long unit: its scenarios tell how far it is."""
        self.scenarios += 1
        if self.phase == "stateful":
            most = scenarios(self.run)
            self.run.tell(Went(self.phase, min(self.scenarios, most), most, "scenarios"))

    def _skip(self, what: str, error: Exception) -> None:
        said = next((line for line in str(error).splitlines() if line.strip()), "")
        why = f"{type(error).__name__}: {said}" if said else type(error).__name__
        if (what, why) not in self.told:
            self.told.add((what, why))
            self.run.skip(self.phase, what, self.run.target.callers.redact(why))

    def _judge(self, recorder: ScenarioRecorder) -> None:
        """Report what failed in a scenario, each cause by its shortest story first."""
        found: list[Finding] = []
        for case_id, nodes in recorder.checks.items():
            for node in nodes:
                if node.failure_info is not None:
                    story = self._story(recorder, case_id, node.failure_info.failure, node.name)
                    found += findings_of(self.run, self.phase, node.name, node.failure_info.failure, story)
        for finding in sorted(found, key=lambda each: (len(each.story), len(each.script))):
            self.run.report(finding)
        for case_id in recorder.cases:
            self.transport.lines.pop(case_id, None)

    def _story(self, recorder: ScenarioRecorder, case_id: str, failure: Failure, check: str) -> list[Line]:
        """The exchanges that led to a failure. Of a missing sign-in the one that should have been refused says all."""
        related = failure.related_case_ids()
        chain = [case.id for case in recorder.iter_chain_cases(case_id=case_id, related_case_ids=related)]
        chain = [each for each in chain if each in self.transport.lines and each != case_id]
        return [self.transport.lines[each] for each in ([] if check == "ignored_auth" else chain) + [case_id]]


def opened(run: Run, phase: str) -> AbstractContextManager[Engine]:
    """The engine for one phase of a run. Raises Schemathesis's errors where it cannot read the contract."""
    operations = chosen(run)
    names = {(each.method, each.path): each.id for each in run.provider.rules.contract.operations.values()}
    transport = TargetTransport(run.target, lambda method, path: names.get((method, path), ""), run.answered)
    offs = turned_off(run.provider)
    tell_off(run, phase, offs)
    return _checking(Engine(run, phase, transport, _bound(run, phase, transport, operations, offs), operations))


@contextmanager
def _checking(engine: Engine) -> Iterator[Engine]:
    """With our checks among Schemathesis's, and in a world of its own where there are worlds; afterwards nothing of it is left."""
    target, shard = engine.run.target, engine.run.options.shard[0]
    world = f"{engine.phase}-{target.now() // 1000 % 10**9}-{shard}"
    own = target.clock.own_world(world, target.now()) if target.clock else nullcontext()
    with registered(engine.run.provider, engine.transport.lines.get), own:
        yield engine


def chosen(run: Run) -> list[Operation]:
    """The operations that were asked for and may be sent."""
    contract = run.provider.rules.contract
    return [
        each
        for each in contract.operations.values()
        if run.asked_for(each.id) and run.target.may_send(probe(contract, each.id))
    ]


def tell_off(run: Run, phase: str, offs: list[Off]) -> None:
    """Say once in a run which checks are not made, and why."""
    said = {each.what for each in run.skipped}
    for off in offs:
        what = f"check {off.check}" + ("" if off.operation == "*" else f" of {off.operation}")
        if what not in said and (off.operation == "*" or run.asked_for(off.operation)):
            run.skip(phase, what, off.reason)


def scenarios(run: Run) -> int:
    """So many scenarios of several requests stand for so many examples of one."""
    return max(1, run.options.max_examples // 2)


def _bound(
    run: Run, phase: str, transport: TargetTransport, operations: list[Operation], offs: list[Off]
) -> BaseSchema:
    """The provider's document as Schemathesis has it, its requests going through our transport."""
    config = SchemathesisConfig.from_dict(_settings(run, phase, operations, offs))
    loaded = schemathesis.openapi.from_dict(deepcopy(run.provider.rules.contract.document), config=config)

    class Bound(OpenApiSchema):
        @property
        def transport(self) -> TargetTransport:
            return transport

        def create_extra_data_source(self) -> None:
            """What one operation answers must not decide what is sent to another: units are independent."""

        def build_state_machine(self, **options: Any) -> Any:
            machine = super().build_state_machine(**options)

            class Played(machine):  # type: ignore[valid-type,misc]
                """One caller does all of a scenario; Hypothesis chooses whom, so that a replay is the same."""

                def __init__(self) -> None:
                    super().__init__()
                    if transport.callers:
                        among = strategies.sampled_from(transport.callers)
                        transport.scenario_as = current_build_context().data.draw(among)

            return Played

    schema: BaseSchema = Bound(loaded.raw_schema, config=loaded.config, location=loaded.location)
    public = frozenset(f"{each.method} {each.path}" for each in operations if not any(each.security))
    schema.auth.providers.append(SignedIn(public))
    schema.hooks.hook("filter_failure")(_sieve(run, phase, transport, offs))
    return schema


def _sieve(run: Run, phase: str, transport: TargetTransport, offs: list[Off]) -> Any:
    """A hook that drops what is no fault of the deployment, or known already, so that nobody looks for it again."""
    operations = run.provider.rules.contract.operations.values()
    names = {f"{each.method} {each.path}": each.id for each in operations}

    def filter_failure(context: Any, failure: Failure, case: Case[Any], response: Response) -> bool:
        del context
        check = failure.title if failure.title in OWN_CHECKS else next(iter(failure.checks), "")
        line = transport.lines.get(failure.case_id or case.id)
        if is_off(offs, check, names.get(case.operation.label, "")):
            return False
        if line is not None and is_broken(line.reply) and check != "answered":
            return False
        if check in CONFORMANCE and response.status_code >= 500:
            return False
        if isinstance(failure, AcceptedNegativeData) and line is not None and not faults(run.provider, line.request):
            return False
        again = phase in {"fuzzing", "stateful"} and run.findings.has(cause_of(run.provider, check, failure, line))
        return not again

    return filter_failure


def _settings(run: Run, phase: str, operations: list[Operation], offs: list[Off]) -> dict[str, Any]:
    """Schemathesis's configuration. Whatever remembers, guesses credentials or looks for itself is off."""
    options, prefix = run.options, run.provider.rules.contract.prefix
    methods = [
        each for each in OTHER_METHODS if all(run.target.may_send(Request(each, prefix + o.path)) for o in operations)
    ]
    alone = {"extra-data-sources": {"responses": False}}
    return {
        "seed": options.seed,
        "base-url": run.target.url + prefix,
        "workers": 1,
        "max-redirects": 0,
        "max-stream-events": MOST_EVENTS,
        "continue-on-failure": phase in {"examples", "coverage"},
        "cache": {"enabled": False},
        "generation": {
            "database": "none",
            "max-examples": options.max_examples,
            "with-security-parameters": False,
            # what cannot stand in a header is not the deployment's to refuse
            "exclude-header-characters": "".join(map(chr, [*range(32), *range(127, 256)])),
        },
        "checks": {
            **{
                check: {"expected-statuses": REFUSALS}
                for check in ("negative_data_rejection", "missing_required_header")
            },
            **{each.check: {"enabled": False} for each in offs if each.operation == "*"},
        },
        "phases": {
            "examples": alone,
            "coverage": {**alone, "unexpected-methods": methods},
            "fuzzing": alone,
            "stateful": {
                "generation": {"max-examples": scenarios(run)},
                "max-steps": MOST_STEPS,
                "inference": {"algorithms": []},
            },
        },
        "operations": [*_special(run, operations, offs)],
    }


def _special(run: Run, operations: list[Operation], offs: list[Off]) -> Iterator[dict[str, Any]]:
    """What holds for one operation only."""
    for each in operations:
        own: dict[str, Any] = {}
        silent = [off.check for off in offs if off.operation != "*" and is_off([off], off.check, each.id)]
        if silent:
            own["checks"] = {check: {"enabled": False} for check in silent}
        if each.body is None and all(one.where == "path" for one in each.declared):
            few = max(1, run.options.max_examples // FEW)
            own["phases"] = {"fuzzing": {"generation": {"max-examples": few}}}
        if own:
            yield {"include-path": each.path, "include-method": each.method, **own}
