"""How fast the twin answers beside its peers: Prism, Mockoon and Scalar's mock server, and a bare ASGI application.

``python -m tests.benchmarks.peers``: installs the peers from npm into a cache folder, serves all of them UUMit's document,
drives them in turn with ``wrk`` on one thread, and prints the table: requests/s as median (least - greatest) of several
alternated rounds, and the twin's rate by the other's, round by round. Then the time from the command to the first
response, and the resident memory. ``--write`` puts the same into BENCHMARKS.md with the machine and the versions.
What each of them does for an answer differs: Prism validates requests and answers with the document's example; Mockoon and
Scalar validate nothing; the twin validates both ways, keeps the row, and writes its journal.
A measurement, not a test: it exits with 1 only when something is broken.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from tests.benchmarks.kept import keep, machine
from tests.benchmarks.serve import (
    CASES,
    BrokenError,
    Case,
    Server,
    ask,
    drive,
    reset,
    spread,
    start_both,
    table,
    twin_command,
)

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "fixtures" / "uumit" / "openapi.yaml"
PACKAGES = ("@stoplight/prism-cli@5", "@mockoon/cli@9", "@scalar/mock-server@0.3", "@hono/node-server@1")
SCALAR = """
import { readFileSync } from "node:fs"
import { serve } from "@hono/node-server"
import { createMockServer } from "@scalar/mock-server"
const text = readFileSync(process.argv[2], "utf8")
const app = await createMockServer({ document: text, specification: text })
serve({ fetch: app.fetch, hostname: "127.0.0.1", port: Number(process.argv[3]) })
"""
PATIENCE = 60.0
"""Seconds that a peer has to answer for the first time."""

ABOUT = """\
Written by `python -m tests.benchmarks.peers --write`; not by hand. Medians (least - greatest) of alternated rounds in one run;
ratios are of the same round. All serve UUMit's document. Prism validates requests and answers with examples; Mockoon and Scalar
validate nothing; the twin validates both ways, keeps rows, events and timers, and writes its journal. *bare* is an ASGI
function on uvicorn that sends the same bytes. *not asked before* is a read in other words each time, which nothing is
remembered of."""

GET, FRESH, POST, LIST, REFUSED = CASES


@dataclass(frozen=True)
class Peer:
    """How to start one: its command for a port, and what its answer to a request that breaks the contract is."""

    name: str
    command: Callable[[int], list[str]]
    refuses: bool


@dataclass
class Measured:
    """Requests/s, a number for each round, by server and case."""

    rates: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    started: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)

    def ratio(self, case: str, server: str, other: str) -> list[float]:
        """One server's rate by another's, round by round; nothing if one of them was not driven."""
        ours, theirs = self.rates.get((case, server), []), self.rates.get((case, other), [])
        return [one / two for one, two in zip(ours, theirs, strict=True)] if ours and theirs else []


def installed(cache: Path) -> Path:
    """The folder with the peers in it. Raises ``BrokenError`` when npm cannot install them."""
    if not (cache / "node_modules" / ".bin" / "prism").exists():
        cache.mkdir(parents=True, exist_ok=True)
        (cache / "package.json").write_text('{"private": true, "type": "module"}')
        command = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error", *PACKAGES]
        done = subprocess.run(command, cwd=cache, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BrokenError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    (cache / "scalar.mjs").write_text(SCALAR)
    return cache


def peers(folder: Path) -> list[Peer]:
    """All of them, as they are started."""
    bin_ = folder / "node_modules" / ".bin"
    document = str(DOCUMENT)
    return [
        Peer("Prism", lambda port: [str(bin_ / "prism"), "mock", "-p", str(port), document], refuses=True),
        Peer(
            "Mockoon",
            lambda port: [
                str(bin_ / "mockoon-cli"),
                "start",
                "--data",
                document,
                "--port",
                str(port),
                "--disable-log-to-file",
            ],
            refuses=False,
        ),
        Peer("Scalar", lambda port: ["node", str(folder / "scalar.mjs"), document, str(port)], refuses=False),
    ]


@contextmanager
def running(peer: Peer) -> Iterator[Server]:
    """Start a peer on a free port, wait for its first answer, and stop it in the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.perf_counter()
    process = subprocess.Popen(
        peer.command(port),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tempfile.gettempdir(),
        start_new_session=True,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        while not answers(url):
            if process.poll() is not None or time.perf_counter() > began + PATIENCE:
                raise BrokenError(f"{peer.name} does not start: {' '.join(peer.command(port))}")
            time.sleep(0.005)
        yield Server(url, process, time.perf_counter() - began)
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def answers(url: str) -> bool:
    """Whether somebody answers there, whatever the answer is."""
    try:
        return bool(ask(url, GET)[0])
    except OSError:
        return False


def as_answered(url: str, case: Case) -> Case | None:
    """The case with the status that this server gives; ``None`` if it does not do what is measured."""
    status, _, _ = ask(url, case)
    if (status >= 400) != (case.status >= 400):
        return None
    return replace(case, status=status)


def measure(folder: Path, cases: Sequence[Case], rounds: int, seconds: int, told: Callable[[str], None]) -> Measured:
    """Drive all servers in turn, case by case."""
    found, script = Measured(), folder / "request.lua"
    chosen = peers(installed(cache_folder()))
    for case in cases:
        with ExitStack() as stack:
            twin, bare = start_both(case, folder, stack)
            servers: dict[str, tuple[Server, Case]] = {"twin": (twin, case), "bare": (bare, case)}
            for peer in chosen if case.seeds == "default" else ():
                server = stack.enter_context(running(peer))
                own = as_answered(server.url, case)
                if own:
                    servers[peer.name] = (server, own)
            script.write_text(case.lua())
            for server, own in servers.values():
                drive(server, own, script, 1, 16)
            for n in range(rounds):
                told(f"{case.name}: round {n + 1} of {rounds}")
                reset(twin)
                for name, (server, own) in servers.items():
                    result = drive(server, own, script, seconds, 16)
                    found.rates.setdefault((case.name, name), []).append(result["requests"] / result["seconds"])
                    found.memory[name] = max(found.memory.get(name, 0.0), _resident(server))
    return found


def start_all(found: Measured, times: int, told: Callable[[str], None]) -> None:
    """Seconds from the command to the first response, several times in turn."""
    from tests.benchmarks.serve import running as twin_running  # noqa: PLC0415 - another signature, used here only

    chosen = peers(installed(cache_folder()))
    with tempfile.TemporaryDirectory() as name:
        for n in range(times + 1):
            told(f"cold starts: {n} of {times}")
            with twin_running(twin_command("default"), GET, Path(name)) as server:
                if n:  # the first fills the bytecode cache
                    found.started.setdefault("twin", []).append(server.started)
            for peer in chosen if n else ():
                with running(peer) as server:
                    found.started.setdefault(peer.name, []).append(server.started)


def _resident(server: Server) -> float:
    """MiB of a server's process and of those that it started."""
    total, pids = 0.0, [server.process.pid]
    while pids:
        pid = pids.pop()
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            pids += [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            continue
        total += int(re.search(r"VmRSS:\s*(\d+)", status)[1]) / 1024  # type: ignore[index]
    return total


def cache_folder() -> Path:
    """Where the peers are kept from one run to the next."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tasktwin-peers"


def as_text(found: Measured) -> str:
    """Three tables: rates, starts, and what was wanted."""
    lines = [["request", "server", "requests/s", "twin's by its"]]
    for (case, server), rates in found.rates.items():
        ratio = found.ratio(case, "twin", server) if server != "twin" else []
        lines.append([case, server, spread(rates, ",.0f"), f"{spread(ratio, '.2f')}" if ratio else ""])
    starts = [["server", "first response after s", "MiB resident at most"]]
    for name, seconds in found.started.items():
        starts.append([name, spread(seconds, ".2f"), f"{found.memory.get(name, 0):.0f}"])
    return "\n\n".join(table(each) for each in (lines, starts, [["aim", "measured", "holds"], *aims(found)]))


def aims(found: Measured) -> list[list[str]]:
    """What is wanted, what was measured, and whether it holds."""
    wanted = [
        (GET.name, "bare", 0.6),
        (GET.name, "Prism", 4.0),
        (GET.name, "Scalar", 1.0),
        (FRESH.name, "bare", 0.6),
        (POST.name, "bare", 0.4),
        (POST.name, "Prism", 3.0),
        (LIST.name, "bare", 0.5),
        (REFUSED.name, "Prism", 2.0),
    ]
    lines = []
    for case, other, least in wanted:
        ratio = found.ratio(case, "twin", other)
        if ratio:
            lines.append(
                [f"{case}: at least {least:g} x {other}", f"{median(ratio):.2f}", _word(median(ratio) >= least)]
            )
    if "twin" in found.started:
        own = median(found.started["twin"])
        lines.append(["first response within 0.6 s", f"{own:.2f}", _word(own <= 0.6)])
        if "Prism" in found.started:
            theirs = median(found.started["Prism"])
            lines.append(["first response within half of Prism's", f"{own / theirs:.2f}", _word(own <= theirs / 2)])
    return lines


def _word(holds: bool) -> str:  # noqa: FBT001 - a cell of a table
    return "yes" if holds else "no"


def versions() -> str:
    """The machine and what was measured."""
    cache = cache_folder() / "node_modules"
    names = {"Prism": "@stoplight/prism-cli", "Mockoon": "@mockoon/cli", "Scalar": "@scalar/mock-server"}
    theirs = [
        f"{name} {json.loads((cache / each / 'package.json').read_text())['version']}" for name, each in names.items()
    ]
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    return f"{', '.join([machine(), f'Node {node}', *theirs])}."


def main() -> int:
    """Measure and print. 1 when something is broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="length of one run")
    parser.add_argument("--write", action="store_true", help="write BENCHMARKS.md")
    asked = parser.parse_args()
    if missing := [name for name in ("wrk", "npm", "node") if shutil.which(name) is None]:
        sys.stderr.write(f"{', '.join(missing)} is needed: apt-get install {' '.join(missing)}\n")
        return 1

    def told(text: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text}")

    with tempfile.TemporaryDirectory() as name:
        try:
            found = measure(Path(name), CASES, asked.rounds, asked.seconds, told)
            start_all(found, asked.rounds, told)
        except BrokenError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    told("")
    text = as_text(found)
    sys.stdout.write(text + "\n")
    if asked.write:
        keep("Beside its peers", ABOUT, versions(), text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
