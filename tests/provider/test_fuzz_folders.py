"""Mutated data folders through ``tasktwin check``, in this process: each is right or wrong, and none breaks it.

``TASKTWIN_FUZZ=5000`` in the environment sets how many; ``python tests/provider/test_fuzz_folders.py`` runs 5,000.
"""

import gc
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tasktwin.provider.check import check_provider

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.provider.small import FILES, write

COUNT = int(os.environ.get("TASKTWIN_FUZZ", "150"))
FULL = 5_000
WORDS = ["", "~", "[]", "{}", "-1", "1e9", "0", "true", "x", "$", "$row#/id", "{$row#/id}", "{$", "$ref", "null", "\\0", "é",
         "9" * 40, "a" * 5_000, "job", "stated D", "new", "{not: 1}", "{$ref: '#'}", "{$ref: x.yaml}", "2026-01-01", "1ms", "&a", "*a",
         "!!python/object:os.system", "<<", "\t", "\x1b[2J", "'", '"', "#", "---", "...", "%YAML 1.1", "? x", "|", ">"]  # fmt: skip
VALUES: list[Any] = [None, True, 0, -1, 1.5, 10**30, "", "x", "$row#/id", "{$x}", [], {}, [[]], {"x": {}}, "job", "a" * 3_000,
                     {"$ref": "#"}, {"$ref": "#/components/schemas/Job"}, [None], {"": None}, "(a+)+$", "((", "2026-01-01T00:00:00Z"]  # fmt: skip


def mutate_text(chance: random.Random, text: str) -> str:
    """A text with a few places struck out, doubled, moved or replaced by something that means much to YAML."""
    for _ in range(chance.randint(1, 4)):
        lines = text.split("\n")
        n = chance.randrange(len(lines))
        at = chance.randrange(len(text) + 1)
        to = min(len(text), at + chance.randint(0, 12))
        text = chance.choice(
            [
                text[:at] + chance.choice(WORDS) + text[to:],
                text[:at] + text[to:],
                text[:at] + chr(chance.choice([0, 9, 10, 27, 45, 58, 91, 123, 0x2028, 0xFEFF, 0x10FFFF])) + text[at:],
                "\n".join(lines[:n] + lines[n + 1 :]),
                "\n".join(lines[: n + 1] + lines[n:]),
                "\n".join([*lines[:n], " " * chance.randint(0, 8) + lines[n].strip(), *lines[n + 1 :]]),
                text[:at],
            ]
        )
    return text


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a tree with each of its keys."""
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])


def mutate_tree(chance: random.Random, text: str) -> str:
    """The same document with a few values replaced, removed, renamed or taken from elsewhere in it."""
    tree = yaml.load(text, Loader=yaml.BaseLoader)
    for _ in range(chance.randint(1, 4)):
        found = list(places(tree))
        if not found:
            break
        (holder, key), (other, its) = chance.choice(found), chance.choice(found)
        match chance.randrange(5):
            case 0:
                holder[key] = chance.choice(VALUES)
            case 1:
                del holder[key]
            case 2 if isinstance(holder, dict):
                holder[chance.choice([*WORDS, str(its)])] = holder.pop(key)
            case 3:
                holder[key] = yaml.safe_load(yaml.safe_dump(other[its]))
            case _:
                holder[key] = [holder[key]]
    return yaml.safe_dump(tree, allow_unicode=True)


MUTATORS: list[Callable[[random.Random, str], str]] = [mutate_text, mutate_tree]


def run(count: int, seed: int = 0) -> dict[str, int]:
    """Check so many folders; how many were right and wrong, and by how much open files and memory grew."""
    tally = {"right": 0, "wrong": 0}
    with TemporaryDirectory() as base:
        _check(Path(base), random.Random(seed), tally, min(50, count))
        gc.collect()
        before = open_files(), resident()
        _check(Path(base), random.Random(seed + 1), tally, count)
        gc.collect()
        return {**tally, "files": open_files() - before[0], "MiB": (resident() - before[1]) >> 20}


def _check(base: Path, chance: random.Random, tally: dict[str, int], count: int) -> None:
    for n in range(count):
        name = chance.choices(list(FILES), [3, 5, 2])[0]
        text = chance.choice(MUTATORS)(chance, FILES[name])
        folder = write(base, {name: text.encode("utf-8", "replace").decode()})
        try:
            report = check_provider(str(folder))
        except BaseException:
            sys.stderr.write(f"folder {n}, {name}:\n{text}\n")
            raise
        for problem in report.problems:
            assert str(problem).isprintable() or "\u3000" in str(problem)
        tally["wrong" if report.errors else "right"] += 1


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_no_mutated_folder_breaks_the_check_or_leaves_anything_behind() -> None:
    found = run(COUNT)
    assert found["wrong"] > COUNT / 2, "most mutations are mistakes"
    assert found["right"] > 0, "and some are none"
    assert found["files"] <= 0
    assert found["MiB"] < 64


if __name__ == "__main__":
    sys.stdout.write(f"{run(FULL, seed=7)}\n")
