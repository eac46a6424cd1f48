"""``tasktwin check``: is the data of a provider right? Everything that is wrong is told at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from tasktwin.behaviour.rules import ENGINE_KINDS
from tasktwin.behaviour.sign_in import identify
from tasktwin.behaviour.world import World
from tasktwin.behaviour.worlds import Plan, Worlds
from tasktwin.contract import verify
from tasktwin.errors import DataError, MisuseError, Problem, Refusal
from tasktwin.provider import fidelity
from tasktwin.provider.provenance import Fact, counts, facts
from tasktwin.provider.provider import Provider, load
from tasktwin.provider.yaml_file import did_you_mean, located, read_yaml
from tasktwin.state import Query
from tasktwin.wire import Json

MOST_ROWS = 2_000
"""So many rows of a collection are checked in each set of seeds."""


@dataclass(slots=True)
class Report:
    """What was found. ``figures`` are the counts that the command prints."""

    provider: str
    problems: list[Problem] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, int] = field(default_factory=dict)

    @property
    def errors(self) -> list[Problem]:
        """The problems that make the data wrong."""
        return [problem for problem in self.problems if problem.level == "error"]

    def as_json(self) -> Json:
        """As ``--json`` prints it."""
        return {
            "provider": self.provider,
            "ok": not self.errors,
            "figures": self.figures,
            "provenance": self.provenance,
            "problems": [
                {
                    "level": each.level,
                    "message": each.message,
                    "file": each.file,
                    "line": each.line,
                    "pointer": each.pointer,
                    "hint": each.hint,
                }
                for each in self.problems
            ],
        }


def check_provider(name: str, *, write_fidelity: bool = False) -> Report:
    """Check a bundled provider or a folder. Wrong data is in the report; raises ``DataError`` only if there is no such folder."""
    try:
        provider = load(name)
    except DataError as error:
        return Report(name, list(error.problems))
    if write_fidelity:
        fidelity.write_fidelity(provider)
    found = facts(provider)
    report = Report(provider.name, provenance=counts(found))
    path = provider.folder / "openapi.yaml"
    called = f"{provider.folder.name}/openapi.yaml"
    report.problems += [located(each, path, called) for each in verify(provider.rules.contract.document)]
    if not provider.inferred:
        behaviour = provider.folder / "provider.yaml"
        told = f"{provider.folder.name}/provider.yaml"
        problems = [*_sources(provider, found), *_effects(provider), *_bindings(provider), *_fidelity(provider)]
        report.problems += [located(each, behaviour, told) for each in problems]
    report.problems += [*_seeds(provider), *_scenarios(provider)]
    report.figures = _figures(provider)
    return report


def _figures(provider: Provider) -> dict[str, str]:
    rules = provider.rules
    operations = rules.contract.operations
    states = [state for each in rules.lifecycles.values() for state in each.states]
    reachable = [state for each in rules.lifecycles.values() for state in each.reachable()]
    uncovered = [each.id for each in operations.values() if each.uncovered]
    return {
        "operations bound": f"{sum(1 for name in operations if name in rules.bindings)} of {len(operations)}",
        "operations checked by openapi-core": f"{len(uncovered)}" + (f" ({', '.join(uncovered)})" if uncovered else ""),
        "states reachable": f"{len(reachable)} of {len(states)}",
        "transitions": str(sum(len(each.transitions) for each in rules.lifecycles.values())),
        "seeds": ", ".join(provider.seeds),
        "scenarios": ", ".join(path.name.removesuffix(".arazzo.yaml") for path in provider.scenarios) or "none",
    }


def _sources(provider: Provider, found: list[Fact]) -> Iterator[Problem]:
    known = provider.data.get("sources", {})
    for fact in found:
        if fact.provenance.kind != "assumed" and fact.provenance.note.split(" ")[0] not in known:
            message = f"{fact.about}: the source {fact.provenance.note!r} is not among `sources`"
            yield Problem(message, fact.pointer, hint=did_you_mean(fact.provenance.note, [*known]))
    for operation in provider.rules.contract.operations.values():
        if "x-provenance" not in operation.extensions:
            yield Problem(f"{operation.id} does not say where it comes from", hint="Add x-provenance.", level="warning")


def _effects(provider: Provider) -> Iterator[Problem]:
    declared = {*provider.rules.errors.answers, *ENGINE_KINDS}
    for name, effect in provider.rules.effects.items():
        for kind in getattr(effect, "refuses", ()):
            if kind not in declared:
                hint = did_you_mean(kind, sorted(declared))
                yield Problem(
                    f"the effect {name!r} may refuse with {kind!r}, which no error describes",
                    "/errors/kinds",
                    hint=hint,
                )


def _bindings(provider: Provider) -> Iterator[Problem]:
    bound = provider.rules.bindings
    for operation in provider.rules.contract.operations.values():
        if operation.id not in bound:
            yield Problem(f"{operation.id} is not modelled", "/operations", hint="Bind it to a verb.", level="warning")
    used = {
        effect
        for each in provider.rules.lifecycles.values()
        for way in each.transitions.values()
        for effect in way.effects
    }
    used |= {each.effect for each in bound.values()}
    for name in sorted(set(provider.rules.effects) - used):
        yield Problem(f"the effect {name!r} is used by nothing", "/effects", level="warning")


def _fidelity(provider: Provider) -> Iterator[Problem]:
    if not fidelity.is_current(provider):
        there = (provider.folder / fidelity.NAME).is_file()
        what = "does not say what the data says" if there else "is missing"
        yield Problem(
            f"{fidelity.NAME} {what}",
            hint="Run: tasktwin check --write-fidelity",
            level="error" if there else "warning",
        )


def _seeds(provider: Provider) -> Iterator[Problem]:
    for name in provider.seeds:
        path = provider.folder / "seeds" / f"{name}.yaml"
        called = f"{provider.folder.name}/seeds/{name}.yaml"
        try:
            world = Worlds(provider.rules, provider.seeds, Plan(seeds=name, mode="frozen")).get()
        except (Refusal, MisuseError, ValueError) as error:
            yield Problem(f"the seeds cannot be sown: {error}", file=called)
            continue
        for problem in _rows(provider, world):
            yield located(problem, path, called)
        if name == "default":
            yield from _principals(provider, world)


def _rows(provider: Provider, world: World) -> Iterator[Problem]:
    for collection in provider.rules.collections.values():
        if collection.schema is None:
            continue
        for n, row in enumerate(islice(world.store.find(Query(collection.name)), MOST_ROWS)):
            shown = {key: value for key, value in row.items() if key not in collection.private}
            shown |= {join.field: join.otherwise for join in collection.joins}
            for violation in collection.schema.check(shown):
                where = f"/rows/{collection.name}/{n}{violation.pointer}"
                yield Problem(f"{collection.name} {row[collection.id_field]}: {violation.message}", where)


def _principals(provider: Provider, world: World) -> Iterator[Problem]:
    secured = [each for each in provider.rules.contract.operations.values() if each.security]
    for who in provider.rules.principals.values():
        try:
            for operation in secured[:1]:
                identify(world, operation, partial(_credential, provider, who.headers))
        except Refusal as refusal:
            file = f"{provider.folder.name}/provider.yaml"
            yield Problem(f"the demo caller {who.name!r} cannot sign in: {refusal}", f"/principals/{who.name}", file)


def _credential(provider: Provider, headers: Mapping[str, str], scheme: str) -> str | None:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return provider.rules.contract.schemes[scheme].credential(b"", raw)


def _scenarios(provider: Provider) -> Iterator[Problem]:
    for path in provider.scenarios:
        called = f"{path.parent.name}/{path.name}"
        try:
            document = read_yaml(path, called)
        except DataError as error:
            yield from error.problems
            continue
        for problem in _steps(document, provider):
            yield located(problem, path, called)


def _steps(document: Json, provider: Provider) -> Iterator[Problem]:
    known = provider.rules.contract.operations
    if not isinstance(document, dict) or not str(document.get("arazzo", "")).startswith("1."):
        yield Problem("this is no Arazzo 1 document", "/arazzo")
        return
    for n, workflow in enumerate(document.get("workflows") or ()):
        for m, step in enumerate(workflow.get("steps") or ()):
            operation = str(step.get("operationId", "")).rsplit(".", 1)[-1]
            if operation and operation not in known:
                hint = did_you_mean(operation, [*known])
                yield Problem(
                    f"there is no operation {operation!r}", f"/workflows/{n}/steps/{m}/operationId", hint=hint
                )
