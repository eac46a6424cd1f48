"""From an OpenAPI document to a contract."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from tasktwin.contract import media, response
from tasktwin.contract.operation import Body, Operation, ParameterPlan, Requirement
from tasktwin.contract.parameter import IGNORED_HEADERS, LOCATIONS, STYLES, Declared, Parameter, parameter
from tasktwin.contract.reference import Reference
from tasktwin.contract.router import Match, NoMethod, NoPath, Router, placeholders
from tasktwin.contract.schema import Schema, Schemas
from tasktwin.contract.security import SecurityScheme, schemes
from tasktwin.contract.source import Source, as_json, nearest
from tasktwin.contract.style import ABSENT
from tasktwin.contract.violation import token
from tasktwin.errors import DataError, Problem
from tasktwin.wire import Json

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_VERSION: Final = re.compile(r"3\.[01]\.[0-9]+(-.+)?")


@dataclass(slots=True)
class Contract:
    """A compiled document: its operations by id and its security schemes by name.

    ``prefix`` is the path of the first server, without a slash at its end: it stands before every operation's path.
    """

    document: Json
    operations: dict[str, Operation]
    schemes: dict[str, SecurityScheme]
    prefix: str
    _router: Router[Operation]
    _schemas: Schemas
    _named: dict[str, Schema] = field(default_factory=dict)

    def match(self, method: str, path: str) -> Match[Operation] | NoPath | NoMethod:
        """The operation that a request means. ``method`` is upper case, ``path`` raw and without the query.

        A static path beats a template if it has the method, else the template gets its chance. One trailing slash more
        or less than in the template is forgiven and reported. Nothing else is normalised: ``//`` and ``..`` are
        segments like any other, and a path parameter never matches an empty one.
        """
        return self._router.match(method, path)

    def schema(self, name: str) -> Schema:
        """A component schema, as it applies to a value at rest. Raises ``KeyError`` for an unknown name."""
        schema = self._named.get(name)
        if schema is None:
            schema = self._named[name] = self._schemas.at("plain", "/components/schemas" + token(name))
        return schema


def compile_contract(document: Json) -> Contract:
    """Compile an OpenAPI 3.0 or 3.1 document, whose references are all local.

    Raises ``DataError`` with everything that is wrong, each with a JSON pointer into the document.
    """
    version = str(document.get("openapi", "")) if isinstance(document, dict) else ""
    if not _VERSION.fullmatch(version):
        hint = "OpenAPI 3.0.x and 3.1.x are read."
        raise DataError(
            Problem(f"this is not an OpenAPI document of a known version: {version!r}", "/openapi", hint=hint)
        )
    document = as_json(document)
    source = Source(document)
    source.scan()
    schemas = Schemas(source)
    compiler = _Compiler(source, schemas)
    operations = compiler.operations()
    for name in source.mapping(
        source.mapping(document.get("components"), "/components").get("schemas"), "/components/schemas"
    ):
        schemas.converted("plain", "/components/schemas" + token(name))
    schemas.compile()
    if source.problems:
        raise DataError(*source.problems.values())
    return Contract(document, operations, compiler.schemes, compiler.prefix, compiler.router, schemas)


class _Compiler:
    """Compiles the path items of one document, one after the other."""

    def __init__(self, source: Source, schemas: Schemas) -> None:
        self.source = source
        self.schemas = schemas
        self.schemes = schemes(source)
        self.router: Router[Operation] = Router()
        self.prefix = _prefix(source)
        self.reference = Reference(source.document, self.prefix)
        self._seen: dict[str, str] = {}

    def operations(self) -> dict[str, Operation]:
        found: dict[str, Operation] = {}
        for path, item in self.source.mapping(self.source.document.get("paths"), "/paths").items():
            if path.startswith("x-"):
                continue
            for operation in self._path_item(path, item):
                found[operation.id] = operation
        return found

    def _path_item(self, path: str, item: Json) -> Iterator[Operation]:
        at = "/paths" + token(path)
        if not path.startswith("/"):
            self.source.refuse("a path starts with a slash", at)
        names = placeholders(path)
        if len(names) != len(set(names)):
            self.source.refuse("a name stands twice in this path", at)
        node, pointer = self.source.follow(item, at)
        shared = self._parameter_nodes(node, pointer)
        for method in METHODS:
            if method not in node:
                continue
            here = f"{pointer}/{method}"
            raw = self.source.mapping(node[method], here)
            operation = self._operation(path, method, raw, here, shared)
            yield operation
            self._route(path, operation, at)

    def _route(self, path: str, operation: Operation, at: str) -> None:
        try:
            other = self.router.add(self.prefix + path, operation)
        except ValueError as error:
            self.source.refuse(str(error), at)
            return
        if other:
            self.source.refuse(f"this path matches the same requests as {other.removeprefix(self.prefix)}", at)

    def _operation(self, path: str, method: str, raw: dict[str, Json], here: str, shared: "_Nodes") -> Operation:
        own = self._parameter_nodes(raw, here)
        nodes = {**shared, **own}
        parameters = self._parameters(path, nodes, here)
        body, body_gap = self._body(raw, here)
        answers = response.responses(
            self.schemas, self.source.mapping(raw.get("responses"), f"{here}/responses"), f"{here}/responses"
        )
        gaps = [item.uncovered for item in parameters if item.uncovered] + ([body_gap] if body_gap else [])
        return Operation(
            id=self._id(raw, method, path, here),
            method=method.upper(),
            path=path,
            pointer=here,
            summary=str(raw.get("summary", "")),
            security=self._security(raw, here),
            extensions={key: value for key, value in raw.items() if key.startswith("x-")},
            raw=raw,
            success=answers.success(),
            parameters=self._plan(parameters),
            body=body,
            responses=answers,
            declared=tuple(nodes.values()),
            resolved=self.source.resolved,
            uncovered="; ".join(gaps),
            reference=self.reference,
        )

    def _id(self, raw: dict[str, Json], method: str, path: str, here: str) -> str:
        name = raw.get("operationId")
        if not isinstance(name, str):
            return f"{method} {path}"
        first = self._seen.setdefault(name, here)
        if first != here:
            self.source.refuse(
                f"the operationId {name!r} is taken", f"{here}/operationId", f"It stands at {first} too."
            )
        return name

    def _security(self, raw: dict[str, Json], here: str) -> tuple[Requirement, ...]:
        local = "security" in raw
        at = f"{here}/security" if local else "/security"
        alternatives = self.source.listing(raw["security"] if local else self.source.document.get("security"), at)
        return tuple(self._requirement(item, f"{at}/{n}") for n, item in enumerate(alternatives))

    def _requirement(self, item: Json, at: str) -> Requirement:
        node = self.source.mapping(item, at)
        for name in node:
            if name not in self.schemes:
                self.source.refuse(
                    f"there is no security scheme {name!r}", at + token(name), nearest(name, self.schemes)
                )
        return tuple(
            (name, tuple(map(str, self.source.listing(scopes, at + token(name))))) for name, scopes in node.items()
        )

    def _parameter_nodes(self, node: dict[str, Json], at: str) -> "_Nodes":
        found: _Nodes = {}
        for n, item in enumerate(self.source.listing(node.get("parameters"), f"{at}/parameters")):
            each, pointer = self.source.follow(item, f"{at}/parameters/{n}")
            name, where = each.get("name"), each.get("in")
            if not isinstance(name, str) or where not in LOCATIONS:
                if each:
                    self.source.refuse("a parameter needs a name, and in: path, query, header or cookie", pointer)
                continue
            if (name, where) in found:
                self.source.refuse(f"the {where} parameter {name!r} is declared twice", f"{at}/parameters/{n}")
            found[name, where] = Declared(each, pointer)
        return found

    def _parameters(self, path: str, nodes: "_Nodes", here: str) -> list[Parameter]:
        declared = {name for name, where in nodes if where == "path"}
        for name in placeholders(path):
            if name not in declared:
                hint = nearest(name, declared)
                self.source.refuse(f"{{{name}}} in the path is not declared as a parameter", here, hint)
        for name in declared - set(placeholders(path)):
            pointer = nodes[name, "path"].pointer
            self.source.refuse(f"the path {path} has no {{{name}}}", pointer, nearest(name, placeholders(path)))
        others = frozenset(name for name, where in nodes if where == "query")
        return [self._parameter(declared, others) for declared in nodes.values() if not _is_ignored(declared)]

    def _parameter(self, declared: Declared, others: frozenset[str]) -> Parameter:
        node, pointer, where = declared.node, declared.pointer, declared.where
        style = node.get("style")
        if style is not None and style not in STYLES[where]:
            known = ", ".join(STYLES[where])
            self.source.refuse(
                f"a {where} parameter cannot have the style {style!r}", f"{pointer}/style", f"It can have {known}."
            )
            declared = Declared({**node, "style": STYLES[where][0]}, pointer)
        if ("schema" in node) == ("content" in node):
            self.source.refuse("a parameter needs either a schema or a content", pointer)
        return parameter(self.schemas, declared, others)

    def _plan(self, parameters: list[Parameter]) -> ParameterPlan | None:
        if not parameters:
            return None
        at = {where: [item for item in parameters if item.where == where] for where in LOCATIONS}
        shape = {
            where: {
                "properties": {item.name: item.schema for item in items},
                "required": [item.name for item in items if item.required],
            }
            for where, items in at.items()
            if items
        }
        schema = self.schemas.composed("request", {"properties": shape})
        takes = {where: tuple((item.name, item.take) for item in items) for where, items in at.items()}
        defaults = tuple((item.where, item.name, item.default) for item in parameters if item.default is not ABSENT)
        return ParameterPlan(**takes, defaults=defaults, schema=schema)

    def _body(self, raw: dict[str, Json], here: str) -> tuple[Body | None, str]:
        if "requestBody" not in raw:
            return None, ""
        node, pointer = self.source.follow(raw["requestBody"], f"{here}/requestBody")
        declared = self.source.mapping(node.get("content"), f"{pointer}/content")
        content = media.content(self.schemas, declared, f"{pointer}/content", "request")
        exotic = [name for name, medium in content.media.items() if medium.form == "xml"]
        return Body(content, node.get("required") is True), f"the body may be {exotic[0]}" if exotic else ""


_Nodes: TypeAlias = dict[tuple[str, str], Declared]


def _is_ignored(declared: Declared) -> bool:
    return declared.where == "header" and declared.name in IGNORED_HEADERS


def _prefix(source: Source) -> str:
    """The path of the first server; its variables have their defaults."""
    servers = source.listing(source.document.get("servers"), "/servers")
    first = source.mapping(servers[0], "/servers/0") if servers else {}
    url = str(first.get("url", "/"))
    for name, variable in source.mapping(first.get("variables"), "/servers/0/variables").items():
        default = variable.get("default", "") if isinstance(variable, dict) else ""
        url = url.replace(f"{{{name}}}", str(default))
    return urlsplit(url).path.rstrip("/")
