"""How fast ``tasktwin serve`` answers, beside a bare ASGI application on the same uvicorn that gives the same bytes.

``python tests/benchmarks/serve.py``: a table of requests/s, ratio to the bare application, latencies, memory and time
to the first response. A measurement, not a test: it exits with 1 only when something is broken. The two are driven in
turn within each round, by ``wrk`` on one thread, so that what else the machine does falls on both; of several rounds
the medians count, with the least and the greatest in brackets. Every round begins with the world reset.
"""

import argparse
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

HUMAN = {"Authorization": "Bearer human-alice-token"}
AGENT = {"X-Api-Key": "uuagent_sk_demo", "X-Platform-User-Id": "a0000000-0000-4000-8000-0000000000a1"}
JSON = {"Content-Type": "application/json"}
TASK = {
    "title": "Benchmark",
    "description": "One of many.",
    "category": "data",
    "mode": "online",
    "billing_model": "fixed_deadline",
    "bounty_amount": "0.01",
    "delivery_hours": 24,
}
STARTS = 5
RATIO, SECONDS, MEBIBYTES = 0.6, 0.6, 90

DONE = """
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('\\n{"requests": %%d, "seconds": %%f, "p50": %%f, "p99": %%f, "refused": %%d, "lost": %%d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.status, e.connect + e.read + e.write + e.timeout))
end
"""
"""What wrk prints of a run: one line of JSON."""

LUA = (
    """
wrk.method = %(method)s
wrk.body = %(body)s
for name, value in pairs(%(headers)s) do wrk.headers[name] = value end
local n = 0
if %(fresh)s then
  request = function()
    n = n + 1
    return wrk.format(nil, wrk.path .. "?n=" .. n)
  end
end
"""
    + DONE
)


class BrokenError(Exception):
    """What is measured does not work, so there is nothing to measure."""


@dataclass(frozen=True)
class Case:
    """One kind of request, and the status that answers it."""

    name: str
    method: str
    target: str
    status: int
    headers: dict[str, str]
    body: str = ""
    seeds: str = "default"
    fresh: bool = False  # each time in other words, so that nothing can be answered from before

    def lua(self) -> str:
        """The request as a script for wrk."""
        headers = ", ".join(f"[{json.dumps(name)}] = {json.dumps(value)}" for name, value in self.headers.items())
        body = json.dumps(self.body) if self.body else "nil"
        fresh = "true" if self.fresh else "false"
        return LUA % {"method": json.dumps(self.method), "body": body, "headers": f"{{{headers}}}", "fresh": fresh}


CASES = (
    Case("GET a task", "GET", "/api/v1/tasks/10000000-0000-4000-8000-000000000001", 200, HUMAN),
    Case("GET, not asked before", "GET", "/api/v1/tasks/10000000-0000-4000-8000-000000000001", 200, HUMAN, fresh=True),
    Case("POST a task", "POST", "/api/v1/tasks/", 200, {**AGENT, **JSON}, json.dumps(TASK)),
    Case("GET 50 of 10,000", "GET", "/api/v1/tasks/?page=1&page_size=50", 200, AGENT, seeds="busy"),
    Case("POST refused", "POST", "/api/v1/tasks/", 422, {**AGENT, **JSON}, '{"title": 5}'),
)


@dataclass
class Server:
    """A running server. ``started`` is the time from its command to the first response, in seconds."""

    url: str
    process: subprocess.Popen[str]
    started: float

    def memory(self) -> float:
        """Resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


@dataclass
class Measured:
    """What came of one case on one server, a number for each round: requests/s, milliseconds; MiB after the last."""

    rate: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    memory: float = 0.0


@dataclass
class Row:
    """One case on both servers."""

    case: str
    twin: Measured = field(default_factory=Measured)
    bare: Measured = field(default_factory=Measured)

    @property
    def ratios(self) -> list[float]:
        """The twin's rate by the bare application's, in each round."""
        return [twin / bare for twin, bare in zip(self.twin.rate, self.bare.rate, strict=True)]


def ask(url: str, case: Case) -> tuple[int, dict[str, str], bytes]:
    """Send a case once: status, headers, body. Raises ``OSError`` when nobody listens."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request(case.method, case.target, case.body or None, case.headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@contextmanager
def running(command: list[str], case: Case, cache: Path) -> Iterator[Server]:
    """Start a server, wait for its first answer to ``case``, and stop it in the end."""
    # As installed: with compiled bytecode, wherever the environment may have it or not.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(cache), "PYTHONDONTWRITEBYTECODE": ""}
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise BrokenError(f"{' '.join(command)} does not start")
        first_answer(url, case, began + 10)
        yield Server(url, process, time.perf_counter() - began)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def first_answer(url: str, case: Case, deadline: float) -> None:
    """Ask until somebody answers."""
    while True:
        try:
            status, _, body = ask(url, case)
        except ConnectionError:
            if time.perf_counter() > deadline:
                raise BrokenError(f"{url} does not answer") from None
            time.sleep(0.002)
            continue
        if status != case.status:
            raise BrokenError(f"{case.name}: {status} instead of {case.status}: {body[:300]!r}")
        return


def twin_command(seeds: str) -> list[str]:
    """The twin as it is started by default, without a line for each request."""
    return [sys.executable, "-m", "tasktwin", "serve", "uumit", "--port", "0", "--seeds", seeds, "-q"]


def start_both(case: Case, folder: Path, stack: ExitStack) -> tuple[Server, Server]:
    """The twin, and a bare application that has the twin's own answer."""
    twin = stack.enter_context(running(twin_command(case.seeds), case, folder / "cache"))
    status, headers, body = ask(twin.url, case)
    kept = {name: value for name, value in headers.items() if name not in {"date", "content-length"}}
    file = folder / "prepared.json"
    file.write_text(
        json.dumps({f"{case.method} {case.target}": {"status": status, "headers": kept, "body": json.loads(body)}})
    )
    command = [sys.executable, str(Path(__file__).with_name("bare.py")), str(file)]
    bare = stack.enter_context(running(command, case, folder / "cache"))
    reset(twin)
    _, again, other = ask(twin.url, case)
    _, same, answer = ask(bare.url, case)
    if {**again, "date": ""} != {**same, "date": ""} or json.loads(other).keys() != json.loads(answer).keys():
        raise BrokenError(f"{case.name}: the bare application answers something else")
    return twin, bare


def reset(twin: Server) -> None:
    """Let the twin's world begin again, so that every round finds the same rows."""
    status, _, body = ask(twin.url, Case("reset", "POST", "/_tasktwin/reset", 200, {}))
    if status >= 300:
        raise BrokenError(f"the world cannot be reset: {status} {body[:300]!r}")


def drive(server: Server, case: Case, script: Path, seconds: int, connections: int) -> dict[str, Any]:
    """One run of wrk."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(script), server.url + case.target]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BrokenError(f"{' '.join(command)}: {done.stderr or done.stdout}")
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    refused = result["requests"] if case.status >= 400 else 0
    if not result["requests"] or result["lost"] or result["refused"] != refused:
        raise BrokenError(f"{case.name}: not every request was answered with {case.status}: {result}")
    return result


def measure(case: Case, folder: Path, rounds: int, seconds: int, connections: int) -> Row:
    """Drive both servers in turn, ``rounds`` times."""
    row, script = Row(case.name), folder / "request.lua"
    script.write_text(case.lua())
    with ExitStack() as stack:
        twin, bare = start_both(case, folder, stack)
        for server in (twin, bare):
            drive(server, case, script, 1, connections)
        for _ in range(rounds):
            reset(twin)
            for server, measured in ((twin, row.twin), (bare, row.bare)):
                result = drive(server, case, script, seconds, connections)
                measured.rate.append(result["requests"] / result["seconds"])
                measured.p50.append(result["p50"])
                measured.p99.append(result["p99"])
                measured.memory = server.memory()
    return row


def starts(folder: Path) -> list[float]:
    """Seconds from the command to the first response, several times, each in a new process."""
    taken = []
    for _ in range(STARTS):
        with running(twin_command("default"), CASES[0], folder / "cache") as server:
            taken.append(server.started)
    return taken


def aims(rows: list[Row], taken: list[float]) -> list[dict[str, Any]]:
    """What we want, what we have, and whether it holds."""
    ratio, start, memory = median(rows[0].ratios), median(taken), rows[0].twin.memory
    return [
        {"aim": f"{rows[0].case}: at least {RATIO:.2f} of bare", "measured": round(ratio, 2), "holds": ratio >= RATIO},
        {"aim": f"first response within {SECONDS} s", "measured": round(start, 2), "holds": start <= SECONDS},
        {"aim": f"at most {MEBIBYTES} MiB resident", "measured": round(memory, 1), "holds": memory <= MEBIBYTES},
    ]


def spread(values: list[float], form: str) -> str:
    """``median (least - greatest)``."""
    return f"{median(values):{form}} ({min(values):{form}} - {max(values):{form}})"


def table(lines: list[list[str]]) -> str:
    """Lines of cells, aligned."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def as_text(rows: list[Row], taken: list[float]) -> str:
    """Two tables: what was measured, and what of it was wanted."""
    lines = [["request", "server", "requests/s", "of bare", "p50 ms", "p99 ms", "MiB after"]]
    for row in rows:
        for name, measured, ratio in (("twin", row.twin, spread(row.ratios, ".2f")), ("bare", row.bare, "")):
            latencies = [spread(measured.p50, ".2f"), spread(measured.p99, ".2f")]
            lines.append([row.case, name, spread(measured.rate, ",.0f"), ratio, *latencies, f"{measured.memory:.1f}"])
    wanted = [["aim", "measured", "holds"]]
    wanted += [[each["aim"], str(each["measured"]), "yes" if each["holds"] else "no"] for each in aims(rows, taken)]
    return f"{table(lines)}\n\nfirst response after {spread(taken, '.2f')} s\n\n{table(wanted)}"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="length of one run")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--json", action="store_true", help="print JSON, with the numbers of every round")
    return parser.parse_args()


def main() -> int:
    """Measure and print. 1 when something is broken."""
    given = arguments()
    if shutil.which("wrk") is None:
        sys.stderr.write("wrk is needed to make the load: apt-get install wrk\n")
        return 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            with running(twin_command("default"), CASES[0], folder / "cache"):
                pass  # fills the bytecode cache
            taken = starts(folder)
            rows = [measure(case, folder, given.rounds, given.seconds, given.connections) for case in CASES]
        except BrokenError as error:
            sys.stderr.write(f"{error}\n")
            return 1
    if given.json:
        report = {
            "rows": [{**asdict(row), "ratio": row.ratios} for row in rows],
            "starts": taken,
            "aims": aims(rows, taken),
        }
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
    else:
        sys.stdout.write(as_text(rows, taken) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
