"""Which web pages may read what the API answers, as their browsers are told it: raw requests and raw headers."""

from collections.abc import Iterator

import pytest
from tests.server.front import ALICE, TASKS, Reply, World, ask, serving

from tasktwin import create_app
from tasktwin.errors import MisuseError

HERE = "http://localhost:5173"
THERE = "https://app.example"
WANTS = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,tasktwin-world"}
JSON = {"Content-Type": "application/json"}


def granted(reply: Reply) -> tuple[str | None, str | None]:
    """The origin that may read the answer, and whether with credentials."""
    names = ("access-control-allow-origin", "access-control-allow-credentials")
    found = [reply.headers.get(name) for name in names]
    return found[0], found[1]


def exposed(reply: Reply) -> set[str]:
    return {each for each in reply.headers.get("access-control-expose-headers", "").split(", ") if each}


def silent(reply: Reply) -> bool:
    """Whether the answer says nothing of CORS."""
    return not any(name.startswith("access-control-") for name in reply.headers)


# ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "page",
    [
        "http://localhost",
        "https://localhost",
        HERE,
        "https://localhost:8443",
        "http://127.0.0.1:3000",
        "http://[::1]:3000",
        "http://app.localhost:3000",
        "http://a.b-c_d.localhost",
    ],
)
def test_pages_of_this_machine_may_read_answers_with_credentials(world: World, page: str) -> None:
    reply = world.ask("GET", "/api/v1/wallet", {"Origin": page, **ALICE})
    assert (reply.status, granted(reply), reply.headers["vary"]) == (200, (page, "true"), "Origin")


@pytest.mark.parametrize(
    "page",
    [
        THERE,
        "null",
        "http://localhost.evil.example",
        "http://evil.example:80@localhost",
        "http://evillocalhost",
        "http://.localhost.evil",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.2",
        "http://localhost:",
        "http://localhost:123456",
        "http://localhost:5173/",
        "HTTP://localhost",
        "ftp://localhost",
        "file://",
        "localhost",
        "http://localhost http://localhost",
        "http://l\xf6calhost",
        "",
    ],
)
def test_other_pages_may_not_and_the_answer_is_the_same_otherwise(world: World, page: str) -> None:
    reply = world.ask("GET", "/api/v1/wallet", {"Origin": page, **ALICE})
    assert (reply.status, silent(reply), reply.headers["vary"]) == (200, True, "Origin")
    assert world.ask("OPTIONS", TASKS, {"Origin": page, **WANTS}).status == 403


def test_what_no_page_asks_is_answered_without_a_word_of_pages(world: World) -> None:
    reply = world.ask("GET", "/api/v1/wallet", ALICE)
    assert silent(reply)
    assert "vary" not in reply.headers


def test_of_several_origins_the_first_counts(world: World) -> None:
    reply = world.ask("GET", "/api/v1/wallet", [("Origin", THERE), ("Origin", HERE), *ALICE.items()])
    assert silent(reply)


# ── the question before ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "PURGE"])
@pytest.mark.parametrize("path", [TASKS, "/api/v1/wallet", "/nope", "/", "*"])
def test_any_method_on_any_path_may_be_asked_for_without_credentials(world: World, path: str, method: str) -> None:
    reply = world.ask("OPTIONS", path, {"Origin": HERE, **WANTS, "Access-Control-Request-Method": method})
    assert (reply.status, reply.body, granted(reply)) == (204, b"", (HERE, "true"))
    assert reply.headers["access-control-allow-methods"] == method
    assert reply.headers["access-control-allow-headers"] == WANTS["Access-Control-Request-Headers"]
    assert int(reply.headers["access-control-max-age"]) > 0
    assert exposed(reply) == set()


def test_who_asks_for_no_headers_is_told_of_none(world: World) -> None:
    reply = world.ask("OPTIONS", TASKS, {"Origin": HERE, "Access-Control-Request-Method": "DELETE"})
    assert reply.status == 204
    assert "access-control-allow-headers" not in reply.headers


@pytest.mark.parametrize(("asked", "told"), [("true", "true"), ("false", None), (None, None)])
def test_the_way_from_the_open_network_is_granted_where_it_is_asked_for(
    world: World, asked: str | None, told: str | None
) -> None:
    network = {"Access-Control-Request-Private-Network": asked} if asked else {}
    reply = world.ask("OPTIONS", TASKS, {"Origin": HERE, **WANTS, **network})
    assert reply.headers.get("access-control-allow-private-network") == told


def test_a_page_that_may_not_is_told_how_it_could(world: World) -> None:
    reply = world.ask("OPTIONS", TASKS, {"Origin": THERE, **WANTS, "Access-Control-Request-Private-Network": "true"})
    assert (reply.status, silent(reply), reply.headers["vary"]) == (403, True, "Origin")
    assert f"--cors {THERE}" in reply.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": HERE}, {"Access-Control-Request-Method": "PUT"}],
    ids=["nothing", "only a page", "only a wish"],
)
def test_a_plain_options_goes_to_the_api(world: World, headers: dict[str, str]) -> None:
    reply = world.ask("OPTIONS", TASKS, headers)
    assert (reply.status, reply.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    assert "access-control-allow-methods" not in reply.headers


def test_a_question_leaves_no_trace(world: World) -> None:
    before = world.evidence()
    for page in (HERE, THERE):
        world.ask("OPTIONS", TASKS, {"Origin": page, **WANTS})
    assert (world.entries(), world.evidence()) == ([], before)
    ask(world.origin, "OPTIONS", TASKS, {"Origin": HERE, "Tasktwin-World": "unborn", **WANTS})
    assert "unborn" not in [each["name"] for each in world.control.get("/worlds").json().get("worlds", [])]


# ── the answers ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/api/v1/wallet", ALICE, 200),
        ("HEAD", "/api/v1/wallet", ALICE, 200),
        ("POST", TASKS, {**ALICE, **JSON}, 422),
        ("GET", "/api/v1/wallet", {}, 401),
        ("GET", "/nope", ALICE, 404),
        ("DELETE", TASKS, ALICE, 405),
        ("GET", "/api/v1/wallet", {**ALICE, "X-Long": "x" * 70_000}, 431),
        ("GET", "/api/v1/wallet", {**ALICE, "Tasktwin-World": "not a name"}, 400),
    ],
    ids=["read", "head", "refused", "nobody", "unknown", "method", "too large", "no world"],
)
def test_a_page_reads_every_answer_with_all_its_headers(
    world: World, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    reply = ask(world.origin, method, path, {"Tasktwin-World": world.name, "Origin": HERE} | headers)
    assert (reply.status, granted(reply)) == (status, (HERE, "true"))
    safe = {"content-type", "content-length", "vary", "date", "server", "connection"}
    own = {name for name in reply.headers if not name.startswith("access-control-")} - safe
    assert exposed(reply) - safe == own


def test_a_stream_may_be_read_too(world: World) -> None:
    sent = {**ALICE, "Origin": HERE, "Prefer": "stream=bounded"}
    answer = world.api.post("/api/v1/tasks/ai-create", json={"description": "Draw a logo"}, headers=sent)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["access-control-allow-origin"] == HERE
    assert {"preference-applied", "tasktwin-world"} <= set(answer.headers["access-control-expose-headers"].split(", "))


def test_a_world_by_path_is_open_and_its_control_plane_is_not(world: World) -> None:
    root = f"/_tasktwin/worlds/{world.name}"
    assert granted(ask(world.origin, "GET", f"{root}/api/api/v1/wallet", {**ALICE, "Origin": HERE})) == (HERE, "true")
    assert ask(world.origin, "OPTIONS", f"{root}/api{TASKS}", {"Origin": HERE, **WANTS}).status == 204
    assert silent(ask(world.origin, "GET", f"{root}/control/state", {"Origin": HERE}))
    assert silent(ask(world.origin, "OPTIONS", f"{root}/control/reset", {"Origin": HERE, **WANTS}))


# ── the option ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def several() -> Iterator[str]:
    """Two APIs for the pages of two origins, and for files."""
    given = ("--cors", THERE, "--cors", "http://app.example:3000", "--cors", "null")
    with serving("uumit", "posthog", "--quiet", *given) as (url, _process):
        yield url


@pytest.mark.parametrize("path", [f"/uumit{TASKS}", "/posthog/api/projects/", "/nope"])
def test_named_origins_take_the_place_of_the_usual_ones_for_all_apis(several: str, path: str) -> None:
    named = {THERE, "null", "http://app.example:3000"}
    others = {HERE, "http://app.example", "https://app.example:3000", "https://www.app.example"}
    for page in named | others:
        expected = (page, "true") if page in named else (None, None)
        assert granted(ask(several, "GET", path, {"Origin": page})) == expected
        reply = ask(several, "OPTIONS", path, {"Origin": page, **WANTS})
        assert (reply.status, granted(reply)) == (204 if page in named else 403, expected)


@pytest.mark.parametrize("path", ["/", "/_tasktwin/health", "/uumit/_tasktwin/state", "/uumit/_tasktwin/health"])
def test_pages_of_the_twin_itself_are_for_no_origin(several: str, path: str) -> None:
    assert silent(ask(several, "GET", path, {"Origin": THERE}))
    assert silent(ask(several, "OPTIONS", path, {"Origin": THERE, **WANTS}))


def test_a_star_means_any_origin_by_name() -> None:
    with serving("uumit", "--quiet", "--cors", "*") as (url, _process):
        for page in (THERE, HERE, "null", "capacitor://localhost"):
            assert granted(ask(url, "GET", TASKS, {"Origin": page, **ALICE})) == (page, "true")
        assert silent(ask(url, "GET", "/_tasktwin/state", {"Origin": THERE}))


def test_none_means_a_server_that_knows_no_cors() -> None:
    with serving("uumit", "--quiet", "--cors", "none") as (url, _process):
        reply = ask(url, "GET", TASKS, {"Origin": HERE, **ALICE})
        assert silent(reply)
        assert "vary" not in reply.headers
        reply = ask(url, "OPTIONS", TASKS, {"Origin": HERE, **WANTS})
        assert (reply.status, reply.headers["allow"], silent(reply)) == (204, "GET, HEAD, OPTIONS, POST", True)


@pytest.mark.parametrize(
    ("origin", "hint"),
    [
        ("app.example", "http://app.example"),
        ("localhost:5173", "http://localhost:5173"),
        ("https://app.example/", "Write https://app.example$"),
        ("https://App.Example", "Write https://app.example$"),
        ("https://app.example:443", "Write https://app.example$"),
        ("http://app.example:80/x?y#z", "Write http://app.example$"),
        ("https://bücher.example", "Write https://xn--bcher-kva.example$"),
        ("https://me:secret@app.example", "Write https://app.example$"),
        ("https://*.app.example", "'\\*' alone"),
        ("http://app.example:99999", "Write it like"),
        ("http://[::1", "Write it like"),
        ("http://", "Write it like"),
        ("", "begins with the scheme"),
        (f"https://{'a' * 300}.{'b' * 70}.example", "Write it like"),
    ],
)
def test_what_is_no_origin_is_refused_with_what_was_meant(origin: str, hint: str) -> None:
    with pytest.raises(MisuseError, match=hint):
        create_app("uumit", cors=[origin])


@pytest.mark.parametrize("cors", [["*", THERE], [THERE, "none"], ["*", "none"], [f"http://a{n}" for n in range(101)]])
def test_what_contradicts_itself_or_has_no_end_is_refused(cors: list[str]) -> None:
    with pytest.raises(MisuseError, match="cors: "):
        create_app("uumit", cors=cors)
