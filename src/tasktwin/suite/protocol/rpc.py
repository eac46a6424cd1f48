"""JSON-RPC: its envelope, and each method beside the operation that it stands for.

An error comes with the status of a success, so that what a refusal means is looked for below the envelope.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Final

from tasktwin.provider.resolver import parse_provenance
from tasktwin.suite import certainty
from tasktwin.suite.lifecycle.atlas import Atlas, Found, reader_of
from tasktwin.suite.protocol.rpc_envelope import (
    IDS,
    Judged,
    batched,
    code_of,
    coded,
    formed,
    notified,
    odd_ones,
    speaks,
)
from tasktwin.suite.protocol.stream_plan import as_rpc
from tasktwin.suite.story.inputs import Inputs, Place
from tasktwin.suite.story.judge import Mismatch, short
from tasktwin.suite.story.sketch import Desk, identifiers, step_of
from tasktwin.suite.story.stage import Stage, Taken, Theatre, finding
from tasktwin.suite.story.step import Ref, Step, probe
from tasktwin.suite.traffic import NOBODY
from tasktwin.wire import Json

FIRST: Final = 70_000
"""The key of the first step behind what leads there."""

MOST: Final = 8
"""So many ways and states are looked at for one method."""

Play = Callable[[Stage], list[Judged]]


@dataclass(frozen=True, slots=True)
class Speech:
    """One method of one operation that speaks JSON-RPC; ``inputs`` are those of the operation it stands for."""

    theatre: Theatre
    desk: Desk
    operation: str
    label: str
    inputs: Inputs

    def call(self, step: Step) -> Step:
        """A step of REST as a call of the method."""
        return as_rpc(self.desk, self.operation, self.label, step)


def units(theatre: Theatre, atlas: Atlas, desk: Desk) -> list[tuple[str, Callable[[], None]]]:
    """For each operation that speaks JSON-RPC: its envelope; its methods in place of REST; and where they are refused."""
    run = theatre.run
    found: list[tuple[str, Callable[[], None]]] = []
    for name, binding in run.provider.rules.bindings.items():
        if (
            binding.verb != "rpc"
            or not run.asked_for(name)
            or not run.target.may_send(probe(desk.provider.rules.contract, name))
        ):
            continue
        found.append((f"envelope of {name}", partial(_twice, theatre, partial(_envelope, theatre, name))))
        for label, method in binding.methods.items():
            if method.stream or method.operation not in desk.inputs:
                continue
            speech = Speech(theatre, desk, name, label, desk.inputs[method.operation])
            plays = [*_doing(speech, atlas), *_refusing(speech, atlas)]
            found += [(f"{label} of {name} {about}", partial(_twice, theatre, play)) for about, play in plays]
    return found


def _twice(theatre: Theatre, play: Play) -> None:
    """Report what a story shows both times that it is played, by the steps that it needs."""
    with theatre.stage() as stage:
        first = {mismatch.cause for _, mismatch in play(stage)}
    if not first:
        return
    with theatre.stage() as stage:
        for taken, mismatch in play(stage):
            if mismatch.cause in first:
                theatre.run.report(finding(stage, _story(stage, taken), mismatch))


def _story(stage: Stage, taken: Taken) -> list[Taken]:
    """The steps that lead to this one: what wrote before it, and what it needs; to a look also the calls before it."""
    bindings = stage.run.provider.rules.bindings
    needed = {id(step) for step in stage.needed(taken)}
    if bindings[taken.step.operation].verb != "rpc":
        needed |= {id(each.step) for each in stage.taken if bindings[each.step.operation].verb == "rpc"}
    before = stage.taken[: stage.taken.index(taken) + 1]
    return [each for each in before if id(each.step) in needed or (each.step.key < FIRST and not each.step.base)]


def _envelope(theatre: Theatre, name: str, stage: Stage) -> list[Judged]:
    """Ids of every type, requests that are none, methods that nobody knows, a notification, a batch."""
    who = next(iter(theatre.run.target.callers.headers), NOBODY)
    unknown = {"jsonrpc": "2.0", "method": "judge/unknown", "params": {}}
    keys = iter(range(FIRST, FIRST + 1_000))

    def ask(body: Json, about: str, raw: bytes | None = None) -> Taken:
        return stage.take(Step(next(keys), name, who, body=body, raw=raw, about=about))

    found: list[Judged] = []
    for key in (*IDS, None):
        found += formed(ask({**unknown, "id": key}, f"the id {short(key)}"), (key,))
    for odd in odd_ones(theatre.run.provider.rules.bindings[name]):
        taken = ask(odd.body, odd.name, odd.raw)
        found += [*formed(taken, odd.keys), *coded(taken, odd)]
    found += notified(ask(unknown, "a notification"))
    found += batched(ask([{**unknown, "id": 1}], "a batch"))
    return found


# ── the methods ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _doing(speech: Speech, atlas: Atlas) -> Iterator[tuple[str, Play]]:
    """The ways that the method's operation goes, or the states in which it can look."""
    inputs = speech.inputs
    if inputs.writes:
        ways = {id(one): (f"as {way}", one) for (_, way), one in reversed(atlas.ways.items())}
        named = [each for each in ways.values() if each[1].step.operation == inputs.operation.id]
    else:
        named = [(f"{kind} {state}", one) for (kind, state), one in atlas.places.items() if one.handle]
        named = [each for each in named if each[1].handle and {each[1].handle.collection} == {*inputs.needed.values()}]
    for name, found in named[:MOST]:
        yield name, partial(_gone, speech, found)


def _gone(speech: Speech, way: Found, stage: Stage) -> list[Judged]:
    """A story with the method in place of its last step, and what everybody concerned then sees."""
    steps, step = _led(speech, way)
    cast = list(dict.fromkeys(one.as_ for one in [*steps, step]))
    shared = [one for one in speech.desk.inputs.values() if one.is_shared and one.binding.verb == "compute"]
    looks = [(one, who) for one in shared for who in cast]
    if not speech.theatre.alike:
        for n, (one, who) in enumerate(looks):
            stage.take(_look(one, who, FIRST - 1_000 + n, base=True))
    if not all(stage.take(each).in_step for each in steps):
        return []
    keys = (*IDS[1:3], None) if not speech.inputs.writes else IDS[:1]
    found: list[Judged] = []
    for n, key in enumerate(keys):
        call = speech.call(step.renamed(FIRST + n))
        taken = stage.take(replace(call, body={**call.body, "id": key}))
        found += _answered(speech, taken, [*steps, step])
    if found or not speech.inputs.writes:
        return found
    later = [_look(one, who, FIRST + 100 + n, base=False) for n, (one, who) in enumerate(looks)]
    for each in [*_reads(speech, taken, way, cast), *later]:
        seen = stage.take(each)
        found += [(seen, mismatch) for mismatch in seen.found]
    return found


def _led(speech: Speech, way: Found) -> tuple[list[Step], Step]:
    """What leads to the call, and the call in REST."""
    inputs = speech.inputs
    if inputs.writes or inputs.main is None or way.handle is None:
        return list(way.before.steps), way.step
    return list(way.sketch.steps), step_of(way.sketch, inputs, way.handle.maker, {inputs.main: way.handle.ref})


def _look(each: Inputs, who: str, key: int, *, base: bool) -> Step:
    return Step(key, each.operation.id, who, each.path, {}, body=next(iter(each.bodies), None), base=base)


def _reads(speech: Speech, taken: Taken, way: Found, cast: list[str]) -> Iterator[Step]:
    """Reading by REST what the method acted on, by the id that its answer tells."""
    reader = reader_of(speech.desk, way.handle.collection) if way.handle else None
    if reader is None or reader.main is None or len(reader.needed) > 1:
        return
    told = [pointer for pointer, _ in identifiers(taken.expected.shape, "", 0) if pointer != "/id"]
    for n, who in enumerate(cast if told else ()):
        path = {**reader.path, reader.main.name: Ref(taken.step.key, told[0])}
        yield Step(FIRST + 50 + n, reader.operation.id, who, path, about="look at it")


def _refusing(speech: Speech, atlas: Atlas) -> Iterator[tuple[str, Play]]:
    """The states of the row that the method acts on."""
    inputs = speech.inputs
    if inputs.main is not None:
        kind = inputs.rows[inputs.main]
        places = [(state, one) for (name, state), one in atlas.places.items() if name == kind and one.handle]
        for state, found in places[:MOST]:
            yield f"around {kind} {state}".strip(), partial(_refused, speech, found)


def _refused(speech: Speech, place: Found, stage: Stage) -> list[Judged]:
    """The method in one state by everybody and nobody, wherever it changes nothing."""
    if not all(stage.take(step).in_step for step in place.sketch.steps):
        return []
    contract = speech.desk.provider.rules.contract
    n = FIRST
    for who in [*speech.theatre.run.target.callers.headers, NOBODY]:
        for rest in _calls(speech, place, who):
            step = speech.call(rest)
            speech.desk.open(place.sketch)
            answer = speech.desk.oracle.answer(step.request(contract, place.sketch.look))
            done = speech.inputs.writes and answer.good and not answer.kind
            if answer.taken or done or not answer.modelled:
                continue
            n += 1
            found = list(_answered(speech, stage.take(step.renamed(n)), [*place.sketch.steps, rest]))
            if found:
                return found
    return []


def _calls(speech: Speech, place: Found, who: str) -> Iterator[Step]:
    """The method's operation on the row, in REST."""
    inputs = speech.inputs
    choices = [[one.ref for one in place.sketch.knows(kind)[:1]] for kind in inputs.needed.values()]
    for refs in product(*choices):
        rows: dict[Place, Json] = dict(zip(inputs.needed, refs, strict=True))
        yield step_of(place.sketch, inputs, who, rows, next(iter(inputs.bodies), None))


# ── what an answer means ────────────────────────────────────────────────────────────────────────────────────────────


def _answered(speech: Speech, taken: Taken, story: Sequence[Step]) -> Iterator[Judged]:
    """An error is a refusal of the operation, a result is its success. ``story`` is the same in REST."""
    if taken.broken:
        return
    ours, theirs = taken.expected.shape, taken.reply.json()
    if not speaks(taken) or not isinstance(ours, Mapping) or not isinstance(theirs, Mapping):
        yield from ((taken, each) for each in taken.found)
        return
    yield from formed(taken, (taken.step.body.get("id"),))
    wanted, got = "error" not in ours, "error" not in theirs
    if wanted != got:
        found = _turned(speech, taken, wanted=wanted)
        if found:
            yield taken, _surer(speech, found, story)
    elif wanted:
        yield from ((taken, each) for each in taken.found)
    elif code_of(theirs) != code_of(ours):
        yield taken, _other_code(speech, taken, code_of(ours), code_of(theirs))


def _turned(speech: Speech, taken: Taken, *, wanted: bool) -> Mismatch | None:
    """An error in place of a result, or the other way round: judged as REST's refusal or success would be."""
    rules = speech.desk.provider.rules
    step = replace(taken.step, operation=speech.inputs.operation.id, about=f"by {speech.label}")
    answer = rules.errors.answers.get(taken.expected.kind)
    expected = taken.expected if wanted else replace(taken.expected, status=answer.status if answer else 400)
    reply = replace(taken.reply, status=400 if wanted else 200)
    found = speech.theatre.judge.status(step, expected, reply)
    if found is None:
        return None
    return replace(found, title=f"{found.title}, asked for by {speech.label}", cause=f"{found.cause}:{speech.label}")


def _surer(speech: Speech, found: Mismatch, story: Sequence[Step]) -> Mismatch:
    """What nobody states is wrong all the same, if the target itself does the other thing by REST."""
    if found.basis.severity != "note":
        return found
    with speech.theatre.stage() as stage:
        played = [stage.take(step) for step in story]
    last = played[-1]
    if not all(each.in_step for each in played) or last.reply.good != last.expected.good:
        return found
    method = speech.desk.provider.rules.bindings[speech.operation].methods[speech.label]
    name = last.step.operation
    basis = certainty.basis_of(speech.desk.provider, method.provenance, f"{speech.label} stands for {name}")
    answers = f"{last.reply.status}, as {name} answers"
    return replace(found, basis=basis, expected=answers, cause=f"{found.cause}:rest")


def _other_code(speech: Speech, taken: Taken, ours: Json, theirs: Json) -> Mismatch:
    """A refusal with another code, by what the data say of it."""
    spec = speech.desk.provider.data["operations"][speech.operation]
    marks = {**spec.get("errors", {}), **spec["methods"][speech.label].get("errors", {})}
    kind = taken.expected.kind
    text = str(marks.get(kind, {}).get("provenance", "assumed: the twin's own code"))
    basis = certainty.basis_of(speech.desk.provider, parse_provenance(text), f"the code for {kind}")
    title = f"{speech.label} is refused with another code"
    cause = f"rpc.code:{speech.operation}:{speech.label}:{kind}"
    return Mismatch("rpc.code", title, str(ours), short(theirs), basis, cause, "/error/code", goes_on=True)
