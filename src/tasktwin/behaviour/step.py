"""What an effect sees and may do: one step of one row, inside the request's transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from tasktwin.behaviour.expression import Scope
from tasktwin.behaviour.lifecycle import Transition
from tasktwin.behaviour.rules import Effect
from tasktwin.errors import Refusal
from tasktwin.state import Query, Row, format_instant, make_uuid
from tasktwin.wire import Json

if TYPE_CHECKING:
    from tasktwin.behaviour.world import World


@dataclass(slots=True)
class Step:
    """Handed to an effect. ``before`` is the row as it was (``None`` when it is new), ``row`` as it is now."""

    world: "World"
    scope: Scope
    collection: str
    row: Row
    before: Row | None
    transition: Transition | None

    @property
    def principal(self) -> dict[str, Json]:
        """Who calls: the fields that the sign-in gave; empty for triggers, timers and the public."""
        return self.scope.get("principal") or {}

    @property
    def body(self) -> dict[str, Json]:
        """The request's JSON object; empty when there is none."""
        body = self.scope.get("request.body")
        return body if isinstance(body, dict) else {}

    @property
    def now(self) -> str:
        """The world's time as the provider writes it."""
        return format_instant(self.scope["now"], self.world.rules.precision)

    def later(self, seconds: int) -> str:
        """A time after now; such texts compare like the times that they name."""
        return format_instant(self.scope["now"] + seconds * 1_000_000, self.world.rules.precision)

    def needed(self, name: str) -> Row:
        """A row that the operation's ``needs`` found."""
        row: Row = self.scope[name]
        return row

    def set(self, **fields: Json) -> None:
        """Change the row of this step."""
        self.row = self.world.change(self.collection, self.row, **fields)

    def read(self, collection: str, key: str) -> Row | None:
        """A row by id, or ``None``."""
        return self.world.store.get(collection, key)

    def find(self, collection: str, **equal: Json) -> list[Row]:
        """The rows whose fields equal these, in order of creation."""
        return self.world.store.find(Query(collection, tuple(sorted(equal.items()))))

    def count(self, collection: str, **equal: Json) -> int:
        """How many rows have these fields."""
        return self.world.store.count(Query(collection, tuple(sorted(equal.items()))))

    def add(self, collection: str, **fields: Json) -> Row:
        """Make a row; identifier and time stamps come from the world."""
        return self.world.make(collection, fields)

    def change(self, collection: str, row: Row, **fields: Json) -> Row:
        """Change a row that is not this step's own."""
        return self.world.change(collection, row, **fields)

    def put(self, collection: str, key: str, **fields: Json) -> Row:
        """Change the row of this identifier, or make it."""
        name, row = self.world.rules.collections[collection].id_field, self.read(collection, key)
        return self.change(collection, row, **fields) if row else self.add(collection, **{name: key}, **fields)

    def new_id(self) -> str:
        """An identifier for what has no row of its own."""
        return make_uuid(self.world.beginning.seed, self.world.store.number("id"))

    def fire(self, trigger: str, collection: str, row: Row, **fields: Json) -> Row:
        """Send another row through the transition that ``trigger`` causes there. Refused if its state forbids it."""
        return self.world.move(collection, row, trigger, self.scope, fields)

    def begin(self, trigger: str, collection: str, **fields: Json) -> Row:
        """Make a row through the transition from ``new`` that ``trigger`` causes there."""
        return self.world.begin(collection, trigger, self.scope, fields)

    def tell(self, kind: str, data: Json) -> None:
        """Leave an event in the log of this step's row."""
        self.world.tell(self.world.rules.collections[self.collection].topic(self.row), kind, data)

    def answer_with(self, media: str = "", **headers: str) -> None:
        """The answer is of another media type than JSON (text or bytes), or carries further headers (``_`` for ``-``)."""
        told = self.scope.setdefault("told", {})
        told["media"], told["headers"] = (
            media,
            tuple((name.replace("_", "-"), value) for name, value in headers.items()),
        )

    def answer_as(self, collection: str, row: Row) -> None:
        """The answer is this row, as clients see it, instead of what the operation worked on."""
        self.scope.setdefault("told", {})["answer"] = (collection, row)

    def refuse(self, kind: str, detail: str = "") -> NoReturn:
        """Decline: everything this request did is undone."""
        raise Refusal(kind, detail)


def effect(*refuses: str) -> Callable[[Effect], Effect]:
    """Mark a function as an effect; ``refuses`` are the kinds it may refuse with, which the data must declare."""

    def mark(function: Effect) -> Effect:
        function.refuses = refuses  # type: ignore[attr-defined]
        return function

    return mark


def predicate(function: Callable[..., bool]) -> Callable[..., bool]:
    """Mark a function ``(step, row, value) -> bool`` as the test of a list's filter."""
    function.tests = True  # type: ignore[attr-defined]
    return function
