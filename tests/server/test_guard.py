"""Who may drive the control plane: programs, and no web page of another origin, whatever name it calls the twin by."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from starlette.testclient import TestClient
from tests.server.front import Reply, World, ask, assert_problem, message, replies, serving, talk

from tasktwin import create_app

EVIL = "https://evil.example"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PLAIN = {"Content-Type": "text/plain"}
VISIT = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


def authority(world: World) -> str:
    return urlsplit(world.origin).netloc


def control(world: World, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Reply:
    return world.ask(method, f"/_tasktwin{path}", headers, body)


def named(url: str, host: str | None, path: str = "/_tasktwin/state", method: str = "GET", *lines: str) -> Reply:
    """A request that calls the twin by this name, and has no other header line but those given."""
    hosts = [] if host is None else [f"Host: {host}"]
    raw = "\r\n".join([f"{method} {path} HTTP/1.1", *hosts, *lines, "Connection: close", "", ""])
    (reply,) = replies(talk(url, raw.encode("latin-1")), bodiless=method == "HEAD")
    return reply


def assert_untouched(world: World) -> None:
    """No reset was done: the task that was made before is there still."""
    assert any(each["title"] == "still here" for each in world.rows("task"))


# ── the name ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:1",
        "localhost.",
        "app.localhost:3000",
        "127.0.0.1",
        "127.1.2.3:80",
        "[::1]:8080",
        "[0:0:0:0:0:0:0:1]",
        None,
    ],
)
def test_by_a_name_of_this_machine_it_answers(origin: str, host: str | None) -> None:
    assert named(origin, host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "notlocalhost",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "evil.example@127.0.0.1",
        "192.168.1.5:8080",
        "0.0.0.0",
        "[::]",
        "[::2]:80",
        "2130706433",
        "localhost:80:80",
        "localhost/x",
        "localhost, evil.example",
        "l\xf6calhost",
        "",
        "x" * 5_000,
    ],
)
@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/_tasktwin"), ("GET", "/_tasktwin/state"), ("POST", "/_tasktwin/reset"), ("GET", "/_tasktwin/nope"),
    ("OPTIONS", "/_tasktwin/reset"), ("GET", "/_tasktwin/worlds/default/control/state"),
])  # fmt: skip
def test_by_another_name_it_refuses_and_says_what_to_do(origin: str, host: str, method: str, path: str) -> None:
    problem = assert_problem(named(origin, host, path, method), 421)
    assert "--control-token" in problem["detail"]
    assert "--host" in problem["detail"]
    assert len(problem["detail"]) < 700


def test_of_two_names_both_must_be_right(origin: str) -> None:
    assert named(origin, "localhost", "/_tasktwin/state", "GET", "Host: evil.example").status in (400, 421)


@pytest.mark.parametrize("path", ["/_tasktwin/health", "/api/v1/wallet", "/_tasktwin/worlds/default/api/api/v1/wallet"])
def test_the_api_and_its_health_answer_by_any_name(origin: str, path: str) -> None:
    reply = named(origin, "evil.example", path, "GET", "Authorization: Bearer human-alice-token")
    assert reply.status == 200


@pytest.fixture(scope="module")
def locked() -> Iterator[str]:
    """A twin whose control plane wants a token."""
    with serving("uumit", "--quiet", "--control-token", "sesame") as (url, _process):
        yield url


def test_with_a_token_any_name_will_do_but_no_page(locked: str) -> None:
    token = "Authorization: Bearer sesame"
    assert named(locked, "twin.example:8080", "/_tasktwin/state", "GET", token).status == 200
    assert named(locked, "twin.example:8080").status == 401
    assert named(locked, "twin.example:8080", "/_tasktwin/state", "GET", token, f"Origin: {EVIL}").status == 403


def test_a_token_in_the_url_is_none(locked: str) -> None:
    for name in ("token", "access_token", "control_token", "authorization"):
        assert ask(locked, "GET", f"/_tasktwin/state?{name}=sesame").status in (400, 401)
    assert ask(locked, "GET", "/_tasktwin/journal/stream?token=sesame").status in (400, 401)


def test_the_page_of_several_is_guarded_like_that_of_one() -> None:
    with serving("uumit", "posthog", "--quiet") as (url, _process):
        assert named(url, "localhost", "/").status == 200
        assert_problem(named(url, "evil.example", "/"), 421)
        assert_problem(named(url, "evil.example", "/uumit/_tasktwin"), 421)
        assert_problem(named(url, "localhost", "/", "GET", f"Origin: {EVIL}"), 403)
        assert named(url, "evil.example", "/_tasktwin/health").status == 200


def test_an_application_in_process_answers_by_the_name_it_is_served_under() -> None:
    client = TestClient(create_app("uumit"))
    assert client.get("/_tasktwin/state").status_code == 200
    assert client.get("/_tasktwin/state", headers={"Host": "evil.example"}).status_code == 421


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "page", [EVIL, "null", "http://localhost:1", "https://{host}", "http://{host}.evil.example", ""]
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/state"),
        ("GET", ""),
        ("HEAD", "/state"),
        ("POST", "/reset"),
        ("DELETE", "/journal"),
        ("PUT", "/faults"),
        ("OPTIONS", "/reset"),
        ("GET", "/journal/stream"),
        ("POST", "/nope"),
    ],
)
def test_a_page_of_another_origin_is_refused_whatever_it_asks(world: World, method: str, path: str, page: str) -> None:
    world.post_task(title="still here")
    told = page.format(host=authority(world))
    reply = control(world, method, path, {"Host": authority(world), "Origin": told})
    assert reply.status == 403
    assert not [name for name in reply.headers if name.startswith("access-control-")]
    assert_untouched(world)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("mode", ["no-cors", "cors", "navigate"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_a_browser_sends_for_another_site_is_refused_without_an_origin_too(
    world: World, method: str, mode: str, site: str
) -> None:
    said = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": "iframe"}
    assert_problem(control(world, method, "/reset" if method == "POST" else "/state", said), 403)


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none", "same-origin"])
def test_who_follows_a_link_to_the_page_sees_it(world: World, site: str) -> None:
    assert control(world, "GET", "", {"Sec-Fetch-Site": site, **VISIT}).status == 200
    reply = control(world, "POST", "/reset", {"Sec-Fetch-Site": site, **VISIT})
    assert reply.status == (403 if site.startswith(("cross", "same-site")) else 200)


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}])
def test_the_twins_own_pages_and_programs_may_do_all(world: World, headers: dict[str, str]) -> None:
    own = {"Host": authority(world), **({"Origin": world.origin} if headers else {}), **headers}
    raw = message("POST", "/_tasktwin/reset", [("Connection", "close"), ("Tasktwin-World", world.name)])
    lines = "".join(f"{name}: {value}\r\n" for name, value in own.items())
    (reply,) = replies(talk(world.origin, raw.replace(b"Host: localhost\r\n", lines.encode())))
    assert reply.status == 200


# ── what a form can send ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("media", [FORM, PLAIN, {"Content-Type": "multipart/form-data; boundary=x"}])
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/clock", b'{"advance": 3600}'),
        ("POST", "/worlds", b'{"name": "made-by-a-form"}'),
        ("POST", "/snapshots", b'{"name": "made-by-a-form"}'),
        ("POST", "/events/settle", b'{"id": "x"}'),
        ("PUT", "/faults", b"[]"),
        ("PUT", "/state/task/x", b"{}"),
    ],
)
def test_a_body_that_a_form_can_send_is_none(
    world: World, method: str, path: str, body: bytes, media: dict[str, str]
) -> None:
    assert_problem(control(world, method, path, media, body), 415)
