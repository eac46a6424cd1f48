"""Random walks through an API's lifecycles, legal and illegal: drawn on the oracle alone, so that a seed means a walk."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tasktwin.suite.lifecycle.atlas import LATE, reader_of
from tasktwin.suite.lifecycle.tour import Tour
from tasktwin.suite.story.inputs import Inputs, Place
from tasktwin.suite.story.oracle import Answer
from tasktwin.suite.story.sketch import Desk, Handle, Sketch, step_of
from tasktwin.suite.story.step import Ref, Step
from tasktwin.suite.traffic import NOBODY
from tasktwin.wire import Json

STEPS = 14
"""So many steps a walk takes, besides looking at what came of them."""

CHOICES = 3
"""So many steps are tried on the oracle before the one is taken that shows most that is new."""

BATCH = 8
"""So many walks are drawn with one view of what was seen before: Hypothesis wants draws that depend on nothing else."""

MOST_BATCHES = 1_000
UNKNOWN = "00000000-0000-4000-8000-00000000dead"
"""An identifier that nobody has."""

WORDS = ("Soon", "Twice", "早", "é")
"""What texts are made longer by, so that a change can be seen."""

Draw = Callable[[Any], Any]
"""Hypothesis's ``data.draw``."""

Seen = Counter[tuple[object, ...]]


@dataclass(slots=True)
class Walk:
    """A walk in the making, by whom, and what it has shown."""

    sketch: Sketch
    cast: list[str]
    seen: Seen = field(default_factory=Counter)


class Planner:
    """Plans walks over one provider's data. ``seen`` counts what the walks so far have shown."""

    def __init__(self, desk: Desk, principals: list[str], seed: int, *, may_wait: bool) -> None:
        self.desk = desk
        self.principals = principals or [NOBODY]
        self.seed = seed
        self.may_wait = may_wait
        self.seen: Seen = Counter()
        self._planned: list[Walk] = []

    def plan(self, count: int) -> list[Tour]:
        """So many walks: the same for the same data and seed."""
        return [tour for batch in self.batches(count) for tour in batch]

    def batches(self, count: int) -> Iterator[list[Tour]]:
        """The same, some at a time: each batch is drawn when it is wanted. Where nothing can be done there is none."""
        planned = 0
        for batch in range(MOST_BATCHES):
            if planned < count and self._drawn(batch):
                walks = self._planned[: count - planned]
                yield [Tour(f"walk {planned + n}", tuple(walk.sketch.steps), ()) for n, walk in enumerate(walks, 1)]
                planned += len(walks)
                self._planned.clear()
            else:
                return

    def _drawn(self, batch: int) -> list[Walk]:
        """The walks of a batch."""
        from hypothesis import HealthCheck, Phase, seed, settings  # noqa: PLC0415 - heavy
        from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415 - heavy

        from tasktwin.suite.lifecycle.machine import machine  # noqa: PLC0415 - heavy

        chosen = settings(
            max_examples=BATCH,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        seeded: Any = seed(self.seed * MOST_BATCHES + batch)(machine(self))
        run_state_machine_as_test(seeded, settings=chosen)
        for walk in self._planned:
            self.seen += walk.seen
        return self._planned

    def begin(self, draw: Draw) -> Walk:
        """A new walk in a new world, and who takes part."""
        from hypothesis import strategies as st  # noqa: PLC0415 - heavy

        self.desk.open(Sketch())
        some = st.lists(st.sampled_from(self.principals), min_size=1, max_size=3, unique=True)
        return Walk(Sketch(), draw(some))

    def extend(self, walk: Walk, draw: Draw) -> None:
        """Take the step that shows most that is new, of some that are drawn, and look at what came of it."""
        options = [option for _ in range(CHOICES) if (option := self._option(walk, draw))]
        if not options:
            return
        best = options[min((self._rank(walk, option), n) for n, option in enumerate(options))[1]]
        mark = self._before(walk, best)
        answer = self.desk.take(walk.sketch, best)
        walk.seen[(*mark, answer.kind or answer.status, answer.taken)] += 1
        self._look(walk, best, draw)

    def end(self, walk: Walk) -> None:
        """The walk is over."""
        if walk.sketch.steps:
            self._planned.append(walk)

    # ── options ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _option(self, walk: Walk, draw: Draw) -> Step | None:
        from hypothesis import strategies as st  # noqa: PLC0415 - heavy

        if self.may_wait and draw(st.integers(0, 14)) == 0:
            return self._waiting(walk)
        names = self._names(walk)
        if not names:
            return None
        each = self.desk.inputs[draw(st.sampled_from(names))]
        who = draw(st.sampled_from([*walk.cast * 3, *self.principals, NOBODY]))
        rows = {place: self._row(walk, kind, draw) for place, kind in each.needed.items()}
        step = step_of(walk.sketch, each, who, rows, self._body(each, draw))
        if each.writes:
            return step
        query = {
            name: draw(st.sampled_from(values)) for name, values in each.query.items() if draw(st.integers(0, 4)) == 0
        }
        return replace(step, query={**step.query, **query})

    def _names(self, walk: Walk) -> list[str]:
        """The operations that can be asked for with what is known, those that move something more than once."""
        known = {each.collection for each in walk.sketch.handles}
        names = []
        for name, each in self.desk.inputs.items():
            if known.issuperset(each.needed.values()):
                names += [name] * (4 if each.binding.transitions() else 2 if each.writes else 1)
        return names

    def _row(self, walk: Walk, collection: str, draw: Draw) -> Json:
        from hypothesis import strategies as st  # noqa: PLC0415 - heavy

        known = walk.sketch.knows(collection)[:4]
        return UNKNOWN if draw(st.integers(0, 29)) == 0 else draw(st.sampled_from(known)).ref

    def _body(self, each: Inputs, draw: Draw) -> dict[str, Json] | None:
        from hypothesis import strategies as st  # noqa: PLC0415 - heavy

        if not each.variants:
            return None
        body = dict(draw(st.sampled_from(each.variants)))
        optional = [name for name in body if name in each.optional and Place("body", name) not in each.rows]
        kind = draw(st.integers(0, 3))
        if kind == 1 and optional:
            del body[draw(st.sampled_from(optional))]
        elif kind > 1 and body:
            _vary(body, draw(st.sampled_from(sorted(body))), draw(st.integers(0, len(WORDS) - 1)))
        return body

    def _waiting(self, walk: Walk) -> Step | None:
        """Look at the newest row that has a timer, after it has gone off."""
        for handle in reversed(walk.sketch.handles):
            cycle = self.desk.provider.rules.collections[handle.collection].lifecycle
            way = cycle.timers.get(self.desk.state(handle)) if cycle else None
            reader = reader_of(self.desk, handle.collection)
            if way is None or way.after is None or reader is None or reader.main is None:
                continue
            rows: dict[Place, Json] = {
                place: known[0].ref for place, kind in reader.needed.items() if (known := walk.sketch.knows(kind))
            }
            step = step_of(walk.sketch, reader, handle.maker or walk.cast[0], {**rows, reader.main: handle.ref})
            return replace(step, wait=way.after / 1_000_000 + LATE, about=f"{way.name}: time has passed")
        return None

    def _look(self, walk: Walk, step: Step, draw: Draw) -> None:
        """Read what a step acted on, as who acted and now and then as somebody else."""
        from hypothesis import strategies as st  # noqa: PLC0415 - heavy

        each, handle = self.desk.inputs[step.operation], self._handle(walk, step)
        reader = reader_of(self.desk, handle.collection) if handle else None
        if not each.writes or handle is None or reader is None or reader.main is None:
            return
        rows: dict[Place, Json] = {
            place: known[0].ref for place, kind in reader.needed.items() if (known := walk.sketch.knows(kind))
        }
        if len(rows) != len(reader.needed):
            return
        who = step.as_ or walk.cast[0]
        if draw(st.integers(0, 3)) == 0:
            who = draw(st.sampled_from([*self.principals, NOBODY]))
        self.desk.take(
            walk.sketch,
            replace(step_of(walk.sketch, reader, who, {**rows, reader.main: handle.ref}), about="look at it"),
        )

    # ── what is new ──────────────────────────────────────────────────────────────────────────────────────────────

    def _rank(self, walk: Walk, step: Step) -> int:
        mark = self._before(walk, step)
        with self.desk.oracle.trying():
            answer: Answer = self.desk.answer(walk.sketch, step)
        sign = (*mark, answer.kind or answer.status, answer.taken)
        return self.seen[sign] + walk.seen[sign]

    def _before(self, walk: Walk, step: Step) -> tuple[object, ...]:
        """A step: the operation, by whom in relation to the row, and in which state that is."""
        handle = self._handle(walk, step)
        if handle is None:
            return step.operation, step.as_ or "nobody", "", bool(step.wait)
        relation = "own" if handle.maker == step.as_ else step.as_ or "nobody"
        return step.operation, relation, self.desk.state(handle), bool(step.wait)

    def _handle(self, walk: Walk, step: Step) -> Handle | None:
        """The row that a step acts on, or made."""
        each = self.desk.inputs[step.operation]
        value = step.path.get(each.main.name) if each.main and each.main.where == "path" else None
        refs = [value] if isinstance(value, Ref) else []
        known = [one for one in walk.sketch.handles if one.ref in refs or one.ref.step == step.key]
        return next(iter(known), None)


def _vary(body: dict[str, Json], name: str, chance: int) -> None:
    """Change one text or number, so that it can be seen."""
    value = body[name]
    if isinstance(value, int) and not isinstance(value, bool):
        body[name] = value + chance + 1
    elif isinstance(value, str) and value.replace(".", "", 1).isdigit():
        body[name] = f"{float(value) + chance + 1:.2f}" if "." in value else str(int(value) + chance + 1)
    elif isinstance(value, str) and " " in value:
        body[name] = f"{value} {WORDS[chance]}"
