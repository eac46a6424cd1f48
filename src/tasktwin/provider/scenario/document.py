"""What an Arazzo 1.0 document says, with its references to components followed: the values that a player needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from tasktwin.behaviour.lifecycle import Provenance
from tasktwin.provider.scenario.condition import Condition
from tasktwin.provider.scenario.expression import Expression
from tasktwin.wire import Json

Place: TypeAlias = Literal["path", "query", "header", "cookie", ""]


@dataclass(frozen=True, slots=True)
class Criterion:
    """One assertion. ``simple`` is set for conditions, else ``kind`` says how ``context`` is held against ``text``."""

    text: str
    kind: Literal["simple", "regex", "jsonpath"] = "simple"
    simple: Condition | None = None
    context: Expression | None = None


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value and where it goes; ``place`` is empty for an input of a workflow."""

    name: str
    place: Place
    value: Json


@dataclass(frozen=True, slots=True)
class Action:
    """What follows when all ``criteria`` hold. ``step`` or ``workflow`` is where to go, or what to do before a retry."""

    name: str
    kind: Literal["end", "goto", "retry"]
    step: str = ""
    workflow: str = ""
    after: float = 0.0
    limit: int = 1
    criteria: tuple[Criterion, ...] = ()


@dataclass(frozen=True, slots=True)
class Trigger:
    """Something that no call of the API causes, and the row (a template) that it happens to."""

    name: str
    collection: str
    id: Json


@dataclass(frozen=True, slots=True)
class StreamWish:
    """How far a stream is read: so many events (0: all), or until one with this name. ``resume`` is a template."""

    events: int = 0
    until: str = ""
    resume: Json = None


@dataclass(frozen=True, slots=True)
class Step:
    """One request, or one workflow that is called.

    ``as_`` is the principal who sends it, "" for nobody, ``None`` if the step's own parameters say it. ``wait`` are
    seconds that pass before. ``own_criteria`` and ``own_outputs`` are those that only we look at.
    """

    id: str
    about: str
    pointer: str
    operation: str = ""
    workflow: str = ""
    as_: str | None = None
    parameters: tuple[Parameter, ...] = ()
    media: str = ""
    payload: Json = None
    has_payload: bool = False
    replacements: tuple[tuple[str, Json], ...] = ()
    criteria: tuple[Criterion, ...] = ()
    own_criteria: tuple[Criterion, ...] = ()
    outputs: Mapping[str, Expression] = field(default_factory=dict)
    own_outputs: Mapping[str, Expression] = field(default_factory=dict)
    on_success: tuple[Action, ...] = ()
    on_failure: tuple[Action, ...] = ()
    wait: float = 0.0
    trigger: Trigger | None = None
    stream: StreamWish | None = None
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class Workflow:
    """Steps in their order. ``names`` are all inputs, ``inputs`` the defaults, ``required`` those that must be there."""

    id: str
    about: str
    steps: tuple[Step, ...]
    inputs: Mapping[str, Json] = field(default_factory=dict)
    names: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    depends_on: tuple[str, ...] = ()
    outputs: Mapping[str, Expression] = field(default_factory=dict)
    provenance: Provenance | None = None

    def index(self, step: str) -> int:
        """The place of a step. Raises ``KeyError``."""
        for n, each in enumerate(self.steps):
            if each.id == step:
                return n
        raise KeyError(step)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One document. ``name`` is its file's, without its ending; ``sources`` are its descriptions' URLs."""

    name: str
    title: str
    about: str
    path: Path
    workflows: Mapping[str, Workflow]
    sources: Mapping[str, str] = field(default_factory=dict)
    provenance: Provenance | None = None
