"""From a step to the request that it means."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from tasktwin.behaviour.expression import steps_of
from tasktwin.contract import Operation
from tasktwin.provider import Provider
from tasktwin.provider.scenario import Parameter, Step
from tasktwin.provider.scenario.expression import Expression, expressions_in, fill, parse_expression, spoken
from tasktwin.suite.scenario.scope import Scope
from tasktwin.suite.traffic import NOBODY, Request
from tasktwin.wire import Json, dumps, loads

BOUNDED = "stream=bounded"
BOUNDARY = "tasktwin-scenario"
FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"


class MissingError(Exception):
    """A path has no value: an earlier answer lacked it. ``owner`` is the step that should have given it."""

    def __init__(self, name: str, text: str, owner: str) -> None:
        super().__init__(f"a value for {name} in the path ({text})")
        self.owner = owner


@dataclass(slots=True)
class Draft:
    """A request in the making: what goes where."""

    path: dict[str, str] = field(default_factory=dict)
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Desk:
    """Writes the requests of one provider's scenarios. ``callers`` are the demo principals' headers, by lower-case name."""

    provider: Provider

    def write(self, step: Step, scope: Scope, world: Mapping[str, str]) -> Request:
        """The request, with its parameters in ``scope``. Raises ``MissingError``. Credentials stay out of it."""
        operation = self.provider.rules.contract.operations[step.operation]
        draft = Draft()
        for each in step.parameters:
            self._put(draft, operation, each, scope)
        caller = self._caller(step, draft)
        body, media = self._body(step, operation, scope)
        headers = draft.headers
        if media and "content-type" not in {name.lower() for name in headers}:
            headers["Content-Type"] = media
        if draft.cookies:
            headers["Cookie"] = "; ".join(draft.cookies)
        if step.stream:
            self._stream(step, headers, scope)
        path = self.provider.rules.contract.prefix + operation.path
        for name, value in draft.path.items():
            path = path.replace(f"{{{name}}}", quote(value, safe="@"))
        path += f"?{urlencode(draft.query)}" if draft.query else ""
        scope.path, scope.query = draft.path, dict(draft.query)
        return Request(operation.method, path, caller, {**headers, **world}, body, step.operation)

    def _put(self, draft: Draft, operation: Operation, each: Parameter, scope: Scope) -> None:
        value = fill(each.value, scope.look)
        if each.place == "path":
            if value is None or value == "":
                raise _missing(each)
            draft.path[each.name] = spoken(value)
        elif value is None:
            return
        elif each.place == "query":
            draft.query += [(each.name, text) for text in _texts(value, _explodes(operation, each.name))]
        elif each.place == "header":
            draft.headers[each.name] = ",".join(_texts(value, explode=True))
        else:
            draft.cookies.append(f"{each.name}={quote(spoken(value))}")

    def _caller(self, step: Step, draft: Draft) -> str:
        """Who sends it; the credentials that the step carries for other runners are taken out.

        A step that does not say who sends it is sent by the demo principal whose credentials it carries; others
        stay as they are: they are wrong on purpose, and no secret.
        """
        rules = self.provider.rules
        own = [{name.lower(): text for name, text in each.headers.items()} for each in rules.principals.values()]
        names = {each.key for each in rules.contract.schemes.values() if each.location == "header"}.union(*own)
        carried = {name.lower(): text for name, text in draft.headers.items() if name.lower() in names}
        if step.as_ is None:
            found = (
                name for name, headers in zip(rules.principals, own, strict=True) if carried and headers == carried
            )
            caller = next(found, NOBODY)
            if caller == NOBODY:
                return NOBODY
        else:
            caller = step.as_
        in_query = {each.key for each in rules.contract.schemes.values() if each.location == "query"}
        draft.headers = {name: text for name, text in draft.headers.items() if name.lower() not in names}
        draft.query = [(name, text) for name, text in draft.query if name not in in_query]
        return caller

    def _stream(self, step: Step, headers: dict[str, str], scope: Scope) -> None:
        """A stream is read as far as the step wishes; that it end by itself is for other runners."""
        for name in [name for name, text in headers.items() if name.lower() == "prefer" and text == BOUNDED]:
            del headers[name]
        headers["Accept"] = "text/event-stream"
        last = fill(step.stream.resume, scope.look) if step.stream else None
        if last is not None:
            headers["Last-Event-ID"] = spoken(last)

    def _body(self, step: Step, operation: Operation, scope: Scope) -> tuple[bytes, str]:
        if not step.has_payload:
            return b"", ""
        payload = fill(step.payload, scope.look)
        for target, value in step.replacements:
            payload = _replaced(payload, steps_of(target), fill(value, scope.look))
        media = step.media or next(iter(operation.request_media), "application/json")
        kind = media.partition(";")[0].strip().lower()
        if kind == FORM and isinstance(payload, dict):
            return urlencode({name: spoken(value) for name, value in payload.items()}).encode(), media
        if kind == MULTIPART and isinstance(payload, dict):
            return _multipart(payload), f"{MULTIPART}; boundary={BOUNDARY}"
        if isinstance(payload, str) and (not kind.endswith("json") or _is_json(payload)):
            return payload.encode(), media
        return dumps(payload), media


def uses(step: Step) -> list[Expression]:
    """What the request of a step is made from, its credentials left aside."""
    templates: list[Json] = [each.value for each in step.parameters if each.place not in {"header", "cookie"}]
    templates += [step.payload, *(value for _, value in step.replacements)]
    templates += [step.trigger.id] if step.trigger else []
    templates += [step.stream.resume] if step.stream else []
    return [parse_expression(text) for each in templates for text in expressions_in(each)]


def _missing(each: Parameter) -> MissingError:
    texts = list(expressions_in(each.value))
    owner = next((parse_expression(text).owner for text in texts), "")
    return MissingError(each.name, ", ".join(texts), owner)


def _explodes(operation: Operation, name: str) -> bool:
    declared = (each.node for each in operation.declared if each.where == "query" and each.name == name)
    return bool(next(declared, {}).get("explode", True))


def _texts(value: Json, explode: bool) -> list[str]:  # noqa: FBT001 - OpenAPI's own word
    if not isinstance(value, list):
        return [spoken(value)]
    texts = [spoken(each) for each in value]
    return texts if explode else [",".join(texts)]


def _replaced(value: Json, steps: tuple[str, ...], new: Json) -> Json:
    """A copy in which ``new`` stands at the end of the steps; members that are missing on the way are made."""
    if not steps:
        return new
    head, rest = steps[0], steps[1:]
    if isinstance(value, list) and head.isascii() and head.isdigit() and int(head[:9]) < len(value):
        return [_replaced(each, rest, new) if n == int(head) else each for n, each in enumerate(value)]
    members = value if isinstance(value, dict) else {}
    return {**members, head: _replaced(members.get(head), rest, new)}


def _is_json(text: str) -> bool:
    try:
        loads(text.encode())
    except ValueError:
        return False
    return True


def _multipart(payload: Mapping[str, Json]) -> bytes:
    parts = [_part(name, value) for name, value in payload.items()]
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def _part(name: str, value: Json) -> bytes:
    called = "".join(_escaped(name))
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{called}"\r\n\r\n{spoken(value)}\r\n'.encode()


def _escaped(name: str) -> Iterable[str]:
    """A name as browsers write it in a form (WHATWG HTML §4.10.21.8)."""
    table = {'"': "%22", "\r": "%0D", "\n": "%0A"}
    return (table.get(each, each) for each in name)
