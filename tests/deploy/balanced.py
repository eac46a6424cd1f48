"""The balancer of ``deploy/haproxy.cfg`` before twins of this machine."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
from tests.deploy.part import BALANCER, HEALTH
from tests.state import redis_server


@contextmanager
def balancing(twins: list[str], folder: Path) -> Iterator[str]:
    """The balancer's base URL. Docker's names are written as the addresses that they would lead to.

    Its patience is shorter, so that what would be cut after a minute is cut while a test looks.
    """
    program = shutil.which("haproxy")
    assert program, "these tests need haproxy: apt-get install haproxy"
    port = redis_server.free_port()
    servers = [f"    server twin{number} {urlsplit(url).netloc}" for number, url in enumerate(twins)]
    text, binds = re.subn(r"^    bind :\d+$", f"    bind 127.0.0.1:{port}", BALANCER, flags=re.MULTILINE)
    text, templates = re.subn(r"^    server-template .+$", "\n".join(servers), text, flags=re.MULTILINE)
    text, patience = re.subn(r"^    timeout (client|server) 1m$", r"    timeout \1 500ms", text, flags=re.MULTILINE)
    assert (binds, templates, patience) == (1, 1, 2)
    (folder / "haproxy.cfg").write_text(text, encoding="utf-8")
    with subprocess.Popen([program, "-db", "-f", folder / "haproxy.cfg"], stdout=subprocess.DEVNULL) as process:
        try:
            yield _answering(process, f"http://127.0.0.1:{port}")
        finally:
            process.terminate()


def _answering(process: "subprocess.Popen[bytes]", url: str) -> str:
    late = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < late:
        with suppress(httpx2.TransportError):
            if httpx2.get(url + HEALTH, trust_env=False).status_code == 200:
                return url
        time.sleep(0.05)
    raise AssertionError("the balancer does not answer")
