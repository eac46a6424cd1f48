"""The wheel, built from the source distribution, holds all that the twin needs."""

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent

ASKED_FOR = {
    *("schemathesis", "hypothesis", "requests"),  # [fuzz]
    *("locust", "gevent"),  # [load]
    *("redis", "hiredis", "ormsgpack"),  # [redis]
    "pytest",  # its plugin is loaded by nobody else
}
"""Modules that only an extra brings: whoever wants them without it is told what to install."""


def _run(*command: str, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_built_from_the_sdist_serves_lists_and_checks_alone(tmp_path: Path) -> None:
    _run(sys.executable, "-m", "build", "--outdir", str(tmp_path / "dist"), str(ROOT), cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    site = tmp_path / "site"
    _run(sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(site), str(wheel), cwd=tmp_path)
    env = {"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin"}

    home = _run(sys.executable, "-P", "-c", "import tasktwin; print(tasktwin.__file__)", cwd=tmp_path, env=env)
    assert home.startswith(str(site))
    listed = json.loads(_run(sys.executable, "-P", "-m", "tasktwin", "list", "--json", cwd=tmp_path, env=env))
    assert [each["provider"] for each in listed] == sorted(path.name for path in (ROOT / "fixtures").iterdir())
    assert all(each["scenarios"] for each in listed)
    checked = json.loads(_run(sys.executable, "-P", "-m", "tasktwin", "check", "--json", cwd=tmp_path, env=env))
    assert all(each["ok"] for each in checked)


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def _brought(requirements: list[str], known: set[str]) -> set[str]:
    for each in map(Requirement, requirements):
        name = canonicalize_name(each.name)
        if name not in known and (each.marker is None or each.marker.evaluate({"extra": ""})):
            known.add(name)
            _brought(requires(name) or [], known)
    return known


def test_all_that_a_plain_install_imports_comes_with_it() -> None:
    plain = _brought(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"], set())
    homes = packages_distributions()
    names = {name for file in (ROOT / "src").rglob("*.py") for name in _imported(file)}
    foreign = names - set(sys.stdlib_module_names) - {"tasktwin"} - ASKED_FOR
    assert {name for name in foreign if not plain & {canonicalize_name(home) for home in homes[name]}} == set()
