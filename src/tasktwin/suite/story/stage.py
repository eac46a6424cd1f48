"""A stage: one story being played, on the deployment and on the oracle side by side."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from tasktwin.suite import conformance
from tasktwin.suite.clock import TargetTime
from tasktwin.suite.finding import Finding, Line
from tasktwin.suite.run import Run
from tasktwin.suite.story.compare import Comparison, Difference, Names
from tasktwin.suite.story.inputs import all_inputs
from tasktwin.suite.story.judge import Judge, Mismatch, Whose, lighter, weighed
from tasktwin.suite.story.memory import Memory, rows
from tasktwin.suite.story.oracle import Answer, Oracle
from tasktwin.suite.story.script import script
from tasktwin.suite.story.step import Ref, Step, at, filled, refs_in
from tasktwin.suite.traffic import Reply, Request
from tasktwin.wire import Json

LONG = 16
"""An identifier of so many characters is nobody else's."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

NEAR = 1.5
"""Seconds around a timer's instant within which one cannot say whether it went off on the deployment."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One step as it went. ``broken``: an earlier answer lacked what it needs, so that it was not sent.

    ``passed``: the seconds that were let pass in its story before it was sent.
    """

    step: Step
    request: Request
    expected: Answer
    reply: Reply
    found: tuple[Mismatch, ...]
    broken: str = ""
    passed: float = 0.0

    @property
    def in_step(self) -> bool:
        """Whether both sides are in the same state, as far as one can tell."""
        return not self.broken and all(each.goes_on for each in self.found)


@dataclass(slots=True)
class Side:
    """One side's answers, by step."""

    answers: dict[int, Json] = field(default_factory=dict)

    def look(self, ref: Ref) -> Json:
        """What a reference stands for. Raises ``KeyError``."""
        return at(self.answers[ref.step], ref.pointer)


class Theatre:
    """What all stages of a run share: the oracle, which lives through all of it, and which identifier is which."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.time = TargetTime(run.target)
        if self.time.offered:
            run.target.clock = self.time
        self._mark = f"judge-{run.target.now() // 1000 % 10**9}-{run.options.shard[0]}"
        self._worlds = 0
        self._begun = run.target.now()
        self.alike = False
        self.oracle = self._oracle(run.target.now())
        self.names = Names()
        self.judge = Judge(run.provider)
        wrap = run.provider.data.get("wrap")
        constant = wrap.items() if isinstance(wrap, Mapping) else ()
        self.chance: dict[tuple[str, str], bool] = {}
        self._words = {name for name, value in constant if isinstance(value, str) and not value.startswith("$")}
        self.inputs = all_inputs(run.provider)
        self.shared = {name for name, each in self.inputs.items() if each.is_shared}

    def worded(self, body: Json) -> Json:
        """A body without the words of its envelope that are there for people: how they are put is nobody's business."""
        if not self._words or not isinstance(body, Mapping):
            return body
        return {name: value for name, value in body.items() if name not in self._words}

    def _oracle(self, now: int) -> Oracle:
        return Oracle(self.run.provider, now, self.run.options.seed, url=self.run.target.url)

    @contextmanager
    def stage(self) -> Iterator["Stage"]:
        """A stage for one story. Where the target offers worlds it is in one of its own, as is the oracle."""
        self._worlds += 1
        with self.time.own_world(f"{self._mark}-{self._worlds}", self._begun) as is_own:
            if not is_own:
                yield Stage(self)
                return
            outer = self.oracle, self.names
            self.oracle, self.names = self._oracle(self._begun), Names()
            try:
                yield Stage(self)
            finally:
                self.oracle, self.names = outer

    def compare_beginnings(self, steps: Sequence[Step]) -> None:
        """Find out whether the target begins every world with what the oracle has: then nobody needs to look again."""
        if not self.time.offered:
            return
        with self.stage() as stage:
            if not self.run.target.world:
                return
            for step in steps:
                stage.take(step)
            self.alike = not stage.parted

    def settle(self) -> None:
        """Wait until no timer is about to go off, so that both sides agree on what is.

        Time is made to pass where the target offers that.
        """
        oracle, target = self.oracle, self.run.target
        oracle.until(target.now())
        for _ in range(20):
            due = oracle.next_due()
            ahead = None if due is None else (due - target.now()) / 1_000_000
            if ahead is None or ahead > NEAR:
                return
            if not target.pass_time(max(ahead, 0.0) + NEAR):
                return
            oracle.until(target.now())


class Stage:
    """Plays one story. ``taken`` are its steps so far, as they went."""

    def __init__(self, theatre: Theatre) -> None:
        self.theatre = theatre
        self.run = theatre.run
        self.ours, self.theirs = Side(), Side()
        self.taken: list[Taken] = []
        self.comparison = Comparison(theatre.names)
        self._base: dict[tuple[str, str, str], tuple[Json, Json]] = {}
        self._apart: set[tuple[str, str]] = set()
        self._based: set[tuple[str, str]] = set()
        self.memory = Memory(theatre.names, theatre.run.provider.rules.precision != "seconds")
        self._times: list[int] = []
        self._began = theatre.oracle.now
        self._passed = theatre.run.target.passed

    @property
    def passed(self) -> float:
        """The seconds that were let pass since the story began."""
        return self.run.target.passed - self._passed

    def took(
        self,
        step: Step,
        request: Request,
        expected: Answer,
        reply: Reply,
        found: Sequence[Mismatch] = (),
        broken: str = "",
    ) -> Taken:
        """A step as it went just now."""
        return Taken(step, request, expected, reply, tuple(found), broken, self.passed)

    def take(self, step: Step, *, obeys: bool = True) -> Taken:
        """Take a step on both sides and compare. Raises what ``Target.send`` raises.

        A refusal for too many requests ends the story, but for who does not ``obey``.
        """
        target, oracle = self.run.target, self.theatre.oracle
        contract = self.run.provider.rules.contract
        if step.wait and not target.pass_time(step.wait):
            return self._broken(step, f"{step.wait:g} s are too long to wait")
        began = oracle.world.taken.copy()
        self.theatre.settle()
        try:
            mine = step.request(contract, self.ours.look)
            other = step.request(contract, self.theirs.look)
        except KeyError as error:
            return self._broken(step, f"an earlier answer has nothing at {error}")
        if not all(self._is_same(ref) for ref in step.references()):
            return self._broken(step, "the target has other rows than the twin's seeds")
        oracle.until(target.now())
        self._times.append(oracle.now)
        expected = oracle.answer(mine)
        reply = target.send(other, obeys=obeys)
        if reply.status == 429 and expected.status != 429 and obeys:
            return self._broken(step, "the target asks to come less often")
        self.ours.answers[step.key], self.theirs.answers[step.key] = expected.shape, reply.json()
        found = weighed(self._judged(step, mine, expected, other, reply))
        taken = self.took(step, other, expected, reply, found)
        self.taken.append(taken)
        self.run.answered[step.operation, reply.status] += 1
        if reply.good == expected.good:
            self.run.taken.update((oracle.world.taken - began).elements())
        return taken

    def finding(self, taken: Taken, mismatch: Mismatch) -> Finding:
        """A mismatch with the story that led to it."""
        steps = [each for each in self.taken if not each.broken]
        told = steps[: steps.index(taken) + 1] if taken in steps else steps
        return finding(self, told, mismatch)

    def _is_same(self, ref: Ref) -> bool:
        """Whether a reference stands for the same row on both sides."""
        return self._trusts(self.ours.look(ref), self.theirs.look(ref))

    def _trusts(self, ours: Json, theirs: Json) -> bool:
        """Whether two identifiers name the same row."""
        known = self.theatre.names.fits(ours, theirs)
        if known is None:  # a row that was there before: the same only where both sides begin alike, or by a long name
            return bool(ours == theirs and (self.theatre.alike or len(str(ours)) >= LONG))
        return known

    def needed(self, taken: Taken) -> list[Step]:
        """The steps without which this one cannot be taken, and itself."""
        steps = {each.step.key: each.step for each in self.taken}
        wanted, open_ = {taken.step.key}, [taken.step]
        while open_:
            for key in open_.pop().refs() - wanted:
                if key in steps:
                    wanted.add(key)
                    open_.append(steps[key])
        return [each.step for each in self.taken if each.step.key in wanted]

    # ── what is compared ─────────────────────────────────────────────────────────────────────────────────────────

    def _judged(self, step: Step, mine: Request, expected: Answer, other: Request, reply: Reply) -> list[Mismatch]:
        judge = self.theatre.judge
        found = list(conformance.mismatches(self.run.provider, other, reply))
        if not expected.modelled:
            return found
        status = judge.status(step, expected, reply, mine, self._whose(step))
        if status:
            return [*found, self._excused(status)]
        theirs = reply.json()
        if not expected.good:
            if expected.taken:
                self.comparison.bodies(expected.shape, theirs)  # what is left behind is known from here on
            code = judge.code(step, expected, theirs)
            return [*found, code] if code else found
        if reply.is_json:
            found += self._bodies(step, mine, expected, theirs)
        return found

    def _excused(self, found: Mismatch) -> Mismatch:
        """A refusal for want of something that the oracle cannot know about the target is none of its business."""
        if not found.rule.endswith(".refused") or not self.parted:
            return found
        return lighter(found, "what the target holds for its callers is not what the twin's seeds hold")

    @property
    def parted(self) -> bool:
        """Whether the two sides hold other things at the beginning."""
        return bool(self._apart)

    def _bodies(self, step: Step, mine: Request, expected: Answer, theirs: Json) -> list[Mismatch]:
        place = (step.operation, step.as_, mine.path)
        ours = self.theatre.worded(expected.shape)
        if step.base and place not in self._base:
            self._base[place] = (ours, theirs)
            self._based.add(place[:2])
            if self.comparison.bodies(ours, theirs):
                self._apart.add(place[:2])
            return []
        is_shared = step.operation in self.theatre.shared
        if place[:2] in self._apart or (is_shared and not self.theatre.alike and place[:2] not in self._based):
            if step.query.keys() - self._filters(step.operation).keys():
                return []  # a page of a list that holds other things as well
            differences = self._changes(*self._base.get(place, (None, None)), ours, theirs)
        else:
            differences = self.comparison.bodies(ours, theirs)
        differences = [each for each in differences if not self._is_chance(step, each)]
        found = [self._weighed(step, mine, expected, each) for each in differences]
        told = {each.pointer.rpartition("/")[2] for each in differences}
        for change, before in self.memory.turned(step, ours, theirs, told):
            found.append(self.theatre.judge.difference(step, expected, change, kept=before))
        self._remember(step, ours, theirs)
        return found

    def _is_chance(self, step: Step, found: Difference) -> bool:
        """Whether the oracle's own value is a matter of chance: with another seed the same story has another there."""
        place = (step.operation, found.general)
        known = self.theatre.chance.get(place)
        if known is None:
            known = self.theatre.chance[place] = found.general in self._by_chance(step)
        return known

    def _by_chance(self, step: Step) -> set[str]:
        """Where this step's answer would differ, if the oracle had begun with another seed."""
        seed = self.run.options.seed
        first, other = (self.theatre.worded(self._told(step, each)) for each in (seed, seed + 1))
        return {each.general for each in Comparison(Names()).bodies(first, other)}

    def _told(self, step: Step, seed: int) -> Json:
        """What an oracle that begins with this seed answers at the end of this story."""
        oracle = Oracle(self.run.provider, self._began, seed, url=self.run.target.url)
        side = Side()
        steps = [(one.step, when) for one, when in zip(self.taken, self._times, strict=False)]
        for each, now in [*steps, (step, self._times[-1])]:
            oracle.until(now)
            try:
                side.answers[each.key] = oracle.answer(each.request(self.run.provider.rules.contract, side.look)).shape
            except KeyError:
                side.answers[each.key] = None
        return side.answers[step.key]

    def _filters(self, operation: str) -> Mapping[str, str]:
        inputs = self.theatre.inputs.get(operation)
        return inputs.filters if inputs else {}

    def _weighed(self, step: Step, mine: Request, expected: Answer, found: Difference) -> Mismatch:
        judge, name = self.theatre.judge, found.pointer.rpartition("/")[2]
        if found.how == "value":
            sent = _sent(mine)
            echoed = isinstance(found.expected, (str, int, float)) and name in sent and sent[name] == found.expected
            kept = self.memory.before(step, expected.shape, found)
            return judge.difference(step, expected, found, echoed=echoed, kept=kept)
        itself = self.memory.contradicts(step, found, self._filters(step.operation))
        foreign = found.how == "extra" and self._may_not_read(step, found.actual)
        return judge.difference(step, expected, found, itself=itself, foreign=foreign)

    def _whose(self, step: Step) -> Whose:
        """Whose the rows are that a step names. One on its path that its caller was never shown is another's."""
        path = [filled(each, self.ours.look) for each in step.path.values()]
        named = [self.ours.look(ref) for ref in step.references()]
        if self.memory.is_foreign(step, [*named, *path]) or self.memory.is_strange(step, path):
            return "another's"
        return "another row's" if self._is_elsewhere(step) else "own"

    def _is_elsewhere(self, step: Step) -> bool:
        """Whether the last row on a step's path was told of under another row than the one that the path begins with."""
        refs = [each for each in step.path.values() if isinstance(each, Ref)]
        if len(refs) < 2:
            return False
        teller = next(each.step for each in self.taken if each.step.key == refs[-1].step)
        above = [filled(each, self.ours.look) for each in teller.path.values()]
        return bool(above) and self.ours.look(refs[0]) not in above

    def _may_not_read(self, step: Step, row: Json) -> bool:
        """Whether another caller made a row, and this one may not read it."""
        collection = self.run.provider.rules.bindings[step.operation].collection
        if not isinstance(row, Mapping) or collection is None:
            return False
        key = self.memory.ours(row.get("id"))
        if not self.memory.is_foreign(step, [key]) and not self.memory.is_strange(step, [key]):
            return False
        for each in self.theatre.inputs.values():
            own = each.binding.collection
            if (
                each.binding.verb == "read"
                and own
                and own.name == collection.name
                and each.main
                and set(each.needed) == {each.main}
            ):
                request = Step(0, each.operation.id, step.as_, {**each.path, each.main.name: key})
                with self.theatre.oracle.trying() as oracle:
                    return not oracle.answer(request.request(self.run.provider.rules.contract, self.ours.look)).good
        return False

    def _remember(self, step: Step, ours: Json, theirs: Json) -> None:
        made = self.run.provider.rules.contract.operations[step.operation].method not in SAFE
        listed = not made and not step.query.keys() & self._filters(step.operation).keys()
        for mine, other in rows(ours, theirs, self.theatre.names):
            if self._trusts(mine["id"], other["id"]):
                self.memory.keep(step, mine, other, made=made, listed=listed)

    def _changes(self, ours0: Json, theirs0: Json, ours: Json, theirs: Json) -> list[Difference]:
        """Where the two sides did not change alike since the story began: numbers by as much, lists by known rows."""
        return list(self._changed(ours0, theirs0, ours, theirs, ""))

    def _changed(self, ours0: Json, theirs0: Json, ours: Json, theirs: Json, place: str) -> Iterable[Difference]:
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            for name in ours:
                if name in theirs:
                    yield from self._changed(
                        _get(ours0, name), _get(theirs0, name), ours[name], theirs[name], f"{place}/{name}"
                    )
        elif isinstance(ours, list) and isinstance(theirs, list):
            own = [row for row in ours if isinstance(row, Mapping) and row.get("id") in self.memory.known]
            shown = [row for row in theirs if isinstance(row, Mapping) and row.get("id") in self.memory.shown]
            for each in self.comparison.bodies(own, shown):
                yield Difference(place + each.pointer, each.how, each.expected, each.actual)
        else:
            yield from _moved(ours0, theirs0, ours, theirs, place)

    def _broken(self, step: Step, why: str) -> Taken:
        nothing = Answer(0, "", None, {}, "", "", (), step.operation, modelled=False)
        if len(self._times) == len(self.taken):
            self._times.append(self.theatre.oracle.now)
        taken = self.took(step, Request("", ""), nothing, Reply(0), broken=why)
        self.taken.append(taken)
        return taken


def finding(stage: Stage, told: Sequence[Taken], mismatch: Mismatch) -> Finding:
    """A mismatch of the last of these steps, as it is reported."""
    run, passed = stage.run, 0.0
    lines = tuple(Line(each.request, each.reply, each.step.about) for each in told)
    played = []
    for each in told:
        step = replace(each.step, wait=round(each.passed - passed, 6))
        passed = each.passed
        refs = refs_in([*step.path.values(), *step.query.values(), *step.headers.values(), step.body])
        played.append((step, each.request, {ref: stage.theirs.look(ref) for ref in refs}))
    words = f"expected: {mismatch.expected}\nactual:   {mismatch.actual}"
    return Finding(
        mismatch.rule,
        told[-1].step.operation,
        mismatch.title,
        mismatch.expected,
        mismatch.actual,
        mismatch.basis,
        mismatch.cause,
        run.target.phase,
        lines,
        script(
            run.target,
            played,
            words,
            round(stage.passed - passed, 6),
            against_itself=mismatch.basis.kind == "itself",
        ),
        mismatch.pointer,
    )


def _sent(request: Request) -> Mapping[str, Json]:
    from tasktwin.wire import loads  # noqa: PLC0415 - beside its only use

    try:
        body = loads(request.body) if request.body else {}
    except ValueError:
        return {}
    return body if isinstance(body, Mapping) else {}


def _get(value: Json, name: str) -> Json:
    return value.get(name) if isinstance(value, Mapping) else None


def _moved(ours0: Json, theirs0: Json, ours: Json, theirs: Json, place: str) -> Iterable[Difference]:
    """Whether a number changed by as much on both sides."""
    numbers = [_number(each) for each in (ours0, theirs0, ours, theirs)]
    if None in numbers:
        return
    was, were, now, then = (each for each in numbers if each is not None)
    if abs(now) < 1e9 and round((now - was) - (then - were), 6):
        yield Difference(place, "value", f"{now - was:+g} since the beginning", f"{then - were:+g}")


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except ValueError:
        return None
