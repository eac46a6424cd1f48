"""One API, read from its folder: where the contract and the behaviour meet."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from tasktwin.behaviour.rules import Rules
from tasktwin.behaviour.seed import Seeds
from tasktwin.contract import compile_contract
from tasktwin.errors import DataError
from tasktwin.provider.build import Builder
from tasktwin.provider.catalogue import data_folder, find
from tasktwin.provider.data_file import read_data
from tasktwin.provider.document import read_document, told_by_file
from tasktwin.provider.effect import find_effects
from tasktwin.provider.infer import infer_data
from tasktwin.provider.seed_file import read_seeds
from tasktwin.provider.yaml_file import keep_inside


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

    def fingerprint(self) -> str:
        """What stands for the folder's data: as long as it is the same, they are. Raises ``DataError`` if they cannot be read."""
        digest = blake2b(digest_size=6)
        for path in sorted(self.folder.rglob("*.yaml")):
            with _telling(path, path.name):
                digest.update(path.relative_to(self.folder).as_posix().encode() + path.read_bytes())
        return digest.hexdigest()


def load(name: str) -> Provider:
    """A bundled provider by its name, or any other by its folder.

    Raises ``DataError`` with everything that is wrong, each problem with its file and line.
    """
    folder = find(name)
    path, called = folder / "openapi.yaml", f"{folder.name}/openapi.yaml"
    keep_inside(path, folder, called)
    document = read_document(path, called)
    with _telling(path, called):
        contract = compile_contract(document)
    path, called = folder / "provider.yaml", f"{folder.name}/provider.yaml"
    inferred = not path.exists() and not path.is_symlink()
    keep_inside(path, folder, called)
    data = infer_data(folder, contract) if inferred else read_data(path, called, "provider")
    with _telling(path, called):
        rules = Builder(data, contract, *find_effects(data.get("effects"))).build()
    seeds = read_seeds(folder, rules)
    homes = (data_folder("scenarios") / rules.name, folder / "scenarios")
    scenarios = tuple(path for home in homes for path in sorted(home.glob("*.arazzo.yaml")))
    return Provider(rules.name, rules.title, folder, rules, seeds, scenarios, data, inferred)


@contextmanager
def _telling(path: Path, called: str) -> Iterator[None]:
    """Gives the problems raised inside their file and line."""
    try:
        yield
    except DataError as error:
        raise DataError(*told_by_file(error.problems, path, called)) from None
