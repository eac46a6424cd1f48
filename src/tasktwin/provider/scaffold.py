"""``tasktwin new``: a working folder for an API of which there is a document."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote

from tasktwin.errors import DataError, MisuseError
from tasktwin.provider.catalogue import bundled
from tasktwin.provider.data_file import schema_text
from tasktwin.provider.deadline import check_all
from tasktwin.provider.document import FOLDED, read_document
from tasktwin.provider.draft import draft
from tasktwin.provider.first_row import first_rows
from tasktwin.provider.provider import Provider, load
from tasktwin.provider.yaml_file import read_text
from tasktwin.provider.yaml_text import block
from tasktwin.wire import Json, loads

SCHEMA_FOLDER = ".tasktwin"
"""Where an editor finds the JSON Schemas of our files."""

_LOCAL = re.compile(r"#.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Scaffold:
    """What was made. ``called`` is what commands call the folder; ``verbs`` are those of the bound operations."""

    called: str
    provider: Provider
    verbs: Mapping[str, str]
    unbound: tuple[str, ...]
    rows: tuple[str, ...]

    def told(self) -> Iterator[str]:
        """What was inferred and what to do next, in lines for a person."""
        collections = self.provider.rules.collections
        yield f"{self.called}: {self.provider.title}"
        verbs = ", ".join(f"{name} ({verb})" for name, verb in self.verbs.items())
        yield f"  collections   {', '.join(collections) or 'none: no pair of paths tells of any'}"
        yield f"  operations    {verbs or 'none'}"
        if self.unbound:
            yield f"  not modelled  {', '.join(self.unbound)}"
        yield f"  first rows    {', '.join(self.rows) or 'none'}"
        if lacking := [name for name in collections if name not in self.rows]:
            yield f"  no row of     {', '.join(lacking)}: write one into {self.called}/seeds/default.yaml"
        yield "Next:"
        yield f"  tasktwin check {quote(self.called)}"
        yield f"  tasktwin serve {quote(self.called)}"
        yield f"  and say more in {self.called}/provider.yaml: it tells how"


def make_folder(folder: str, openapi: str) -> Scaffold:
    """Make ``folder`` from the OpenAPI document in the file ``openapi``. All of it is there in the end, or nothing.

    Raises ``MisuseError`` if the folder cannot be made, and ``DataError`` for a document that is none.
    """
    target, source = _target(folder), Path(openapi)
    document = _document(source, openapi)
    with _workshop(target, folder) as workshop:
        staged = Path(workshop) / target.name
        staged.mkdir()
        (staged / "openapi.yaml").write_text(document, encoding="utf-8")
        _check(staged, openapi)
        made = _fill(staged, load(str(staged)))
        _check(staged, openapi)
        _put(staged, target, folder)
    return replace(made, called=folder, provider=load(str(target)))


def _workshop(target: Path, folder: str) -> "tempfile.TemporaryDirectory[str]":
    """A place on the same disk, where the folder is made before it comes to its own."""
    try:
        return tempfile.TemporaryDirectory(prefix=".tasktwin-", dir=target.parent)
    except OSError as error:
        raise MisuseError(f"{folder} cannot be made in {target.parent}: {error.strerror}") from None


def _target(folder: str) -> Path:
    target = Path(folder).resolve()
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise MisuseError(f"{folder} is there already, and nothing is ever overwritten: name another folder")
        if not target.parent.is_dir():
            raise MisuseError(f"{folder} cannot be made: there is no folder {target.parent}")
    except OSError as error:
        raise MisuseError(f"{folder[:80]} cannot be made: {error.strerror}") from None
    if target.name.lower() in bundled():
        raise MisuseError(f"{target.name} is the name of a bundled provider: name the folder otherwise")
    return target


def _document(source: Path, called: str) -> str:
    """The document as YAML: as it is written, unless it is JSON, or in several files, which become one.

    Raises ``DataError`` for what cannot be read, and for references that lead to elsewhere.
    """
    text = read_text(source, called)
    told = _as_json(text)
    if told is not None and not _leads_out(told):
        return block(told)
    document = read_document(source, called)
    return block(document) if told is not None or FOLDED in document else text


def _as_json(text: str) -> Json:
    """The value of a text that is a JSON object, else ``None``."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return loads(text.encode())
    except ValueError:
        return None


def _leads_out(value: Json) -> bool:
    """Whether a reference in a document leads out of it."""
    if isinstance(value, list):
        return any(map(_leads_out, value))
    if not isinstance(value, dict):
        return False
    reference = value.get("$ref")
    own = isinstance(reference, str) and not _LOCAL.fullmatch(reference)
    return own or any(map(_leads_out, value.values()))


def _check(staged: Path, openapi: str) -> None:
    """Raises ``DataError`` with what ``tasktwin check`` would find wrong, told of the file that it was copied from."""
    (report,) = check_all([str(staged)])
    if report.errors:
        copied = f"{staged.name}/openapi.yaml"
        raise DataError(
            *[replace(each, file=openapi) if each.file in (copied, str(staged)) else each for each in report.errors]
        )


def _fill(staged: Path, provider: Provider) -> Scaffold:
    """Write the other files beside the document."""
    (staged / "provider.yaml").write_text(draft(provider, SCHEMA_FOLDER), encoding="utf-8")
    rows = first_rows(provider)
    (staged / "seeds").mkdir()
    (staged / "seeds" / "default.yaml").write_text(_seeds(provider, rows), encoding="utf-8")
    (staged / SCHEMA_FOLDER).mkdir()
    for kind in ("provider", "seeds"):
        (staged / SCHEMA_FOLDER / f"{kind}.json").write_bytes(schema_text(kind))
    bound = {name: each["verb"] for name, each in provider.data["operations"].items()}
    unbound = tuple(name for name in provider.rules.contract.operations if name not in bound)
    return Scaffold("", provider, bound, unbound, tuple(rows))


def _seeds(provider: Provider, rows: Mapping[str, Json]) -> str:
    lines = [
        f"# yaml-language-server: $schema=../{SCHEMA_FOLDER}/seeds.json",
        "# The rows that a world begins with. More in this file, or in others beside it: serve --seeds NAME.",
        "# A time such as -2h is two hours before the world began.",
    ]
    lines += [f"# No row of {name} could be made up." for name in provider.rules.collections if name not in rows]
    about = "One row of each collection, made from the examples and schemas of openapi.yaml"
    return "\n".join([*lines, block({"about": about, "rows": {name: [row] for name, row in rows.items()}})])


def _put(staged: Path, target: Path, folder: str) -> None:
    """Into its place in one step; into an empty folder that is there already, file by file."""
    try:
        if not target.exists():
            staged.rename(target)
            return
        if any(target.iterdir()):
            raise MisuseError(f"{folder} was filled meanwhile")
        for each in sorted(staged.iterdir()):
            each.rename(target / each.name)
    except OSError as error:
        raise MisuseError(f"{folder} cannot be made: {error.strerror}") from None
