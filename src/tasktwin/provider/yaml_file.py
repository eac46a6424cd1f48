"""The one place that reads YAML: the 1.2 way, within bounds, and able to say in which line something stands.

``on``, ``no`` and dates stay strings, keys are always texts; duplicate keys, tags, merge keys, aliases that explode
and oversized files are errors. Values are built from the events of libyaml's parser without recursion, since
PyYAML's own composer ends the process on deep nesting. Lines of pointers are looked up only when there is something
to complain about, so reading stays fast.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

import yaml

from tasktwin.errors import DataError, Problem
from tasktwin.wire import Json

MAX_BYTES = 16 * 1024 * 1024
MAX_NODES = 500_000
MAX_DEPTH = 100
MAX_ALIASED = 200_000
"""So many values may be there only because aliases repeat them."""

PLAIN_TAGS = frozenset({None, "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})

_WORDS: dict[str, Json] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMERIC = frozenset("-+.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_JSON = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LONGEST_INTEGER = 30


def _plain(text: str) -> Json:
    """What an unquoted scalar means in the core schema. Raises ``ValueError`` for a number that JSON cannot write."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    if _INTEGER.fullmatch(text) and len(text) <= _LONGEST_INTEGER:
        value = int(text, 0 if text.startswith(("0o", "0x")) else 10)
        return value if -(2**63) <= value < 2**64 else float(value)  # as orjson reads it
    if _FLOAT.fullmatch(text) and isfinite(number := float(text)):
        return number
    if _FLOAT.fullmatch(text) or _INTEGER.fullmatch(text) or _NO_JSON.fullmatch(text):
        raise ValueError(f"{text[:40]} is no number that JSON can write")
    return text


@dataclass(slots=True)
class _Part:
    """A value with what it weighs: its nodes and its depth once aliases are written out."""

    value: Json
    size: int = 1
    depth: int = 0


@dataclass(slots=True)
class _Open(_Part):
    """A mapping or list that is being read. Of a mapping a key comes next, or the value of ``key``."""

    anchor: str | None = None
    key: str = ""
    awaits_key: bool = False


class _Reader:
    """Builds the value of one document."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.stack: list[_Open] = []
        self.anchors: dict[str, _Part] = {}
        self.root: Json = None
        self.documents = self.nodes = self.aliased = 0

    def read(self, events: Iterable[yaml.Event]) -> Json:
        """The value. Raises ``DataError``."""
        for event in events:
            match event:
                case yaml.ScalarEvent():
                    self._scalar(event)
                case yaml.MappingStartEvent():
                    self._enter(event, {})
                case yaml.SequenceStartEvent():
                    self._enter(event, [])
                case yaml.CollectionEndEvent():
                    done = self.stack.pop()
                    self._place(event, done.value, done.size, done.depth, done.anchor)
                case yaml.AliasEvent():
                    part = self._target(event)
                    self._place(event, part.value, part.size, part.depth, None)
                case yaml.DocumentStartEvent():
                    self._begin(event)
        return self.root

    def _begin(self, event: yaml.Event) -> None:
        self.documents += 1
        if self.documents > 1:
            self._fail(event, "a second document begins here", "Write one document a file.")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._check_tag(event)
        value: Json = event.value
        if event.implicit[0] and not (self.stack and self.stack[-1].awaits_key):
            try:
                value = _plain(event.value)
            except ValueError as error:
                self._fail(event, str(error))
        self._place(event, value, 1, 0, event.anchor)

    def _enter(self, event: Any, value: Json) -> None:
        self._check_tag(event)
        if self.stack and self.stack[-1].awaits_key:
            self._fail(event, "a key must be a text")
        if len(self.stack) >= MAX_DEPTH:
            self._fail(event, f"nested deeper than {MAX_DEPTH} levels")
        self.stack.append(_Open(value, anchor=event.anchor, awaits_key=isinstance(value, dict)))

    def _place(self, event: yaml.Event, value: Json, size: int, depth: int, anchor: str | None) -> None:
        """Put a value where it belongs: it is the root, a key, the value of one, or an item."""
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self._fail(event, f"more than {MAX_NODES:,} values")
        if anchor is not None:
            self.anchors[anchor] = _Part(value, size, depth)
        if not self.stack:
            self.root = value
            return
        top = self.stack[-1]
        if top.awaits_key:
            top.key, top.awaits_key = self._key(event, top.value, value), False
            return
        if isinstance(top.value, list):
            top.value.append(value)
        else:
            top.value[top.key], top.awaits_key = value, True
        top.size += size
        if top.depth <= depth:
            top.depth = depth + 1

    def _key(self, event: yaml.Event, mapping: Json, key: Json) -> str:
        if not isinstance(key, str):
            self._fail(event, "a key must be a text")
        if key in mapping:
            self._fail(event, f"the key {key!r} stands here twice")
        if key == "<<":
            self._fail(event, "the merge key << is not part of YAML 1.2", "Write its keys out.")
        return key

    def _target(self, event: yaml.AliasEvent) -> _Part:
        name = str(event.anchor)
        if any(each.anchor == name for each in self.stack):
            self._fail(event, f"the alias *{name} makes a part hold itself")
        if name not in self.anchors:
            self._fail(event, f"the alias *{name} stands for nothing", did_you_mean(name, [*self.anchors]))
        part = self.anchors[name]
        self.aliased += part.size
        if self.aliased > MAX_ALIASED:
            self._fail(event, f"the aliases stand for more than {MAX_ALIASED:,} values")
        if len(self.stack) + part.depth > MAX_DEPTH:
            self._fail(event, f"nested deeper than {MAX_DEPTH} levels once aliases are written out")
        return part

    def _check_tag(self, event: Any) -> None:
        if event.tag not in PLAIN_TAGS:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._fail(event, f"the tag {tag} is not read here", "Only plain mappings, lists, texts and numbers are.")

    def _fail(self, event: yaml.Event, message: str, hint: str = "") -> NoReturn:
        line = event.start_mark.line + 1 if event.start_mark else 0
        raise DataError(Problem(message, file=self.name, line=line, hint=hint))


def read_yaml(path: Path, name: str) -> Json:
    """The document in a YAML (or JSON) file; ``None`` for an empty one. ``name`` is what errors call it.

    Raises ``DataError``.
    """
    text = read_text(path, name)
    try:
        return _Reader(name).read(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.MarkedYAMLError as error:
        raise DataError(_said(error, text, name)) from None
    except yaml.reader.ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        raise DataError(Problem(f"this is no YAML: {error.reason}", file=name, line=line)) from None


def _said(error: yaml.MarkedYAMLError, text: str, name: str) -> Problem:
    """What the parser says, with where the part began that it was in, and what is most often the reason."""
    mark, begun = error.problem_mark, error.context_mark
    lines = text.splitlines()
    at, column = (mark.line, mark.column) if mark else (0, 0)
    line = lines[at] if at < len(lines) else ""
    message = f"this is no YAML: {error.problem}"
    if error.context and begun:
        message += f", {error.context} that begins in line {begun.line + 1}"
    hint = ""
    if line[: len(line) - len(line.lstrip())].count("\t"):
        hint = "Indent with spaces: YAML takes no tabs."
    elif "mapping values" in str(error.problem):
        hint = "Put quotes around a text that holds a colon."
    elif line[column : column + 1] in ("@", "`", "%"):
        hint = f"Put quotes around a text that begins with {line[column]}."
    return Problem(message, file=name, line=at + 1, hint=hint)


def keep_inside(path: Path, folder: Path, name: str) -> None:
    """Raises ``DataError`` when a file of a folder is a link to somewhere else."""
    try:
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # a link to itself is a RuntimeError before Python 3.13
        inside = True  # whoever reads it says why that cannot be
    if not inside:
        raise DataError(Problem("this is a link that leads out of the folder", file=name, hint="Put a copy here."))


def read_text(path: Path, name: str) -> str:
    """A text file within bounds. Raises ``DataError``."""
    try:
        if not path.is_file() and path.exists():  # a pipe would never end
            raise DataError(Problem("this is no regular file", file=name))
        if path.stat().st_size > MAX_BYTES:
            raise DataError(Problem(f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB", file=name))
        raw = path.read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise DataError(Problem(f"the file cannot be read: {error.strerror}", file=name)) from None
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(Problem(f"the file is not UTF-8 (byte {error.start})", file=name, line=line)) from None


def located(problems: Iterable[Problem], path: Path, name: str) -> Iterator[Problem]:
    """The problems, each with the file and the line where its pointer leads, unless it names a file itself."""
    root: Any = ...
    for problem in problems:
        if problem.file:
            yield problem
            continue
        root = _composed(path) if root is ... else root
        yield replace(problem, file=name, line=_line(root, problem.pointer))


def _composed(path: Path) -> yaml.Node | None:
    try:
        return yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return None


def _line(node: yaml.Node | None, pointer: str) -> int:
    line = 1
    for raw in pointer.split("/")[1:]:
        found = _child(node, raw.replace("~1", "/").replace("~0", "~"))
        if found is None:
            break
        line, node = found
    return line


def _child(node: yaml.Node | None, step: str) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if str(key.value) == step:
                return key.start_mark.line + 1, value
    if isinstance(node, yaml.SequenceNode) and step.isdecimal() and int(step) < len(node.value):
        child = node.value[int(step)]
        return child.start_mark.line + 1, child
    return None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint: the known word that is close, else what is known."""
    known = list(known)
    close = get_close_matches(word, known, 1)
    if close:
        return f"Did you mean {close[0]!r}?"
    more = f" and {len(known) - 30} more" if len(known) > 30 else ""
    return f"Known are: {', '.join(sorted(known)[:30])}{more}." if known else "There are none."
