"""The example in JavaScript runs as its readers would run it, with Vitest on Node, against a twin that it starts."""

import json
import re
import shutil
import sys
from pathlib import Path

from tests import npm

HERE = Path(__file__).parent
PACKAGES = tuple(
    f"{name}@{version}" for name, version in json.loads((HERE / "package.json").read_text())["devDependencies"].items()
)
TASKTWIN = '#!/bin/sh\nexec {python} -m tasktwin "$@"\n'


def test_the_example_passes(tmp_path: Path) -> None:
    for path in (*HERE.glob("*.js"), HERE / "package.json"):
        shutil.copy(path, tmp_path)
    (tmp_path / "node_modules").symlink_to(npm.install(PACKAGES))
    command = tmp_path / "tasktwin"
    command.write_text(TASKTWIN.format(python=sys.executable), encoding="utf-8")
    command.chmod(0o755)
    env = {"TASKTWIN": str(command), "NO_COLOR": "1", "CI": "1"}
    done = npm.run(PACKAGES, "vitest/vitest.mjs", "run", "--no-cache", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = len(re.findall(r"^test\(", (HERE / "market.test.js").read_text(encoding="utf-8"), re.MULTILINE))
    assert f"Tests  {wanted} passed" in done.stdout
