"""The one place that reads YAML: the 1.2 way, within bounds, and able to say in which line something stands.

``on``, ``no`` and dates stay strings; duplicate keys, unknown tags, aliases that explode and oversized files are
errors. Lines are looked up only when there is something to complain about, so reading stays fast.
"""

import re
from collections.abc import Hashable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from tasktwin.errors import DataError, Problem
from tasktwin.wire import Json

MAX_BYTES = 16 * 1024 * 1024
MAX_NODES = 2_000_000
MAX_DEPTH = 100


class _Loader(yaml.CSafeLoader):
    """PyYAML's C parser with the scalars of YAML 1.2's core schema."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+0123456789."),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


def _construct_int(loader: Any, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node)
    return int(text, 0 if text.startswith(("0o", "0x")) else 10)


def _construct_mapping(loader: Any, node: yaml.MappingNode) -> dict[Hashable, Json]:
    mapping: dict[Hashable, Json] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise yaml.MarkedYAMLError(problem="a key must be a scalar", problem_mark=key_node.start_mark)
        name = (
            key
            if isinstance(key, str)
            else "null"
            if key is None
            else str(key).lower()
            if isinstance(key, bool)
            else str(key)
        )
        if name in mapping:
            raise yaml.MarkedYAMLError(problem=f"the key {name!r} stands here twice", problem_mark=key_node.start_mark)
        mapping[name] = loader.construct_object(value_node, deep=True)
    return mapping


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor("tag:yaml.org,2002:map", _construct_mapping)


def read_yaml(path: Path, name: str) -> Json:
    """The document in a YAML (or JSON) file. ``name`` is what errors call it. Raises ``DataError``."""
    text = read_text(path, name)
    try:
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, restricted further above
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise DataError(Problem(str(error.problem or "this is no YAML"), file=name, line=line)) from None
    except (yaml.YAMLError, ValueError) as error:
        raise DataError(Problem(f"this is no YAML: {error}".splitlines()[0], file=name)) from None
    except RecursionError:
        raise DataError(Problem(f"nested deeper than {MAX_DEPTH} levels", file=name)) from None
    if fault := _unbounded(value):
        raise DataError(Problem(fault, file=name))
    return value


def read_text(path: Path, name: str) -> str:
    """A text file within bounds. Raises ``DataError``."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DataError(Problem(f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB", file=name))
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(Problem(f"the file cannot be read: {error.strerror}", file=name)) from None
    except UnicodeDecodeError as error:
        raise DataError(Problem(f"the file is not UTF-8 (byte {error.start})", file=name)) from None


def _unbounded(value: Json) -> str:
    """Why a value is too large once its aliases are written out; empty when it is not."""
    sizes: dict[int, tuple[int, int]] = {}

    def measure(node: Json, trail: frozenset[int]) -> tuple[int, int]:
        if not isinstance(node, (dict, list)):
            return 1, 0
        if id(node) in trail or len(trail) >= MAX_DEPTH:
            raise OverflowError(f"nested deeper than {MAX_DEPTH} levels, or a part holds itself")
        if id(node) not in sizes:
            inner = [measure(each, trail | {id(node)}) for each in (node.values() if isinstance(node, dict) else node)]
            sizes[id(node)] = 1 + sum(size for size, _ in inner), 1 + max((deep for _, deep in inner), default=0)
        size, deep = sizes[id(node)]
        if size > MAX_NODES or deep + len(trail) > MAX_DEPTH:
            raise OverflowError(f"more than {MAX_NODES:,} values or {MAX_DEPTH} levels once aliases are written out")
        return size, deep

    try:
        measure(value, frozenset())
    except OverflowError as error:
        return str(error)
    return ""


def located(problem: Problem, path: Path, name: str) -> Problem:
    """The problem with its file and the line where its pointer leads."""
    if problem.line or problem.file:
        return problem
    return replace(problem, file=name, line=_line(path, problem.pointer))


def _line(path: Path, pointer: str) -> int:
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, yaml.YAMLError, UnicodeDecodeError, RecursionError):
        return 0
    line = 1
    for raw in pointer.split("/")[1:]:
        step = raw.replace("~1", "/").replace("~0", "~")
        found = _child(node, step)
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


def did_you_mean(word: str, known: list[str]) -> str:
    """A hint, when one of the known words is close."""
    close = get_close_matches(word, known, 1)
    return f"Did you mean {close[0]!r}?" if close else f"Known are: {', '.join(sorted(known)[:30])}."
