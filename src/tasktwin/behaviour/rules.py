"""What a provider's data says, compiled: the values that the floor ``provider`` makes and this floor obeys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from tasktwin.behaviour.condition import ALWAYS, Condition
from tasktwin.behaviour.expression import Reader, Scope
from tasktwin.behaviour.lifecycle import Lifecycle, Provenance, Transition
from tasktwin.contract import Contract, Schema
from tasktwin.wire import Json

if TYPE_CHECKING:
    from tasktwin.behaviour.step import Step

Effect: TypeAlias = "Callable[[Step], Json]"
"""What a transition does beyond changing state. Raises ``Refusal``; its result is the answer of a ``compute`` verb."""

Verb: TypeAlias = Literal["create", "read", "list", "update", "delete", "move", "compute", "rpc", "document", "example"]

ENGINE_KINDS: Mapping[str, tuple[int, str]] = {
    "malformed": (400, "the body could not be read"),
    "invalid": (422, "the request breaks the contract"),
    "too_large": (413, "the body is too large"),
    "unsupported_media_type": (415, "the body's media type is not supported"),
    "not_authenticated": (401, "credentials are missing"),
    "bad_credential": (401, "the credential is not known"),
    "forbidden": (403, "the caller may not do this"),
    "no_such_path": (404, "there is no such path"),
    "method_not_allowed": (405, "the path does not take this method"),
    "not_found": (404, "there is no such resource"),
    "conflict": (409, "the resource is in another state"),
    "key_reused": (422, "the idempotency key was used for another request"),
    "not_modelled": (501, "the twin does not model this"),
}
"""The kinds of refusal that the engine itself raises, each with its status and meaning where the data is silent."""


STEPS = (
    "match",  # which operation is meant
    "authenticate",  # who calls, and may they at all
    "replay",  # has this idempotency key been answered before
    "check_request",  # does the request keep the contract
    "perform",  # do it, wholly or not at all
    "wrap",  # the provider's envelope
    "check_response",  # do we keep the contract ourselves
    "remember",  # a success, for its idempotency key
)
"""The steps of a request in their usual order; a provider's data may name another order of the same."""


@dataclass(frozen=True, slots=True)
class Join:
    """A field of the answer that comes from another collection: the first row there that fits."""

    field: str
    collection: str
    where: Condition
    order: str
    descending: bool
    give: Reader
    otherwise: Json


@dataclass(frozen=True, slots=True)
class Collection:
    """One kind of row: its schema, how its identifiers are made, who sees it and what is kept back.

    ``blank`` are all fields of a row, each with its default. Those of ``left_out`` are not there rather than null.
    """

    name: str
    schema: Schema | None
    properties: Mapping[str, Json]
    id_field: str = "id"
    make_id: str = "uuid"
    created: str = ""
    updated: str = ""
    private: frozenset[str] = frozenset()
    decimals: Mapping[str, int] = field(default_factory=dict)
    visible: Condition = ALWAYS
    roles: Mapping[str, Condition] = field(default_factory=dict)
    joins: tuple[Join, ...] = ()
    lifecycle: Lifecycle | None = None
    blank: Mapping[str, Json] = field(default_factory=dict)
    writable: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    instants: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Need:
    """A row that an operation cannot do without. It enters the scope under ``name``; else a refusal ``refuse``."""

    name: str
    collection: Collection
    id: Reader
    where: Condition
    states: tuple[str, ...]
    only: tuple[str, ...]
    missing: str
    refuse: str


@dataclass(frozen=True, slots=True)
class Filter:
    """A line of a list's query: applies only when ``value`` is there."""

    field: str
    value: Reader


@dataclass(frozen=True, slots=True)
class Search:
    """A list's search by text, in any case, in one of ``fields``: applies only when ``value`` is there."""

    fields: tuple[str, ...]
    value: Reader


@dataclass(frozen=True, slots=True)
class Paging:
    """How a list is cut: ``style`` page (from 1) or offset (from 0), and the answer around the items."""

    style: Literal["page", "offset"]
    start: Reader
    size: Reader
    answer: Reader


@dataclass(frozen=True, slots=True)
class Unique:
    """No second row that fits ``where`` may be made: else the refusal ``refuse``."""

    where: Condition
    refuse: str


@dataclass(frozen=True, slots=True)
class Method:
    """One JSON-RPC method and the operation it stands for."""

    operation: str
    params: Schema | None
    path: Reader
    body: Reader
    result: Reader
    provenance: Provenance
    errors: Mapping[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Binding:
    """What an operation of the contract does."""

    operation: str
    verb: Verb
    provenance: Provenance
    collection: Collection | None = None
    row: Reader | None = None
    where: Condition = ALWAYS
    needs: tuple[Need, ...] = ()
    only: tuple[str, ...] = ()
    forbidden: str = "forbidden"
    filters: tuple[Filter, ...] = ()
    search: Search | None = None
    order: str = ""
    descending: bool = False
    paging: Paging | None = None
    accepts: frozenset[str] = frozenset()
    defaults: Mapping[str, Json] = field(default_factory=dict)
    values: Reader | None = None
    copies: tuple[str, tuple[str, ...]] | None = None
    unique: Unique | None = None
    answer: Reader | None = None
    effect: str = ""
    shows: Collection | None = None
    methods: Mapping[str, Method] = field(default_factory=dict)
    rpc_errors: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    wrap: bool = True
    status: int = 0

    def transitions(self) -> tuple[Transition, ...]:
        """The lifecycle's transitions that this operation causes."""
        lifecycle = self.collection.lifecycle if self.collection else None
        return lifecycle.by_operation.get(self.operation, ()) if lifecycle else ()


@dataclass(frozen=True, slots=True)
class Look:
    """One look-up of a sign-in: the row of ``collection`` that fits, stored in the scope under ``name``."""

    name: str
    scheme: str
    collection: str
    where: Condition
    unknown: str


@dataclass(frozen=True, slots=True)
class Channel:
    """One way of signing in: the schemes it needs, the look-ups that prove it, and who the caller then is."""

    name: str
    lead: str
    looks: tuple[Look, ...]
    principal: Reader
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """How one kind of refusal looks: a status and the fields that the shape may use."""

    kind: str
    status: int
    fields: Mapping[str, Json]
    message: Reader
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """All kinds of refusal of a provider and the one shape in which they leave.

    ``own``: the data say nothing of errors, so that they are problems of the twin's own, which no contract covers.
    """

    answers: Mapping[str, ErrorAnswer]
    shape: Reader
    media: str
    own: bool = False

    def body(self, scope: Scope, kind: str, detail: str, data: Json, violations: list[Json]) -> tuple[int, Json]:
        """Status and body of a refusal. ``kind`` must be in the table."""
        answer = self.answers[kind]
        error = {**answer.fields, "kind": kind, "status": answer.status, "data": data, "violations": violations}
        error["detail"] = detail or ENGINE_KINDS.get(kind, (0, kind.replace("_", " ")))[1]
        error["message"] = answer.message({**scope, "error": error})
        return answer.status, self.shape({**scope, "error": error})


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Where the key stands, for which methods it counts, and how long (microseconds) its result is kept."""

    header: str
    methods: frozenset[str]
    fields: Mapping[str, str]
    keep: int
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class DemoPrincipal:
    """A caller that the seeds know: the headers to send, and a word about who it is."""

    name: str
    headers: Mapping[str, str]
    about: str


@dataclass(frozen=True)
class Rules:
    """One API, ready to be obeyed."""

    name: str
    title: str
    contract: Contract
    collections: Mapping[str, Collection]
    bindings: Mapping[str, Binding]
    channels: tuple[Channel, ...]
    errors: ErrorTable
    effects: Mapping[str, Effect]
    wrap: Reader | None = None
    idempotency: Idempotency | None = None
    principals: Mapping[str, DemoPrincipal] = field(default_factory=dict)
    precision: Literal["seconds", "milliseconds", "microseconds"] = "seconds"
    steps: tuple[str, ...] = STEPS
    limit: int = 1_048_576

    @cached_property
    def scopes(self) -> dict[tuple[str, str], frozenset[str]]:
        """The scopes a caller needs, by channel and operation; nothing where the operation does not take the channel."""
        needed: dict[tuple[str, str], frozenset[str]] = {}
        for channel in self.channels:
            schemes = {look.scheme for look in channel.looks}
            for operation in self.contract.operations.values():
                for each in operation.security:
                    if each and schemes.issuperset(scheme for scheme, _ in each):
                        wanted = frozenset(scope for _, scopes in each for scope in scopes)
                        needed.setdefault((channel.name, operation.id), wanted)
        return needed

    @cached_property
    def lifecycles(self) -> dict[str, Lifecycle]:
        """The lifecycles by name."""
        return {each.lifecycle.name: each.lifecycle for each in self.collections.values() if each.lifecycle}
