"""No report holds a credential, wherever it came back."""

from base64 import b64encode
from html import escape
from pathlib import Path
from urllib.parse import quote

import pytest
from rich.console import Console
from tests.suite.report.small_run import JSON, MORNING, SECRET, finding, line, small_run

from tasktwin.suite.finding import Basis, Finding, Line
from tasktwin.suite.report import write_reports
from tasktwin.suite.run import Run
from tasktwin.suite.summary import print_summary
from tasktwin.suite.target import Callers
from tasktwin.suite.traffic import Reply, Request, Sent
from tasktwin.wire import dumps

PASSWORD = "correct-horse"
ISSUED = "issued-4711-token"
CALLERS = Callers(
    {
        "alice": {"X-Api-Key": SECRET, "Cookie": f"theme=dark; session={SECRET}99"},
        "bob": {"Authorization": f"Bearer {SECRET}", "Accept": "application/json"},
        "eve": {"Authorization": "Basic " + b64encode(f"eve:{PASSWORD}".encode()).decode()},
    },
    secret=True,
    written={"alice": {"X-Api-Key": "$ALICE"}},
)
FORMS = {
    "as it is": SECRET,
    "in a URL": quote(SECRET, safe=""),
    "in JSON": dumps(SECRET).decode(),
    "in HTML": escape(SECRET),
    "a cookie": f"{SECRET}99",
    "a password": PASSWORD,
    "Basic": b64encode(f"eve:{PASSWORD}".encode()).decode(),
}


def leaky(secret: str) -> Finding:
    """A finding with a credential in every text."""
    request = Request("POST", f"/x?key={secret}", "alice", {"X-Echo": secret}, secret.encode(), secret)
    reply = Reply(200, {**JSON, "set-cookie": secret, "x-echo": secret}, secret.encode(), problem=secret)
    texts = dict.fromkeys(("title", "expected", "actual", "cause", "script", "pointer", "operation"), f"« {secret} »")
    return finding(**texts, basis=Basis("itself", secret, f"https://x/{secret}"), story=(Line(request, reply, secret),))


def leaky_run(secret: str) -> Run:
    run = small_run(leaky(secret), callers=CALLERS, cut=f"cannot reach {secret}")
    step = run.findings.by_cause[f"« {secret} »"].story[0]
    run.target.traffic.append(Sent(9, "protocol", step.request, step.reply, MORNING))
    run.units.append(f"protocol:{secret}")
    run.skip("protocol", secret, secret)
    run.leftovers.append(secret)
    run.findings.accepted[secret] = 1
    run.answered[secret, 200] = 1
    return run


def everything(run: Run, folder: Path) -> str:
    """All that is written and printed of a run."""
    written = write_reports(folder, run, command=f"tasktwin fuzz {URL}", url=URL)
    with Console(record=True, width=4_000, file=(folder / "terminal").open("w")) as console:
        print_summary(run, console, command=f"tasktwin fuzz {URL}", reports=written)
    console.file.close()
    return "\n".join(path.read_text("utf-8") for path in (*written, folder / "terminal"))


URL = "https://someone:hunter2222@staging.example.com"


@pytest.mark.parametrize("secret", FORMS.values(), ids=FORMS)
def test_a_credential_that_came_back_is_nowhere(tmp_path: Path, secret: str) -> None:
    told = everything(leaky_run(secret), tmp_path)
    for each in FORMS.values():
        assert each not in told
    assert "[redacted]" in told


def test_the_user_in_the_url_of_the_target_is_nowhere(tmp_path: Path) -> None:
    told = everything(small_run(finding()), tmp_path)
    assert "hunter2222" not in told
    assert "https://[redacted]@staging.example.com" in told


@pytest.mark.parametrize("key", ["access_token", "refresh_token", "apiKey", "client_secret", "password", "token"])
def test_what_a_deployment_issues_is_nowhere(tmp_path: Path, key: str) -> None:
    issues = line("POST", "/login", 200, {key: ISSUED}, {"data": {key: ISSUED, "name": "Ann"}})
    told = everything(small_run(finding(story=(issues,)), callers=CALLERS), tmp_path)
    assert ISSUED not in told
    assert "Ann" in told


def test_a_credential_that_is_cut_off_in_the_middle_is_nowhere(tmp_path: Path) -> None:
    for short in range(0, len(SECRET) + 2, 6):
        body = b"x" * (16_384 - short) + SECRET.encode() + b"y" * 90_000
        request, reply = Request("POST", "/", "alice", JSON, body), Reply(200, JSON, body)
        run = small_run(finding(story=(Line(request, reply),)), callers=CALLERS)
        run.target.traffic.append(Sent(9, "protocol", request, reply, MORNING))
        assert SECRET[:6] not in everything(run, tmp_path)


def test_demo_credentials_may_be_shown(tmp_path: Path) -> None:
    run = small_run(finding(script="curl -H 'X-Api-Key: demo-bob'"))
    assert "X-Api-Key: demo-bob" in everything(run, tmp_path)


def test_pages_tokens_and_other_words_are_left_alone(tmp_path: Path) -> None:
    harmless = line(
        "GET", "/", 200, answered={"next_page_token": "p2-of-many", "tokens": 5, "author": "application/json"}
    )
    told = everything(small_run(finding(story=(harmless,)), callers=CALLERS), tmp_path)
    assert "p2-of-many" in told
    assert "application/json" in told
