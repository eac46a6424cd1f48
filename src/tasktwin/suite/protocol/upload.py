"""Files: what is announced, uploaded with the form that was given for it, made available, and used, as often as it may be.

A form is an ``url`` and ``fields``, as for Amazon S3's POST. A later operation takes the file by members that are called
as in the announcement, and others by its id. All this is found out on the oracle.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from tasktwin.suite.lifecycle.atlas import Atlas
from tasktwin.suite.protocol.deed.deed import looks_after, tries
from tasktwin.suite.story.inputs import Inputs
from tasktwin.suite.story.judge import Mismatch
from tasktwin.suite.story.pursue import report_seen_twice
from tasktwin.suite.story.sketch import Desk, Sketch
from tasktwin.suite.story.stage import Stage, Taken, Theatre
from tasktwin.suite.story.step import Look, Ref, Step, at, probe
from tasktwin.suite.traffic import Request
from tasktwin.wire import Json

BOUNDARY: Final = "tasktwin-form"
CONTENT: Final = "hello"
UPLOADED = 1_000
"""The key of the step that uploads; those behind it follow."""

DEEPEST = 4
"""Levels of an answer that are searched for a form."""


@dataclass(frozen=True, slots=True)
class Form:
    """Where an answer gives a form: the step, the pointer of the file's row, and that of the form in it; its fields."""

    step: int
    row: str
    name: str
    fields: tuple[str, ...]

    @property
    def refs(self) -> dict[str, Ref]:
        """The fields, as a story refers to them."""
        return {field: Ref(self.step, f"{self.row}/{self.name}/fields/{field}") for field in self.fields}

    @property
    def url(self) -> Ref:
        """Where it is sent to."""
        return Ref(self.step, f"{self.row}/{self.name}/url")


@dataclass(frozen=True, slots=True)
class Way:
    """A file's way: what leads to its form, the form, what makes it available, what uses it, and looks at the end."""

    name: str
    before: tuple[Step, ...]
    form: Form
    after: tuple[Step, ...]


def units(theatre: Theatre, atlas: Atlas, desk: Desk) -> list[tuple[str, Callable[[], None]]]:
    """One unit for each operation that gives a form."""
    run = theatre.run
    upload = next((name for name, one in desk.provider.rules.bindings.items() if one.verb == "upload"), "")
    if not upload or not run.target.may_send(probe(desk.provider.rules.contract, upload)):
        return []
    return [
        (way.name, partial(report_seen_twice, theatre, partial(_play, way, upload)))
        for way in _ways(desk, atlas, upload)
        if any(run.asked_for(step.operation) for step in (*way.before[-1:], *way.after))
    ]


def _play(way: Way, upload: str, stage: Stage) -> list[tuple[Taken, Mismatch]]:
    """Go the whole way; what is wrong with the steps behind the upload."""
    for step in way.before:
        if not stage.take(step).in_step:
            return []
    sent = _uploaded(way.form, upload, stage)
    if sent is None or not sent.reply.good or not sent.expected.good:
        return []
    for step in way.after:
        taken = stage.take(step)
        if taken.found:
            return [(taken, each) for each in taken.found]
    return []


def _uploaded(form: Form, upload: str, stage: Stage) -> Taken | None:
    """Upload on both sides, each with its own form; ``None`` where that leads away from the target."""
    target, oracle = stage.run.target, stage.theatre.oracle
    try:
        mine, sent = (_request(form, upload, target.url, side.look) for side in (stage.ours, stage.theirs))
    except KeyError:
        return None
    if mine is None or sent is None:
        return None
    oracle.until(target.now())
    expected, reply = oracle.answer(mine), target.send(sent)
    step = Step(UPLOADED, upload, body=form.refs, raw=sent.body, media=sent.headers["content-type"], about="the file")
    stage.ours.answers[step.key], stage.theirs.answers[step.key] = expected.shape, reply.json()
    stage.taken.append(stage.took(step, sent, expected, reply))
    stage.run.answered[upload, reply.status] += 1
    return stage.taken[-1]


def _request(form: Form, upload: str, base: str, look: Look) -> Request | None:
    """A form with a file, as one side wants it. Raises ``KeyError``."""
    url, own = urlsplit(str(look(form.url))), urlsplit(base)
    if url.netloc != own.netloc or not url.path.startswith(own.path):
        return None
    parts = [(f'"{name}"', str(look(ref))) for name, ref in form.refs.items()]
    parts.append(('"file"; filename="file"', CONTENT))
    text = "".join(
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n" for name, value in parts
    )
    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    body = f"{text}--{BOUNDARY}--\r\n".encode()
    return Request("POST", url.path.removeprefix(own.path.rstrip("/")), "", headers, body, upload)


# ── what ways there are ─────────────────────────────────────────────────────────────────────────────────────────────


def _ways(desk: Desk, atlas: Atlas, upload: str) -> Iterator[Way]:
    """A way for each operation that gives a form, behind the shortest story that it needs."""
    done: set[str] = set()
    for found in sorted(atlas.places.values(), key=lambda one: len(one.sketch.steps)):
        if any(step.wait for step in found.sketch.steps):
            continue
        who = found.handle.maker if found.handle else found.step.as_
        for inputs in _writers(desk, found.sketch):
            if inputs.operation.id not in done:
                steps = tries(found.sketch, inputs, who)
                way = next(filter(None, (_way(desk, found.sketch, step, upload) for step in steps)), None)
                if way:
                    done.add(inputs.operation.id)
                    yield way


def _way(desk: Desk, before: Sketch, step: Step, upload: str) -> Way | None:
    """The way of the file that a step announces behind a story, if it gives a form and the file can be made available."""
    sketch = before.fork()
    desk.open(sketch)
    form = _form(desk.take(sketch, step).shape, "", step.key)
    after = _after(desk, sketch, form, upload, step.as_) if form else ()
    return Way(f"file of {step.operation}", tuple(sketch.steps), form, after) if form and after else None


def _writers(desk: Desk, sketch: Sketch) -> list[Inputs]:
    kinds = {one.collection for one in sketch.handles}
    return [
        each for each in desk.inputs.values() if each.writes and each.needed and kinds.issuperset(each.needed.values())
    ]


def _form(value: Json, pointer: str, step: int) -> Form | None:
    """The first form in an answer."""
    if pointer.count("/") > DEEPEST:
        return None
    inner = value.items() if isinstance(value, Mapping) else enumerate(value[:1]) if isinstance(value, list) else ()
    for name, each in inner:
        if isinstance(each, Mapping) and isinstance(each.get("url"), str) and isinstance(each.get("fields"), Mapping):
            return Form(step, pointer, str(name), tuple(each["fields"]))
        found = _form(each, f"{pointer}/{name}", step)
        if found:
            return found
    return None


def _after(desk: Desk, sketch: Sketch, form: Form, upload: str, who: str) -> tuple[Step, ...]:
    """What follows the upload: the file is made available, used, used again, and looked at. Nothing if it cannot be."""
    request = _request(form, upload, desk.oracle.url.geturl(), sketch.look)
    if request is None or not desk.oracle.answer(request).good:
        return ()
    sketch.saved = desk.oracle.world.save()
    row = at(sketch.answers[form.step], form.row)
    for step in _takers(desk, sketch, form, row, who):
        ready = sketch.fork()
        desk.open(sketch)
        if desk.take(ready, step).good:
            ready.saved = desk.oracle.world.save()
            uses = next(_uses(desk, ready, form, who), [])
            looks = looks_after(desk, sketch, [step])
            return (step, *uses, *looks)
    return ()


def _takers(desk: Desk, sketch: Sketch, form: Form, row: Json, who: str) -> Iterator[Step]:
    """Steps whose body has a list of rows with members that the announcement told too."""
    for inputs in _writers(desk, sketch):
        for step in tries(sketch, inputs, who):
            for name, value in step.body.items() if isinstance(step.body, Mapping) else ():
                shown = value[0] if isinstance(value, list) and value and isinstance(value[0], Mapping) else {}
                known = {each: Ref(form.step, f"{form.row}/{each}") for each in shown if each in row}
                if "id" in known:
                    yield replace(step, key=UPLOADED + 1, body={**step.body, name: [{**shown, **known}]})


def _uses(desk: Desk, ready: Sketch, form: Form, who: str) -> Iterator[list[Step]]:
    """Two steps that name the file by its id among others' ids: the first may, the second, being the same, may not."""
    file = Ref(form.step, f"{form.row}/id")
    for inputs in _writers(desk, ready):
        for name in [name for name in inputs.optional if name.endswith("_ids")]:
            for step in tries(ready, inputs, who):
                body = {**(step.body if isinstance(step.body, Mapping) else {}), name: [file]}
                pair = [replace(step, key=UPLOADED + 2 + n, body=body) for n in range(2)]
                desk.open(ready)
                further = ready.fork()
                if desk.take(further, pair[0]).good and not desk.take(further, pair[1]).good:
                    yield [pair[0], replace(pair[1], about="the same again")]
