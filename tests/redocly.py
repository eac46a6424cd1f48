"""Redocly's command line, as its users run it: it lints OpenAPI and Arazzo documents and plays scenarios.

npm installs it once into ``.cache``, which git ignores; later runs find it there.
"""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
VERSION = "2.77.0"
CACHE = ROOT / ".cache"
NEEDS = (20, 19)
NODE = f"node-{sys.platform}-{ {'x86_64': 'x64', 'aarch64': 'arm64'}.get(platform.machine(), platform.machine()) }"
NODE_VERSION = "22.23.3"
"""What comes along where the machine's own Node is too old for Redocly, as Debian 12's is."""

QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}


def redocly(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run ``redocly`` with these arguments; how it ended, whatever it found."""
    command = [_node(), str(_install() / "@redocly/cli/bin/cli.js"), *arguments]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **QUIET}, capture_output=True, text=True, timeout=120, check=False
    )


@cache
def _install() -> Path:
    packages = [f"@redocly/cli@{VERSION}", *([] if _is_recent() else [f"{NODE}@{NODE_VERSION}"])]
    home = CACHE / "+".join(each.replace("/", "-") for each in packages)
    if not home.is_dir():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            fresh = Path(folder) / "fresh"
            fresh.mkdir()
            _npm_install(fresh, *packages)
            _put(fresh, home)
    return home / "node_modules"


def _npm_install(folder: Path, *packages: str) -> None:
    npm = shutil.which("npm")
    assert npm, (
        "npm is missing: these tests install Redocly's command line with it (Debian: apt-get install nodejs npm)"
    )
    command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error", *packages]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"npm could not install {', '.join(packages)}:\n{done.stdout}{done.stderr}"


def _put(fresh: Path, home: Path) -> None:
    """Into its place in one step, so that no parallel test run sees half of it. Whoever comes second leaves it so."""
    try:
        fresh.rename(home)
    except OSError:
        if not home.is_dir():
            raise


@cache
def _is_recent() -> bool:
    node = shutil.which("node")
    assert node, "node is missing: these tests run Redocly's command line with it (Debian: apt-get install nodejs npm)"
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = told.removeprefix("v").split(".")[:2]
    return (int(major), int(minor)) >= NEEDS


@cache
def _node() -> str:
    return "node" if _is_recent() else str(_install() / NODE / "bin" / "node")
