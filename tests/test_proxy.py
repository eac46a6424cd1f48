"""``tasktwin proxy`` through the front door: curl and httpx2 reach a served twin through it, and notice nothing."""

import gzip
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx2
import pytest
from tests.suite.proxy.front import Proxy, started

ALICE = {"Authorization": "Bearer human-alice-token"}
TASK = {"title": "Logo", "description": "Two colours.", "bounty_amount": "300", "delivery_hours": 48}
DRAFT = {"description": "Draw a logo"}

Before = Callable[..., Proxy]


@pytest.fixture
def before() -> Iterator[Before]:
    with ExitStack() as stack:
        yield lambda url, provider, *options: stack.enter_context(started(url, provider, *options))


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(timeout=10, trust_env=False, headers=ALICE) as client:
        yield client


def test_a_client_notices_no_difference(serve: Callable[..., str], before: Before, client: httpx2.Client) -> None:
    twin = serve("uumit", "--now", "2026-01-01T00:00:00Z", "--clock", "frozen")
    proxy = before(twin, "uumit")

    def play(url: str, world: str) -> list[tuple[int, dict[str, str], bytes]]:
        headers = {"Tasktwin-World": world}
        made = client.post(f"{url}/api/v1/tasks/", json=TASK, headers=headers)
        task = f"{url}/api/v1/tasks/{made.json()['data']['id']}"
        answers = [
            made,
            client.get(task, headers=headers),
            client.head(task, headers=headers),
            client.options(task, headers=headers),
            client.patch(task, json={"title": "Better"}, headers=headers),
            client.put(task, json={}, headers=headers),
            client.delete(task, headers=headers),
            client.get(f"{url}/api/v1/tasks/?page=1&page_size=2", headers=headers),
            client.get(f"{url}/api/v1/none", headers=headers),
        ]
        hidden = {"date", "tasktwin-world"}
        return [
            (each.status_code, {k: v for k, v in each.headers.items() if k not in hidden}, each.content)
            for each in answers
        ]

    assert play(proxy.url, "through") == play(twin, "direct")
    assert proxy.stop().code == 0


@pytest.mark.parametrize("name", ["uumit", "aitasker", "posthog"])
def test_the_answers_of_a_twin_keep_its_contract(
    serve: Callable[..., str], before: Before, client: httpx2.Client, name: str
) -> None:
    headers, paths = {
        "uumit": (ALICE, ["/api/v1/wallet", "/api/v1/tasks/", "/api/v1/tasks/no-such"]),
        "aitasker": (
            {"Authorization": "Bearer aitk_live_poster"},
            ["/api/v1/tasks", "/api/v1/tasks/10000000-0000-4000-8000-00000000dead"],
        ),
        "posthog": ({"Authorization": "Bearer phx_ada_all"}, ["/api/projects/@current/tasks/"]),
    }[name]
    proxy = before(serve(name), name)
    for path in paths:
        client.get(proxy.url + path, headers=headers)
        client.get(proxy.url + path, headers={"Authorization": "Bearer wrong"})
    ended = proxy.stop()
    assert (ended.code, "failure" in ended.err) == (0, False)


def test_curl_works_as_it_does_without(serve: Callable[..., str], before: Before) -> None:
    proxy = before(serve("uumit"), "uumit")
    command = [
        "curl",
        "-sS",
        "-w",
        "%{http_code}",
        f"{proxy.url}/api/v1/tasks/",
        "-H",
        f"Authorization: {ALICE['Authorization']}",
    ]
    made = subprocess.run(
        [*command, "-H", "Content-Type: application/json", "-H", "Transfer-Encoding: chunked", "-d", json.dumps(TASK)],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    assert made.stdout.endswith("200")
    listed = subprocess.run([*command, "--compressed"], capture_output=True, text=True, check=True, timeout=10)
    assert listed.stdout.endswith("200")
    assert proxy.stop().code == 0


def test_a_stream_that_is_cut_is_resumed_through_the_proxy(
    serve: Callable[..., str], before: Before, client: httpx2.Client
) -> None:
    twin = serve("uumit")
    proxy = before(twin, "uumit")
    fault = {
        "name": "cut",
        "match": {"operation": "createTaskByDescription", "times": 1},
        "do": {"stream": "cut", "event": 2, "byte": 10},
    }
    client.put(f"{twin}/_tasktwin/faults", json=[fault]).raise_for_status()
    seen: list[str] = []

    def read(**headers: str) -> None:
        with client.stream("POST", f"{proxy.url}/api/v1/tasks/ai-create", json=DRAFT, headers=headers) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            for line in response.iter_lines():
                seen.extend([line.removeprefix("id: ")] if line.startswith("id: ") else [])

    with pytest.raises(httpx2.RemoteProtocolError):
        read()
    read(**{"Last-Event-ID": seen[-1]})
    numbers = [int(each.rpartition(":")[2]) for each in seen]
    assert numbers == sorted(set(numbers))
    assert len({each.rpartition(":")[0] for each in seen}) == 1
    ended = proxy.stop()
    assert "note    server: createTaskByDescription is answered with less than a whole answer" in ended.err
    assert ended.code == 0


def test_the_twin_sees_when_a_reader_leaves(serve: Callable[..., str], before: Before, client: httpx2.Client) -> None:
    twin = serve("uumit", "--clock", "frozen")
    proxy = before(twin, "uumit")
    with client.stream("POST", f"{proxy.url}/api/v1/tasks/ai-create", json=DRAFT) as response:
        assert next(response.iter_lines()).startswith(("event", ":", "retry"))
    for _ in range(50):
        if "the client left" in client.get(f"{twin}/_tasktwin/journal").text:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the twin's stream stays open")


def test_fifty_at_once_each_get_their_own_answer(serve: Callable[..., str], before: Before) -> None:
    proxy = before(serve("uumit"), "uumit")
    with httpx2.Client(timeout=20, trust_env=False, headers=ALICE) as client, ThreadPoolExecutor(50) as pool:

        def make(number: int) -> str:
            made = client.post(f"{proxy.url}/api/v1/tasks/", json={**TASK, "title": f"Logo {number}"})
            task = made.json()["data"]["id"]
            return str(client.get(f"{proxy.url}/api/v1/tasks/{task}").json()["data"]["title"])

        assert list(pool.map(make, range(50))) == [f"Logo {number}" for number in range(50)]
    ended = proxy.stop()
    assert (ended.code, ended.err) == (0, "")
    assert "100 requests" in ended.out


def test_a_mebibyte_passes_as_it_is(serve: Callable[..., str], before: Before, client: httpx2.Client) -> None:
    twin = serve("uumit")
    proxy = before(twin, "uumit")
    large = json.dumps({**TASK, "description": "x" * 1_048_576}).encode()
    packed = gzip.compress(large)
    for body, more in ((large, {}), (packed, {"Content-Encoding": "gzip"})):
        headers = {"Content-Type": "application/json", **more}
        through, direct = (
            client.post(f"{url}/api/v1/tasks/", content=body, headers=headers) for url in (proxy.url, twin)
        )
        assert through.status_code == direct.status_code
    assert "Traceback" not in proxy.stop().err
