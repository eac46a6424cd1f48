"""Programs that npm installs, for the tests that hold the twin against them.

Each set of packages is installed once into ``.cache``, which git ignores; later runs find it there.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache"
NEEDS = (20, 19)
NODE = f"node-{sys.platform}-{ {'x86_64': 'x64', 'aarch64': 'arm64'}.get(platform.machine(), platform.machine()) }"
NODE_VERSION = "22.23.3"
"""What comes along where the machine's own Node is older than ``NEEDS``, as Debian 12's is."""

MISSING = "{} is missing: these tests install and run {} with it (Debian: apt-get install nodejs npm)"


def run(
    packages: tuple[str, ...], script: str, *arguments: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a script of these packages, ``name@version`` each, in Node; how it ended, whatever it found."""
    command = [_node(packages), str(install(packages) / script), *arguments]
    full = {**os.environ, **(env or {})}
    return subprocess.run(command, cwd=cwd, env=full, capture_output=True, text=True, timeout=120, check=False)


@cache
def install(packages: tuple[str, ...]) -> Path:
    """The folder ``node_modules`` with these packages. Raises ``AssertionError`` if npm is missing or fails."""
    wanted = (*packages, *(() if _is_recent(packages) else (f"{NODE}@{NODE_VERSION}",)))
    home = CACHE / "+".join(each.replace("/", "-") for each in wanted)
    if not home.is_dir():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            fresh = Path(folder) / "fresh"
            fresh.mkdir()
            _npm_install(fresh, wanted)
            put(fresh, home)
    return home / "node_modules"


def _npm_install(folder: Path, packages: tuple[str, ...]) -> None:
    npm = _found("npm", packages)
    command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error", *packages]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"npm could not install {', '.join(packages)}:\n{done.stdout}{done.stderr}"


def put(fresh: Path, home: Path) -> None:
    """Into its place in one step, so that no parallel test run sees half of it. Whoever comes second leaves it so."""
    try:
        fresh.rename(home)
    except OSError:
        if not home.is_dir():
            raise


def _found(program: str, packages: tuple[str, ...]) -> str:
    path = shutil.which(program)
    assert path, MISSING.format(program, ", ".join(packages))
    return path


@cache
def _is_recent(packages: tuple[str, ...]) -> bool:
    told = subprocess.run([_found("node", packages), "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = told.removeprefix("v").split(".")[:2]
    return (int(major), int(minor)) >= NEEDS


def _node(packages: tuple[str, ...]) -> str:
    return "node" if _is_recent(packages) else str(install(packages) / NODE / "bin" / "node")
