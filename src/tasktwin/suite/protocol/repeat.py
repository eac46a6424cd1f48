"""The same request again without a key: what HTTP says of PUT and DELETE, and what the API says of creations."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from tasktwin.suite.finding import Basis, Finding
from tasktwin.suite.protocol.deed.deed import Deed
from tasktwin.suite.protocol.deed.proof import cause_part, led_there, prove, told
from tasktwin.suite.story.compare import Comparison, Names
from tasktwin.suite.story.judge import Mismatch, short
from tasktwin.suite.story.pursue import pursue
from tasktwin.suite.story.sketch import Desk
from tasktwin.suite.story.stage import Stage, Theatre
from tasktwin.wire import Json

RETRIED = 100
"""Keys of steps that are taken again are so much higher."""

SAFE_AGAIN = Basis(
    "standard",
    "RFC 9110 §9.2.2: PUT, DELETE and safe methods are idempotent: several identical requests intend the effect of one.",
    "https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2",
)


def units(
    theatre: Theatre, desk: Desk, known: Sequence[Deed], *, with_keys: bool
) -> list[tuple[str, Callable[[], None]]]:
    """One unit for each PUT and DELETE, and where there are no keys for each creation."""
    found: list[tuple[str, Callable[[], None]]] = []
    for deed in known:
        if desk.inputs[deed.step.operation].operation.method in {"PUT", "DELETE"}:
            found.append((f"{deed.name} twice", partial(_repeat, theatre, deed)))
        elif not with_keys and desk.inputs[deed.step.operation].binding.verb == "create":
            found.append((f"{deed.name} twice", partial(_duplicate, theatre, deed)))
    return found


def differences(was: Json, now: Json) -> Iterator[tuple[str, Json, Json]]:
    """Where two answers differ: identifiers too, but not the time, nor what numbers the request itself."""
    same = Names()
    for key in _texts(was):
        same.learn(key, key)
    for each in Comparison(same).bodies(was, now):
        if not any(word in each.pointer.lower() for word in ("request", "trace", "correlation")):
            yield each.pointer, each.expected, each.actual


def _texts(value: Json) -> Iterator[Json]:
    """All scalars, each of which is only itself."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, (str, int)) and not isinstance(value, bool) and not str(value)[:5].startswith(("19", "20")):
        yield value


def _repeat(theatre: Theatre, deed: Deed) -> None:
    """PUT and DELETE twice: the second time changes nothing."""
    prove(theatre, partial(_twice, theatre, deed))


def _twice(theatre: Theatre, deed: Deed, stage: Stage, *, turns: bool) -> list[Finding] | None:
    if not led_there(theatre, stage, [*deed.bases, *deed.before.steps]):
        return None
    first = stage.take(deed.step)
    if not first.in_step or not first.reply.good:
        return None
    was = [stage.take(look) for look in deed.looks]
    if not turns:
        stage.take(replace(deed.step, key=deed.step.key + RETRIED, about="the same again"))
    now = [stage.take(look.renamed(look.key + RETRIED)) for look in deed.looks]
    found = []
    for before, after in zip(was, now, strict=True):
        due = {place for place, _, _ in differences(before.expected.shape, after.expected.shape)}
        for pointer, expected, actual in differences(before.reply.json(), after.reply.json()):
            if pointer in due:
                continue
            name = deed.step.operation
            title = f"{name} the second time changes what {after.step.operation} shows"
            cause = f"standard.idempotent:{name}:{after.step.operation}:{cause_part(pointer)}"
            wrong = Mismatch("standard.idempotent", title, short(expected), short(actual), SAFE_AGAIN, cause, pointer)
            found.append(told(stage, after, wrong))
    return found


def _duplicate(theatre: Theatre, deed: Deed) -> None:
    """A creation twice without a key: as the oracle says."""
    with theatre.stage() as stage:
        if not led_there(theatre, stage, [*deed.bases, *deed.before.steps]):
            return
        again = replace(deed.step, key=deed.step.key + RETRIED, about="the same again")
        for step in (deed.step, again, *deed.looks):
            taken = stage.take(step)
            for mismatch in taken.found:
                pursue(theatre, stage, taken, mismatch)
            if not taken.in_step:
                return
