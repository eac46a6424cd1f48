"""How a client goes through lists that come in pages: one after the other, none twice, to the end."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from tasktwin.behaviour.rules import Binding, Paging
from tasktwin.errors import Refusal
from tasktwin.server.referee.point import Finding, Point, Scale
from tasktwin.server.referee.trace import Seen, Trace
from tasktwin.wire import Json

MARKS: dict[str, Json] = {
    name: f"\0{name}" for name in ("items", "total", "number", "size", "more", "next", "previous")
}
"""What stands for the parts of a page to find out where an answer has them."""

DEEPEST = 8
"""So deep in an answer its parts are looked for."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page that was asked for: where it starts, its size, how many items came, and whether more follow.

    ``more`` and ``total`` are ``None`` where the answer does not tell.
    """

    seen: Seen
    start: int
    size: int
    count: int
    more: bool | None
    total: int | None

    @property
    def number(self) -> int:
        """Its place among the pages, from 1."""
        return self.start if _by_page(self.seen) else self.start // max(1, self.size) + 1

    @property
    def following(self) -> tuple[int, ...]:
        """Where the next page may start."""
        return (self.start + 1,) if _by_page(self.seen) else (self.start + self.size, self.start + self.count)


def followed(trace: Trace) -> Point:
    """Are pages asked for one after the other, to the end?"""
    lists: dict[Hashable, list[Page]] = {}
    for each in trace.seen:
        binding = each.binding
        if binding and binding.paging and each.good and each.entry.method == "GET":
            page = _page(each, binding, binding.paging)
            if page is not None:
                lists.setdefault((each.path, page.size, _filters(each, binding.paging)), []).append(page)
    scale = Scale()
    for pages in lists.values():
        for walk in _walks(pages, scale):
            _judge(walk, scale)
    return scale.weigh("follows pages to the end", "no list had a second page")


def _judge(walk: list[Page], scale: Scale) -> None:
    last, name, entries = walk[-1], walk[-1].seen.name, tuple(each.seen.entry for each in walk)
    if last.more is False:
        if len(walk) > 1:
            scale.good.append(Finding(f"{name} was read to the end, {len(walk)} pages", entries))
    elif last.more:
        of = f" of {-(-last.total // last.size)}" if last.total is not None and last.size else ""
        scale.notes.append(Finding(f"{name} was read up to page {last.number}{of}", entries))
    elif len(walk) > 1:
        scale.notes.append(
            Finding(f"{name} was read up to page {last.number}; what came was too long to tell if more follow", entries)
        )


def _walks(pages: Sequence[Page], scale: Scale) -> list[list[Page]]:
    """The pages as walks that begin anew at the first page. What leads nowhere counts against the client."""
    walks: list[list[Page]] = []
    for page in pages:
        first = 1 if _by_page(page.seen) else 0
        if not walks or page.start == first:
            walks.append([page])
            continue
        before = walks[-1][-1]
        if page.start not in before.following:
            again = any(page.start == each.start for each in walks[-1])
            what = "was asked for again" if again else f"was asked for after page {before.number}"
            says = f"page {page.number} of {page.seen.name} {what}"
            scale.bad.append(Finding(says, (before.seen.entry, page.seen.entry)))
        walks[-1].append(page)
    return walks


def _page(seen: Seen, binding: Binding, paging: Paging) -> Page | None:
    try:
        start, size = paging.place(seen.scope)
    except Refusal:
        return None
    places = _places(seen, binding, paging)
    items, total = _find(seen.told, places.get("items")), _find(seen.told, places.get("total"))
    count = len(items) if isinstance(items, list) else size
    total = total if isinstance(total, int) and not isinstance(total, bool) else None
    offset = (start - 1) * size if paging.style == "page" else start
    if "more" in places:
        found = _find(seen.told, places["more"])
        more = found if isinstance(found, bool) else None
    elif total is not None:
        more = offset + count < total
    else:
        more = len(items) >= size if isinstance(items, list) else None
    return Page(seen, start, size, count, more, total)


def _places(seen: Seen, binding: Binding, paging: Paging) -> dict[str, tuple[str | int, ...]]:
    """Where an answer has the parts of a page: found by answering with marks in their stead."""
    shape = paging.answer({**seen.scope, "page": MARKS})
    if seen.rules.wrap is not None and binding.wrap:
        shape = seen.rules.wrap({**seen.scope, "response.body": shape})
    found: dict[str, tuple[str | int, ...]] = {}
    _search(shape, (), found)
    return found


def _search(shape: Json, place: tuple[str | int, ...], found: dict[str, tuple[str | int, ...]]) -> None:
    if isinstance(shape, str) and shape[:1] == "\0":
        found.setdefault(shape[1:], place)
    elif isinstance(shape, dict) and len(place) < DEEPEST:
        for key, value in shape.items():
            _search(value, (*place, key), found)


def _find(value: Json, place: tuple[str | int, ...] | None) -> Json:
    if place is None:
        return None
    for step in place:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _filters(seen: Seen, paging: Paging) -> tuple[tuple[str, str], ...]:
    """The query but for what says which page."""
    pairs = parse_qsl(seen.query, keep_blank_values=True)
    return tuple(sorted(pair for pair in pairs if not _starts(paging, seen, pair[0])))


def _starts(paging: Paging, seen: Seen, name: str) -> bool:
    """Whether it is this parameter that says where the page starts."""
    return bool(paging.start({**seen.scope, "request.query": {name: "\0"}}) == "\0")


def _by_page(seen: Seen) -> bool:
    binding = seen.binding
    return binding is not None and binding.paging is not None and binding.paging.style == "page"
