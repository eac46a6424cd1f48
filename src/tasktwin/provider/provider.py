"""One API, read from its folder: where the contract and the behaviour meet."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasktwin.behaviour.rules import Rules
from tasktwin.behaviour.seed import Batch, Seeds, compile_maker
from tasktwin.contract import compile_contract
from tasktwin.errors import DataError, Problem
from tasktwin.provider.build import Builder
from tasktwin.provider.catalogue import data_folder, find
from tasktwin.provider.data_file import read_data
from tasktwin.provider.document import read_document
from tasktwin.provider.effect import find_effects
from tasktwin.provider.infer import infer_data
from tasktwin.provider.yaml_file import did_you_mean, located
from tasktwin.wire import Json

DEPTH = 8
"""So many seeds may stand on one another through ``extends``."""


@dataclass(frozen=True, slots=True)
class Provider:
    """An API ready to be served, drawn, walked and counted. ``data`` is provider.yaml as read, or as inferred."""

    name: str
    title: str
    folder: Path
    rules: Rules
    seeds: Mapping[str, Seeds]
    scenarios: tuple[Path, ...]
    data: Mapping[str, Any]
    inferred: bool


def load(name: str) -> Provider:
    """A bundled provider by its name, or any other by its folder.

    Raises ``DataError`` with everything that is wrong, each problem with its file and line.
    """
    folder = find(name)
    path = folder / "openapi.yaml"
    document = read_document(path, _called(path))
    with _telling(path):
        contract = compile_contract(document)
    path = folder / "provider.yaml"
    inferred = not path.is_file()
    data = infer_data(folder, contract) if inferred else read_data(path, _called(path), "provider")
    with _telling(path):
        rules = Builder(data, contract, find_effects(data.get("effects"))).build()
    seeds = _read_seeds(folder, rules)
    scenarios = tuple(sorted((data_folder("scenarios") / rules.name).glob("*.arazzo.yaml")))
    return Provider(rules.name, rules.title, folder, rules, seeds, scenarios, data, inferred)


def _called(path: Path) -> str:
    """What errors call a file: its folder and name."""
    return (
        f"{path.parent.name}/{path.name}"
        if path.parent.name != "seeds"
        else f"{path.parent.parent.name}/seeds/{path.name}"
    )


class _telling:  # noqa: N801 - used as a statement
    """Gives the problems raised inside their file and line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        """Raise the same problems again, located."""
        if isinstance(error, DataError):
            raise DataError(*(located(each, self.path, _called(self.path)) for each in error.problems)) from None


def _read_seeds(folder: Path, rules: Rules) -> dict[str, Seeds]:
    files = {
        path.stem: (path, read_data(path, _called(path), "seeds")) for path in sorted((folder / "seeds").glob("*.yaml"))
    }
    seeds = {name: Seeds(name, data["about"], _batches(name, files, rules, DEPTH)) for name, (_, data) in files.items()}
    seeds.setdefault("empty", Seeds("empty", "No rows at all", ()))
    seeds.setdefault("default", Seeds("default", "No rows at all", ()))
    return seeds


def _batches(name: str, files: Mapping[str, tuple[Path, Any]], rules: Rules, depth: int) -> tuple[Batch, ...]:
    path, data = files[name]
    with _telling(path):
        batches: tuple[Batch, ...] = ()
        if "extends" in data:
            if data["extends"] not in files or not depth:
                hint = did_you_mean(data["extends"], sorted(files))
                raise DataError(Problem(f"there are no seeds {data['extends']!r} to extend", "/extends", hint=hint))
            batches = _batches(data["extends"], files, rules, depth - 1)
        for collection, rows in data.get("rows", {}).items():
            _known(collection, rules, "/rows")
            batches += tuple(_batch(collection, row, 1, f"/rows/{collection}/{n}", rules) for n, row in enumerate(rows))
        for collection, specs in data.get("make", {}).items():
            _known(collection, rules, "/make")
            for n, spec in enumerate(specs):
                batches += (_batch(collection, spec["row"], spec["count"], f"/make/{collection}/{n}/row", rules),)
        return batches
    raise AssertionError(name)


def _known(collection: str, rules: Rules, at: str) -> None:
    if collection not in rules.collections:
        hint = did_you_mean(collection, [*rules.collections])
        raise DataError(Problem(f"there is no collection {collection!r}", f"{at}/{collection}", hint=hint))


def _batch(collection: str, row: dict[str, Json], count: int, at: str, rules: Rules) -> Batch:
    known = rules.collections[collection].blank
    for field in row:
        if field not in known:
            hint = did_you_mean(field, [*known])
            raise DataError(Problem(f"{collection} has no field {field!r}", f"{at}/{field}", hint=hint))
    try:
        return Batch(collection, compile_maker(row), count)
    except DataError as error:
        raise DataError(*(problem.moved(at) for problem in error.problems)) from None
