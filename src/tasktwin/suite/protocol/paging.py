"""Pages of lists: none of a list's rows is lost or shown twice, and what a page says of itself is true.

The deployment is held against itself, so that lists may hold whatever they hold; what the oracle's pages show as well is
no fault.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from tasktwin.suite import certainty
from tasktwin.suite.lifecycle.atlas import Atlas
from tasktwin.suite.protocol.deed.deed import tries
from tasktwin.suite.protocol.deed.proof import with_headers
from tasktwin.suite.protocol.page_shape import Page, Shape, shape_of
from tasktwin.suite.story.inputs import Inputs
from tasktwin.suite.story.judge import Mismatch
from tasktwin.suite.story.pursue import report_seen_twice
from tasktwin.suite.story.sketch import Desk, Sketch
from tasktwin.suite.story.stage import Stage, Taken, Theatre
from tasktwin.suite.story.step import Step
from tasktwin.wire import Json

SIZE = 2
"""Rows of a page."""

MOST_PAGES = 12

MADE = 5
"""So many rows are made first, so that there are several pages."""


FULL = 80_000
"""The key of the step that reads all rows as one page."""


@dataclass(frozen=True, slots=True)
class Book:
    """A list that is cut into pages, and whom to ask for rows of it."""

    theatre: Theatre
    atlas: Atlas
    desk: Desk
    each: Inputs
    shape: Shape

    @property
    def name(self) -> str:
        """The operation."""
        return self.each.operation.id


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads a list, and the path's values."""

    who: str
    rows: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Read:
    """A page that was read: the step, what the deployment shows and what the oracle does."""

    taken: Taken
    page: Page
    ours: Page | None


def units(theatre: Theatre, atlas: Atlas, desk: Desk) -> list[tuple[str, Callable[[], None]]]:
    """One unit for each list that is cut into pages."""
    found: list[tuple[str, Callable[[], None]]] = []
    for name, each in desk.inputs.items():
        shape = shape_of(theatre.run.provider, each)
        if shape and theatre.run.asked_for(name):
            found.append((f"pages of {name}", partial(_look, Book(theatre, atlas, desk, each, shape))))
    return found


def _look(book: Book) -> None:
    report_seen_twice(book.theatre, partial(_play, book), partial(with_headers, headers=book.shape.headers))


def _play(book: Book, stage: Stage) -> list[tuple[Taken, Mismatch]]:
    """Make some rows, then read the list page by page as who made them, and at last all on one page that is just full."""
    reader = _make(book, stage)
    pages = _pages(book, stage, reader) if reader else []
    found = _judged(book, pages)
    count = sum(len(each.page.rows) for each in pages)
    if reader and pages and count and len(pages[-1].page.rows) < SIZE:
        full = [_page(book, stage, reader, FULL + n, book.shape.at(n, count)) for n in range(2)]
        whole = [each for each in full if each]
        if len(whole) == len(full) and len(whole[0].page.rows) == count:
            found += _followed(book, whole)
    return found


def _pages(book: Book, stage: Stage, reader: Reader) -> list[Read]:
    """The list page by page, until one is not full; nothing if it is not shown."""
    pages: list[Read] = []
    for n in range(MOST_PAGES):
        found = _page(book, stage, reader, 50_000 + n, book.shape.at(n, SIZE))
        if found is None:
            return []
        pages.append(found)
        if len(found.page.rows) < SIZE:
            break
    return pages


def _page(book: Book, stage: Stage, reader: Reader, key: int, query: Mapping[str, Json]) -> Read | None:
    step = _step(book, reader, key, query)
    taken = stage.take(step)
    page = book.shape.page(taken.reply) if taken.reply.good else None
    ours = book.shape.read(taken.expected.shape, taken.expected.headers) if taken.expected.good else None
    return Read(taken, page, ours) if page else None


def _step(book: Book, reader: Reader, key: int, query: Mapping[str, Json]) -> Step:
    each = book.each
    body = next(iter(each.bodies), None)
    return Step(key, each.operation.id, reader.who, {**each.path, **reader.rows}, query, body=body)


# ── rows for it ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _make(book: Book, stage: Stage) -> Reader | None:
    """Make rows for the list: by a story that makes one, its last step several times."""
    found = _maker(book) or _grower(book)
    if found is None:
        who = next(iter(book.theatre.run.target.callers.headers), None)
        return Reader(who, {}) if who is not None and not book.each.needed else None
    sketch, step, reader = found
    for one in [*sketch.steps, step]:
        if not stage.take(one).reply.good:
            return None
    for n in range(MADE - 1):
        stage.take(step.renamed(40_000 + n))
    return reader


def _maker(book: Book) -> tuple[Sketch, Step, Reader] | None:
    """What leads to a step that creates a row of the list's kind, the step, and who reads the list then."""
    each, desk = book.each, book.desk
    if each.binding.verb != "list" or not each.binding.collection:
        return None
    for found in book.atlas.places.values():
        creates = desk.inputs[found.step.operation].binding.verb == "create"
        if creates and found.handle and found.handle.collection == each.binding.collection.name:
            rows = _rows(each, found.sketch)
            if rows is None:
                return None
            makers = [one.maker for one in found.sketch.handles if one.collection in each.needed.values()]
            return found.before, found.step, Reader(makers[0] if rows and makers else found.step.as_, rows)
    return None


def _grower(book: Book) -> tuple[Sketch, Step, Reader] | None:
    """The same for what is no list of rows: any step behind which it is longer, by the oracle."""
    each = book.each
    if each.binding.verb == "list" or not each.needed:
        return None
    for found in sorted(book.atlas.places.values(), key=lambda one: len(one.sketch.steps)):
        rows = _rows(each, found.sketch)
        if rows is None or found.handle is None or any(step.wait for step in found.sketch.steps):
            continue
        reader = Reader(found.handle.maker, rows)
        step = next(_growing(book, found.sketch, reader), None)
        if step:
            return found.sketch, step, reader
    return None


def _growing(book: Book, sketch: Sketch, reader: Reader) -> Iterator[Step]:
    desk = book.desk
    look = _step(book, reader, FULL, {})
    kinds = {one.collection for one in sketch.handles}
    for inputs in desk.inputs.values():
        if not inputs.writes or not inputs.needed or not kinds.issuperset(inputs.needed.values()):
            continue
        for step in tries(sketch, inputs, reader.who):
            desk.open(sketch)
            was = _length(book, sketch, look)
            if was is not None and desk.answer(sketch, step).good and (_length(book, sketch, look) or 0) > was:
                yield step


def _length(book: Book, sketch: Sketch, look: Step) -> int | None:
    """How long the list is on the oracle."""
    answer = book.desk.answer(sketch, look)
    page = book.shape.read(answer.shape, answer.headers) if answer.good and answer.modelled else None
    return len(page.rows) if page else None


def _rows(each: Inputs, sketch: Sketch) -> dict[str, Json] | None:
    """The path's values, from what a story knows; ``None`` if that is too little."""
    known = {place.name: sketch.knows(kind) for place, kind in each.needed.items()}
    return {name: handles[0].ref for name, handles in known.items()} if all(known.values()) else None


# ── what they say ───────────────────────────────────────────────────────────────────────────────────────────────────


def _judged(book: Book, pages: Sequence[Read]) -> list[tuple[Taken, Mismatch]]:
    """What the pages say against themselves and each other, unless the oracle's say the same."""
    return [*_sized(book, pages), *_once(book, pages), *_followed(book, pages), *_counted(book, pages)]


def _sized(book: Book, pages: Sequence[Read]) -> Iterator[tuple[Taken, Mismatch]]:
    for each in pages:
        count = len(each.page.rows)
        if count > SIZE and (each.ours is None or len(each.ours.rows) <= SIZE):
            title = "more rows than the page's size"
            yield each.taken, _wrong(book.name, "size", title, f"at most {SIZE} rows", f"{count} rows")


def _once(book: Book, pages: Sequence[Read]) -> Iterator[tuple[Taken, Mismatch]]:
    """No row is on two pages."""
    seen: dict[str, int] = {}
    for n, each in enumerate(pages):
        for key in _keys(each.page):
            if seen.setdefault(key, n) != n:
                said = f"{key} on page {seen[key] + 1} and on page {n + 1}"
                title = "a row on two pages, though nothing was added"
                yield each.taken, _wrong(book.name, "twice", title, "each row on one page", said)


def _followed(book: Book, pages: Sequence[Read]) -> Iterator[tuple[Taken, Mismatch]]:
    """What a page says of the next one is true."""
    theirs = [each.page for each in pages]
    ours = [each.ours for each in pages if each.ours]
    for n, each in enumerate(pages):
        if _lies(theirs, n) and not (len(ours) == len(theirs) and _lies(ours, n)):
            wrong = "another page" if each.page.more else "no further page"
            right = f"{'no row' if each.page.more else 'rows'} on the next"
            yield each.taken, _wrong(book.name, "more", "a page that is wrong about what follows", right, wrong)


def _lies(pages: Sequence[Page], n: int) -> bool:
    """Whether a page is wrong about what follows; behind a last one that is full nobody looked."""
    last = n == len(pages) - 1
    if pages[n].more is None or (last and len(pages[n].rows) >= SIZE):
        return False
    return pages[n].more != (not last and bool(pages[n + 1].rows))


def _counted(book: Book, pages: Sequence[Read]) -> Iterator[tuple[Taken, Mismatch]]:
    """The total is that of the rows on all pages, and the same on each."""
    totals = sorted({each.page.total for each in pages if each.page.total is not None})
    if not totals:
        return
    last = pages[-1]
    rows = sum(len(each.page.rows) for each in pages)
    keys = {key for each in pages for key in _keys(each.page)}
    count = len(keys) if keys else rows
    if len(totals) > 1:
        title = "totals that differ from page to page"
        yield last.taken, _wrong(book.name, "total", title, "one total", f"{totals}")
    elif len(last.page.rows) < SIZE and count and count != totals[0]:
        title = "a total that is not the number of rows on all pages"
        yield last.taken, _wrong(book.name, "total", title, f"{count}, as the pages show", f"{totals[0]}")


def _keys(page: Page) -> list[str]:
    return [str(row["id"]) for row in page.rows if isinstance(row, Mapping) and row.get("id")]


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
