"""What a run made on the deployment is put away at its end: deleted, else brought to a final state. The rest is told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from tasktwin.behaviour.lifecycle import NEW
from tasktwin.behaviour.rules import Binding, Collection
from tasktwin.contract import Match, Operation
from tasktwin.contract.router import placeholders
from tasktwin.contract.sample import NoSampleError, sample
from tasktwin.errors import MisuseError
from tasktwin.suite.budget import Budget, SpentError
from tasktwin.suite.run import Run
from tasktwin.suite.target import WITHOUT, WORLD, WRONG, UnreachableError
from tasktwin.suite.traffic import Reply, Request, Sent
from tasktwin.wire import Json, dumps

PHASE: Final = "cleanup"
SECONDS: Final = 30.0
"""So long may putting away take."""

MOST: Final = 10_000
"""So many resources are remembered; of further ones only the number."""

DEEPEST: Final = 3
"""So deep in an answer its row is looked for: an envelope or two."""


@dataclass(frozen=True, slots=True)
class Made:
    """One resource that a run made: where it is (the path's values), and who made it."""

    collection: str
    key: str
    as_: str
    path: Mapping[str, str]
    operation: str

    def __str__(self) -> str:
        """For the list of what is left."""
        return f"{self.collection} {self.key} (made by {self.operation} as {self.as_ or 'nobody'})"


@dataclass(slots=True)
class Cleaner:
    """Watches a run's traffic, and puts away what was made. What is made in a world of a twin's own goes with it."""

    run: Run
    made: dict[tuple[str, str], Made] = field(default_factory=dict)
    beyond: int = 0

    def observe(self, sent: Sent) -> None:
        """Remember what an exchange made, forget what it deleted."""
        if not sent.reply.good or sent.phase == PHASE or self.run.target.world or WORLD in sent.request.headers:
            return
        found = self.run.provider.rules.contract.match(sent.request.method, sent.request.path.partition("?")[0])
        if not isinstance(found, Match):
            return
        binding = self.run.provider.rules.bindings.get(found.operation.id)
        if binding is None or binding.collection is None:
            return
        if binding.verb == "delete":
            for value in found.path_values.values():
                self.made.pop((binding.collection.name, value), None)
        elif _makes(binding) and (key := _key(sent.reply.json(), binding.collection, 0)):
            self._remember(
                Made(
                    binding.collection.name, key, _whole(sent.request.as_), dict(found.path_values), found.operation.id
                )
            )

    def _remember(self, made: Made) -> None:
        if len(self.made) < MOST:
            self.made[made.collection, made.key] = made
        else:
            self.beyond += 1

    def put_away(self) -> None:
        """Put away what can be, what was made last first; the rest is told in ``run.leftovers``."""
        target, budget = self.run.target, self.run.target.budget
        target.phase, target.budget = PHASE, Budget(SECONDS, None, budget.rate)
        try:
            self.tell(self._left())
        finally:
            target.budget = budget

    def _left(self) -> list[str]:
        """What could not be put away, and why."""
        left: list[str] = []
        why = ""
        for each in reversed(list(self.made.values())):
            try:
                told = why or self._put_away(each)
            except (SpentError, UnreachableError) as error:
                told = why = str(error)
            except KeyboardInterrupt:
                told = why = "interrupted"
            if told:
                left.append(f"{each}: {told}")
        return left

    def leave(self) -> None:
        """Put away nothing, and tell what is there."""
        self.tell([str(each) for each in reversed(list(self.made.values()))])

    def tell(self, left: list[str]) -> None:
        """Write down what is left."""
        self.run.leftovers += left
        if self.beyond:
            self.run.leftovers.append(f"and {self.beyond:,} more, which were not remembered")

    def _put_away(self, made: Made) -> str:
        """Why it is still there; "" when it is not, or can do no harm any more."""
        ways = self._ways(made, "")
        told = "nothing that its maker may send deletes or closes it"
        for operation in ways[:1]:
            reply = self._send(made, operation)
            if reply is not None and (reply.good or reply.status in {404, 410}):
                return ""
            told = f"{operation.id} answered {reply.status}" if reply else f"{operation.id} was not allowed"
        state = self._state(made)
        if state is None or self._is_final(made, state):
            return told if state is None else ""
        for operation in [each for each in self._ways(made, state) if each not in ways[:1]]:
            reply = self._send(made, operation)
            if reply is not None and reply.good:
                return ""
        return f"{told}; it is {state}"

    def _ways(self, made: Made, state: str) -> list[Operation]:
        """The operations that end it: those that delete, then those by which its maker brings it to a final state.

        From the given ``state``; "" for those in which it can be when it is new.
        """
        rules = self.run.provider.rules
        collection = rules.collections[made.collection]
        life = collection.lifecycle
        begins = (
            {state} if state else {way.to for way in life.transitions.values() if NEW in way.sources} if life else ()
        )
        ending = {
            way.operation
            for way in (life.transitions.values() if life else ())
            if way.operation and way.to and life and life.states[way.to].final and set(begins) & set(way.sources)
            if not way.only or set(way.only) & self._roles(made)
        }
        bound = [each for each in rules.bindings.values() if each.collection is collection]
        deleting = [each.operation for each in bound if rules.contract.operations[each.operation].method == "DELETE"]
        may = [name for name in deleting if name in ending or not rules.bindings[name].transitions()]
        names = dict.fromkeys([*may, *(each.operation for each in bound if each.operation in ending)])
        return [rules.contract.operations[name] for name in names]

    def _roles(self, made: Made) -> set[str]:
        """The roles that the maker of a row plays towards it: those whose conditions are what making it sets."""
        data = self.run.provider.data
        given = data.get("operations", {}).get(made.operation, {}).get("set") or {}
        roles = data.get("collections", {}).get(made.collection, {}).get("roles") or {}
        return {
            name
            for name, condition in roles.items()
            if isinstance(condition, dict) and all(given.get(key, ...) == value for key, value in condition.items())
        }

    def _state(self, made: Made) -> str | None:
        """The state that it is in, ``None`` if that cannot be found out."""
        rules = self.run.provider.rules
        collection = rules.collections[made.collection]
        if collection.lifecycle is None:
            return None
        for binding in rules.bindings.values():
            if binding.verb == "read" and binding.collection is collection:
                reply = self._send(made, rules.contract.operations[binding.operation])
                row = _row(reply.json(), collection, 0) if reply and reply.good else None
                state = row.get(collection.lifecycle.field) if row else None
                if isinstance(state, str):
                    return state
        return None

    def _is_final(self, made: Made, state: str) -> bool:
        life = self.run.provider.rules.collections[made.collection].lifecycle
        return bool(life and state in life.states and life.states[state].final)

    def _send(self, made: Made, operation: Operation) -> Reply | None:
        """The answer to this operation on it, ``None`` if it cannot be sent."""
        values = dict(made.path)
        missing = [name for name in placeholders(operation.path) if name not in values]
        if len(missing) > 1:
            return None
        values |= dict.fromkeys(missing, made.key)
        path = self.run.provider.rules.contract.prefix + operation.path
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", quote(value, safe="@"))
        body = self._body(operation)
        headers = {"Content-Type": "application/json"} if body else {}
        request = Request(operation.method, path, made.as_, headers, body, operation.id)
        try:
            return self.run.target.send(request) if self.run.target.may_send(request) else None
        except MisuseError:
            return None

    def _body(self, operation: Operation) -> bytes:
        medium = operation.body.content.first_json() if operation.body and operation.body_required else None
        if medium is None or medium.schema is None:
            return b""
        if not medium.schema.resolved.get("required"):
            return b"{}"
        try:
            return dumps(sample(medium.schema, "cleanup"))
        except NoSampleError:
            return b"{}"


def _whole(name: str) -> str:
    """The principal, with all headers, that a caller with altered ones stands for."""
    return name.partition(WITHOUT)[0].partition(WRONG)[0]


def _makes(binding: Binding) -> bool:
    """Whether a success of it makes a row, and shows that row."""
    if binding.shows is not None and binding.shows is not binding.collection:
        return False
    return binding.verb == "create" or any(NEW in way.sources for way in binding.transitions())


def _row(value: Json, collection: Collection, depth: int) -> dict[str, Json] | None:
    """The first object of an answer that has the collection's identifier."""
    if not isinstance(value, dict) or depth > DEEPEST:
        return None
    if isinstance(value.get(collection.id_field), (str, int)):
        return value
    found = (_row(inner, collection, depth + 1) for inner in value.values())
    return next((each for each in found if each is not None), None)


def _key(value: Json, collection: Collection, depth: int) -> str:
    row = _row(value, collection, depth)
    return str(row[collection.id_field]) if row else ""
