"""What a provider's data says, compiled: the values that the floor ``provider`` makes and this floor obeys."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from tasktwin.behaviour.asked import Dialect
from tasktwin.behaviour.condition import ALWAYS, Condition
from tasktwin.behaviour.expression import Reader, Scope
from tasktwin.behaviour.lifecycle import Lifecycle, Provenance, Transition
from tasktwin.behaviour.signed import Jwt
from tasktwin.behaviour.telling import StreamRule
from tasktwin.contract import Contract, Schema
from tasktwin.errors import Refusal
from tasktwin.state import Row
from tasktwin.wire import Json

if TYPE_CHECKING:
    from tasktwin.behaviour.step import Step

Effect: TypeAlias = "Callable[[Step], Json]"
"""What a transition does beyond changing state. Raises ``Refusal``; its result is the answer of a ``compute`` verb."""

LimitMode: TypeAlias = Literal["on", "count", "off"]
"""Whether rate limits refuse, are only counted and told, or are not looked at."""

Verb: TypeAlias = Literal[
    "create", "read", "list", "update", "delete", "move", "compute", "upload", "rpc", "document", "example"
]

ENGINE_KINDS: Mapping[str, tuple[int, str]] = {
    "malformed": (400, "the body could not be read"),
    "invalid": (422, "the request breaks the contract"),
    "unparsable": (400, "the body could not be taken apart"),
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
    "key_missing": (400, "this operation needs an idempotency key"),
    "key_in_use": (409, "the first request with this idempotency key is not answered yet"),
    "throttled": (429, "too many requests"),
    "upload_invalid": (400, "the form lacks something, or its file is too large"),
    "upload_refused": (403, "the form is not signed, was changed, or is too old"),
    "gone": (410, "what the reader wants to go on from is no longer kept"),
    "not_modelled": (501, "the twin does not model this"),
    "unavailable": (503, "the service does not answer now"),
}
"""The kinds of refusal that the engine itself raises, each with its status and meaning where the data is silent."""


STEPS = (
    "match",  # which operation is meant
    "authenticate",  # who calls, and may they at all
    "count",  # how often has this caller asked
    "replay",  # has this idempotency key been answered before
    "fault",  # was trouble ordered for it
    "parse",  # can the body be read at all
    "check_request",  # does the request keep the contract
    "wish",  # does the client prefer another answer
    "perform",  # do it, wholly or not at all
    "wrap",  # the provider's envelope
    "check_response",  # do we keep the contract ourselves
    "remember",  # a success, for its idempotency key
)
"""The steps of a request in their usual order; a provider's data may name another order of the same."""


@dataclass(frozen=True, slots=True)
class Join:
    """A field of the answer that comes from another collection: the first row there that fits, or ``all``."""

    field: str
    collection: str
    where: Condition
    order: str
    descending: bool
    give: Reader
    otherwise: Json
    all: bool = False


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
    fault: Callable[[Row], str] = lambda _row: ""
    decimals: Mapping[str, int] = field(default_factory=dict)
    visible: Condition = ALWAYS
    roles: Mapping[str, Condition] = field(default_factory=dict)
    joins: tuple[Join, ...] = ()
    lifecycle: Lifecycle | None = None
    blank: Mapping[str, Json] = field(default_factory=dict)
    writable: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    instants: frozenset[str] = frozenset()
    stamped: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Know which fields tell when a row was made."""
        object.__setattr__(self, "stamped", tuple(name for name in (self.created, self.updated) if name))

    def topic(self, row: Row) -> str:
        """The topic that a row's events are written to."""
        return f"{self.name}:{row[self.id_field]}"


@dataclass(frozen=True, slots=True)
class Need:
    """A row that an operation cannot do without. It enters the scope under ``name``; else a refusal ``refuse``.

    An ``optional`` one that is not there, or does not fit, is ``None`` in the scope.
    """

    name: str
    collection: Collection
    id: Reader
    where: Condition
    states: tuple[str, ...]
    only: tuple[str, ...]
    missing: str
    refuse: str
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Guard:
    """A rule of an operation: when ``when`` holds it is refused with ``kind``, ``detail`` and ``data``."""

    when: Condition
    kind: str
    detail: Reader
    data: Reader

    def check(self, scope: Scope, row: Row) -> None:
        """Raises ``Refusal`` when the condition holds."""
        if self.when.holds(scope, row):
            raise Refusal(self.kind, str(self.detail(scope)), data=self.data(scope))


@dataclass(frozen=True, slots=True)
class Filter:
    """A line of a list's query: applies only when ``value`` is there. ``test(step, row, value)`` stands for equality if set."""

    field: str
    value: Reader
    test: Callable[..., bool] | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """A list's search by text, in any case, in one of ``fields``: applies only when ``value`` is there."""

    fields: tuple[str, ...]
    value: Reader


@dataclass(frozen=True, slots=True)
class Paging:
    """How a list is cut: ``style`` page (from 1) or offset (from 0), and the answer around the items.

    ``lenient``: what is no number, or too small, counts as not given. A size above ``most`` is cut to it.
    """

    style: Literal["page", "offset"]
    start: Reader
    size: Reader
    answer: Reader
    default: int = 20
    most: int = 0
    lenient: bool = False

    def place(self, scope: Scope) -> tuple[int, int]:
        """Where the page starts, and its size. Raises ``Refusal`` when there is no such page."""
        first = 1 if self.style == "page" else 0
        start, size = self._number(self.start(scope), first, first), self._number(self.size(scope), 0, self.default)
        size = size or self.default if self.lenient else size
        return start, min(size, self.most) if self.most else size

    def _number(self, value: Json, least: int, otherwise: int) -> int:
        try:
            number = int(value)
        except (TypeError, ValueError, OverflowError):
            number = least - 1
        if number >= least:
            return number
        if self.lenient:
            return otherwise
        raise Refusal("invalid", "there is no such page")


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
    stream: StreamRule | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """What an operation of the contract does.

    ``sees`` are the collections whose rows, with the request, decide the whole answer; ``None`` if more does (the
    time, an effect), or if it writes. ``rows`` is where it is known from which rows a list has; ``None``: from where the
    operation is.
    """

    operation: str
    verb: Verb
    provenance: Provenance
    collection: Collection | None = None
    row: Reader | None = None
    where: Condition = ALWAYS
    first: str = ""
    first_guards: tuple[Guard, ...] = ()
    needs: tuple[Need, ...] = ()
    guards: tuple[Guard, ...] = ()
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
    checked_late: bool = False
    stream: StreamRule | None = None
    sees: tuple[str, ...] | None = None
    rows: Provenance | None = None

    def transitions(self) -> tuple[Transition, ...]:
        """The lifecycle's transitions that this operation causes."""
        lifecycle = self.collection.lifecycle if self.collection else None
        return lifecycle.by_operation.get(self.operation, ()) if lifecycle else ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a credential may stand: in a security scheme's place, or in a field of the body. ``called`` is its name in errors."""

    scheme: str = ""
    field: str = ""
    called: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """One look-up of a sign-in: the row of ``collection`` that fits, stored in the scope under ``name``.

    The credential is what the first of the ``places`` holds. With ``absent`` no row may fit. With ``jwt`` no row is
    sought: the credential is a signed token, whose claims are stored.
    """

    name: str
    places: tuple[Place, ...]
    collection: str
    where: Condition
    unknown: str
    absent: bool = False
    jwt: Jwt | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """One way of signing in: the look-ups that prove it, and who the caller then is. The first look-up leads.

    ``steady``: the answer changes with the rows only, not with time. ``sees`` are the collections looked into.
    """

    name: str
    looks: tuple[Look, ...]
    principal: Reader
    provenance: Provenance
    sees: tuple[str, ...]
    steady: bool = True


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """How one kind of refusal looks: a status and the fields that the shape may use.

    ``rule`` says where it is known from that this is refused at all, when that is surer than how.
    """

    kind: str
    status: int
    fields: Mapping[str, Json]
    message: Reader
    provenance: Provenance
    shape: Reader | None = None
    media: str = ""
    headers: Mapping[str, Reader] = field(default_factory=dict)
    rule: Provenance | None = None

    def said(self, scope: Scope) -> dict[str, str]:
        """The headers that go with it."""
        return {name: str(read(scope)) for name, read in self.headers.items()}


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """All kinds of refusal of a provider and the one shape in which they leave.

    ``own``: the data say nothing of errors, so that they are problems of the twin's own, which no contract covers.
    """

    answers: Mapping[str, ErrorAnswer]
    shape: Reader
    media: str
    own: bool = False

    def body(self, scope: Scope, kind: str, detail: str, data: Json, violations: list[Json]) -> tuple[int, str, Json]:
        """Status, media type and body of a refusal. ``kind`` must be in the table."""
        answer = self.answers[kind]
        error = {**answer.fields, "kind": kind, "status": answer.status, "data": data, "violations": violations}
        error["detail"] = detail or ENGINE_KINDS.get(kind, (0, kind.replace("_", " ")))[1]
        scope = {**scope, "error": error}
        error["message"] = answer.message(scope)
        return answer.status, answer.media or self.media, (answer.shape or self.shape)(scope)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests (``quota``) in a window (µs) for each caller, on the operations that ``paths`` and ``methods`` match.

    ``per`` reads from ``$principal`` and ``$address`` who is counted; ``None``: the request does not fall under it.
    A fixed window begins with a caller's first request; a sliding one are the last microseconds at any time.
    ``headers`` tell the caller where it stands; ``$limit`` has ``limit``, ``remaining``, ``reset`` and, in the
    ``refusal_headers``, ``wait`` (both in seconds, rounded up). Whatever is beyond is refused with the kind ``refuse``, whose
    ``$error#/data`` are the seconds to wait; it counts too if the limit ``counts_refused``. ``further``: the next limit
    that fits counts too.
    """

    name: str
    quota: int
    window: int
    per: Reader
    paths: tuple[str, ...]
    methods: frozenset[str]
    headers: Mapping[str, Reader]
    provenance: Provenance
    further: bool = False
    style: Literal["fixed", "sliding"] = "fixed"
    refuse: str = "throttled"
    counts_refused: bool = False
    refusal_headers: Mapping[str, Reader] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Where the key stands, for which methods it counts, and how long (microseconds) its result is kept.

    ``failures``: refusals are given again too, not only successes. Operations in ``required`` are refused without a key.
    """

    header: str
    methods: frozenset[str]
    fields: Mapping[str, str]
    keep: int
    provenance: Provenance
    failures: bool = False
    required: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Storage:
    """Where uploaded objects are kept. A form to upload one is good for ``lasts`` seconds.

    The rows of ``collection`` have the fields ``size``, ``content_type`` and ``content``.
    """

    bucket: str
    collection: str
    lasts: int


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
    dialect: Dialect | None = None
    limits: tuple[Limit, ...] = ()
    admission: tuple[Need, ...] = ()
    includes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    redirect_slash: bool = False
    settings: Mapping[str, Json] = field(default_factory=dict)
    storage: Storage | None = None

    @cached_property
    def scopes(self) -> dict[tuple[str, str], frozenset[str]]:
        """The scopes a caller needs, by channel and operation; nothing where the operation does not take the channel."""
        needed: dict[tuple[str, str], frozenset[str]] = {}
        for channel in self.channels:
            schemes = {place.scheme for look in channel.looks for place in look.places}
            for operation in self.contract.operations.values():
                for each in operation.security:
                    if each and schemes.issuperset(scheme for scheme, _ in each):
                        wanted = frozenset(scope for _, scopes in each for scope in scopes)
                        needed.setdefault((channel.name, operation.id), wanted)
        return needed

    @cached_property
    def streams(self) -> frozenset[str]:
        """The operations that may answer with a stream."""
        return frozenset(
            name
            for name, each in self.bindings.items()
            if each.stream or any(method.stream for method in each.methods.values())
        )

    @cached_property
    def lifecycles(self) -> dict[str, Lifecycle]:
        """The lifecycles by name."""
        return {each.lifecycle.name: each.lifecycle for each in self.collections.values() if each.lifecycle}
