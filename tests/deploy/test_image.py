"""The steps of the Dockerfile, done here: what it copies is enough for what it installs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.deploy.part import DOCKERFILE
from tests.npm import ROOT


def test_what_is_copied_installs_the_command_with_all_its_data(tmp_path: Path) -> None:
    checkout, target = tmp_path / "checkout", tmp_path / "opt"
    checkout.mkdir()
    for name in " ".join(re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)).split():
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, checkout / name)
    (step,) = re.findall(r"^RUN (.+\n(?: && .+\n)*)", DOCKERFILE, re.MULTILINE)
    step = step.replace("/opt/tasktwin", str(target)).replace("--no-cache-dir", "--no-deps -q")  # ours are here already
    step = step.replace("python -m venv", f"{sys.executable} -m venv").replace(" pip ", f" {sys.executable} -m pip ")

    done = subprocess.run(["sh", "-ec", step], cwd=checkout, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (target / "bin" / "tasktwin").is_file()
    (data,) = target.glob("lib/*/site-packages/tasktwin/bundled")
    for name in ("fixtures", "scenarios"):
        assert {path.name for path in (data / name).iterdir()} == {path.name for path in (ROOT / name).iterdir()}
