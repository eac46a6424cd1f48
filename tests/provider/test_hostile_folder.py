"""``tasktwin check`` on folders that mean harm: it ends soon, with an error that a person can read, and in little memory."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.provider.mistakes import BOMB
from tests.provider.small import FILES, edited, write

from tasktwin.provider.deadline import check_all

SECONDS = 20
"""Far above what each takes: the machine may be busy."""
MEMORY = 2 * 1024**3
PATTERN = 'title: {type: string, pattern: "^[^!]*$"}'
REFERENCE = '"#/components/schemas/JobId"'
OPENAPI, PROVIDER, SEEDS = FILES["openapi.yaml"], FILES["provider.yaml"], FILES["seeds/default.yaml"]


@dataclass(frozen=True)
class Hostile:
    """What stands in place of good files, what is done to the folder then, and what must be said."""

    says: str
    files: dict[str, str] = field(default_factory=dict)
    prepare: Callable[[Path], object] = lambda _folder: None


def referring(target: str, says: str, more: dict[str, str] | None = None) -> Hostile:
    return Hostile(says, {**edited("openapi.yaml", REFERENCE, f"'{target}'"), **(more or {})})


def linked(name: str, target: str, says: str, files: dict[str, str] | None = None) -> Hostile:
    def prepare(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return Hostile(says, files or {}, prepare)


def piped(name: str) -> Hostile:
    def prepare(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return Hostile(f"jobs/{name}: this is no regular file", prepare=prepare)


def large(name: str) -> Hostile:
    return Hostile(
        f"{name}: the file is larger than 16 MiB", prepare=lambda folder: os.truncate(folder / name, 100 << 20)
    )


OUT = "this is a link that leads out of the folder"
LOOP = "Too many levels of symbolic links"

FOLDERS = {
    "an alias bomb": Hostile("the aliases stand for more than", {"provider.yaml": BOMB}),
    "a million keys": Hostile("values", {"openapi.yaml": OPENAPI + "x:\n" + "".join(f" k{n}: 1\n" for n in range(1_000_000))}),
    "a million opening brackets": Hostile("nested deeper than", {"openapi.yaml": OPENAPI + "x: " + "[" * 1_000_000}),
    "100 MB of contract": large("openapi.yaml"),
    "100 MB of behaviour": large("provider.yaml"),
    "100 MB of seeds": large("seeds/default.yaml"),
    "a pipe for a contract": piped("openapi.yaml"),
    "a pipe for a behaviour": piped("provider.yaml"),
    "a pipe for seeds": piped("seeds/default.yaml"),
    "a device for a contract": linked("openapi.yaml", "/dev/zero", OUT),
    "a contract out of the folder": linked("openapi.yaml", "/etc/passwd", OUT),
    "a behaviour out of the folder": linked("provider.yaml", "/etc/passwd", OUT),
    "seeds out of the folder": linked("seeds/default.yaml", "/etc/passwd", OUT),
    "a contract that links to itself": linked("openapi.yaml", "openapi.yaml", "needs a file openapi.yaml"),
    "a behaviour that links to itself": linked("provider.yaml", "provider.yaml", LOOP),
    "seeds that link to themselves": linked("seeds/default.yaml", "default.yaml", LOOP),
    "a reference out through a link": linked("x.yaml", "/etc/passwd", "leads out of the folder", edited("openapi.yaml", REFERENCE, "'x.yaml'")),
    "a reference to a link to itself": linked("x.yaml", "x.yaml", "leads to no file", edited("openapi.yaml", REFERENCE, "'x.yaml'")),
    "a reference upward": referring("../../../../etc/passwd", "leads out of the folder"),
    "a reference to the web": referring("http://127.0.0.1:1/x.yaml", "remote documents are never fetched"),
    "a reference to a host": referring("//127.0.0.1/x.yaml", "remote documents are never fetched"),
    "a reference by file:": referring("file:/etc/passwd", "remote documents are never fetched"),
    "a reference with a NUL": referring("a%00.yaml", "leads to no file"),
    "a very long reference": referring("a" * 5_000 + ".yaml", "leads to no file"),
    "references in a circle": referring("#/components/schemas/JobEvent/properties/data/contentSchema", "refers to itself"),
    "files that refer to each other": referring("a.yaml#/x", "refers to itself", {"a.yaml": "x: {$ref: 'b.yaml#/x'}", "b.yaml": "x: {$ref: 'a.yaml#/x'}"}),
    "a pattern that steps back for ever": Hostile("does not match", edited("openapi.yaml", PATTERN, f'title: {{type: string, pattern: "^(a+)+$", default: "{"a" * 40}!"}}')),
    "a look-around on a long text": Hostile("(at /rows/job/0/title)", {
        **edited("openapi.yaml", "        title: {type: string}\n        hours", '        title: {type: string, pattern: "(?=a)(a+)+$"}\n        hours'),
        **edited("seeds/default.yaml", "title: Paint", f"title: {'a' * 1_000_000}!"),
    }),
    "a pattern that fills memory": Hostile('is not a "regex"', edited("openapi.yaml", PATTERN, 'title: {type: string, pattern: "((a{0,900}){0,900}){0,900}"}')),
    "a billion rows": Hostile("greater than the maximum", {"seeds/default.yaml": SEEDS + "make: {job: [{count: 1000000000, row: {title: x}}]}\n"}),
    "a number without end": Hostile("is no number that JSON can write", {"seeds/default.yaml": SEEDS.replace("hours: 2", "hours: " + "9" * 1_000_000)}),
    "seeds that extend themselves": Hostile("extend themselves", {"seeds/a.yaml": "about: x\nextends: b\n", "seeds/b.yaml": "about: x\nextends: a\n"}),
    "a thousand files of seeds": Hostile("more than 200 files of seeds", {f"seeds/s{n}.yaml": "about: x\n" for n in range(1_000)}),
    "bytes that are no UTF-8": Hostile("the file is not UTF-8", prepare=lambda folder: (folder / "provider.yaml").write_bytes(b"a: \xff")),
    "a NUL": Hostile("control characters are not allowed", {"provider.yaml": PROVIDER + "x: \0"}),
    "half a surrogate": Hostile("invalid Unicode character escape code", {"provider.yaml": PROVIDER + '"\\ud800": 1\n'}),
    "a key that clears the terminal": Hostile(r"unknown key 'a\x1b[2Jb'", {"provider.yaml": PROVIDER + '"a\\e[2Jb": 1\n'}),
    "a file name that clears the terminal": Hostile(r"jobs/seeds/a\x1b[2J\nb.yaml", {"seeds/a\x1b[2J\nb.yaml": "about: [1]\n"}),
    "a key written right to left": Hostile(r"a\u202eb", {"provider.yaml": PROVIDER + '"a\\u202Eb": 1\n'}),
}  # fmt: skip


@pytest.mark.parametrize("hostile", FOLDERS.values(), ids=FOLDERS)
def test_a_hostile_folder_is_refused_soon_and_in_words(tmp_path: Path, hostile: Hostile) -> None:
    folder = write(tmp_path, hostile.files)
    hostile.prepare(folder)
    done = subprocess.run(
        [sys.executable, "-m", "tasktwin", "check", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    assert done.returncode == 2, done.stderr
    assert hostile.says in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "root:" not in done.stdout + done.stderr, "nothing of what stands outside is shown"
    assert [each for each in done.stdout if not each.isprintable() and each != "\n"] == []
    assert len(done.stdout) < 20_000


def test_a_check_that_would_not_end_is_given_up_and_the_next_folder_checked(tmp_path: Path) -> None:
    twice = "{{allOf: [{{$ref: '#/components/schemas/S{0}'}}, {{$ref: '#/components/schemas/S{0}'}}], default: {{}}}}"
    doubling = "    S0: {type: object}\n" + "".join(f"    S{n}: {twice.format(n - 1)}\n" for n in range(1, 40))
    bad = write(tmp_path / "a", {"openapi.yaml": OPENAPI + doubling})
    good = write(tmp_path / "b")
    first, second = check_all([str(bad), str(good)], patience=3)
    assert [str(each) for each in first.errors] == [
        f"{bad}: checking took longer than 3 s. Is it very large, or do its schemas apply each other many times over?"
    ]
    assert second.errors == []


def test_fidelity_is_not_written_through_a_link(tmp_path: Path) -> None:
    folder, outside = write(tmp_path), tmp_path / "mine.txt"
    outside.write_text("keep me")
    (folder / "FIDELITY.md").symlink_to(outside)
    command = [sys.executable, "-m", "tasktwin", "check", "--write-fidelity", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert (done.returncode, outside.read_text()) == (2, "keep me")
    assert OUT in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
