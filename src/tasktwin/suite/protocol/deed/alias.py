"""Other names for what a path names: where an API knows a row by a word (``@me``), it also has an identifier."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from tasktwin.state import Query
from tasktwin.suite.story.sketch import Desk, Sketch, step_of
from tasktwin.suite.story.stage import Theatre
from tasktwin.suite.story.step import Step
from tasktwin.wire import Json

MOST_ROWS = 20
"""So many rows are looked at for the one that a word stands for."""


@dataclass(slots=True)
class Aliases:
    """The other names, found out on the oracle: by caller, parameter and word."""

    theatre: Theatre
    desk: Desk
    known: dict[tuple[str, str, Json], Json] = field(default_factory=dict)

    def renamed(self, step: Step) -> Step:
        """The step by other names; the same if there are none, or if the target has other rows than the oracle."""
        if not self.theatre.alike:
            return step
        path = {name: self._other(step.as_, name, value) for name, value in step.path.items()}
        return replace(step, path=path)

    def _other(self, who: str, name: str, value: Json) -> Json:
        collection = self._collection(name)
        if not collection or not isinstance(value, str):
            return value
        place = (who, name, value)
        if place not in self.known:
            self.known[place] = next(self._same(who, name, value, collection), value)
        return self.known[place]

    def _collection(self, name: str) -> str:
        """The kind of row that a parameter of every path names; "" if there is none."""
        for need in self.desk.provider.data.get("admission", ()):
            found = need.get("id")
            if isinstance(found, Mapping) and found.get("$map") == f"$request.path.{name}":
                return str(need["collection"])
        return ""

    def _same(self, who: str, name: str, word: str, collection: str) -> Iterator[str]:
        """The rows that show the same as the word does, and of which another one shows something else."""
        desk, start = self.desk, Sketch()
        desk.open(start)
        rows = [str(row["id"]) for row in desk.oracle.world.store.find(Query(collection), 0, MOST_ROWS)]
        for each in desk.inputs.values():
            if not each.is_shared or name not in each.path:
                continue
            look = step_of(start, each, who, {}, next(iter(each.bodies), None))
            shown = {row: self._seen(replace(look, path={**look.path, name: row})) for row in [word, *rows]}
            same = [row for row in rows if shown[row] == shown[word]]
            if len(same) == 1:
                yield same[0]
                return

    def _seen(self, look: Step) -> tuple[int, Json]:
        answer = self.desk.answer(Sketch(), look)
        return answer.status, answer.shape
