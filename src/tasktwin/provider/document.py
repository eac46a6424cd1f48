"""An OpenAPI document read from its file, with the files it refers to folded in."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, unquote

from tasktwin.contract.violation import clipped, token
from tasktwin.errors import DataError, Problem
from tasktwin.provider.yaml_file import located, read_yaml
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
    return _Folding(path, name).fold(document)


def told_by_file(problems: Iterable[Problem], path: Path, name: str) -> Iterator[Problem]:
    """Problems of a folded document, each with the file and the line that its pointer means."""
    for problem in problems:
        _, folded, *rest = problem.pointer.split("/", 3) if problem.pointer else ("", "")
        if folded != FOLDED or not rest:
            yield from located([problem], path, name)
            continue
        inner = rest[0].replace("~1", "/").replace("~0", "~")
        pointer = f"/{rest[1]}" if len(rest) > 1 else ""
        folder = name.rpartition("/")[0]
        yield from located([replace(problem, pointer=pointer)], path.parent / inner, f"{folder}/{inner}")


class _Folding:
    """Reads the files of one document, each once, and makes their references point into ``x-files``."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path.resolve()
        self.root = path.parent.resolve()
        self.folder = name.rpartition("/")[0]
        self.names = [path.name]  # the document, then the files in the order in which they are referred to

    def fold(self, document: Json) -> Json:
        """The whole document. Raises ``DataError``."""
        folded = self._local(document, self.names[0])
        files = {}
        for name in self._further():
            value = read_yaml(self.root / name, f"{self.folder}/{name}")
            files[name] = self._local(value, name)
        return {**folded, FOLDED: files} if files else folded

    def _further(self) -> Iterator[str]:
        """The files that were referred to so far; there may be more after each."""
        at = 1
        while at < len(self.names):
            yield self.names[at]
            at += 1

    def _local(self, value: Json, name: str, pointer: str = "") -> Json:
        """A value from the file ``name`` with its references made local."""
        if isinstance(value, list):
            return [self._local(each, name, f"{pointer}/{n}") for n, each in enumerate(value)]
        if not isinstance(value, dict):
            return value
        folded = {key: self._local(each, name, pointer + token(key)) for key, each in value.items()}
        if isinstance(value.get("$ref"), str):
            try:
                folded["$ref"] = self._target(value["$ref"], name)
            except DataError as error:
                file, called = self.root / name, f"{self.folder}/{name}"
                raise DataError(
                    *located([each.moved(f"{pointer}/$ref") for each in error.problems], file, called)
                ) from None
        return folded

    def _target(self, reference: str, name: str) -> str:
        """The local form of a reference that stands in the file ``name``."""
        target, _, pointer = reference.partition("#")
        if not target:
            return f"#{pointer}" if name == self.names[0] else self._inside(name, pointer)
        if "://" in target or target.startswith("//") or target.lower().startswith("file:"):
            problem = f"the reference {clipped(reference)!r} leads out: remote documents are never fetched"
            raise DataError(Problem(problem, hint="Copy the document into the folder and refer to the copy."))
        try:
            found = ((self.root / name).parent / unquote(target)).resolve()
            inside, there = found.is_relative_to(self.root), found.is_file()
        except (OSError, RuntimeError, ValueError):  # too long, a link to itself, a NUL
            inside, there = True, False
        if not inside:
            raise DataError(Problem(f"the reference {clipped(reference)!r} leads out of the folder"))
        if not there:
            raise DataError(Problem(f"the reference {clipped(reference)!r} leads to no file"))
        if found == self.path:
            return f"#{pointer}"
        name = found.relative_to(self.root).as_posix()
        if name not in self.names:
            if len(self.names) > MOST_FILES:
                raise DataError(Problem(f"more than {MOST_FILES} files are referred to"))
            self.names.append(name)
        return self._inside(name, pointer)

    @staticmethod
    def _inside(name: str, pointer: str) -> str:
        """The reference to a place in a file that is folded in."""
        return f"#/{FOLDED}{quote(token(name), safe='/~')}{pointer}"
