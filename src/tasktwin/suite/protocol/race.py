"""Races: what is asked for at once comes out as it does one after another, in some order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, islice

from tasktwin.suite import certainty
from tasktwin.suite.finding import Basis, Finding
from tasktwin.suite.lifecycle.atlas import Atlas
from tasktwin.suite.protocol.deed.alias import Aliases
from tasktwin.suite.protocol.deed.burst import Volley, at_once, most
from tasktwin.suite.protocol.deed.deed import Deed, acted_on, deeds, looks_after, tries
from tasktwin.suite.protocol.deed.proof import led_there, looked, prove, told
from tasktwin.suite.story.compare import is_time
from tasktwin.suite.story.inputs import Inputs, Place
from tasktwin.suite.story.judge import Mismatch, short
from tasktwin.suite.story.sketch import Desk, Sketch
from tasktwin.suite.story.stage import Stage, Theatre
from tasktwin.suite.story.step import Ref, Step
from tasktwin.suite.traffic import Reply, Request
from tasktwin.wire import Json

MANY = 8
"""So many equal requests are sent at once."""

ROUNDS = 2
"""So often a race is run, each time in a new stage, before nothing is taken to be wrong with it."""

MOST_RIVALS = 3
"""So many different requests compete."""

MOST_FIELDS = 5
"""So many fields of one row are changed at once."""

MOST_ROWS = 4
"""So many rows compete for what is there."""

MOST_DOUBLINGS = 24
"""So often an amount is doubled to find one that can be spent only a few times."""

IN_TURN = Basis(
    "itself",
    "Requests that arrive at once come out as they do one after another, in some order: so does this deployment answer"
    " the same ones when they are sent in turn.",
)


@dataclass(frozen=True, slots=True)
class Race:
    """Steps that are sent at once behind ``before``. ``about`` says in words what competes.

    ``spends``: how many succeed depends on what there was to spend at the beginning.
    """

    name: str
    about: str
    before: Sketch
    steps: tuple[Step, ...]
    looks: tuple[Step, ...]
    spends: bool = False


def units(theatre: Theatre, atlas: Atlas, desk: Desk) -> list[tuple[str, Callable[[], None]]]:
    """One unit for each race."""
    run = theatre.run
    principals = [name for name in run.provider.rules.principals if name in run.target.callers.headers]
    known = deeds(desk, atlas, principals, run.asked_for)
    races = {race.name: race for race in planned(desk, known, principals)}
    found: list[tuple[str, Callable[[], None]]] = [(name, partial(_run, theatre, race)) for name, race in races.items()]
    aliases = Aliases(theatre, desk)
    for name, race in races.items():
        equal = all(each == race.steps[0].renamed(each.key) for each in race.steps)
        steps = tuple(map(aliases.renamed, race.steps))
        if equal and steps != race.steps:  # a lock that goes by the path is none
            found.append((f"{name} by another name", partial(_run, theatre, replace(race, steps=steps))))
    return found


def planned(desk: Desk, known: Sequence[Deed], principals: Sequence[str]) -> Iterator[Race]:
    """The races there are, by the oracle."""
    for deed in known:
        yield from _equal(desk, deed)
        yield from _spending(desk, deed)
        yield from _siblings(desk, deed, principals)
        yield from _using_up(desk, deed)
        yield from _fields(desk, deed)
        yield from _parts(desk, deed)
    yield from _rivals(desk, known)


def _run(theatre: Theatre, race: Race) -> None:
    prove(theatre, partial(_play, theatre, race), ROUNDS)


def _play(theatre: Theatre, race: Race, stage: Stage, *, turns: bool) -> list[Finding] | None:
    """Lead there, send all at once (or in turn), look."""
    bases = [replace(each, key=each.key - 30_000, base=True) for each in race.looks if not each.refs()]
    if not led_there(theatre, stage, [*bases, *race.before.steps]) or (race.spends and stage.parted):
        return None
    words = f"after {race.about} at once"
    cause = f"race.state:{race.name}"
    if turns:
        for step in race.steps:
            if not stage.take(step.renamed(step.key + 1_000)).in_step:
                return None
        return looked(stage, race.looks, "race.state", cause, words, IN_TURN)
    volley = at_once(stage, [replace(step, volley=1, about="at once") for step in race.steps], race.looks)
    if volley is None:
        return None
    wrong = [*_outcome(race, volley), *_alike(race, volley)]
    found = [told(stage, volley.taken[-1], each) for each in wrong]
    if found or volley.order is None or not volley.sure:
        return found
    return looked(stage, race.looks, "race.state", cause, words, IN_TURN)


def _outcome(race: Race, volley: Volley) -> Iterator[Mismatch]:
    """What the answers alone show."""
    replies = [each.reply for each in volley.taken]
    actual = f"{len(volley.winners)} of {len(replies)} succeed: {_statuses(replies)}"
    expected = f"{volley.most} of {len(replies)} succeeds" if volley.most == 1 else f"{volley.most} succeed"
    expected += ", as when they are answered one after another"
    broken = next((each for each in replies if (each.status >= 500 and each.status != 503) or not each.status), None)
    if broken is not None:
        title = f"{race.about} at once are answered with {broken.status or 'nothing'}"
        basis = certainty.SERVER_ERROR
        yield Mismatch("race.error", title, expected, _told(broken), basis, f"race.error:{race.name}")
    elif len(volley.winners) > volley.most:
        title = f"{race.about} at once: more succeed than one after another"
        yield Mismatch("race.won", title, expected, actual, IN_TURN, f"race.won:{race.name}")
    elif not volley.winners and volley.most:
        title = f"{race.about} at once: none succeeds"
        yield Mismatch("race.lost", title, expected, actual, IN_TURN, f"race.lost:{race.name}")
    elif volley.order is None:
        title = f"{race.about} at once: these cannot all succeed in any order"
        yield Mismatch("race.order", title, expected, actual, IN_TURN, f"race.order:{race.name}")


def _alike(race: Race, volley: Volley) -> Iterator[Mismatch]:
    """Members that name a row, which one after another all have values of their own, and at once have the same."""
    won = [each for each in volley.taken if each.reply.good and each.expected.good]
    pairs = [(dict(_named(each.expected.shape)), dict(_named(each.reply.json()))) for each in won]
    for name in pairs[0][0] if len(pairs) > 1 else ():
        ours, theirs = ([side[name] for side in sides if name in side] for sides in zip(*pairs, strict=True))
        if len(set(ours)) == len(ours) == len(theirs) > len(set(theirs)):
            twice = next(value for value in theirs if theirs.count(value) > 1)
            title = f"{race.about} at once: several rows have the same {name.rpartition('/')[2]}"
            expected, actual = "one of its own for each, as one after another", f"{twice!r} {theirs.count(twice)} times"
            yield Mismatch("race.alike", title, expected, actual, IN_TURN, f"race.alike:{race.name}:{name}", name)


def _named(value: Json, pointer: str = "", depth: int = 0) -> Iterator[tuple[str, Json]]:
    """The scalars of an answer that are no times, by pointer; lists are left out."""
    if isinstance(value, Mapping) and depth < 3:
        for name, inner in value.items():
            yield from _named(inner, f"{pointer}/{name}", depth + 1)
    elif isinstance(value, (str, int)) and not isinstance(value, bool) and not is_time(value):
        yield pointer, value


def _statuses(replies: Sequence[Reply]) -> str:
    return ", ".join(str(each.status) for each in replies)


def _told(reply: Reply) -> str:
    body = reply.json() if reply.is_json else reply.body[:200].decode("utf-8", "replace")
    return f"{reply.status} {short(body)}" if reply.status else reply.problem


# ── what competes ────────────────────────────────────────────────────────────────────────────────────────────────────


def _copies(step: Step, count: int) -> tuple[Step, ...]:
    return tuple(step.renamed(step.key + n) for n in range(count))


def _request(desk: Desk, sketch: Sketch, step: Step) -> Request:
    return step.request(desk.provider.rules.contract, sketch.look)


def _looks(desk: Desk, sketch: Sketch, steps: Sequence[Step]) -> tuple[Step, ...]:
    """Looks at what these change; not at lists of other kinds, whose rows nobody can tell apart afterwards."""
    kinds = {one.collection for one in sketch.handles}
    own = [desk.inputs[step.operation].binding.collection for step in steps]
    kinds |= {each.name for each in own if each}
    found = []
    for look in looks_after(desk, sketch, steps):
        binding = desk.inputs[look.operation].binding
        if binding.verb != "list" or (binding.collection and binding.collection.name in kinds):
            found.append(look)
    return tuple(found)


def _wins(desk: Desk, sketch: Sketch, steps: Sequence[Step]) -> int:
    """How many of these succeed at most behind a story."""
    desk.open(sketch)
    return most(desk.oracle, [_request(desk, sketch, step) for step in steps])


def _equal(desk: Desk, deed: Deed) -> Iterator[Race]:
    """The same many times over: what only one can do, and what makes a row each time."""
    steps = _copies(deed.step, MANY)
    verb = desk.inputs[deed.step.operation].binding.verb
    if verb == "create" or _wins(desk, deed.before, steps) < MANY:
        looks = _looks(desk, deed.before, steps)
        yield Race(deed.name, f"{MANY} equal {deed.step.operation}", deed.before, steps, looks)


def _spending(desk: Desk, deed: Deed) -> Iterator[Race]:
    """An amount that can be spent only a few times: more of them at once."""
    body = deed.step.body
    if desk.inputs[deed.step.operation].binding.verb != "create" or not isinstance(body, Mapping):
        return
    plain = _signs(desk, deed.before, _copies(deed.step, MANY))
    if plain[-1] != plain[0]:
        return
    for name, value in body.items():
        amount = _amount(value)
        for _ in range(MOST_DOUBLINGS if amount else 0):
            amount *= 2
            step = replace(deed.step, body={**body, name: _as(value, amount)})
            steps = _copies(step, MANY)
            signs = _signs(desk, deed.before, steps)
            if signs[0] != plain[0]:
                break  # not even once
            if signs[-1] != signs[0]:
                looks = _looks(desk, deed.before, steps)
                about = f"{MANY} {deed.step.operation} of {_as(value, amount)} ({name})"
                yield Race(f"{deed.name} by {name}", about, deed.before, steps, looks, spends=True)
                return


def _signs(desk: Desk, sketch: Sketch, steps: Sequence[Step]) -> list[object]:
    """What becomes of each step, one after another: whether it succeeds, and which transitions it takes."""
    desk.open(sketch)
    answers = [desk.oracle.answer(_request(desk, sketch, step)) for step in steps]
    return [(each.good, each.taken, each.kind) for each in answers]


def _amount(value: Json) -> float:
    """A number to double, also one that is written as a text; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return 0.0
    try:
        return max(0.0, float(value)) if len(str(value)) < 16 else 0.0
    except ValueError:
        return 0.0


def _as(value: Json, amount: float) -> Json:
    if isinstance(value, str):
        return f"{amount:.2f}" if "." in value else f"{amount:.0f}"
    return round(amount) if isinstance(value, int) else amount


def _siblings(desk: Desk, deed: Deed, principals: Sequence[str]) -> Iterator[Race]:
    """The same for two rows, when only one of them can have it."""
    for sketch, other in [*_known_twins(desk, deed), *_made_twins(desk, deed, principals)]:
        rivals = (deed.step.renamed(sketch.next_key()), other.renamed(sketch.next_key() + 1))
        if [_wins(desk, sketch, [each]) for each in rivals] == [1, 1] and _wins(desk, sketch, rivals) == 1:
            about = f"{deed.step.operation} of two rows of which one can have it"
            yield Race(f"{deed.name} twice", about, sketch, rivals, _looks(desk, sketch, rivals[:1]))
            return


def _using_up(desk: Desk, deed: Deed) -> Iterator[Race]:
    """The same for several rows, which together need more than there is."""
    main, place = acted_on(desk, deed.before, deed.step), desk.inputs[deed.step.operation].main
    maker = deed.before.steps[-1] if deed.before.steps else None
    if main is None or place is None or maker is None or maker.key != main.ref.step:
        return
    sketch = deed.before.fork()
    desk.open(sketch)
    refs = [main.ref]
    for _ in range(MOST_ROWS - 1):
        again = replace(maker, key=sketch.next_key())
        if not desk.take(sketch, again).good:
            break
        refs.append(Ref(again.key, main.ref.pointer))
    sketch.saved = desk.oracle.world.save()
    first = sketch.next_key()
    steps = [_instead(deed.step.renamed(first + n), place, ref) for n, ref in enumerate(refs)]
    if len(steps) > 1 and 0 < _wins(desk, sketch, steps) < len(steps):
        about = f"{deed.step.operation} of {len(steps)} rows that need more than there is"
        yield Race(f"{deed.name} of many", about, sketch, tuple(steps), _looks(desk, sketch, steps), spends=True)


def _known_twins(desk: Desk, deed: Deed) -> Iterator[tuple[Sketch, Step]]:
    """The step on another row that the story knows as well."""
    for place, kind in desk.inputs[deed.step.operation].needed.items():
        for handle in deed.before.knows(kind):
            other = _instead(deed.step, place, handle.ref)
            if other != deed.step:
                yield deed.before, other


def _made_twins(desk: Desk, deed: Deed, principals: Sequence[str]) -> Iterator[tuple[Sketch, Step]]:
    """The step on a row that somebody else makes likewise."""
    main, place = acted_on(desk, deed.before, deed.step), desk.inputs[deed.step.operation].main
    maker = next((each for each in deed.before.steps if main and each.key == main.ref.step), None)
    if main is None or maker is None or place is None:
        return
    for who in principals:
        sketch = deed.before.fork()
        desk.open(sketch)
        again = replace(maker, key=sketch.next_key(), as_=who)
        if who != maker.as_ and desk.take(sketch, again).good:
            sketch.saved = desk.oracle.world.save()
            yield sketch, _instead(deed.step, place, Ref(again.key, main.ref.pointer))


def _instead(step: Step, place: Place, value: Json) -> Step:
    """The step with another value at this place, if it has one there."""
    if place.where == "path":
        return replace(step, path={**step.path, place.name: value})
    if place.where == "body" and isinstance(step.body, Mapping) and place.name in step.body:
        return replace(step, body={**step.body, place.name: value})
    return step


def _rivals(desk: Desk, known: Sequence[Deed]) -> Iterator[Race]:
    """Different operations on one row, of which not all can succeed."""
    for deed in known:
        main = acted_on(desk, deed.before, deed.step)
        if main is None or not deed.state:
            continue
        same = [each for each in known if each.before.steps == deed.before.steps and _acts_on(desk, each, main.key)]
        if deed is not same[0]:
            continue
        others = [deed.step, *_others(desk, deed, {deed.step.operation})]
        rivals = [step.renamed(deed.step.key + n) for n, step in enumerate(others)]
        yield from _late(desk, deed, same)
        for pair in islice(_clashing(desk, deed.before, rivals), 1):
            names = " and ".join(step.operation for step in pair)
            yield Race(
                f"{names} from {deed.state}", names, deed.before, tuple(pair), _looks(desk, deed.before, pair[:1])
            )


def _late(desk: Desk, deed: Deed, same: Sequence[Deed]) -> Iterator[Race]:
    """A change that stays in the state, against one that leaves it: what is over stays over."""
    stay = [each for each in same if not _leaves(desk, each)]
    away = [each for each in same if _leaves(desk, each)]
    if stay and away:
        pair = (away[0].step, stay[0].step.renamed(away[0].step.key + 1))
        names = " and ".join(step.operation for step in pair)
        looks = _looks(desk, deed.before, pair)
        yield Race(f"{names} in {deed.state}", names, deed.before, pair, looks)


def _leaves(desk: Desk, deed: Deed) -> bool:
    return next(_leaving(desk, deed, iter([deed.step])), None) is not None


def _acts_on(desk: Desk, deed: Deed, key: str) -> bool:
    main = acted_on(desk, deed.before, deed.step)
    return main is not None and main.key == key


def _others(desk: Desk, deed: Deed, done: set[str]) -> Iterator[Step]:
    """A step of each other operation that takes the same row out of its state."""
    main = acted_on(desk, deed.before, deed.step)
    for name, inputs in desk.inputs.items():
        kinds = {one.collection for one in deed.before.handles}
        if not inputs.writes or name in done or not inputs.main or not kinds.issuperset(inputs.needed.values()):
            continue
        for who in dict.fromkeys([deed.step.as_, *(step.as_ for step in deed.before.steps)]):
            step = next(_leaving(desk, deed, tries(deed.before, inputs, who)), None)
            if step and main and acted_on(desk, deed.before, step) == main:
                yield step
                break


def _leaving(desk: Desk, deed: Deed, steps: Iterator[Step]) -> Iterator[Step]:
    main = acted_on(desk, deed.before, deed.step)
    for step in steps:
        desk.open(deed.before)
        if main and desk.answer(deed.before, step).good and desk.state(main) != deed.state:
            yield step


def _clashing(desk: Desk, sketch: Sketch, rivals: Sequence[Step]) -> Iterator[Sequence[Step]]:
    """As many as possible of which one at most succeeds."""
    for size in range(min(MOST_RIVALS, len(rivals)), 1, -1):
        for some in combinations(rivals, size):
            if _wins(desk, sketch, some) == 1:
                yield some


def _fields(desk: Desk, deed: Deed) -> Iterator[Race]:
    """Different fields of one row, each changed by a request of its own: none is lost."""
    inputs = desk.inputs[deed.step.operation]
    if inputs.operation.method != "PATCH" and inputs.binding.verb != "update":
        return
    steps: list[Step] = []
    for name, value in [*_changes(inputs.variants, inputs.optional), *_words(inputs)]:
        step = replace(deed.step, key=deed.step.key + len(steps), body={name: value})
        known = {one for each in steps if isinstance(each.body, Mapping) for one in each.body}
        if name not in known and _wins(desk, deed.before, [step]) == 1 and looks_after(desk, deed.before, [step]):
            steps.append(step)
        if len(steps) == MOST_FIELDS:
            break
    if len(steps) > 1 and _wins(desk, deed.before, steps) == len(steps):
        about = f"{deed.step.operation} of {len(steps)} fields of one row"
        yield Race(f"{deed.name} by fields", about, deed.before, tuple(steps), _looks(desk, deed.before, steps))


def _parts(desk: Desk, deed: Deed) -> Iterator[Race]:
    """Different parts of one member, each sent by a request of its own, where the API puts them together: none is lost."""
    inputs = desk.inputs[deed.step.operation]
    if inputs.operation.method != "PATCH" and inputs.binding.verb != "update":
        return
    values = {name: value for body in inputs.variants for name, value in body.items() if name in inputs.optional}
    for name in [name for name, value in values.items() if isinstance(value, Mapping)]:
        parts = [f"part_{n + 1}" for n in range(MOST_FIELDS)]
        steps = [replace(deed.step, key=deed.step.key + n, body={name: {part: n + 1}}) for n, part in enumerate(parts)]
        looks = _looks(desk, deed.before, steps) if _wins(desk, deed.before, steps) == len(steps) else ()
        if looks and _shown(desk, deed.before, steps, looks).issuperset(parts):
            about = f"{deed.step.operation} of {len(steps)} parts of {name}"
            yield Race(f"{deed.name} by parts of {name}", about, deed.before, tuple(steps), looks)


def _shown(desk: Desk, sketch: Sketch, steps: Sequence[Step], looks: Sequence[Step]) -> set[str]:
    """The names of members that the looks show behind these steps."""
    after = sketch.fork()
    desk.open(sketch)
    for step in steps:
        after.answers[step.key] = desk.answer(after, step).shape
    return {name for look in looks for name in _members(desk.answer(after, look).shape)}


def _members(value: Json) -> Iterator[str]:
    for name, inner in value.items() if isinstance(value, Mapping) else ():
        yield name
        yield from _members(inner)


def _changes(bodies: Sequence[Mapping[str, Json]], optional: Sequence[str]) -> Iterator[tuple[str, Json]]:
    """A new value for each member that can be sent alone."""
    values = {name: value for body in reversed(bodies) for name, value in body.items() if name in optional}
    for name, value in values.items():
        if isinstance(value, bool):
            yield name, not value
        elif isinstance(value, int):
            yield name, value + 1
        elif isinstance(value, str) and " " in value:
            yield name, f"{value} (changed)"
        elif isinstance(value, str):
            yield name, value


def _words(inputs: Inputs) -> Iterator[tuple[str, Json]]:
    """A text for each further member that takes any."""
    schema = inputs.operation.body_schema or {}
    for name in inputs.optional:
        node = inputs.operation.resolved(schema["properties"][name])
        if node.get("type") == "string" and not {"enum", "format", "pattern"} & node.keys():
            yield name, f"changed {name}"
