"""The seeds of a provider, read from ``seeds/*.yaml`` and held against its collections."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasktwin.behaviour.amount import canonical
from tasktwin.behaviour.rules import Collection, Rules
from tasktwin.behaviour.seed import MOST_ROWS, RELATIVE, Batch, Seeds, compile_maker
from tasktwin.contract.violation import token
from tasktwin.errors import DataError, Problem, Refusal
from tasktwin.provider.data_file import read_data
from tasktwin.provider.names import no_field
from tasktwin.provider.yaml_file import did_you_mean, keep_inside, located
from tasktwin.state import parse_instant
from tasktwin.wire import Json

MOST_FILES = 200


@dataclass(frozen=True, slots=True)
class _File:
    """One file as it was read. ``called`` is what errors call it."""

    path: Path
    called: str
    data: Mapping[str, Any]
    batches: tuple[Batch, ...]


def read_seeds(folder: Path, rules: Rules) -> dict[str, Seeds]:
    """The seeds by name; ``default`` and ``empty`` are always there. Raises ``DataError``."""
    paths = sorted((folder / "seeds").glob("*.yaml"))
    if len(paths) > MOST_FILES:
        raise DataError(Problem(f"there are more than {MOST_FILES} files of seeds", file=f"{folder.name}/seeds"))
    files = {path.stem: _read(path, folder, rules) for path in paths}
    seeds = {name: Seeds(name, each.data["about"], _all_batches(name, files)) for name, each in files.items()}
    for name in ("empty", "default"):
        seeds.setdefault(name, Seeds(name, "No rows at all", ()))
    return seeds


def _read(path: Path, folder: Path, rules: Rules) -> _File:
    called = f"{folder.name}/seeds/{path.name}"
    keep_inside(path, folder, called)
    data = read_data(path, called, "seeds")
    problems = list(_unknown_collections(data, rules))
    batches: list[Batch] = []
    for at, collection, row, count in _rows(data):
        if collection not in rules.collections:
            continue
        found = list(_faults(row, rules.collections[collection], at))
        problems += found
        if not found:
            batches.append(Batch(collection, compile_maker(row), count))
    if problems:
        raise DataError(*located(problems[:50], path, called))
    return _File(path, called, data, tuple(batches))


def _unknown_collections(data: Mapping[str, Any], rules: Rules) -> Iterator[Problem]:
    for part in ("rows", "make"):
        for name in data.get(part, {}):
            if name not in rules.collections:
                hint = did_you_mean(name, rules.collections)
                yield Problem(f"there is no collection {name!r}", f"/{part}{token(name)}", hint=hint)


def _rows(data: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Json], int]]:
    """Where each row stands, its collection, the row, and how many there shall be."""
    for collection, rows in data.get("rows", {}).items():
        for n, row in enumerate(rows):
            yield f"/rows{token(collection)}/{n}", collection, row, 1
    for collection, specs in data.get("make", {}).items():
        for n, spec in enumerate(specs):
            yield f"/make{token(collection)}/{n}/row", collection, spec["row"], spec["count"]


def _faults(row: dict[str, Json], collection: Collection, at: str) -> Iterator[Problem]:
    for field, value in row.items():
        here = at + token(field)
        if field not in collection.blank:
            yield no_field(collection.name, field, collection.blank, here)
            continue
        try:
            compile_maker(value)
        except DataError as error:
            yield from (each.moved(here) for each in error.problems)
            continue
        for literal in _literals(value):
            if fault := _fault(collection, field, literal):
                yield Problem(fault, here, hint=_hint(collection, field, literal))


def _literals(value: Json) -> Iterator[Json]:
    """The values that a row writes out, those to pick from included."""
    if isinstance(value, dict) and "$pick" in value:
        for each in value["$pick"]:
            yield from _literals(each)
    elif value is not None and not isinstance(value, dict) and not (isinstance(value, str) and "$" in value):
        yield value


def _fault(collection: Collection, field: str, value: Json) -> str:
    """What is wrong with a value that stands for a state, a time or an amount; empty when nothing is."""
    lifecycle = collection.lifecycle
    if lifecycle and field == lifecycle.field and not (isinstance(value, str) and value in lifecycle.states):
        return f"{collection.name} has no state {value!r}"
    try:
        if field in collection.instants and not (isinstance(value, str) and RELATIVE.fullmatch(value)):
            parse_instant(str(value))
        canonical({field: value}, collection)
    except (ValueError, Refusal) as error:
        return str(error)
    return ""


def _hint(collection: Collection, field: str, value: Json) -> str:
    if collection.lifecycle and field == collection.lifecycle.field:
        return did_you_mean(str(value), collection.lifecycle.states)
    return "Times may also be -2h or +3d, from the beginning." if field in collection.instants else ""


def _all_batches(name: str, files: Mapping[str, _File]) -> tuple[Batch, ...]:
    """The batches of a set of seeds, those that it extends first."""
    chain = [name]
    while other := files[chain[-1]].data.get("extends"):
        last = files[chain[-1]]
        if other in chain:
            _refuse(last, f"the seeds {other!r} extend themselves", "/extends")
        if other not in files:
            _refuse(last, f"there are no seeds {other!r} to extend", "/extends", did_you_mean(other, files))
        chain.append(other)
    batches = tuple(batch for each in reversed(chain) for batch in files[each].batches)
    if sum(batch.repeat for batch in batches) > MOST_ROWS:
        _refuse(files[name], f"these seeds make more than {MOST_ROWS:,} rows", "/make")
    return batches


def _refuse(file: _File, message: str, pointer: str, hint: str = "") -> None:
    raise DataError(*located([Problem(message, pointer, hint=hint)], file.path, file.called))
