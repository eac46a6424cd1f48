"""``tasktwin check``: is the data of a provider right? Everything that is wrong is told at once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

from tasktwin.behaviour.rules import ENGINE_KINDS
from tasktwin.behaviour.sign_in import identify
from tasktwin.behaviour.world import World
from tasktwin.behaviour.worlds import Plan, Worlds
from tasktwin.contract import Operation, verify
from tasktwin.contract.violation import token
from tasktwin.errors import DataError, MisuseError, Problem, Refusal
from tasktwin.provider import fidelity
from tasktwin.provider.document import told_by_file
from tasktwin.provider.provenance import Fact, counts, facts
from tasktwin.provider.provider import Provider, load
from tasktwin.provider.scenario import check_scenario
from tasktwin.provider.yaml_file import did_you_mean, located, read_yaml
from tasktwin.state import Query
from tasktwin.wire import Json

MOST_PROBLEMS = 50
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
    found_by_openapi = (
        replace(each, message=each.message.splitlines()[0]) for each in verify(provider.rules.contract.document)
    )
    report.problems += told_by_file(found_by_openapi, path, called)
    if not provider.inferred:
        behaviour = provider.folder / "provider.yaml"
        told = f"{provider.folder.name}/provider.yaml"
        problems = [*_sources(provider, found), *_effects(provider), *_bindings(provider), *_fidelity(provider)]
        report.problems += located(problems, behaviour, told)
    else:
        report.problems += told_by_file(_not_inferred(provider), path, called)
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
    for file in ("openapi.yaml", "provider.yaml"):
        problems = [problem for fact in found if fact.file == file for problem in _source(fact, known)]
        if file == "openapi.yaml":
            problems += _untold(provider)
        yield from told_by_file(problems, provider.folder / file, f"{provider.folder.name}/{file}")


def _source(fact: Fact, known: Mapping[str, Json]) -> Iterator[Problem]:
    kind, note = fact.provenance.kind, fact.provenance.note
    if not kind:
        hint = "Write 'stated TAG', 'observed TAG' or 'assumed: why'."
        yield Problem(f"{fact.about}: {note!r} is no provenance", fact.pointer, hint=hint)
    elif kind != "assumed" and note not in known:
        yield Problem(
            f"{fact.about}: the source {note!r} is not among `sources`", fact.pointer, hint=did_you_mean(note, known)
        )


def _untold(provider: Provider) -> Iterator[Problem]:
    for operation in provider.rules.contract.operations.values():
        if "x-provenance" not in operation.extensions:
            message, hint = f"{operation.id} does not say where it comes from", "Add x-provenance."
            yield Problem(message, operation.pointer, hint=hint, level="warning")


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


def _not_inferred(provider: Provider) -> Iterator[Problem]:
    for operation in provider.rules.contract.operations.values():
        if operation.id not in provider.rules.bindings:
            hint = "Its path tells no verb: bind it in provider.yaml."
            yield Problem(f"{operation.id} is not modelled", operation.pointer, hint=hint, level="warning")


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
    used |= {name for each in bound.values() for name in (each.effect, each.first)}
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
        behaviour, told = provider.folder / "provider.yaml", f"{provider.folder.name}/provider.yaml"
        path = provider.folder / "seeds" / f"{name}.yaml"
        called = f"{provider.folder.name}/seeds/{name}.yaml"
        try:
            world = Worlds(provider.rules, provider.seeds, Plan(seeds=name, mode="frozen")).get()
        except (Refusal, MisuseError, ValueError) as error:
            yield Problem(f"the seeds cannot be sown: {error}", file=called)
            continue
        own = read_yaml(path, called).get("rows", {}) if path.is_file() else {}
        yield from located(islice(_rows(provider, world, own), MOST_PROBLEMS), path, called)
        if name == "default":
            yield from located(_principals(provider, world), behaviour, told)


def _rows(provider: Provider, world: World, own: Mapping[str, list[dict[str, Json]]]) -> Iterator[Problem]:
    """Rows that break their schema. A pointer leads to those that the seeds' ``own`` file writes out."""
    for collection in provider.rules.collections.values():
        if collection.schema is None:
            continue
        places = {str(row.get(collection.id_field)): n for n, row in enumerate(own.get(collection.name, ()))}
        for row in world.store.find(Query(collection.name), 0, MOST_ROWS):
            shown = {key: value for key, value in row.items() if key not in collection.private}
            shown |= {join.field: join.otherwise for join in collection.joins}
            for violation in collection.schema.check(shown):
                key = str(row[collection.id_field])
                where = f"/rows{token(collection.name)}/{places[key]}{violation.pointer}" if key in places else ""
                yield Problem(f"{collection.name} {key}{violation.pointer}: {violation.message}", where)


def _principals(provider: Provider, world: World) -> Iterator[Problem]:
    for who in provider.rules.principals.values():
        refusals = [
            _refusal(provider, world, each, who.headers)
            for each in provider.rules.contract.operations.values()
            if each.security
        ]
        if refusals and all(refusals):
            yield Problem(
                f"the demo caller {who.name!r} cannot sign in: {refusals[0]}", f"/principals{token(who.name)}"
            )


def _refusal(provider: Provider, world: World, operation: Operation, headers: Mapping[str, str]) -> str:
    """Why an operation lets a caller not in; empty when it does."""
    try:
        identify(world, operation, partial(_credential, provider, headers))
    except Refusal as refusal:
        return str(refusal)
    return ""


def _credential(provider: Provider, headers: Mapping[str, str], scheme: str) -> str | None:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return provider.rules.contract.schemes[scheme].credential(b"", raw)


def _scenarios(provider: Provider) -> Iterator[Problem]:
    for path in provider.scenarios:
        yield from islice(check_scenario(path, provider.rules), MOST_PROBLEMS)
