"""Every block of the README marked ``<!-- run -->`` runs, against a twin served by the real command."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tasktwin.provider.data_file import schema_text

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"<!-- run -->\n```(\w+)\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize(("language", "text"), BLOCKS, ids=[text.split("\n", 1)[0][:40] for _, text in BLOCKS])
def test_a_readme_block_runs_as_it_stands(serve: Callable[..., str], tmp_path: Path, language: str, text: str) -> None:
    if language == "python":
        command = [sys.executable, "-c", text]
    else:
        text = text.replace("http://127.0.0.1:8080", serve("uumit")) if "8080" in text else text
        text = text.replace("curl -sS", "curl -fsS")
        command = ["bash", "-euo", "pipefail", "-c", text.replace("tasktwin ", f"{sys.executable} -m tasktwin ")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_readmes_judge_finds_a_twin_without_fault(serve: Callable[..., str], tmp_path: Path) -> None:
    (text,) = re.findall(r"<!-- judge -->\n```bash\n(.*?)```", README, re.DOTALL)
    text = text.replace("http://127.0.0.1:8080", serve("uumit")).replace("60s", "8s")
    command = ["bash", "-euo", "pipefail", "-c", text.replace("tasktwin ", f"{sys.executable} -m tasktwin ")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "junit.xml",
        "report.html",
        "report.json",
        "report.sarif",
        "traffic.har",
    }


def test_every_option_of_serve_stands_in_the_readme() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "tasktwin", "serve", "--help"], capture_output=True, text=True, check=True
    ).stdout
    options = set(re.findall(r"(--[a-z-]+)", help_text)) - {"--help"}
    table = README.partition("| option of `serve` | says |")[2].partition("\n\n")[0]
    assert not [option for option in sorted(options) if f"`{option}`" not in table]


def test_every_control_route_stands_in_the_readme() -> None:
    from tasktwin.server.control.contract import control_document  # noqa: PLC0415 - only here

    assert not [path for path in control_document()["paths"] if path not in README]


def test_every_option_of_the_other_commands_stands_in_the_readme() -> None:
    from tasktwin.cli import main  # noqa: PLC0415 - only here

    options = {
        name for each in main.commands.values() for option in each.params for name in option.opts if name[:2] == "--"
    }
    assert not [name for name in sorted(options) if name not in README]


def test_every_data_key_stands_in_the_readme() -> None:
    schema = json.loads(schema_text("provider"))
    parts = [schema, *(schema["$defs"][name] for name in ("collection", "lifecycle", "transition", "operation"))]
    keys = {key for part in (*parts, json.loads(schema_text("seeds"))) for key in part["properties"]}
    assert not [key for key in sorted(keys) if f"`{key}`" not in README]
