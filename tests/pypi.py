"""Python packages that must not be installed beside ours, because they pin what is old: put into ``.cache``, without theirs."""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.npm import CACHE, put


def install(requirement: str) -> Path:
    """The folder with this one package, ``name==version``, to be looked into for imports last."""
    home = CACHE / requirement
    if not home.is_dir():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            fresh = Path(folder) / "fresh"
            command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(fresh), requirement]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
            assert done.returncode == 0, f"pip could not install {requirement}:\n{done.stdout}{done.stderr}"
            put(fresh, home)
    return home
