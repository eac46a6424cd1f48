"""Which operation a path means. Static segments come before templated ones, at every level."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, Literal, NamedTuple, Protocol, TypeAlias, TypeVar
from urllib.parse import unquote_to_bytes

Slash: TypeAlias = Literal["same", "added", "missing"]
"""The request's trailing slash against the template's."""

PLACEHOLDER: Final = re.compile(r"\{([^{}/]+)\}")

LONGEST_PARTIAL: Final = 1000
"""Segments longer than this, in characters, never match a template such as ``{a}-{b}``: backtracking stays small."""


class Routable(Protocol):
    """What a router leads to."""

    @property
    def method(self) -> str:
        """Upper case."""


T = TypeVar("T", bound=Routable)


class Match(NamedTuple, Generic[T]):
    """The operation that a request means.

    ``path_values`` are percent-decoded texts; bytes that are not UTF-8 stay in them as lone surrogates, which
    ``Operation.read`` reports. ``head`` is true if HEAD is answered by the operation for GET.
    """

    operation: T
    path_values: dict[str, str]
    slash: Slash = "same"
    head: bool = False


@dataclass(frozen=True, slots=True)
class NoPath:
    """No template matches the path."""


@dataclass(frozen=True, slots=True)
class NoMethod:
    """The path is known, the method is not. ``allowed`` is sorted and has HEAD where GET is, and OPTIONS."""

    allowed: tuple[str, ...]


@dataclass(slots=True)
class _Leaf(Generic[T]):
    template: str
    names: tuple[str, ...]
    operations: dict[str, T] = field(default_factory=dict)


@dataclass(slots=True)
class _Partial(Generic[T]):
    """A segment with text around its placeholders, such as ``{name}.json``."""

    pattern: re.Pattern[str]
    node: "_Node[T]"


@dataclass(slots=True)
class _Node(Generic[T]):
    static: "dict[str, _Node[T]]" = field(default_factory=dict)
    partial: "dict[str, _Partial[T]]" = field(default_factory=dict)
    single: "_Node[T] | None" = None
    leaf: "_Leaf[T] | None" = None
    slashed: "_Leaf[T] | None" = None


class Router(Generic[T]):
    """A tree of path segments. Finding takes time by the depth of the path, not by the number of operations."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node()
        self._exact: dict[tuple[str, str], Match[T]] = {}  # paths without placeholders, once they were found

    def add(self, template: str, item: T) -> str:
        """Put ``item`` at ``template``. The other template if one with the same shape is there already, else ``""``.

        Raises ``ValueError`` for a template that cannot match anything, such as one with an unbalanced brace.
        """
        self._exact.clear()
        segments, slashed = _split(template)
        names: list[str] = []
        node = self._root
        for segment in segments:
            node = _child(node, segment, names)
        leaf = node.slashed if slashed else node.leaf
        if leaf is None:
            leaf = _Leaf(template, tuple(names))
            node.slashed, node.leaf = (leaf, node.leaf) if slashed else (node.slashed, leaf)
        if leaf.template != template:
            return leaf.template
        leaf.operations[item.method] = item
        return ""

    def match(self, method: str, path: str) -> Match[T] | NoPath | NoMethod:
        """The operation for a raw request path.

        Templates whose trailing slash agrees come first, then the others. Among several the first that has the method
        wins, static segments before templated ones. HEAD falls back to GET. If no template has the method, the
        methods of all that match are allowed.
        """
        found = self._exact.get((method, path))
        if found is None and "%" not in path and path.isascii():
            found = self._straight(method, path)
        return found or self._search(method, path)

    def _straight(self, method: str, path: str) -> Match[T] | None:
        """The match at the end of the most static way, if that way leads to one: nothing else can come before it."""
        node = self._root
        values: list[str] = []
        segments = path.split("/")
        slashed = not segments[-1]
        if segments[0] or len(segments) < 3:
            return None
        for segment in segments[1:-1] if slashed else segments[1:]:
            child = node.static.get(segment)
            if child is None:
                child = node.single
                if child is None or node.partial or not segment:
                    return None
                values.append(segment)
            node = child
        leaf = node.slashed if slashed else node.leaf
        operation = leaf.operations.get(method) if leaf is not None else None
        if leaf is None or operation is None:
            return None
        found = Match(operation, dict(zip(leaf.names, values, strict=True)))
        if not values:
            self._exact[method, path] = found
        return found

    def _search(self, method: str, path: str) -> Match[T] | NoPath | NoMethod:
        segments, slashed = _split(path)
        decoded = [_decoded(segment) for segment in segments] if "%" in path or not path.isascii() else segments
        found = _walk(self._root, decoded)
        allowed: set[str] = set()
        for same in (True, False):
            slash: Slash = "same" if same else "added" if slashed else "missing"
            for node, values in found:
                leaf = node.slashed if slashed is same else node.leaf
                if leaf is None:
                    continue
                operation = leaf.operations.get(method)
                if operation is not None:
                    return Match(operation, dict(zip(leaf.names, values, strict=True)), slash)
                if method == "HEAD" and "GET" in leaf.operations:
                    return Match(leaf.operations["GET"], dict(zip(leaf.names, values, strict=True)), slash, head=True)
                allowed.update(leaf.operations)
        return NoMethod(_complete(allowed)) if allowed else NoPath()


def placeholders(template: str) -> list[str]:
    """The names in braces, in order."""
    return PLACEHOLDER.findall(template)


def _split(path: str) -> tuple[list[str], bool]:
    """Segments without the trailing slash, and whether there was one. ``/`` alone is the root, without one."""
    body = path.removeprefix("/")
    slashed = body.endswith("/")
    body = body[:-1] if slashed else body
    return (body.split("/") if body or slashed else []), slashed


def _child(node: "_Node[T]", segment: str, names: list[str]) -> "_Node[T]":
    found = PLACEHOLDER.findall(segment)
    names.extend(found)
    literal = PLACEHOLDER.split(segment)[::2]
    if "{" in "".join(literal) or "}" in "".join(literal):
        raise ValueError(f"the segment {segment!r} has an unbalanced brace")
    if not found:
        return node.static.setdefault(_decoded(segment), _Node())
    if segment == f"{{{found[0]}}}":
        node.single = node.single or _Node()
        return node.single
    shape = "(.+)".join(re.escape(_decoded(text)) for text in literal)
    return node.partial.setdefault(shape, _Partial(re.compile(shape, re.DOTALL), _Node())).node


def _decoded(segment: str) -> str:
    if "%" not in segment:
        return segment
    return unquote_to_bytes(segment.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _walk(root: "_Node[T]", segments: list[str]) -> "list[tuple[_Node[T], list[str]]]":
    """Every node that the segments lead to, with the values on the way, the most static first."""
    reached: list[tuple[_Node[T], list[str]]] = [(root, [])]
    for segment in segments:
        further: list[tuple[_Node[T], list[str]]] = []
        for node, values in reached:
            child = node.static.get(segment)
            if child is not None:
                further.append((child, values))
            if node.partial:
                further.extend(_partly(node, segment, values))
            if node.single is not None and segment:
                further.append((node.single, [*values, segment]))
        reached = further
    return reached


def _partly(node: "_Node[T]", segment: str, values: list[str]) -> "Iterator[tuple[_Node[T], list[str]]]":
    if len(segment) > LONGEST_PARTIAL:
        return
    for partial in node.partial.values():
        match = partial.pattern.fullmatch(segment)
        if match:
            yield partial.node, [*values, *match.groups()]


def _complete(methods: set[str]) -> tuple[str, ...]:
    return tuple(sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))
