"""The command line as its users meet it: real processes, real sockets, real shells."""

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner
from tests.provider.small import edited, write

from tasktwin import __version__
from tasktwin.cli import main
from tasktwin.provider import bundled, load

COMMANDS = ["serve", "list", "check", "graph", "new", "verify", "fuzz", "load", "proxy"]
HEAVY = ("openapi_core", "openapi_spec_validator", "schemathesis", "rich", "jsonschema", "pytest", "hypothesis")
ESCAPE = "\x1b["
TASKTWIN = [sys.executable, "-m", "tasktwin"]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment}
    return subprocess.run([*TASKTWIN, *arguments], capture_output=True, text=True, check=False, timeout=30, env=env)


@contextlib.contextmanager
def served(*arguments: str, python: tuple[str, ...] = ()) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A running ``tasktwin serve`` and the lines that it printed until it could be reached."""
    command = [sys.executable, *python, "-m", "tasktwin", "serve", *arguments, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().rstrip("\n")]
        greeted = (
            0
            if "--quiet" in arguments or "-q" in arguments
            else len([each for each in arguments if each[0] != "-"]) or 1
        )
        lines += [process.stdout.readline().rstrip("\n") for _ in range(2 * greeted)]
        try:
            yield process, lines
        finally:
            process.terminate()


# ── help, version, exit codes ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_explains_itself(command: str, option: str) -> None:
    result = CliRunner().invoke(main, [command, option])
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {command} ")
    undocumented = [
        line for line in result.output.split("Options:")[1].splitlines() if re.fullmatch(r"\s+-[-\w, ]+", line)
    ]
    assert undocumented == []


def test_the_commands_are_listed_with_what_they_do() -> None:
    result = CliRunner().invoke(main, ["--help"])
    listed = dict(line.split(None, 1) for line in result.output.split("Commands:\n")[1].splitlines())
    assert sorted(listed) == sorted(COMMANDS)


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").stdout == f"tasktwin, version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["srve"], "No such command 'srve'"),
        (["list", "--jsn"], "Did you mean '--json'?"),
        (["list", "a", "b"], "unexpected extra argument"),
        (["graph"], "Missing argument 'PROVIDER|DIR'"),
        (["graph", "uumit", "--format", "png"], "'png' is not one of"),
        (["graph", "uumit", "--format", "svg"], "one SVG shows one lifecycle: add --lifecycle"),
        (["graph", "uumit", "--lifecycle", "tsk"], "uumit has no lifecycle 'tsk': it has task"),
        (["check", "--schema", "state"], "'state' is not one of"),
        (["list", "uumti"], "there is no provider 'uumti', and no such folder. Did you mean 'uumit'?"),
        (["check", "uumti"], "there is no provider 'uumti', and no such folder. Did you mean 'uumit'?"),
        (["graph", "uumti"], "Did you mean 'uumit'?"),
        (["serve", "uumti"], "Did you mean 'uumit'?"),
        (["serve", "x" * 5_000], "cannot be read: File name too long"),
        (["serve", __file__], "a provider is a folder, not a file"),
        (["serve", "--now", "nonsense"], "--now: 'nonsense' is not an ISO 8601 date and time such as"),
        (["serve", "--now", "2026-01-01T00:00:00"], "has no time zone"),
        (["serve", "--clock", "x0"], "unknown clock mode 'x0': real, frozen, or xN such as x60"),
        (["serve", "--clock", "fast"], "unknown clock mode 'fast'"),
        (["serve", "--seeds", "bsy"], "there are no seeds 'bsy': known are busy, default, empty"),
        (["serve", "--port", "65536"], "65536 is not in the range"),
        (["serve", "--port", "http"], "'http' is not a valid integer"),
        (["serve", "--host", "nowhere.invalid"], "cannot listen on nowhere.invalid"),
        (["serve", "--host", "nowhere.invalid"], "Choose an address of this machine with --host, such as 127.0.0.1"),
        (["serve", "--host", ""], "there is no address to listen on"),
        (["serve", "--control-token", "sésame"], "--control-token: headers carry printable ASCII only"),
        (["serve", "--control-token", "sesame\n"], "and no line breaks"),
        (["serve", "--journal", "-1"], "-1 is not in the range"),
        (["serve", "--seed", "-1"], "-1 is not in the range"),
        (["serve", "--responses", "maybe"], "'maybe' is not one of"),
        (["serve", "uumit", "uumit"], "two of the providers are called 'uumit'"),
    ],
    ids=lambda case: " ".join(case)[:40] if isinstance(case, list) else "",
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(arguments: list[str], says: str) -> None:
    port = ["--port", "0"] if arguments[0] == "serve" and "--port" not in arguments else []
    result = CliRunner().invoke(main, [*arguments, *port])
    assert result.exit_code == 2
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert says in result.output


def test_a_port_in_use_is_told_with_a_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = run("serve", "uumit", "--port", port)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "--port 0 for any free one" in done.stderr
    assert done.stdout == "", "no base URL that leads to somebody else"


def test_a_broken_contract_ends_with_2_and_a_right_one_with_0(tmp_path: Path) -> None:
    right, wrong = (
        write(tmp_path / "a"),
        write(tmp_path / "b", edited("provider.yaml", "order: -created_at", "order: x")),
    )
    assert CliRunner().invoke(main, ["check", str(right)]).exit_code == 0
    assert CliRunner().invoke(main, ["check", str(right), str(wrong)]).exit_code == 2


def test_an_interrupt_ends_with_130_and_no_trace() -> None:
    with served("uumit", "-q") as (process, _):
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 130
        assert "Traceback" not in errors


# ── what is printed ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("arguments", [["list"], ["list", "uumit"], ["check", "uumit"]], ids=" ".join)
def test_json_is_json_and_nothing_else(arguments: list[str]) -> None:
    done = run(*arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)


PRINTING = [["list"], ["list", "uumit"], ["check", "uumit"], ["graph", "uumit"], ["list", "nix"], ["srve"]]


@pytest.mark.parametrize("arguments", PRINTING, ids=" ".join)
def test_a_pipe_gets_no_colours(arguments: list[str]) -> None:
    done = run(*arguments)
    assert ESCAPE not in done.stdout + done.stderr


def on_terminal(*arguments: str, **environment: str) -> str:
    """What a command shows on a terminal."""
    ours, theirs = pty.openpty()
    env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm"} | environment
    with subprocess.Popen([*TASKTWIN, *arguments], stdout=theirs, stderr=theirs, stdin=theirs, env=env):
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):
            while part := os.read(ours, 65_536):
                shown += part
    os.close(ours)
    return shown.decode()


@pytest.mark.parametrize("arguments", [["list"], ["list", "nix"]], ids=" ".join)
def test_a_terminal_gets_colours_unless_it_wants_none(arguments: list[str]) -> None:
    assert ESCAPE in on_terminal(*arguments)
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", on_terminal(*arguments, NO_COLOR="1")), "no colour"


def test_a_narrow_terminal_breaks_no_name() -> None:
    shown = on_terminal("list", "uumit", COLUMNS="80", NO_COLOR="1")
    for name in ("listTaskRecommendations", "pending_freeze", "cancelled_by_buyer", "cancelTransaction", "human_alice"):
        assert name in shown
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines())) <= 80


def test_an_overview_fits_a_narrow_terminal() -> None:
    shown = re.sub(r"\x1b\[[0-9;]*m", "", on_terminal("list", COLUMNS="80"))
    assert "application" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_what_is_piped_has_each_path_in_one_piece() -> None:
    shown = run("list", "posthog").stdout
    paths = {each.path for each in load("posthog").rules.contract.operations.values()}
    assert {path for path in paths if f" {path} " not in shown} == set()


def test_the_base_url_is_the_first_line_and_all_of_a_quiet_one() -> None:
    with served("uumit", "--quiet") as (process, lines):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", lines[0])
        assert httpx2.get(f"{lines[0]}/_tasktwin/health").status_code == 200
        process.terminate()
        out, errors = process.communicate(timeout=10)
    assert (out, errors) == ("", "")


def test_each_request_is_a_line_on_standard_error() -> None:
    with served("uumit") as (process, lines):
        httpx2.get(f"{lines[0]}/api/v1/wallet", headers={"Authorization": "Bearer human-alice-token"})
        httpx2.get(f"{lines[0]}/nope", headers={"Tasktwin-World": "w1"})
        process.terminate()
        out, errors = process.communicate(timeout=10)
    assert out == ""
    assert errors.splitlines() == [
        "200 GET    /api/v1/wallet getWallet state",
        "404 GET    /nope - [w1] refused: no_such_path",
    ]


def test_of_several_providers_a_line_tells_which_was_asked() -> None:
    with served("uumit", "aitasker") as (process, lines):
        httpx2.get(f"{lines[0]}/aitasker/api/v1/tasks")
        httpx2.get(f"{lines[0]}/uumit/_tasktwin/worlds/w1/api/api/v1/wallet")
        process.terminate()
        _, errors = process.communicate(timeout=10)
    assert errors.splitlines() == [
        "401 GET    /aitasker/api/v1/tasks listTasks refused: not_authenticated",
        "401 GET    /uumit/api/v1/wallet getWallet [w1] refused: not_authenticated",
    ]


def test_requests_may_be_logged_as_json() -> None:
    with served("uumit", "--log-format=json") as (process, lines):
        httpx2.get(f"{lines[0]}/api/v1/wallet")
        process.terminate()
        _, errors = process.communicate(timeout=10)
    entry = json.loads(errors)
    assert (entry["status"], entry["operation"], entry["world"]) == (401, "getWallet", "default")
    assert entry["reason"] == "refused: not_authenticated"


def curl(line: str) -> tuple[int, str]:
    """Paste a line into bash; the status and the body."""
    done = subprocess.run(
        ["bash", "-c", f"{line.strip()} -w '\\n%{{http_code}}'"], capture_output=True, text=True, check=True, timeout=10
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


@pytest.mark.parametrize("name", bundled())
def test_the_printed_curl_line_works_when_pasted(name: str) -> None:
    with served(name) as (_, lines):
        assert lines[2].startswith("  curl -sS http://127.0.0.1:")
        status, body = curl(lines[2])
    assert status == 200
    assert '"title"' in body, "there are tasks in it"


def test_the_printed_address_of_the_control_plane_is_a_page() -> None:
    with served("uumit") as (_, lines):
        page = httpx2.get(lines[1].rpartition(" ")[2])
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "Bearer human-alice-token" in page.text


def test_the_printed_curl_line_works_whatever_the_headers_and_the_server_path(tmp_path: Path) -> None:
    hard = 'it\'s $HOME \\"quoted\\"'
    files = {
        **edited("openapi.yaml", "security:\n", "servers: [{url: https://jobs.example/v1}]\nsecurity:\n"),
        **edited("provider.yaml", "Authorization: Bearer ann-token", f'Authorization: "Bearer {hard}"'),
        **edited("seeds/default.yaml", "secret: ann-token", f'secret: "{hard}"'),
    }
    with served(str(write(tmp_path, files))) as (_, lines):
        assert "/v1/jobs" in lines[2]
        status, body = curl(lines[2])
    assert (status, json.loads(body)["total"]) == (200, 3)


# ── several providers ────────────────────────────────────────────────────────────────────────────────────────────────


def test_several_providers_are_each_under_its_name_and_the_root_lists_them(tmp_path: Path) -> None:
    with served("uumit", str(write(tmp_path))) as (_, lines):
        url = lines[0]
        page = httpx2.get(url)
        assert page.headers["content-type"].startswith("text/html")
        assert [
            name for name in (f"{url}/uumit", f"{url}/jobs", "UUMit", "Jobs", "ann-token") if name not in page.text
        ] == []
        assert httpx2.get(f"{url}/_tasktwin/health").json()["providers"] == ["uumit", "jobs"]
        assert httpx2.get(f"{url}/jobs/jobs", headers={"Authorization": "Bearer ann-token"}).json()["total"] == 3
        assert httpx2.get(f"{url}/uumit/api/v1/wallet").status_code == 401
        assert httpx2.get(f"{url}/jobs/_tasktwin/state").json()["collections"] == {"token": 2, "job": 3}
        lost = httpx2.get(f"{url}/nix/x")
        assert (lost.status_code, lost.headers["content-type"]) == (404, "application/problem+json")
        assert [curl(line)[0] for line in (lines[2], lines[4])] == [200, 200]


def test_without_a_name_all_bundled_providers_are_served_under_their_names() -> None:
    with served() as (_, lines):
        names = httpx2.get(f"{lines[0]}/_tasktwin/health").json()["providers"]
        assert names == [each["provider"] for each in json.loads(run("list", "--json").stdout)]
        assert httpx2.get(f"{lines[0]}/{names[0]}/_tasktwin/health").json()["providers"] == names[:1]


def test_worlds_begin_as_the_options_say() -> None:
    with served("uumit", "-q", "--seeds=empty", "--now=2030-01-01T00:00:00Z", "--clock=frozen", "--seed=5") as (
        _,
        lines,
    ):
        world = httpx2.get(f"{lines[0]}/_tasktwin/worlds/default").json()
        assert (world["now"], world["mode"], world["seeds"], world["seed"]) == (
            "2030-01-01T00:00:00.000000Z",
            "frozen",
            "empty",
            5,
        )


# ── the token ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_off_loopback_the_control_plane_wants_the_token_that_is_printed() -> None:
    with served("uumit", "--host=0.0.0.0", "-q") as (process, lines):
        assert process.stderr is not None
        token = process.stderr.readline().removeprefix("control token: ").strip()
        url = lines[0].replace("0.0.0.0", "127.0.0.1")
        assert len(token) >= 24
        assert [httpx2.get(f"{url}/_tasktwin/state", headers=headers).status_code for headers in
                ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {token}"})] == [401, 401, 200]  # fmt: skip
        assert httpx2.get(f"{url}/_tasktwin/health").status_code == 200
        assert (
            httpx2.get(f"{url}/api/v1/wallet", headers={"Authorization": "Bearer human-alice-token"}).status_code == 200
        )


def test_a_given_token_is_asked_for_and_not_printed() -> None:
    with served("uumit", "-q", "--control-token=sesame") as (process, lines):
        assert httpx2.post(f"{lines[0]}/_tasktwin/reset").status_code == 401
        assert httpx2.post(f"{lines[0]}/_tasktwin/reset", headers={"Authorization": "Bearer sesame"}).status_code == 200
        process.terminate()
        out, errors = process.communicate(timeout=10)
    assert "sesame" not in out + errors


@pytest.mark.parametrize(
    ("options", "says"), [((), "callers and more at "), (("--control-token=sesame",), "for whoever sends the token, ")]
)
def test_a_browser_is_sent_to_no_page_that_wants_the_token(options: tuple[str, ...], says: str) -> None:
    with served("uumit", *options) as (_, lines):
        assert lines[1] == f"  UUMit: 41 operations; {says}{lines[0]}/_tasktwin"


def test_a_token_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKTWIN_CONTROL_TOKEN", "sesame")
    with served("uumit", "-q") as (process, lines):
        assert httpx2.post(f"{lines[0]}/_tasktwin/reset").status_code == 401
        assert httpx2.post(f"{lines[0]}/_tasktwin/reset", headers={"Authorization": "Bearer sesame"}).status_code == 200
        process.terminate()
        out, errors = process.communicate(timeout=10)
    assert "sesame" not in out + errors


def test_an_empty_token_in_the_environment_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKTWIN_CONTROL_TOKEN", "")
    with served("uumit", "--host=0.0.0.0", "-q") as (process, _):
        assert process.stderr is not None
        assert process.stderr.readline().startswith("control token: ")


# ── what is imported ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, tasktwin; print(*sorted(name for name in sys.modules if '.' not in name))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert [name for name in (*HEAVY, "uvicorn", "starlette", "yaml", "jsonschema_rs", "click") if name in loaded] == []


def test_no_heavy_import_stands_before_the_first_answer() -> None:
    with served("uumit", "-q", python=("-X", "importtime")) as (process, lines):
        answer = httpx2.get(f"{lines[0]}/api/v1/wallet", headers={"Authorization": "Bearer human-alice-token"})
        assert answer.status_code == 200
        process.terminate()
        _, errors = process.communicate(timeout=10)
    loaded = {
        line.rsplit("|", 1)[1].strip().split(".")[0] for line in errors.splitlines() if line.startswith("import time:")
    }
    assert "starlette" in loaded, "the list is that of the server"
    assert [name for name in HEAVY if name in loaded] == []


def test_the_first_answer_comes_soon() -> None:
    begun = time.monotonic()
    with served("uumit", "-q") as (_, lines):
        assert httpx2.get(f"{lines[0]}/_tasktwin/health").status_code == 200
    assert time.monotonic() - begun < 10, "far above what it takes: this machine may be busy"
