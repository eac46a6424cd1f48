"""Wrong data files: told with file, line and pointer, with what was probably meant, and exit code 2."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.provider.mistakes import CHECKED, DOCUMENT, FORM, NAMES, ROWS, SENSE, STREAM, Mistake
from tests.provider.small import FILES, OPENAPI, edited, write

from tasktwin.cli import main

AT_ONCE = 2.0
"""Seconds of work within which any mistake is told, the import of the document's validator included."""


def ask(command: str, folder: Path) -> Result:
    begun = time.process_time()
    result = CliRunner().invoke(main, [command, str(folder)])
    assert time.process_time() - begun < AT_ONCE
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_the_folder_that_the_mistakes_are_made_in_is_right(tmp_path: Path) -> None:
    result = ask("check", write(tmp_path))
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "mistake", [*FORM, *NAMES, *SENSE, *STREAM, *DOCUMENT, *ROWS], ids=lambda mistake: mistake.name
)
def test_a_mistake_is_told_where_it_is_made(tmp_path: Path, mistake: Mistake) -> None:
    result = ask("list", write(tmp_path, mistake.files))
    assert result.exit_code == 2
    (line,) = [line for line in result.output.splitlines() if mistake.says[0] in line]
    assert line.startswith(f"error: {mistake.place}")
    assert f"(at {mistake.pointer}" in line or not mistake.pointer
    assert [words for words in mistake.says if words not in line] == []


@pytest.mark.parametrize("mistake", CHECKED, ids=lambda mistake: mistake.name)
def test_what_does_no_harm_to_serving_is_told_by_check(tmp_path: Path, mistake: Mistake) -> None:
    folder = write(tmp_path, mistake.files)
    assert ask("list", folder).exit_code == 0
    result = ask("check", folder)
    assert result.exit_code == 2
    (line,) = [line for line in result.output.splitlines() if mistake.says[0] in line]
    assert f"error: {mistake.place}" in line
    assert f"(at {mistake.pointer}" in line
    assert [words for words in mistake.says if words not in line] == []


def not_utf_8(folder: Path) -> None:
    (folder / "provider.yaml").write_bytes(b"provider: jobs\ntitle: J\xf6bs\n")


def sparse(folder: Path) -> None:
    with (folder / "provider.yaml").open("wb") as file:
        file.truncate(2**40)


def no_document(folder: Path) -> None:
    (folder / "openapi.yaml").unlink()


def document_is_a_folder(folder: Path) -> None:
    (folder / "openapi.yaml").unlink()
    (folder / "openapi.yaml").mkdir()


def behaviour_is_a_pipe(folder: Path) -> None:
    (folder / "provider.yaml").unlink()
    os.mkfifo(folder / "provider.yaml")


def behaviour_leads_nowhere(folder: Path) -> None:
    (folder / "provider.yaml").unlink()
    (folder / "provider.yaml").symlink_to(folder / "gone.yaml")


def seeds_are_a_folder(folder: Path) -> None:
    (folder / "seeds" / "more.yaml").mkdir()


def link_out(folder: Path) -> None:
    (folder.parent / "secret.yaml").write_text("Jobs: {type: object}\n", encoding="utf-8")
    (folder / "jobs.yaml").symlink_to(folder.parent / "secret.yaml")
    write(folder.parent, edited("openapi.yaml", '"#/components/schemas/Jobs"', '"jobs.yaml#/Jobs"'))


def mistake_in_another_file(folder: Path) -> None:
    (folder / "parts.yaml").write_text("Jobs:\n  type: object\n  required: items\n", encoding="utf-8")
    write(folder.parent, edited("openapi.yaml", '"#/components/schemas/Jobs"', '"parts.yaml#/Jobs"'))


def no_yaml_in_another_file(folder: Path) -> None:
    (folder / "parts.yaml").write_text("Jobs:\n  type: {\n", encoding="utf-8")
    write(folder.parent, edited("openapi.yaml", '"#/components/schemas/Jobs"', '"parts.yaml#/Jobs"'))


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (not_utf_8, "jobs/provider.yaml:2: the file is not UTF-8 (byte 23)"),
        (sparse, "jobs/provider.yaml: the file is larger than 16 MiB"),
        (no_document, "jobs: a provider's folder needs a file openapi.yaml"),
        (document_is_a_folder, "jobs/openapi.yaml: this is no regular file"),
        (behaviour_is_a_pipe, "jobs/provider.yaml: this is no regular file"),
        (behaviour_leads_nowhere, "jobs/provider.yaml: the file cannot be read: No such file or directory"),
        (seeds_are_a_folder, "jobs/seeds/more.yaml: this is no regular file"),
        (link_out, "jobs/openapi.yaml:17: the reference 'jobs.yaml#/Jobs' leads out of the folder"),
        (mistake_in_another_file, "jobs/parts.yaml:3: a list is expected here, not a text (at /Jobs/required)"),
        (no_yaml_in_another_file, "jobs/parts.yaml:3: this is no YAML: "),
    ],
    ids=lambda case: getattr(case, "__name__", ""),
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, break_it: Callable[[Path], None], says: str) -> None:
    folder = write(tmp_path)
    break_it(folder)
    result = ask("list", folder)
    assert result.exit_code == 2
    assert says in result.output


def chain(length: int) -> dict[str, str]:
    """A document whose schema leads through so many files, the last of which leads back to the first."""
    text = OPENAPI.replace('"#/components/schemas/Jobs"', '"0.yaml"')
    names = [f"{n}.yaml" for n in range(length)]
    parts = [f'type: object\nproperties: {{next: {{$ref: "{name}"}}}}\n' for name in [*names[1:], names[0]]]
    return {"openapi.yaml": text, **dict(zip(names, parts, strict=True))}


def test_a_hundred_files_that_refer_to_each_other_in_a_circle_are_fine(tmp_path: Path) -> None:
    assert ask("list", write(tmp_path, chain(100))).exit_code == 0


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    result = ask("list", write(tmp_path, chain(201)))
    assert result.exit_code == 2
    assert "jobs/199.yaml:2: more than 200 files are referred to (at /properties/next/$ref)" in result.output


@pytest.mark.parametrize("word", ["on", "no", "yes", "2026-01-01", "1_000", "0777", "12:30:00", "1e", "=", "0o8"])
def test_what_yaml_1_1_would_turn_into_something_else_stays_text(tmp_path: Path, word: str) -> None:
    files = edited("openapi.yaml", "JobId:\n", f"JobId:\n      x-{word.strip('=')}key: {word}\n")
    folder = write(tmp_path, {**files, **edited("seeds/default.yaml", "title: Sweep", f"title: {word}")})
    result = ask("check", folder)
    assert ("error" in result.output) == (word == "0777")  # an integer in both, and no title


def test_a_catastrophic_pattern_delays_nobody(tmp_path: Path) -> None:
    from tasktwin import Twin  # noqa: PLC0415 - only here

    folder = write(tmp_path, edited("openapi.yaml", '"^[^!]*$"', '"^(?=(a+)+$)(a|aa)+$"'))
    with Twin(str(folder)) as twin:
        begun = time.process_time()
        answer = twin.request("POST", "/jobs", json={"title": "a" * 5_000 + "b"}, as_="ann")
        assert time.process_time() - begun < AT_ONCE
    assert answer.status == 422


@pytest.mark.parametrize("command", ["serve", "graph", "check", "list"])
def test_no_command_shows_a_trace(tmp_path: Path, command: str) -> None:
    folder = write(tmp_path, edited("provider.yaml", "from: open, to: running", "from: open, to: runing"))
    done = subprocess.run(
        [sys.executable, "-m", "tasktwin", command, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 2
    told = done.stdout + done.stderr
    assert "error: jobs/provider.yaml:56: there is no state 'runing'" in told
    assert "Traceback" not in told


def test_mistakes_in_one_file_are_told_together(tmp_path: Path) -> None:
    text = FILES["provider.yaml"].replace("order: -created_at", "order: -made").replace("in: [title]", "in: [name]")
    result = ask("list", write(tmp_path, {"provider.yaml": text}))
    assert result.output.count("error: jobs/provider.yaml:") == 2


def test_rows_that_cannot_be_made_are_told_when_they_are_sown(tmp_path: Path) -> None:
    folder = write(tmp_path, edited("seeds/default.yaml", 'price: "5"', 'price: "{$n} euro"'))
    result = ask("check", folder)
    assert result.exit_code == 2
    assert "jobs/seeds/default.yaml: the seeds cannot be sown" in result.output
    done = subprocess.run(
        [sys.executable, "-m", "tasktwin", "serve", str(folder), "--port", "0"],
        capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    assert (done.returncode, "price must be a decimal number" in done.stderr) == (2, True)
    assert "Traceback" not in done.stderr
