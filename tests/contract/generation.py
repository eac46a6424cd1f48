"""Requests and responses for an operation, right and wrong, made from its part of the document."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from urllib.parse import quote

import orjson
from hypothesis import strategies as st

from tasktwin.contract import Operation

ODD_TEXTS = ("", "x", "a", "abc", "abcdef", "1", "7", "-3", "007", "1.5", "1e2", "2147483648", "99999999999999999999", "true", "false",
             "null", "1,2", "1,2,3", "a,b", "x,1", "x,1,y,2", "x=1,y=2", "1_0", " 7 ", "\u0667", "yes", "TRUE", "NaN", "inf", "é", "a b")  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (None, True, False, 0, 1, -1, 7, 1.5, 11, 2**31, 2**63, 10**19, "", "x", "abc", "a" * 60, "1", [], [1], ["a", "a"], [1, "x"],
              {}, {"a": 1}, {"kind": "cat"}, {"id": 1}, "cat", "Cat", "Dog", "Other")  # fmt: skip
RIGHT = {
    "uuid": ("0b5f5f5e-1f1f-4c4c-8a8a-123456789012",),
    "date-time": ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5+02:00"),
    "date": ("2026-01-31",),
    "email": ("a@example.com",),
    "uri": ("https://example.com/a?b=c",),
    "ipv4": ("127.0.0.1",),
    "decimal": ("10.50", "-3"),
    "byte": ("aGFsbG8=",),
}
WRONG = {
    "uuid": ("0b5f5f5e1f1f4c4c8a8a123456789012", "nope"),
    "date-time": ("2026-01-01 00:00", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00"),
    "date": ("2026-02-30", "31.1.2026"),
    "email": ("a@b", "nope", "a@b@c"),
    "uri": ("nope nope", "/relative"),
    "ipv4": ("1.2.3", "256.1.1.1"),
    "decimal": ("1e5", "10.", "x"),
    "byte": ("aGFsbG8", "?"),
}


@dataclass(frozen=True)
class Sent:
    """A request to one operation."""

    operation: Operation
    path_values: Mapping[str, str] = field(default_factory=dict)
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""

    def __repr__(self) -> str:
        """One line, without the whole operation."""
        return f"{self.operation.id} {dict(self.path_values)} {self.query!r} {self.headers} {self.body!r}"


@dataclass(frozen=True)
class Answered:
    """A response of one operation."""

    operation: Operation
    status: int
    media: str
    body: Any
    headers: Mapping[str, str]

    def __repr__(self) -> str:
        """One line, without the whole operation."""
        return f"{self.operation.id} {self.status} {self.media} {self.body!r} {dict(self.headers)}"


class Generator:
    """Strategies for one document. ``follow`` resolves its references."""

    def __init__(self, document: Any) -> None:
        self.document = document

    def follow(self, node: Any) -> Any:
        """What a node is or refers to, siblings of the reference on top."""
        while isinstance(node, dict) and "$ref" in node:
            rest = {key: value for key, value in node.items() if key != "$ref"}
            target: Any = self.document
            for key in node["$ref"].removeprefix("#/").split("/"):
                target = target[key.replace("~1", "/").replace("~0", "~")]
            node = {**target, **rest} if isinstance(target, dict) else target
        return node

    def values(self, schema: Any, depth: int = 0) -> st.SearchStrategy[Any]:
        """Mostly valid values."""
        node = self.follow(schema)
        if not isinstance(node, dict) or depth > 4:
            return st.sampled_from((1, "x", None))
        if "const" in node or "enum" in node:
            return st.sampled_from(node.get("enum", [node.get("const")]))
        for word in ("oneOf", "anyOf"):
            if word in node:
                return st.one_of([self.values(branch, depth + 1) for branch in node[word]])
        if "allOf" in node:
            return self._merged(node, depth)
        kind = node.get("type", "object" if "properties" in node else None)
        kinds = kind if isinstance(kind, list) else [kind]
        null = ["null"] if node.get("nullable") else []
        return st.one_of([self._typed(each, node, depth) for each in [*kinds, *null]])

    def _merged(self, node: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
        parts = [self.values(branch, depth + 1) for branch in node["allOf"]]
        if "properties" in node:
            parts.append(self._typed("object", node, depth))
        return st.tuples(*parts).map(_united)

    def _typed(self, kind: str | None, node: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
        match kind:
            case "string":
                return _texts(node)
            case "integer":
                return _integers(node)
            case "number":
                return _integers(node).map(lambda value: value + 0.5) | _integers(node)
            case "boolean":
                return st.booleans()
            case "null":
                return st.none()
            case "array":
                return self._arrays(node, depth)
            case "object":
                return self._objects(node, depth)
        return st.sampled_from(("x", 1, True, None))

    def _arrays(self, node: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
        if "prefixItems" in node:
            return st.tuples(*(self.values(item, depth + 1) for item in node["prefixItems"])).map(list)
        low = min(node.get("minItems", 0), 3)
        return st.lists(
            self.values(node.get("items", {}), depth + 1), min_size=low, max_size=min(node.get("maxItems", 3), 3)
        )

    def _objects(self, node: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
        properties = {name: self.values(item, depth + 1) for name, item in node.get("properties", {}).items()}
        required = {name: properties.get(name, st.just("x")) for name in node.get("required", ())}
        optional = {name: item for name, item in properties.items() if name not in required} if depth < 3 else {}
        return st.fixed_dictionaries(required, optional=optional)

    def mostly(self, schema: Any) -> st.SearchStrategy[Any]:
        """Valid values, and the same with one thing changed."""
        return self.values(schema) | st.tuples(
            self.values(schema), st.sampled_from(ODD_VALUES), st.integers(0, 40)
        ).map(_mutated)


@st.composite
def requests(draw: st.DrawFn, generator: Generator, operation: Operation) -> Sent:
    """Requests to an operation, in which at most one parameter, or the body, is odd or missing."""
    item = generator.follow(generator.document["paths"][operation.path])
    nodes = [generator.follow(node) for node in [*item.get("parameters", []), *operation.raw.get("parameters", [])]]
    parameters = list({(node["name"], node["in"]): node for node in nodes}.values())
    culprit = draw(st.integers(-1, len(parameters)))
    sent = Sent(operation)
    for index, node in enumerate(parameters):
        sent = _joined(sent, draw(_parameter(generator, node, odd=index == culprit)))
    body = generator.follow(operation.raw.get("requestBody"))
    if body:
        headers, raw = draw(_bodies(generator, body, odd=culprit == len(parameters)))
        sent = replace(sent, headers=sent.headers + headers, body=raw)
    return sent


def responses(generator: Generator, operation: Operation) -> st.SearchStrategy[Answered]:
    """Responses of an operation: declared statuses and others, valid and odd bodies."""
    choices: list[st.SearchStrategy[Answered]] = [st.just(Answered(operation, 299, "application/json", {}, {}))]
    for key, ref in operation.raw["responses"].items():
        node = generator.follow(ref)
        status = 418 if key == "default" else int(key.upper().replace("XX", "18"))
        headers = _response_headers(generator, node.get("headers", {}))
        content = node.get("content") or {"": {}}
        for media, each in content.items():
            value = generator.mostly(each["schema"]) if "schema" in each else st.just("x")
            name = media.replace("*/*", "application/json").replace("text/*", "text/html") if media else ""
            bodies = (value.map(_text) if name.startswith("text/") else value) if media else st.none()
            choices.append(
                st.builds(
                    Answered,
                    st.just(operation),
                    st.just(status),
                    st.just(name) | st.just("application/x-odd"),
                    bodies,
                    headers,
                )
            )
    return st.one_of(choices)


def _response_headers(generator: Generator, nodes: dict[str, Any]) -> st.SearchStrategy[dict[str, str]]:
    each = {
        name: _written(generator.values(generator.follow(node).get("schema", {}))) | st.sampled_from(ODD_TEXTS[1:26])
        for name, node in nodes.items()
    }
    return st.fixed_dictionaries({}, optional=each)


def _written(values: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    return values.map(lambda value: ",".join(map(_text, value)) if isinstance(value, list) else _text(value))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


Part = tuple[str, str, list[tuple[str, str]]]
"""Location, name, and what is sent for it."""


def _parameter(generator: Generator, node: dict[str, Any], *, odd: bool) -> st.SearchStrategy[Part]:
    name, where = node["name"], node["in"]
    texts = st.sampled_from(ODD_TEXTS).map(lambda text: [(name, text)])
    if "content" in node:
        schema = next(iter(node["content"].values()))["schema"]
        values = generator.mostly(schema) if odd else generator.values(schema)
        right = values.map(_text).map(lambda text: [(name, text)])
    else:
        style = node.get("style", "form" if where in {"query", "cookie"} else "simple")
        explode = node.get("explode", style == "form")
        right = generator.values(node["schema"]).map(lambda value: encoded(name, value, style, explode=explode))
    choices = [right] if node.get("required") else [right, right, st.just([])]
    if odd:
        choices = (
            [texts, texts, right]
            if where == "path"
            else [texts, texts, right, st.just([]), st.tuples(right, texts).map(_chained)]
        )
    return st.one_of(choices).map(lambda pairs: (where, name, pairs))


def _chained(parts: tuple[list[Any], list[Any]]) -> list[Any]:
    return [*parts[0], *parts[1]]


def encoded(name: str, value: Any, style: str, *, explode: bool) -> list[tuple[str, str]]:
    """Names and texts for a value, as its style has it."""
    mark = {"spaceDelimited": " ", "pipeDelimited": "|"}.get(style, ",")
    if style == "deepObject" and isinstance(value, dict):
        return [(f"{name}[{key}]", _text(item)) for key, item in value.items()]
    if isinstance(value, dict):
        if explode and style == "form":
            return [(key, _text(item)) for key, item in value.items()]
        mark = {"label": ".", "matrix": ";"}.get(style, mark) if explode else mark
        text = mark.join(
            f"{key}={_text(item)}" if explode else f"{key}{mark}{_text(item)}" for key, item in value.items()
        )
        return [(name, _prefixed(name, text, style, bare=explode))]
    if isinstance(value, list):
        if explode and style == "form":
            return [(name, _text(item)) for item in value]
        mark = {"label": ".", "matrix": f";{name}="}.get(style, mark) if explode else mark
        return [(name, _prefixed(name, mark.join(map(_text, value)), style))]
    return [(name, _prefixed(name, _text(value), style))]


def _prefixed(name: str, text: str, style: str, *, bare: bool = False) -> str:
    if style == "label":
        return "." + text
    return (";" if bare else f";{name}=") + text if style == "matrix" else text


def _joined(sent: Sent, part: Part) -> Sent:
    where, name, pairs = part
    if where == "path":
        return replace(sent, path_values={**sent.path_values, name: pairs[0][1] or "-"})
    if where == "query":
        added = "&".join(f"{quote(key)}={quote(text)}" for key, text in pairs).encode()
        return replace(sent, query=sent.query + b"&" + added if sent.query and added else sent.query + added)
    if where == "header":
        return replace(
            sent, headers=sent.headers + tuple((key.encode(), text.encode("latin-1", "replace")) for key, text in pairs)
        )
    cookies = [value.decode() for key, value in sent.headers if key == b"Cookie"] + [
        f"{key}={text}" for key, text in pairs if text.isascii()
    ]
    others = tuple(line for line in sent.headers if line[0] != b"Cookie")
    return replace(sent, headers=(*others, (b"Cookie", "; ".join(cookies).encode())))


Body = tuple[tuple[tuple[bytes, bytes], ...], bytes]


def _bodies(generator: Generator, node: dict[str, Any], *, odd: bool) -> st.SearchStrategy[Body]:
    choices: list[st.SearchStrategy[Body]] = []
    for media, each in node["content"].items():
        values = generator.mostly(each["schema"]) if odd else generator.values(each["schema"])
        name = media.replace("application/*", "application/vnd.x+json")
        choices += [values.map(partial(_body, name))] * 4
    if odd:
        choices.append(st.just(((), b"")))
        choices.append(
            st.sampled_from([b"{", b"[1", b"\xff", b"null", b"nope"]).map(
                lambda raw: (_typed_as("application/json"), raw)
            )
        )
        choices.append(
            st.sampled_from(["image/x-odd", "application/x-odd", "text/x-odd; charset=utf-8"]).map(
                lambda media: (_typed_as(media), b"{}")
            )
        )
    return st.one_of(choices)


def _typed_as(media: str) -> tuple[tuple[bytes, bytes], ...]:
    return ((b"Content-Type", media.encode()),)


def _body(media: str, value: Any) -> Body:
    if media == "application/x-www-form-urlencoded":
        fields = value if isinstance(value, dict) else {"x": value}
        pairs = [
            pair
            for key, item in fields.items()
            for pair in encoded(key, item, "form", explode=not isinstance(item, dict))
        ]
        return _typed_as(media), "&".join(f"{quote(key)}={quote(text)}" for key, text in pairs).encode()
    if media == "multipart/form-data":
        fields = value if isinstance(value, dict) else {"x": value}
        parts = [
            f'--b\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{_text(item)}\r\n'
            for key, item in fields.items()
        ]
        return _typed_as(f"{media}; boundary=b"), "".join([*parts, "--b--\r\n"]).encode()
    if media.startswith("text/"):
        return _typed_as(media), _text(value).encode()
    return _typed_as(media + "; charset=utf-8"), orjson.dumps(value)


def _texts(node: dict[str, Any]) -> st.SearchStrategy[str]:
    if node.get("format") in RIGHT:
        return st.sampled_from(RIGHT[node["format"]] * 12 + WRONG[node["format"]])
    if "pattern" in node:
        return st.sampled_from(("AB1", "abc", "1.50", "0", "2026-01-01T00:00:00Z")) | st.from_regex(
            node["pattern"].replace(r"\d", "[0-9]"), fullmatch=False
        )
    low, high = node.get("minLength", 0), node.get("maxLength", 12)
    return st.text("abcXYZ012 -_é", min_size=low, max_size=max(low, min(high, low + 8)))


def _integers(node: dict[str, Any]) -> st.SearchStrategy[Any]:
    low, high = int(node.get("minimum", -5)), int(node.get("maximum", 10**6))
    return st.integers(low, max(low, high))


def _united(values: tuple[Any, ...]) -> Any:
    objects = [value for value in values if isinstance(value, dict)]
    return {key: item for value in objects for key, item in value.items()} if objects else values[-1]


def _mutated(parts: tuple[Any, Any, int]) -> Any:
    """The value with one place, chosen by a number, replaced, removed or added."""
    value, odd, choice = parts
    if isinstance(value, dict) and value and choice % 5:
        names = sorted(value)
        name = names[choice % len(names)]
        if choice % 5 == 1:
            return {key: item for key, item in value.items() if key != name}
        if choice % 5 == 2:
            return {**value, "extra": odd}
        return {**value, name: _mutated((value[name], odd, choice // 5))}
    if isinstance(value, list) and value and choice % 3:
        return [*value[:-1], odd] if choice % 3 == 1 else [*value, odd, odd]
    return odd
