"""The files in ``deploy/`` before the linters of their own kinds, which bring their schemas along."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests import npm
from tests.deploy.part import DEPLOY

STYLE = "{extends: default, rules: {line-length: {max: 128}, document-start: disable}}"
KUBERNETES = ["1.30", "1.37"]
"""The versions in between are no different to us."""


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def lint_compose(path: Path) -> subprocess.CompletedProcess[str]:
    return npm.run(("dclint@3.1.0",), "dclint/bin/dclint.cjs", str(path), "--max-warnings", "0")


def lint_kubernetes(path: Path, version: str) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "kubernetes_validate", "--strict", "--quiet", "-k", version, path)


def misspelt(tmp_path: Path, name: str, key: str) -> Path:
    """The file with a key that nobody knows."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    assert key in text
    (tmp_path / name).write_text(text.replace(key, key[:-1]), encoding="utf-8")
    return tmp_path / name


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("*.yaml")), ids=lambda path: path.name)
def test_the_yaml_is_clean(path: Path) -> None:
    done = run(sys.executable, "-m", "yamllint", "--strict", "-d", STYLE, path)
    assert (done.returncode, done.stdout) == (0, "")


def test_compose_finds_no_fault(tmp_path: Path) -> None:
    done = lint_compose(DEPLOY / "compose.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "invalid-schema" in lint_compose(misspelt(tmp_path, "compose.yaml", "start_period")).stdout


@pytest.mark.parametrize("version", KUBERNETES)
def test_kubernetes_finds_no_fault(tmp_path: Path, version: str) -> None:
    done = lint_kubernetes(DEPLOY / "kubernetes.yaml", version)
    assert done.returncode == 0, done.stdout + done.stderr
    assert lint_kubernetes(misspelt(tmp_path, "kubernetes.yaml", "periodSeconds"), version).returncode == 1


def test_docker_finds_no_fault() -> None:
    done = run(Path(sys.executable).with_name("hadolint"), "--no-color", DEPLOY / "Dockerfile")
    assert (done.returncode, done.stdout) == (0, "")


def test_the_balancer_takes_its_configuration() -> None:
    program = shutil.which("haproxy")
    assert program, "this test needs haproxy: apt-get install haproxy"
    done = run(program, "-c", "-dW", "-f", DEPLOY / "haproxy.cfg")  # -dW: warnings are errors
    assert done.returncode == 0, done.stdout + done.stderr
