"""The wheel, built from the source distribution, holds all that the twin needs."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


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
