"""Ctrl-C, whenever it comes: exit code 130, and no trace of what was going on inside."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.suite.market import good_folder

Serve = Callable[..., str]

AT_AN_IMPORT = """
import os, signal, sys
left = sys.argv.pop(1).split()
def watch(event, args):
    name = args[0] if event == "import" else args[0].co_filename if event == "exec" else ""
    if left[:1] == [name]:
        left.pop(0)
        left or os.kill(os.getpid(), signal.SIGINT)
from tasktwin.cli import main
sys.addaudithook(watch)
main(sys.argv[1:])
"""
"""``tasktwin``, but that somebody presses Ctrl-C while the module of this name is imported.

Of several names the last counts, behind the others. ``<string>`` is the text that a dataclass is made by.
"""


def interrupted(module: str, url: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", AT_AN_IMPORT, module, "fuzz", url, "--provider", good_folder(), "--quiet", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    "module",
    ["tasktwin.suite.command.judge", "tasktwin.provider.build", "<string>", "tasktwin.suite.baseline"],
)
def test_before_anything_was_sent_it_ends_quietly_at_once(module: str, tmp_path: Path) -> None:
    done = interrupted(module, "http://127.0.0.1:9", "--baseline", str(tmp_path / "known.json"))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize(
    "module",
    [
        "tasktwin.suite.protocol.idempotency",
        "tasktwin.suite.lifecycle.atlas",
        "tasktwin.suite.lifecycle.atlas <string>",
    ],
)
def test_in_a_run_it_is_told_what_was_not_done(serve: Serve, module: str) -> None:
    done = interrupted(module, serve(good_folder()), "--phases", "protocol,lifecycle")
    assert (done.returncode, done.stderr) == (130, "")
    assert "0 failures, 0 notes: the run was cut short" in done.stdout
    assert "not done   protocol, lifecycle: nothing of it" in done.stdout


@pytest.mark.parametrize("seconds", [0.0, 0.3, 0.6], ids=["at once", "in its imports", "later"])
def test_workers_leave_no_trace_either(serve: Serve, seconds: float) -> None:
    words = ["fuzz", serve(good_folder()), "--provider", good_folder(), "--workers", "2", "--phases", "lifecycle"]
    with subprocess.Popen(
        [sys.executable, "-m", "tasktwin", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        while "seed" not in process.stderr.readline():
            """The plan is printed."""
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in said) == (130, False)
