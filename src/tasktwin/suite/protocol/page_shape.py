"""How a list is cut into pages: by the data, else by what the contract declares of its parameters, members and headers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tasktwin.behaviour.rules import Paging
from tasktwin.contract import Operation
from tasktwin.provider import Provider
from tasktwin.suite.story.inputs import Inputs
from tasktwin.suite.story.step import at
from tasktwin.suite.traffic import Reply
from tasktwin.wire import Json

STARTS: Final = {"offset": "offset", "skip": "offset", "page": "page", "page_number": "page"}
"""What a parameter that says where a page begins is called, and what it counts."""

SIZES: Final = ("limit", "page_size", "per_page", "size", "count")
"""What a parameter that says how many rows a page has is called."""

MORE: Final = frozenset({"more", "next"})
TOTAL: Final = "total"


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its rows, how many there are on all pages, and whether another one follows; ``None``: it does not say."""

    rows: list[Json]
    total: int | None
    more: bool | None


@dataclass(frozen=True, slots=True)
class Shape:
    """The names of a list's parameters, and where a page's members stand: JSON pointers, or names of headers.

    ``total`` and ``more`` are "" for what is not told. ``headers`` are the names of those that tell something.
    """

    start: str
    size: str
    style: str
    items: str
    total: str
    more: str

    @property
    def first(self) -> int:
        """Where the first page begins."""
        return 1 if self.style == "page" else 0

    @property
    def headers(self) -> list[str]:
        """The headers in which a page tells about itself."""
        return [place for place in (self.total, self.more) if place and not place.startswith("/")]

    def at(self, page: int, size: int) -> dict[str, Json]:
        """The parameters of a page, counted from 0."""
        return {self.start: self.first + page if self.style == "page" else page * size, self.size: size}

    def page(self, reply: Reply) -> Page | None:
        """What an answer says; ``None`` if it shows no list."""
        return self.read(reply.json(), reply.headers)

    def read(self, body: Json, headers: Mapping[str, str]) -> Page | None:
        """The same of a body and headers, whose names are lower case."""
        rows = _at(body, self.items)
        if not isinstance(rows, list):
            return None
        total = self._told(self.total, body, headers)
        more = self._told(self.more, body, headers)
        silent = not self.more or (more is None and not self.more.startswith("/"))
        return Page(rows, total if isinstance(total, int) else None, None if silent else bool(more))

    def _told(self, place: str, body: Json, headers: Mapping[str, str]) -> Json:
        if not place or place.startswith("/"):
            return _at(body, place) if place else None
        said = headers.get(place.lower(), "").strip().lower()
        return {"true": True, "false": False}.get(said, int(said) if said.isdecimal() and said.isascii() else None)


def shape_of(provider: Provider, each: Inputs) -> Shape | None:
    """How a list is cut; ``None`` for one that is not."""
    return _stated(provider, each) if each.binding.paging else _declared(each)


def _stated(provider: Provider, each: Inputs) -> Shape | None:
    """By the data."""
    paging: Paging | None = each.binding.paging
    data = provider.data
    spec = data.get("operations", {}).get(each.operation.id, {})
    text = data.get("paging", {}).get(spec.get("page"), {})
    if paging is None or not isinstance(text, Mapping):
        return None
    start, size = (str(text.get(name, "")).rpartition("$request.query.")[2] for name in ("start", "size"))
    envelope = _pointer(data.get("wrap", "$response.body") if each.binding.wrap else None, "$response.body")
    answer = text.get("answer")
    places = {
        name: place
        for name, word in (("items", "$page#/items"), ("total", "$page#/total"), ("more", "$page#/more"))
        if (place := _pointer(answer, word)) is not None
    }
    if not start or not size or "items" not in places or envelope is None:
        return None
    more = places.get("more", _pointer(answer, "$page#/next"))
    total = envelope + places["total"] if "total" in places else ""
    return Shape(start, size, paging.style, envelope + places["items"], total, envelope + more if more else "")


def _declared(each: Inputs) -> Shape | None:
    """By the contract: parameters that are named as those of pages are, a list, and what its headers are called."""
    operation = each.operation
    named = {one.name for one in operation.declared if one.where == "query"}
    start = next((name for name in STARTS if name in named), "")
    size = next((name for name in SIZES if name in named), "")
    if each.writes or not start or not size or not _is_list(operation):
        return None
    headers = dict(_headers(operation))
    total = next((name for name, kind in headers.items() if kind == "integer" and TOTAL in name.split("-")), "")
    more = next((name for name, kind in headers.items() if kind == "boolean" and MORE & set(name.split("-"))), "")
    return Shape(start, size, STARTS[start], "", total, more)


def _is_list(operation: Operation) -> bool:
    response = operation.responses.find(operation.success)
    medium = response.content.first_json() if response and response.content else None
    return bool(medium and medium.schema and medium.schema.resolved.get("type") == "array")


def _headers(operation: Operation) -> Iterator[tuple[str, Json]]:
    """The headers of a success, in lower case, and the type of each."""
    response = operation.responses.find(operation.success)
    for header in response.headers if response else ():
        if header.schema:
            yield header.name, header.schema.resolved.get("type")


def _at(body: Json, pointer: str) -> Json:
    try:
        return at(body, pointer)
    except KeyError:
        return None


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
