"""``tasktwin new`` at the front door: a document, a folder, a served twin."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

PETSTORE = Path(__file__).parent / "provider" / "petstore.yaml"


def tasktwin(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tasktwin", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_a_new_folder_passes_the_check_and_is_served(tmp_path: Path, serve: Callable[..., str]) -> None:
    made = tasktwin("new", "pets", "--openapi", str(PETSTORE), cwd=tmp_path)
    assert (made.returncode, made.stderr) == (0, "")
    assert "  tasktwin check pets\n  tasktwin serve pets\n" in made.stdout
    assert tasktwin("check", "pets", cwd=tmp_path).returncode == 0
    url = serve(str(tmp_path / "pets"))
    answer = httpx2.get(f"{url}/v3/pets", headers={"api_key": "any"})
    assert (answer.status_code, [each["name"] for each in answer.json()]) == (200, ["doggie"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["pets"], "Missing option '--openapi'"),
        (["--openapi", str(PETSTORE)], "Missing argument 'DIR'"),
        (["pets", "--openapi", "nix.yaml"], "nix.yaml: the file cannot be read: No such file or directory"),
        (["pets", "--openapi", "."], "error: .: this is no regular file"),
        (["pets", "--openapi", "text.txt"], "error: text.txt:1: an OpenAPI document is a mapping"),
        (["a/pets", "--openapi", str(PETSTORE)], "a/pets cannot be made: there is no folder"),
        ([".", "--openapi", str(PETSTORE)], ". is there already, and nothing is ever overwritten"),
        (["x" * 300, "--openapi", str(PETSTORE)], "cannot be made: File name too long"),
        (["/proc/pets", "--openapi", str(PETSTORE)], "/proc/pets cannot be made in /proc: "),
    ],
    ids=[
        "no-document",
        "no-folder",
        "no-such-file",
        "a-folder",
        "no-openapi",
        "no-such-place",
        "not-empty",
        "long-name",
        "unwritable",
    ],
)
def test_what_cannot_be_ends_with_2_and_says_why(tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "text.txt").write_text("hello", encoding="utf-8")
    done = tasktwin("new", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["text.txt"]
