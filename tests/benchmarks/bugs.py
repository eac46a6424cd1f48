"""How many of the planted bugs does a judge find, and how soon: ``tasktwin fuzz`` beside plain Schemathesis.

``python tests/benchmarks/bugs.py``: each deployment of ``tests/deployments`` is served by a process of its own, afresh for
each judge, and both judges get the same seconds. Schemathesis is ``st run`` with all checks and all phases, signed in, with
streams bounded, caches off and the setting under which it sees lost resources. A failure counts as the bug found when the
same judge does not report it (same operation, same rule) for a correct deployment of that provider; what a judge reports
for correct ones are false alarms. A judge is stopped at the first failure that counts.
What ``tasktwin`` found is shown again: its script is run in bash on the same deployment, begun anew, and on the untouched
twin, and must print something else there.
The table: found, after how many seconds, by a story of how many requests; then the correct ones by seed.
A measurement, not a test. ``--only GLOB`` and ``--judge`` choose, ``--seconds``, ``--jobs``, ``--seeds`` set, ``--json FILE``
keeps the results.
"""

import argparse
import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table
from tests.deployments.catalogue import DEPLOYMENTS, PROVIDERS
from tests.deployments.deployment import Deployment

from tasktwin import load

ROOT = Path(__file__).parents[2]
JUDGES = ("tasktwin", "schemathesis")
PROFILE = """max-stream-events = 20
[generation]
database = "none"
with-security-parameters = false
[cache]
enabled = false
"""
MASKED = re.compile(
    r"(?P<own>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|[0-9a-f]{20,}|\d{4}-\d\d-\d\dT[\d:]+\.\d+Z?)|\d{4}-\d\d-\d\dT[\d:]+Z?"
    r"|\b1\d{9,12}\b|127\.0\.0\.1:\d+|[\w-]*X-Amz[^\"]*|eyJ[\w.-]+"
)
"""What differs from run to run: identifiers, times, addresses, signatures. Of an ``own`` one it tells which stands twice."""

GRACE = 30.0
"""Seconds beyond its budget after which a judge is ended."""


@dataclass(frozen=True)
class Seen:
    """One failure: where and by which rule, after how many seconds, by how many requests."""

    mark: str
    seconds: float
    length: int
    script: str = ""
    actual: str = ""


@dataclass(frozen=True)
class Result:
    """What a judge made of a deployment. ``false`` are the failures on a correct one."""

    judge: str
    name: str
    kind: str
    seed: int
    seconds: float
    found: Seen | None
    all: tuple[str, ...]
    trouble: str = ""
    again: str = ""


@contextlib.contextmanager
def served(name: str) -> Iterator[str]:
    """A deployment on a free port."""
    command = [sys.executable, "-m", "tests.deployments", name, "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise SystemExit(f"{name} could not be served")
        yield url
    finally:
        process.terminate()
        process.wait()


def lines_of(process: subprocess.Popen[str], until: float) -> Iterator[str]:
    """What a process writes on standard error, line by line, until it ends or its time is over."""
    assert process.stderr
    told: queue.Queue[str | None] = queue.Queue()
    stream = process.stderr

    def read() -> None:
        for line in stream:
            told.put(line)
        told.put(None)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = told.get(timeout=max(0.1, until - time.monotonic()))
        except queue.Empty:
            return
        if line is None:
            return
        yield line


def by_tasktwin(each: Deployment, url: str, seconds: float, seed: int, innocent: frozenset[str]) -> Result:
    """Run ``tasktwin fuzz``; its first failure that counts ends it."""
    command = [
        sys.executable,
        "-m",
        "tasktwin",
        "fuzz",
        url,
        "--provider",
        each.provider,
        "--json",
        "--seed",
        str(seed),
    ]
    command += ["--time-budget", f"{seconds:g}s", "--no-cleanup"]
    began = time.monotonic()
    environment = {**os.environ, "NO_COLOR": "1"}
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True, env=environment)
        for line in lines_of(process, began + seconds + GRACE):
            if line.startswith("failure: ") and each.kind != "correct":
                time.sleep(0.2)
                process.send_signal(signal.SIGTERM)
                break
        code = _ended(process)
        took = time.monotonic() - began
        out.seek(0)
        text = out.read()
    try:
        report = json.loads(text)
    except ValueError:
        return Result("tasktwin", each.name, each.kind, seed, took, None, (), f"exit {code}, no report")
    failures = [one for one in report["findings"] if one["severity"] == "failure"]
    seen = [
        Seen(one["cause"], min(one["seconds"], took), len(one["story"]), one["script"], one["actual"])
        for one in failures
    ]
    counted = [one for one in seen if one.mark not in innocent]
    first = min(counted, key=lambda one: one.seconds, default=None)
    marks = tuple(sorted({one.mark for one in seen}))
    return Result("tasktwin", each.name, each.kind, seed, took, first, marks)


def by_schemathesis(each: Deployment, url: str, seconds: float, seed: int, innocent: frozenset[str]) -> Result:
    """Run ``st run``; its first failure that counts ends it."""
    folder = Path(tempfile.mkdtemp())
    (folder / "st.toml").write_text(PROFILE)
    events = folder / "events.ndjson"
    command = [
        "st",
        "--config-file",
        str(folder / "st.toml"),
        "run",
        str(ROOT / "fixtures" / each.provider / "openapi.yaml"),
    ]
    command += ["-u", url, "--checks", "all", "--phases", "examples,coverage,fuzzing,stateful", "--continue-on-failure"]
    command += ["--max-time", f"{seconds:g}", "--seed", str(seed + 1), "--no-color"]
    command += ["--report", "ndjson", "--report-ndjson-path", str(events), "-H", "Prefer: stream=bounded"]
    principal = next(iter(load(each.provider).rules.principals.values()))
    for name, value in principal.headers.items():
        command += ["-H", f"{name}: {value}"]
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    seen: list[Seen] = []
    first: Seen | None = None
    place = 0
    while True:
        over = process.poll() is not None or time.monotonic() > began + seconds + GRACE
        place = _take(events, place, began, seen)
        first = next((one for one in seen if one.mark not in innocent), None)
        if over or (first and each.kind != "correct"):
            break
        time.sleep(0.2)
    process.terminate()
    _ended(process)
    took = time.monotonic() - began
    return Result("schemathesis", each.name, each.kind, seed, took, first, tuple(sorted({one.mark for one in seen})))


def _take(events: Path, place: int, began: float, seen: list[Seen]) -> int:
    """Read the whole lines behind ``place``, and note the failures in them."""
    if not events.exists():
        return place
    with events.open("rb") as file:
        file.seek(place)
        for raw in file:
            if not raw.endswith(b"\n"):
                break
            place += len(raw)
            event: dict[str, Any] = json.loads(raw)
            if "ScenarioFinished" in event:
                seen += _failures(event["ScenarioFinished"]["recorder"], time.monotonic() - began)
    return place


def _failures(recorder: dict[str, Any], seconds: float) -> Iterator[Seen]:
    cases = recorder.get("cases", {})
    for case, checks in recorder.get("checks", {}).items():
        for check in checks:
            if check.get("status") == "failure":
                value = cases[case]["value"]
                label = (
                    f"{value['method']} {value['path']}" if recorder["label"] == "Stateful tests" else recorder["label"]
                )
                length, parent = 1, cases[case].get("parent_id")
                while parent in cases:
                    length, parent = length + 1, cases[parent].get("parent_id")
                yield Seen(f"{label}: {check['name']}", seconds, length)


def _ended(process: subprocess.Popen[str]) -> int:
    try:
        return process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


RUN = {"tasktwin": by_tasktwin, "schemathesis": by_schemathesis}


def measure(
    judge: str, each: Deployment, seconds: float, seed: int, innocent: frozenset[str], healthy: str = ""
) -> Result:
    """One judge on one deployment."""
    with served(each.name) as url:
        result = RUN[judge](each, url, seconds, seed, innocent)
    if result.found and result.found.script and healthy:
        result = replace(result, again=shown_again(each.name, result.found, healthy))
    word = f"found after {result.found.seconds:.1f} s {result.again}" if result.found else "nothing"
    sys.stderr.write(f"{judge:12} {each.name:36} {result.seconds:5.1f} s  {word} {result.trouble}\n")
    sys.stderr.flush()
    return result


def shown_again(name: str, found: Seen, healthy: str) -> str:
    """Paste a finding's script into bash, on the deployment begun anew and on the untouched twin; whether they differ.

    Identifiers and times are masked; which of them are the same is not. A race is a chance: at most four times.
    """
    for _ in range(4):
        with served(name) as url:
            faulty, right = _pasted(found.script, url), _pasted(found.script, healthy)
        if faulty != right:
            return "again"
    return "NOT AGAIN"


def _pasted(script: str, url: str) -> str:
    """What a script prints on a deployment, without what differs each time."""
    text = re.sub(r"^url=.*$", f"url={url}", script, count=1, flags=re.MULTILINE)
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, timeout=120, check=False)
    known: dict[str, str] = {}

    def mask(found: re.Match[str]) -> str:
        return known.setdefault(found["own"], f"#{len(known)}") if found["own"] else "#"

    return MASKED.sub(mask, done.stdout.replace(url, ""))


@contextlib.contextmanager
def healthy_twin(provider: str) -> Iterator[str]:
    """The untouched twin on a free port."""
    command = [sys.executable, "-m", "tasktwin", "serve", provider, "--port", "0", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def table(results: Sequence[Result], judges: Sequence[str], console: Console) -> None:
    """What came of it."""
    shown = Table(title="planted bugs", box=None, pad_edge=False)
    for name in (
        "deployment",
        "kind",
        "script",
        *(f"{judge}: s" for judge in judges),
        *(f"{judge}: requests" for judge in judges),
    ):
        shown.add_column(name, justify="left" if name in {"deployment", "kind", "script"} else "right")
    faulty = [each for each in results if each.kind != "correct"]
    for name in dict.fromkeys(each.name for each in faulty):
        row = {each.judge: each for each in faulty if each.name == name}
        found = [row[judge].found if judge in row else None for judge in judges]
        times = [f"{one.seconds:.1f}" if one else "-" for one in found]
        lengths = [str(one.length) if one else "-" for one in found]
        shown.add_row(name, next(iter(row.values())).kind, _word(row.get("tasktwin")), *times, *lengths)
    console.print(shown)
    for judge in judges:
        own = [each for each in faulty if each.judge == judge]
        seen = [each.found for each in own if each.found]
        if own:
            console.print(
                f"{judge}: {len(seen)} of {len(own)} found ({len(seen) / len(own):.0%})"
                + (f", median {median(one.seconds for one in seen):.1f} s" if seen else "")
                + (f", median story {median(one.length for one in seen):.0f} requests" if seen else "")
            )
    for each in results:
        if each.kind == "correct":
            console.print(
                f"{each.judge} on {each.name}, seed {each.seed}: {len(each.all)} false alarms {list(each.all)[:4]}"
            )


def _word(result: Result | None) -> str:
    """Whether a finding's script shows it again."""
    return "" if result is None or not result.found else "again" if result.again == "again" else "NOT AGAIN"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="*", help="globs of deployments")
    parser.add_argument("--first", type=int, default=0, help="the first so many of each provider")
    parser.add_argument("--judge", action="append", choices=JUDGES)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=5, help="so many seeds on the correct ones")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    judges = asked.judge or list(JUDGES)
    chosen = [each for each in DEPLOYMENTS if any(fnmatchcase(each.name, glob) for glob in asked.only.split(","))]
    if asked.first:
        chosen = [each for name in PROVIDERS for each in [one for one in chosen if one.provider == name][: asked.first]]
    correct = [each for each in DEPLOYMENTS if each.kind == "correct"]
    if not asked.seeds:
        correct = []
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(asked.jobs) as pool:
        healthy = {name: stack.enter_context(healthy_twin(name)) for name in {each.provider for each in chosen}}
        first = [
            pool.submit(measure, judge, each, asked.seconds, seed, frozenset[str]())
            for judge in judges
            for each in correct
            if any(one.provider == each.provider for one in chosen)
            for seed in range(asked.seeds if judge == "tasktwin" else min(asked.seeds, 3))
        ]
        results = [each.result() for each in first]
        innocent = {
            (judge, provider): frozenset(
                mark for each in results if each.judge == judge and each.name.startswith(provider) for mark in each.all
            )
            for judge in judges
            for provider in {each.provider for each in DEPLOYMENTS}
        }
        second = [
            pool.submit(measure, judge, each, asked.seconds, 0, innocent[judge, each.provider], healthy[each.provider])
            for each in chosen
            if each.kind != "correct"
            for judge in judges
        ]
        results += [each.result() for each in second]
    table(results, judges, Console(width=140))
    if asked.json:
        asked.json.write_text(json.dumps([asdict(each) for each in results], indent=1))


if __name__ == "__main__":
    main()
