"""Raw bytes at the socket: requests of all three providers and of the control plane, broken in every way.

The twin answers each in HTTP or hangs up, says 500 to none, prints no trace, and is afterwards as it was before.
``TASKTWIN_FUZZ=20000`` in the environment sets how many; ``python tests/server/test_fuzz.py`` sends 20,000.
"""

import contextlib
import os
import random
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.server.front import connect, message, serving

from tasktwin import load
from tasktwin.behaviour.world import World
from tasktwin.behaviour.worlds import Plan, Worlds
from tasktwin.provider import bundled
from tasktwin.server.control.contract import control_contract
from tasktwin.state import Query
from tasktwin.wire import dumps

COUNT = int(os.environ.get("TASKTWIN_FUZZ", "2000"))
FULL = 20_000
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
HEADERS = [b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 99999999999999999999", b"Content-Length: 0x10",
           b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip", b"Transfer-Encoding: chunked, chunked", b"Host:", b"Host: a b",
           b"Connection: close", b"Connection: upgrade\r\nUpgrade: websocket", b"Expect: 100-continue", b"Upgrade: h2c", b": x", b"X",
           b"X: \x00", b"X\x00: y", b" folded", b"X : y", b"Prefer: code=404", b"Prefer: wait=0, code=\xff", b"Prefer: stream=bounded",
           b"Tasktwin-World: \xff", b"Tasktwin-World: f", b"Authorization: Bearer \xff", b"Idempotency-Key: " + b"k" * 300,
           b"Content-Type: \xff/\xff", b"Content-Type: multipart/form-data; boundary=", b"Content-Encoding: gzip", b"Cookie: a=b;;=;\xff",
           b"Last-Event-ID: 99999999999999999999999", b"Origin: http://evil.example", b"X: " + b"y" * 70_000]  # fmt: skip
BODIES = [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a":' * 500, b"[" * 5_000, b'{"x":1e999}', b'{"title":"\\ud800"}', b"x" * 100_000,
          b"5\r\nabcde\r\n0\r\n\r\n", b"ffffffffffffffff\r\n", b"-1\r\n", b"5;a=b\r\nabcde\r\n0\r\nT: x\r\n\r\n", b"zz\r\n"]  # fmt: skip
PATHS = [
    b"/",
    b"*",
    b"//",
    b"/%",
    b"/%00",
    b"/%ff",
    b"/..",
    b"/?\xff",
    b"/\x00",
    b"http://x/y",
    b"/" + b"a/" * 3_000,
    b"/?" + b"a=b&" * 3_000,
]


def requests() -> list[bytes]:
    """A good request for each operation of all providers and of the control plane, most of them signed in."""
    found = []
    for name in bundled():
        rules = load(name).rules
        world = Worlds(rules, load(name).seeds, Plan(mode="frozen")).get()
        callers = [list(each.headers.items()) for each in rules.principals.values()] or [[]]
        for n, operation in enumerate(rules.contract.operations.values()):
            content = operation.raw.get("requestBody", {}).get("content", {})
            media = next(iter(content), "application/json")
            body = dumps(content.get(media, {}).get("example", {})) if content else b""
            path = f"/{name}{rules.contract.prefix}" + re.sub(r"\{(\w+)\}", partial(_known, world), operation.path)
            lines = [*callers[n % len(callers)], ("Content-Type", media), ("Prefer", "stream=bounded")]
            found.append(message(operation.method, path, lines, body))
        for operation in control_contract().operations.values():
            path = (
                f"/{name}{operation.path}".replace("{name}", "f").replace("{collection}", "task").replace("{id}", "1")
            )
            if not (operation.method == "DELETE" and path.endswith("/worlds/f")):
                found.append(
                    message(
                        operation.method,
                        path + "?bounded=true",
                        [("Content-Type", "application/json"), ("Prefer", "stream=bounded")],
                        b"{}",
                    )
                )
    return found


def _known(world: World, placeholder: re.Match[str]) -> str:
    """What may stand for a name in a path: the id of a row of the collection that it seems to mean."""
    word = placeholder[1].removesuffix("_id")[:2]
    rows = [row for name in world.rules.collections if name.startswith(word) for row in world.store.find(Query(name))]
    return str(rows[0].get("id", "1")) if rows else "1"


def flip(chance: random.Random, raw: bytes) -> bytes:
    at = chance.randrange(len(raw) or 1)
    return raw[:at] + bytes([chance.randrange(256)]) + raw[at + chance.randint(0, 3) :]


def add_header(chance: random.Random, raw: bytes) -> bytes:
    first, end, rest = raw.partition(b"\r\n")
    return first + end + chance.choice(HEADERS) + end + rest


def change_body(chance: random.Random, raw: bytes) -> bytes:
    head, end, _ = raw.partition(b"\r\n\r\n")
    body = chance.choice(BODIES)
    head = re.sub(rb"\r\nContent-Length: \d+", b"", head)
    way = chance.choice(
        [b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked", b"Content-Length: %d" % (len(body) + 3)]
    )
    return head + b"\r\n" + way + end + body


def change_path(chance: random.Random, raw: bytes) -> bytes:
    first, end, rest = raw.partition(b"\r\n")
    method, _, _ = first.partition(b" ")
    return method + b" " + chance.choice(PATHS) + b" HTTP/1.1" + end + rest


def change_first(chance: random.Random, raw: bytes) -> bytes:
    first = chance.choice([b"GET / HTTP/9.9", b"GET /", b"", b"\r\n\r\n", b"PRI * HTTP/2.0", b"get / HTTP/1.1", b"G\x00T / HTTP/1.1",
                           b"GET / HTTP/1.0", b"CONNECT a:1 HTTP/1.1", b"\x16\x03\x01\x02\x00", b"TRACE / HTTP/1.1"])  # fmt: skip
    return first + b"\r\n" + raw.partition(b"\r\n")[2]


def cut(chance: random.Random, raw: bytes) -> bytes:
    return raw[: chance.randrange(len(raw) + 1)]


def change_id(chance: random.Random, raw: bytes) -> bytes:
    words = raw.split(b"/")
    words[chance.randrange(len(words))] = chance.choice(
        [b"%ff", b"%00", b"", b"..", b"a" * 2_000, b"1", b"\xff", b"%2f"]
    )
    return b"/".join(words)


MUTATORS: list[Callable[[random.Random, bytes], bytes]] = [
    flip,
    flip,
    add_header,
    change_body,
    change_path,
    change_first,
    cut,
    change_id,
]


def mutate(chance: random.Random, good: list[bytes]) -> bytes:
    raw = chance.choice(good)
    for _ in range(chance.choice([0, 0, 0, 1, 1, 1, 2, 3])):
        raw = chance.choice(MUTATORS)(chance, raw) or b"\r\n"
    return raw


def send(url: str, chance: random.Random, raws: list[bytes], tally: Counter[str]) -> bytes:
    """Send requests on one connection, in one packet or in several, and read what is answered; the bytes."""
    sent = b"".join(raws)
    answer = b""
    with connect(url) as wire, contextlib.suppress(ConnectionError):
        wire.settimeout(5)
        while sent:
            part = len(sent) if chance.random() < 0.7 else chance.randint(1, len(sent))
            wire.sendall(sent[:part])
            sent = sent[part:]
        with contextlib.suppress(OSError):  # the server hung up first
            wire.shutdown(socket.SHUT_WR)
        try:
            while part_read := wire.recv(65_536):
                answer += part_read
        except TimeoutError:
            tally["never answered, never hung up"] += 1
            tally[repr(raws)[:600]] += 1
    return answer


def run(count: int, seed: int = 0) -> dict[str, int]:
    """Send so many requests; the statuses that came, and by how much open files and memory of the server grew."""
    good, tally, begun = requests(), Counter[str](), time.monotonic()
    with TemporaryDirectory() as folder, (Path(folder) / "errors.txt").open("w+") as errors:
        with serving("--quiet", "--clock=frozen", errors=errors) as (url, process):
            _send_all(url, random.Random(seed), good, count // 4, Counter())
            files, memory = settled(process), resident(process)
            _send_all(url, random.Random(seed + 1), good, count, tally)
            tally["files"], tally["MiB"] = settled(process) - files, (resident(process) - memory) >> 20
            assert process.poll() is None, "it serves on"
            for name in bundled():
                assert httpx2.get(f"{url}/{name}/_tasktwin/health", verify=False).status_code == 200
        errors.seek(0)
        shown = errors.read()
    assert shown == "", shown[:3_000]
    tally["seconds"] = round(time.monotonic() - begun)
    return dict(sorted(tally.items()))


def _send_all(url: str, chance: random.Random, good: list[bytes], count: int, tally: Counter[str]) -> None:
    done = 0
    while done < count:
        raws = [mutate(chance, good) for _ in range(chance.choice([1, 1, 1, 2, 5]))]
        answer = send(url, chance, raws, tally)
        done += len(raws)
        statuses = STATUS.findall(answer)
        tally.update(status.decode() for status in statuses)
        tally["hung up without a word"] += not statuses
        broken = [each for each in statuses if each in {b"500", b"502"}]
        assert not broken, f"{raws!r}\n{answer[:2_000]!r}"


def settled(process: subprocess.Popen[str]) -> int:
    """The files that the server has open, once it has closed what its clients closed."""
    time.sleep(0.5)
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


def resident(process: subprocess.Popen[str]) -> int:
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_no_bytes_break_the_server_or_leave_anything_behind() -> None:
    found = run(COUNT)
    assert found["200"] > 0
    assert found["400"] > 0
    assert "never answered, never hung up" not in found
    assert found["files"] <= 0
    assert found["MiB"] < 48, found


if __name__ == "__main__":
    sys.stdout.write(f"{run(FULL, seed=7)}\n")
