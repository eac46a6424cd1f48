"""Several APIs in one application: prefixes, the landing page, health; and an API that is only a document."""

import re
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient
from tests.server.front import ALICE, TASKS, ask, assert_problem, replies, serving, talk

from tasktwin import create_app, errors, load
from tasktwin.behaviour.worlds import Plan
from tasktwin.wire import Json

NOTES = """
openapi: 3.1.0
info: {title: Notes & <more>, version: "1"}
security: [{key: []}]
paths:
  /notes:
    get:
      operationId: listNotes
      responses:
        "200":
          description: All
          content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Note"}}}}
    post:
      operationId: createNote
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/NewNote"}}}}
      responses:
        "201": {description: Made, content: {application/json: {schema: {$ref: "#/components/schemas/Note"}}}}
  /notes/{note_id}:
    parameters: [{name: note_id, in: path, required: true, schema: {type: integer, minimum: 1}}]
    get:
      operationId: getNote
      responses:
        "200": {description: One, content: {application/json: {schema: {$ref: "#/components/schemas/Note"}}}}
    delete:
      operationId: deleteNote
      responses: {"204": {description: Gone}}
  /notes/{note_id}/print:
    parameters: [{name: note_id, in: path, required: true, schema: {type: integer}}]
    post: {operationId: printNote, responses: {"204": {description: Printed}}}
components:
  securitySchemes: {key: {type: apiKey, in: query, name: api_key}}
  schemas:
    NewNote:
      type: object
      required: [text]
      properties: {text: {type: string, maxLength: 20}}
    Note:
      type: object
      required: [id, text]
      properties: {id: {type: integer, readOnly: true}, text: {type: string, maxLength: 20}}
"""
KEY = {"api_key": "note-secret"}


UUMIT = load("uumit")


def write_notes(parent: Path) -> Path:
    """A provider's folder with nothing but a document."""
    folder = parent / "notes"
    folder.mkdir()
    (folder / "openapi.yaml").write_text(NOTES, encoding="utf-8")
    return folder


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """The folder of the notes."""
    return write_notes(tmp_path)


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    """Both APIs in one application, for tests that change nothing."""
    return TestClient(create_app(UUMIT, load(str(write_notes(tmp_path_factory.mktemp("landing"))))))


@pytest.fixture
def client(notes: Path) -> TestClient:
    """Both APIs in one application."""
    return TestClient(create_app(UUMIT, load(str(notes))))


# ── several ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_api_answers_below_its_name(client: TestClient) -> None:
    assert client.get(f"/uumit{TASKS}", headers=ALICE).json()["code"] == 0
    assert client.post("/notes/notes", json={"text": "one"}, params=KEY).json() == {"id": 1, "text": "one"}
    assert client.get("/notes/notes/1", params=KEY).json() == {"id": 1, "text": "one"}


def test_each_api_has_errors_worlds_and_a_control_plane_of_its_own(client: TestClient) -> None:
    client.post("/notes/notes", json={"text": "one"}, params=KEY, headers={"Tasktwin-World": "w"})
    assert client.get("/notes/_tasktwin/health").json()["providers"] == ["notes"]
    worlds = {name: client.get(f"/{name}/_tasktwin/worlds").json()["worlds"] for name in ("uumit", "notes")}
    assert {name: {each["name"] for each in found} for name, found in worlds.items()} == {
        "uumit": {"default"},
        "notes": {"default", "w"},
    }
    assert client.get("/uumit/nope").json()["code"] == 1004
    assert client.get("/notes/nope").status_code == 404


def test_a_worlds_urls_have_the_prefix_and_work(client: TestClient) -> None:
    made = client.post("/notes/_tasktwin/worlds", json={"name": "w"}).json()
    assert made["base_url"] == "http://testserver/notes/_tasktwin/worlds/w/api"
    assert client.post(f"{made['base_url']}/notes", json={"text": "x"}, params=KEY).status_code == 201
    assert client.get(f"{made['control_url']}/state").json() == {"collections": {"note": 1}}


def test_the_landing_page_names_every_api_and_escapes_what_it_shows(landing: TestClient) -> None:
    page = landing.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "Notes &amp; &lt;more&gt;" in page.text
    assert "http://testserver/uumit" in page.text
    assert "Bearer human-alice-token" in page.text, "demo callers are shown, so that one can begin"


@pytest.mark.parametrize("route", ["", "/"])
def test_the_page_of_one_api_has_its_callers_a_call_and_links_that_work(landing: TestClient, route: str) -> None:
    page = landing.get(f"/uumit/_tasktwin{route}")
    assert "curl -sS http://testserver/uumit/api/v1/tasks/" in page.text
    assert "agent_otto" in page.text
    links = re.findall(r'href="(http[^"]+)"', page.text)
    assert [landing.get(link).status_code for link in links] == [200] * 11


def test_the_page_of_an_api_without_callers_has_no_table_of_them(landing: TestClient) -> None:
    page = landing.get("/notes/_tasktwin").text
    assert "<table" not in page
    assert "curl -sS &#x27;http://testserver/notes/notes?api_key=demo&#x27;" in page, "any credential counts"
    assert landing.get("/notes/notes?api_key=demo").status_code == 200


def test_health_names_every_api(landing: TestClient) -> None:
    told = landing.get("/_tasktwin/health").json()
    assert (told["status"], told["providers"]) == ("ok", ["uumit", "notes"])


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "TRACE", "PROPFIND", "OPTIONS"])
@pytest.mark.parametrize(
    "path", ["/nope", "/uumitt/api", "/UUMIT/api", "/_tasktwin/state", "//uumit/api", "/%75umit%2Fapi"]
)
def test_what_nobody_serves_is_told_with_the_names_of_the_apis(landing: TestClient, method: str, path: str) -> None:
    problem = assert_problem(landing.request(method, path), 404)
    assert "/uumit, /notes" in problem["detail"]


@pytest.mark.parametrize("path", ["/", "/_tasktwin/health"])
def test_the_landing_pages_are_only_read(landing: TestClient, path: str) -> None:
    answer = landing.post(path, json={})
    assert_problem(answer, 405)
    options = landing.options(path)
    assert (options.status_code, options.headers["allow"]) == (204, answer.headers["allow"])
    assert landing.head(path).content == b""


def test_several_apis_are_served_by_the_real_command(notes: Path) -> None:
    with serving("uumit", str(notes), "--quiet") as (url, _process):
        assert httpx2.get(f"{url}/_tasktwin/health").json()["providers"] == ["uumit", "notes"]
        assert httpx2.get(f"{url}/uumit{TASKS}", headers=ALICE).status_code == 200
        assert_problem(ask(url, "GET", "*"), 404)
        assert ask(url, "GET", "/notes").status == 404
        assert ask(url, "HEAD", "/nope").body == b""


# ── one ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_one_api_is_at_the_root_unless_it_is_mounted() -> None:
    assert TestClient(create_app(UUMIT)).get(TASKS, headers=ALICE).status_code == 200
    assert TestClient(create_app("uumit")).get(TASKS, headers=ALICE).status_code == 200
    assert TestClient(create_app(UUMIT, mounted=True)).get(f"/uumit{TASKS}", headers=ALICE).status_code == 200
    assert TestClient(create_app(UUMIT, mounted=True)).get(TASKS, headers=ALICE).status_code == 404


def test_an_application_of_nothing_is_misuse() -> None:
    with pytest.raises(errors.MisuseError, match="at least one provider"):
        create_app()
    with pytest.raises(errors.MisuseError, match="busy, default, empty"):
        create_app(UUMIT, plan=Plan(seeds="nope"))


def test_a_listener_hears_of_every_exchange(notes: Path) -> None:
    application, heard = create_app(UUMIT, load(str(notes))), []
    application.listen(lambda exchange: heard.append((exchange.status, exchange.path)))
    client = TestClient(application)
    client.get(f"/uumit{TASKS}", headers=ALICE)
    client.get("/notes/notes/9", params=KEY)
    client.get("/uumit/_tasktwin/health")
    assert heard == [(200, TASKS), (404, "/notes/9")]


def test_worlds_are_limited_with_a_clear_error() -> None:
    client = TestClient(create_app(UUMIT, plan=Plan(limit=3)))
    statuses = [client.get(TASKS, headers={**ALICE, "Tasktwin-World": f"w{number}"}).status_code for number in range(4)]
    assert statuses == [200, 200, 503, 503]
    assert_problem(client.post("/_tasktwin/worlds"), 503)
    assert "3 worlds are alive" in client.get("/_tasktwin/state", headers={"Tasktwin-World": "w9"}).json()["detail"]
    client.delete("/_tasktwin/worlds/w0")
    assert client.post("/_tasktwin/worlds").status_code == 201


# ── an API that is only a document ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def noted(notes: Path) -> TestClient:
    """The notes alone, with one note."""
    client = TestClient(create_app(load(str(notes))))
    client.post("/notes", json={"text": "one"}, params=KEY)
    return client


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/notes/2", 404),
        ("GET", "/notes/one", 422),
        ("GET", "/notes/0", 422),
        ("GET", "/notes/99999999999999999999999", 404),
        ("PUT", "/notes/1", 405),
        ("POST", "/notes/1/print", 501),
    ],
)
def test_its_errors_are_problems(noted: TestClient, method: str, path: str, status: int) -> None:
    assert_problem(noted.request(method, path, params=KEY), status)


def test_without_its_key_nobody_gets_in(noted: TestClient) -> None:
    assert_problem(noted.get("/notes"), 401)
    assert_problem(noted.get("/notes", params={"api_key": ""}), 401)


def test_a_key_in_the_query_stays_out_of_journal_and_har(noted: TestClient) -> None:
    noted.get("/notes?x=1&api_key=note-secret&api%5Fkey=note-secret&y=%26")
    for path in ("/_tasktwin/journal", "/_tasktwin/journal.har"):
        text = noted.get(path).text
        assert "note-secret" not in text
        assert "x=1&api_key=[redacted]" in text
        assert "y=%26" in text


def test_a_row_with_a_number_for_an_id_is_put(noted: TestClient) -> None:
    put = noted.put("/_tasktwin/state/note/7", json={"text": "seven"})
    assert (put.status_code, put.json()) == (200, {"id": 7, "text": "seven"})
    assert noted.get("/notes/7", params=KEY).json() == {"id": 7, "text": "seven"}
    assert noted.get("/_tasktwin/state/note/7").json()["text"] == "seven"


@pytest.mark.parametrize("key", ["x", "07", "-1", "1.0", "%D9%A7", "9" * 30])
def test_a_row_with_another_id_is_not_put(noted: TestClient, key: str) -> None:
    assert_problem(noted.put(f"/_tasktwin/state/note/{key}", json={"text": "x"}), 422)


def test_an_operation_that_is_not_modelled_says_so(noted: TestClient) -> None:
    answer = noted.post("/notes/1/print", params=KEY)
    assert answer.headers["tasktwin-reason"] == "not-modelled"


def test_what_is_deleted_is_gone(noted: TestClient) -> None:
    gone: list[Json] = [noted.delete("/notes/1", params=KEY).status_code for _ in range(2)]
    assert gone == [204, 404]
    assert noted.get("/notes", params=KEY).json() == []


@pytest.mark.parametrize("host", ["a b", "<x>", "a/../b", "x" * 300, "[::1"])
def test_a_host_that_is_none_stands_in_no_answer(host: str) -> None:
    sent = f"GET /.well-known/agent.json HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    with serving("uumit", "--quiet") as (url, _):
        (card,) = replies(talk(url, sent))
    assert (card.status, card.json()["url"]) == (200, "http://localhost")
