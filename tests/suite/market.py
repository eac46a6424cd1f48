"""The small market of jobs as a deployment: a good one, or one whose rules were changed; and what it is judged by."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from tests.provider.small import FILES, edited, write
from tests.suite.faulty_twin import Fault, deployed, plainly

from tasktwin.provider import Provider, load
from tasktwin.suite.budget import Budget
from tasktwin.suite.lifecycle.atlas import Atlas, explore
from tasktwin.suite.run import Options, Phase, Run, go_through
from tasktwin.suite.story.inputs import all_inputs
from tasktwin.suite.story.oracle import Oracle
from tasktwin.suite.story.sketch import Desk
from tasktwin.suite.story.stage import Stage, Theatre
from tasktwin.suite.story.step import Ref, Step
from tasktwin.suite.target import Callers, Target
from tasktwin.suite.traffic import Request
from tasktwin.wire import dumps

NOON = 1_790_000_000_000_000
"""An instant (µs)."""

ANN, BEN = "ann", "ben"

LIMITS = """\
limits:
  reading: {quota: 5, window: 10s, per: principal, methods: [GET], paths: [/jobs], headers: {Retry-After: $limit#/wait}, provenance: stated D}
"""


def files(*, more: str = "", **changed: str) -> dict[str, str]:
    """The market's files; ``provider`` and ``openapi`` replace one text by another, written ``old => new``.

    ``more`` changes ``provider`` once more.
    """
    one, example = (
        '{$ref: "#/components/schemas/NewJob"}}}}',
        '{$ref: "#/components/schemas/NewJob"}, example: {title: Dig, hours: 3}}}}',
    )
    found = dict(FILES)
    found["openapi.yaml"] = found["openapi.yaml"].replace(one, example)
    old = "      x-provenance: stated D\n      type: object\n      properties:\n        title:"
    found |= edited(
        "openapi.yaml", old, old.replace("object\n", "object\n      required: [title]\n"), found["openapi.yaml"]
    )
    for name, change in changed.items():
        was, _, becomes = change.partition(" => ")
        found |= edited(f"{name}.yaml", was, becomes, found[f"{name}.yaml"])
    if more:
        was, _, becomes = more.partition(" => ")
        found |= edited("provider.yaml", was, becomes, found["provider.yaml"])
    return found


def market(folder: Path, **changed: str) -> str:
    """The folder of a market, for ``load``, ``tasktwin serve`` and ``--provider``."""
    return str(write(folder, files(**changed)))


@cache
def good() -> Provider:
    """The market as it should be."""
    return load(good_folder())


@cache
def good_folder() -> str:
    return market(Path(mkdtemp()))


@cache
def bundled_desk(name: str) -> tuple[Desk, Atlas, list[str]]:
    """A desk for one of the providers (``market`` for this one), with its atlas and callers."""
    provider = good() if name == "market" else load(name)
    streams = provider.rules.streams
    inputs = {key: each for key, each in all_inputs(provider).items() if key not in streams}
    desk, principals = Desk(provider, inputs, NOON, 0), list(provider.rules.principals)
    return desk, explore(desk, principals, may_wait=True, streams=streams), principals


def oracle() -> Oracle:
    """A new oracle of the market."""
    return Oracle(good(), NOON)


def target_of(url: str, seconds: float | None = 60, provider: Provider | None = None) -> Target:
    principals = (provider or good()).rules.principals
    return Target(
        url, Callers({name: dict(each.headers) for name, each in principals.items()}), Budget(seconds), patience=3.0
    )


@contextmanager
def theatre(fault: Fault = plainly, by: Provider | None = None, **changed: str) -> Iterator[Theatre]:
    """A theatre for the good market (or what it is judged ``by``) on a deployment that has a fault or other rules."""
    folder = market(Path(mkdtemp()), **changed) if changed else good_folder()
    with deployed(folder, fault) as url:
        target = target_of(url)
        try:
            yield Theatre(Run(by or good(), target, Options(max_examples=4)))
        finally:
            target.close()


@contextmanager
def staged(fault: Fault = plainly, by: Provider | None = None, **changed: str) -> Iterator[Stage]:
    """One story on such a theatre."""
    with theatre(fault, by, **changed) as house, house.stage() as stage:
        yield stage


def run_on(url: str, phase: Phase, *operations: str, provider: Provider | None = None, **options: Any) -> Run:
    """A run of one phase of the good market's suite on a deployment."""
    target = target_of(url, provider=provider)
    run = Run(provider or good(), target, Options(operations=operations, **{"max_examples": 4, **options}))
    try:
        go_through(run, [("phase", phase)])
    finally:
        target.close()
    return run


def create(key: int = 1, who: str = ANN, **body: Any) -> Step:
    return Step(key, "createJob", who, body=body or {"title": "Dig", "hours": 3})


def job(key: int, operation: str, who: str = ANN, made: int = 1, **more: Any) -> Step:
    """A step on the job that an earlier step made."""
    return Step(key, operation, who, {"job_id": Ref(made, "/id")}, **more)


def ask(method: str, path: str, who: str = ANN, body: Any = None, **headers: str) -> Request:
    sent = {"content-type": "application/json"} if body is not None else {}
    return Request(method, path, who, {**sent, **headers}, dumps(body) if body is not None else b"")


def causes(run: Run) -> dict[str, str]:
    """What was found: the severity by the cause."""
    return {each.cause: each.severity for each in run.findings}
