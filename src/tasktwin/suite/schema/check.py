"""Checks of ours beside Schemathesis's, made from the provider's data: envelope, paging, the dialect of errors."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any, ClassVar, TypeAlias
from urllib.parse import parse_qs

from schemathesis.checks import CHECKS, CheckContext
from schemathesis.core.failures import Failure
from schemathesis.core.transport import Response
from schemathesis.generation.case import Case

from tasktwin.provider import Provider
from tasktwin.suite.finding import Line
from tasktwin.suite.schema.transport import is_broken
from tasktwin.wire import Json, loads

Look: TypeAlias = Callable[[Provider, Line], "Wrong | None"]
"""Looks at one exchange; what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What one of our checks found. ``kind`` tells it from others of the same check; ``pointer`` is into the body."""

    kind: str
    expected: str
    actual: str
    pointer: str = ""


class Broken(Failure):
    """A failure of one of our checks."""

    code: ClassVar[str] = "ST901"
    kind_title: ClassVar[str] = "A rule of the provider is broken"

    def __init__(self, operation: str, check: str, wrong: Wrong) -> None:
        super().__init__(operation=operation, title=check, message=f"{wrong.expected}; it was {wrong.actual}")
        self.wrong = wrong

    @property
    def _unique_key(self) -> str:
        return f"{self.title}:{self.wrong.kind}"


SLOW = ("Timeout", "in time", "larger")
"""Kinds of answers that take longer, or are more, than one wants to wait for: no proof that anything is wrong."""

_ONE = Lock()


@contextmanager
def registered(provider: Provider, line_of: Callable[[str], Line | None]) -> Iterator[None]:
    """Within it Schemathesis makes our checks too; ``line_of`` is the exchange of a case's id.

    Schemathesis has one registry for all: so nobody else may use it meanwhile, and afterwards it is as it was.
    """
    with _ONE:
        names = []
        try:
            for look in (answered, envelope, paging, error_dialect):
                CHECKS.register(_as_check(provider, look, line_of))
                names.append(look.__name__)
            yield
        finally:
            for name in names:
                CHECKS.unregister(name)


def _as_check(provider: Provider, look: Look, line_of: Callable[[str], Line | None]) -> Any:
    def check(_ctx: CheckContext, _response: Response, case: Case[Any]) -> bool | None:
        line = line_of(case.id)
        wrong = look(provider, line) if line else None
        if wrong is not None:
            raise Broken(case.operation.label, look.__name__, wrong)
        return None

    check.__name__ = look.__name__
    return check


def answered(_provider: Provider, line: Line) -> Wrong | None:
    """A whole answer comes; the first that does not is asked for twice."""
    if not is_broken(line.reply):
        return None
    problem = line.reply.problem or "the answer was cut"
    return Wrong(next((each for each in SLOW if each in problem), "dropped"), "a whole answer", problem)


def envelope(provider: Provider, line: Line) -> Wrong | None:
    """The HTTP status and the envelope's code say the same: both a success, or both none."""
    told = success_of(provider)
    body = _body(line)
    binding = provider.rules.bindings.get(line.request.operation)
    if told is None or not isinstance(body, Mapping) or told[0] not in body or (binding and not binding.wrap):
        return None
    name, value = told
    status, given = line.reply.status, body[name]
    if line.reply.good and given != value:
        return Wrong("success", f"{name} {value!r} with HTTP {status}", f"{name} {given!r}", f"/{name}")
    if status >= 400 and given == value:
        return Wrong("error", f"another {name} than {value!r} with HTTP {status}", f"{name} {given!r}", f"/{name}")
    return None


def success_of(provider: Provider) -> tuple[str, Json] | None:
    """The envelope's member that tells success from error, and its value for success; ``None`` without one.

    It is constant in ``wrap``, and has another constant in every kind of refusal.
    """
    wrap, errors = provider.data.get("wrap"), provider.data.get("errors", {})
    shape, kinds = errors.get("shape"), errors.get("kinds", {})
    if not isinstance(wrap, Mapping) or not isinstance(shape, Mapping) or not kinds:
        return None
    for name, value in wrap.items():
        source = str(shape.get(name, "")).removeprefix("$error#/")
        constant = isinstance(value, (int, str)) and not str(value).startswith("$")
        if constant and all(each.get(source, value) != value for each in kinds.values()) and source != "message":
            return name, value
    return None


def paging(provider: Provider, line: Line) -> Wrong | None:
    """A page's numbers agree with each other: its size, its place, the total, and whether there is more."""
    page = _page(provider, line)
    if page is None:
        return None
    items, size, start = page["items"], page["size"], page["start"]
    if size is not None and len(items) > size:
        return Wrong("size", f"at most {size} items", f"{len(items)}", page["pointer"])
    total = page.get("total")
    if not isinstance(total, int) or start is None or size is None:
        return None
    due = min(size, max(0, total - start))
    if len(items) != due:
        return Wrong("items", f"{due} items of {total} from {start} on", f"{len(items)}", page["pointer"])
    more, shown = start + len(items) < total, page.get("more", page.get("next", ...))
    if shown is not ... and bool(shown) != more:
        return Wrong("more", f"{'more' if more else 'no more'} after {start + len(items)} of {total}", repr(shown))
    return _echo(page)


def _echo(page: Mapping[str, Any]) -> Wrong | None:
    """A page says which one it is."""
    for name in ("number", "echoed"):
        asked, told = page.get(f"asked_{name}"), page.get(name)
        if isinstance(asked, int) and isinstance(told, int) and asked != told:
            return Wrong(name, f"page {asked}" if name == "number" else f"a page size of {asked}", f"{told}")
    return None


def _page(provider: Provider, line: Line) -> dict[str, Any] | None:
    """What an answer says of its page, and what was asked for; ``None`` if it is none, or not one in numbers."""
    spec = provider.data.get("operations", {}).get(line.request.operation, {})
    rule = provider.data.get("paging", {}).get(spec.get("page", ""))
    binding = provider.rules.bindings.get(line.request.operation)
    if rule is None or binding is None or binding.paging is None or not line.reply.good or line.request.method != "GET":
        return None
    places = dict(_places(rule["answer"], ""))
    wrap = provider.data.get("wrap") if binding.wrap else None
    prefix = dict(_places(wrap, "")).get("$response.body", "") if wrap is not None else ""
    body = _body(line)
    told = {name.removeprefix("$page#/"): _at(body, prefix + at) for name, at in places.items()}
    if not isinstance(told.get("items"), list):
        return None
    asked = parse_qs(line.request.path.partition("?")[2], keep_blank_values=True)
    style, most = binding.paging.style, binding.paging.most
    first = _asked(asked, rule["start"], 1 if style == "page" else 0, 1 if style == "page" else 0)
    wanted = _asked(asked, rule["size"], binding.paging.default, 1)
    size = told.get("size") if isinstance(told.get("size"), int) else min(wanted, most) if wanted and most else wanted
    start = None if first is None else first if style == "offset" else (first - 1) * size if size else None
    told |= {"pointer": prefix + places["$page#/items"], "size": size, "start": start, "echoed": told.get("size")}
    told["asked_number"] = first if style == "page" else None
    told["asked_echoed"] = min(wanted, most) if wanted and most else wanted
    return told


def _asked(query: Mapping[str, list[str]], source: str, otherwise: int, least: int) -> int | None:
    """A number of the query; ``otherwise`` if it is not there, ``None`` if it is there and none that one can rely on."""
    values = query.get(str(source).removeprefix("$request.query."))
    if values is None:
        return otherwise
    text = values[-1]
    plain = len(values) == 1 and text.isascii() and text.isdigit() and len(text) < 10
    return int(text) if plain and int(text) >= least else None


def _places(template: Json, at: str) -> Iterator[tuple[str, str]]:
    """Each expression of a template and where it stands."""
    if isinstance(template, Mapping):
        for name, inner in template.items():
            yield from _places(inner, f"{at}/{name}")
    elif isinstance(template, str) and template.startswith("$"):
        yield template, at


def error_dialect(provider: Provider, line: Line) -> Wrong | None:
    """An error is worded as the provider words errors of its status: in that media type, with those members."""
    status, errors = line.reply.status, provider.rules.errors
    binding = provider.rules.bindings.get(line.request.operation)
    if not 400 <= status < 500 or errors.own or (binding and not binding.wrap) or line.request.method == "HEAD":
        return None
    told = provider.data["errors"]
    kinds = [each for each in told["kinds"].values() if each.get("status") == status]
    if any("media" in each for each in kinds) or not kinds:
        return None
    shapes = [each.get("shape", told["shape"]) for each in kinds] + [told["shape"]]
    if not all(isinstance(each, Mapping) for each in shapes):
        return None
    body = _body(line)
    if isinstance(body, Mapping) and any(set(each) <= set(body) for each in shapes):
        return None
    members = " and ".join(sorted(shapes[0]))
    actual = (
        f"the members {', '.join(sorted(map(str, body))) or 'none'}" if isinstance(body, Mapping) else line.reply.media
    )
    return Wrong(str(status), f"an error of {status} with the members {members}", actual or "no body")


def _body(line: Line) -> Json:
    """The answer's JSON, whatever its media type says; ``None`` if it is none."""
    try:
        return loads(line.reply.body) if line.reply.body and line.reply.is_json else None
    except ValueError:
        return None


def _at(body: Json, pointer: str) -> Json:
    for part in pointer.split("/")[1:]:
        if not isinstance(body, Mapping):
            return None
        body = body.get(part)
    return body
