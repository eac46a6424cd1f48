"""Pages of lists: none of a list's rows is lost or shown twice, and what a page says of itself is true.

The deployment is held against itself: no oracle is needed, so that lists may hold whatever they hold.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from tasktwin.behaviour.rules import Paging
from tasktwin.suite import certainty
from tasktwin.suite.lifecycle.atlas import Atlas
from tasktwin.suite.story.inputs import Inputs
from tasktwin.suite.story.judge import Mismatch
from tasktwin.suite.story.pursue import report_seen_twice
from tasktwin.suite.story.sketch import Desk
from tasktwin.suite.story.stage import Stage, Taken, Theatre
from tasktwin.suite.story.step import Step, at
from tasktwin.wire import Json

SIZE = 2
"""Rows of a page."""

MOST_PAGES = 12

MADE = 5
"""So many rows are made first, so that there are several pages."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a list is cut: the names of its parameters, and where a page's members stand."""

    start: str
    size: str
    style: str
    items: str
    total: str
    more: str


def units(theatre: Theatre, atlas: Atlas, desk: Desk) -> list[tuple[str, Callable[[], None]]]:
    """One unit for each list that is cut into pages."""
    found: list[tuple[str, Callable[[], None]]] = []
    for name, each in desk.inputs.items():
        shape = _shape(theatre, each)
        if shape and theatre.run.asked_for(name):
            found.append((f"pages of {name}", partial(_look, theatre, atlas, desk, each, shape)))
    return found


def _look(theatre: Theatre, atlas: Atlas, desk: Desk, each: Inputs, shape: Shape) -> None:
    report_seen_twice(theatre, partial(_read, theatre, atlas, desk, each, shape))


def _read(
    theatre: Theatre, atlas: Atlas, desk: Desk, each: Inputs, shape: Shape, stage: Stage
) -> list[tuple[Taken, Mismatch]]:
    """Make some rows, then read the list page by page as who made them."""
    who, rows = _make(theatre, atlas, desk, each, stage)
    if who is None:
        return []
    pages: list[tuple[Taken, Json]] = []
    start = 1 if shape.style == "page" else 0
    for n in range(MOST_PAGES):
        query = {shape.start: start, shape.size: SIZE}
        step = Step(
            50_000 + n, each.operation.id, who, {**each.path, **rows}, query, body=next(iter(each.bodies), None)
        )
        taken = stage.take(step)
        body = taken.reply.json()
        if not taken.reply.good or not isinstance(_at(body, shape.items), list):
            return []
        pages.append((taken, body))
        if not _at(body, shape.items) or len(_at(body, shape.items)) < SIZE:
            break
        start += 1 if shape.style == "page" else SIZE
    return list(_judged(each, shape, pages))


def _make(
    theatre: Theatre, atlas: Atlas, desk: Desk, each: Inputs, stage: Stage
) -> tuple[str | None, Mapping[str, Json]]:
    """Rows for the list: a story that makes one, its last step several times. Who made them, and the path's values."""
    collection = each.binding.collection
    made = [
        found
        for found in atlas.places.values()
        if collection
        and found.handle
        and found.handle.collection == collection.name
        and desk.inputs[found.step.operation].binding.verb == "create"
    ]
    if not made:
        return (next(iter(theatre.run.target.callers.headers), None), {}) if not each.needed else (None, {})
    found = made[0]
    for step in found.sketch.steps:
        if not stage.take(step).reply.good:
            return None, {}
    for n in range(MADE - 1):
        stage.take(found.step.renamed(40_000 + n))
    rows = {}
    for place, kind in each.needed.items():
        known = found.sketch.knows(kind)
        if not known:
            return None, {}
        rows[place.name] = known[0].ref
    who = found.step.as_
    if rows:
        makers = [one.maker for one in found.sketch.handles if one.collection in each.needed.values()]
        who = makers[0] if makers else who
    return who, rows


def _judged(each: Inputs, shape: Shape, pages: list[tuple[Taken, Json]]) -> list[tuple[Taken, Mismatch]]:
    """What the pages say against themselves and each other."""
    found: list[tuple[Taken, Mismatch]] = []
    name = each.operation.id
    seen: dict[str, int] = {}
    totals: set[int] = set()
    for n, (taken, body) in enumerate(pages):
        rows = _at(body, shape.items)
        if len(rows) > SIZE:
            found.append(
                (
                    taken,
                    _wrong(name, "size", "more rows than the page's size", f"at most {SIZE} rows", f"{len(rows)} rows"),
                )
            )
        for row in rows:
            key = str(row.get("id")) if isinstance(row, Mapping) and "id" in row else ""
            if key and seen.setdefault(key, n) != n:
                told = f"{key} on page {seen[key] + 1} and on page {n + 1}"
                found.append(
                    (
                        taken,
                        _wrong(
                            name, "twice", "a row on two pages, though nothing was added", "each row on one page", told
                        ),
                    )
                )
        total = _at(body, shape.total) if shape.total else None
        if isinstance(total, int):
            totals.add(total)
        last = n == len(pages) - 1
        follows = not last and bool(_at(pages[n + 1][1], shape.items))
        more = _at(body, shape.more) if shape.more else None
        says = bool(more) if more is not None or shape.more else None
        if says is not None and not (last and len(rows) == SIZE) and says != follows:
            wrong = f"{'another page' if says else 'no further page'}"
            right = f"{'no row' if says else 'rows'} on the next"
            found.append((taken, _wrong(name, "more", "a page that is wrong about what follows", right, wrong)))
    taken, body = pages[-1]
    whole = len(_at(body, shape.items)) < SIZE
    if len(totals) > 1:
        found.append(
            (taken, _wrong(name, "total", "totals that differ from page to page", "one total", f"{sorted(totals)}"))
        )
    elif totals and whole and seen and len(seen) != min(totals):
        found.append(
            (
                taken,
                _wrong(
                    name,
                    "total",
                    "a total that is not the number of rows on all pages",
                    f"{len(seen)}, as the pages show",
                    f"{min(totals)}",
                ),
            )
        )
    return found


def _wrong(operation: str, what: str, title: str, expected: str, actual: str) -> Mismatch:
    return Mismatch(
        f"paging.{what}",
        f"{operation} shows {title}",
        expected,
        actual,
        certainty.ITSELF,
        f"paging.{what}:{operation}",
        goes_on=True,
    )


def _at(body: Json, pointer: str) -> Json:
    try:
        return at(body, pointer)
    except KeyError:
        return None


def _shape(theatre: Theatre, each: Inputs) -> Shape | None:
    """How a list is cut, by the data; ``None`` for one that is not."""
    rules = theatre.run.provider.rules
    paging: Paging | None = each.binding.paging
    data = theatre.run.provider.data
    spec = data.get("operations", {}).get(each.operation.id, {})
    text = data.get("paging", {}).get(spec.get("page"), {})
    if paging is None or not isinstance(text, Mapping):
        return None
    start, size = (str(text.get(name, "")).rpartition("$request.query.")[2] for name in ("start", "size"))
    envelope = _pointer(rules_wrap(rules.name, data) if each.binding.wrap else None, "$response.body")
    answer = text.get("answer")
    places = {
        name: place
        for name, word in (("items", "$page#/items"), ("total", "$page#/total"), ("more", "$page#/more"))
        if (place := _pointer(answer, word)) is not None
    }
    if not start or not size or "items" not in places or envelope is None:
        return None
    following = _pointer(answer, "$page#/next")
    more = places.get("more", following)
    return Shape(
        start,
        size,
        paging.style,
        envelope + places["items"],
        envelope + places["total"] if "total" in places else "",
        envelope + more if more is not None else "",
    )


def rules_wrap(_name: str, data: Mapping[str, Json]) -> Json:
    """The envelope around every answer, as the data have it; ``$response.body`` alone without one."""
    return data.get("wrap", "$response.body")


def _pointer(template: Json, word: str, pointer: str = "") -> str | None:
    """Where an expression stands in a template."""
    if template is None:
        return pointer if word == "$response.body" else None
    if template == word:
        return pointer
    if isinstance(template, Mapping):
        for name, inner in template.items():
            found = _pointer(inner, word, f"{pointer}/{name}") if inner is not None else None
            if found is not None:
                return found
    return None
