"""An OpenAPI document read from its file, with the files it refers to folded in."""

from pathlib import Path

from tasktwin.errors import DataError, Problem
from tasktwin.provider.yaml_file import read_yaml
from tasktwin.wire import Json

FOLDED = "x-files"
MOST_FILES = 200


def read_document(path: Path, name: str) -> Json:
    """The document with every reference local: other files stand whole under ``x-files``. Raises ``DataError``.

    Only files in the document's own folder (or below) are read; nothing is ever fetched.
    """
    document = read_yaml(path, name)
    if not isinstance(document, dict):
        raise DataError(Problem("an OpenAPI document is a mapping", file=name, line=1))
    files: dict[str, Json] = {}
    folded = _fold(document, path, path.parent.resolve(), "", files)
    if files:
        folded = {**folded, FOLDED: files}
    return folded


def _fold(value: Json, path: Path, root: Path, home: str, files: dict[str, Json]) -> Json:
    """``value`` from ``path`` (folded under ``home``; "" for the document itself), with references made local."""
    if isinstance(value, list):
        return [_fold(each, path, root, home, files) for each in value]
    if not isinstance(value, dict):
        return value
    folded = {key: _fold(each, path, root, home, files) for key, each in value.items()}
    reference = value.get("$ref")
    if isinstance(reference, str):
        folded["$ref"] = _local(reference, path, root, home, files)
    return folded


def _local(reference: str, path: Path, root: Path, home: str, files: dict[str, Json]) -> str:
    target, _, pointer = reference.partition("#")
    if "://" in target or target.startswith("//"):
        problem = f"the reference {reference!r} leads out: remote documents are never fetched"
        raise DataError(
            Problem(problem, file=path.name, hint="Copy the document into the folder and refer to the copy.")
        )
    if not target:
        return f"#{home}{pointer}" if home else reference
    found = (path.parent / target).resolve()
    if not found.is_relative_to(root):
        raise DataError(Problem(f"the reference {reference!r} leads out of the folder", file=path.name))
    name = found.relative_to(root).as_posix()
    inner = f"/{FOLDED}/" + name.replace("~", "~0").replace("/", "~1")
    if name not in files:
        if len(files) >= MOST_FILES:
            raise DataError(Problem(f"more than {MOST_FILES} files are referred to", file=path.name))
        files[name] = None
        files[name] = _fold(read_yaml(found, name), found, root, inner, files)
    return f"#{inner}{pointer}"
