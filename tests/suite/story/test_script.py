"""A story as bash: what is pasted sends what was sent, with what it learns on the way."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.suite.market import create, job

from tasktwin.suite.budget import Budget
from tasktwin.suite.story.script import MOST_COMPARED, script
from tasktwin.suite.story.step import Ref, Step
from tasktwin.suite.target import Callers, Target
from tasktwin.suite.traffic import Request

URL = "http://127.0.0.1:9"
HEADERS = {"ann": {"Authorization": "Bearer ann-token"}}
ECHO = "curl() { printf '%s\\0' \"$@\"; }\n"
"""In place of curl: what it was called with."""

TARGET = Target(URL, Callers(HEADERS), Budget())


def bash(text: str, **env: str) -> str:
    done = subprocess.run(["bash", "-c", text], capture_output=True, check=True, env={"PATH": "/usr/bin:/bin", **env})
    assert done.stderr == b""
    return done.stdout.decode()


def written(*played: tuple[Step, Request, Mapping[Ref, object]], target: Target = TARGET, told: str = "") -> str:
    return script(target, played, told)


def steps(*given_: Step) -> Sequence[tuple[Step, Request, Mapping[Ref, object]]]:
    """Steps of the market as they were sent: job 7 was made."""
    requests = {
        "createJob": Request("POST", "/jobs", "ann", {"content-type": "application/json"}, b'{"title":"Dig"}'),
        "getJob": Request("GET", "/jobs/job-7", "ann"),
        "startJob": Request("POST", "/jobs/job-7/start", "ann"),
    }
    return [
        (each, requests[each.operation], dict.fromkeys([Ref(one, "/id") for one in each.refs()], "job-7"))
        for each in given_
    ]


def test_a_story_passes_on_what_it_learns_and_shows_its_last_status() -> None:
    text = written(*steps(create(), job(2, "getJob")), told="expected: 403\nactual:   200")
    assert f"url={URL}\n# 1. ann: createJob\nanswer=$(curl -sS -X POST" in text
    assert 'id_1=$(jq -r \'.["id"]\' <<<"$answer")' in text
    assert text.splitlines()[-3].startswith('curl -sS -w \'\\nHTTP %{http_code}\\n\' "$url"/jobs/"$id_1"')
    assert text.endswith("# expected: 403\n# actual:   200\n")


def test_a_story_that_needs_nothing_of_an_answer_throws_it_away() -> None:
    text = written(*steps(Step(1, "getJob", "ann"), create(2)))
    assert text.count(">/dev/null") == 1
    assert "answer=" not in text


def test_earlier_answers_to_the_same_are_shown_too_because_one_compares_them() -> None:
    text = written(*steps(*[create(n) for n in range(1, 4)], *[job(n, "getJob") for n in range(4, 12)]))
    shown = [line for line in text.splitlines() if "HTTP %{http_code}" in line]
    assert len(shown) == MOST_COMPARED + 1
    assert all("/jobs/" in line for line in shown)
    assert 'echo "$answer"' in written(*steps(create(), create(2), job(3, "startJob", made=1), create(4)))


def test_where_a_target_contradicts_itself_other_earlier_answers_are_shown_too() -> None:
    played = steps(create(), job(2, "startJob"), job(3, "getJob"))
    text = script(TARGET, played, "", against_itself=True)
    assert text.count("HTTP %{http_code}") == 3
    assert 'echo "$answer"' in text
    assert ">/dev/null" not in text


@pytest.mark.skipif(not shutil.which("jq"), reason="needs jq")
def test_what_is_taken_out_of_an_answer_that_is_shown_is_not_its_status() -> None:
    text = written(*steps(create(), create(2), job(3, "startJob", made=1), create(4)))
    answers = 'curl() { printf \'{"id":"job-7"}\\nHTTP 201\\n\'; }\n'
    assert "job-7" in bash(f'{answers}{text}echo "$id_1"', PATH=os.environ["PATH"]).splitlines()[-1]


def test_the_time_that_passes_while_a_stream_is_open_passes_before_it_is_shown() -> None:
    text = script(TARGET, steps(create(), job(2, "getJob", listens=2.0)), "", 30.5)
    assert text.index("sleep 30.5") < text.index("cat ")


@pytest.mark.parametrize(
    ("pointer", "answer", "value"),
    [("/id", '{"id": "a"}', "a"), ("/data/items/0/id", '{"data": {"items": [{"id": 7}]}}', "7"), ("/a~1b/~0", '{"a/b": {"~": "x"}}', "x"),
     ("", '"whole"', "whole"), ("/it's", '{"it\'s": "odd"}', "odd")],
)  # fmt: skip
def test_a_value_is_found_in_an_answer(pointer: str, answer: str, value: str, tmp_path: Path) -> None:
    (tmp_path / "answer").write_text(answer)
    ref = Ref(1, pointer)
    played = [
        (create(), Request("POST", "/jobs"), {}),
        (Step(2, "getJob", path={"job_id": ref}), Request("GET", f"/jobs/<{value}>"), {ref: f"<{value}>"}),
    ]
    text = f'curl() {{ if [[ "$*" == *POST* ]]; then cat {tmp_path}/answer; else echo "$@"; fi; }}\n{written(*played)}'
    assert f"{URL}/jobs/{value}" in bash(text)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (job(2, "getJob", wait=90), "\nsleep 90\n"),
        (job(2, "getJob", about="by a stranger"), "# 2. ann: getJob, by a stranger\n"),
        (job(2, "getJob", left=True), "--max-time 0.05 >/dev/null 2>&1"),
        (job(2, "getJob", volley=1), " &\nwait\n"),
        (job(2, "getJob", listens=2.0), "sleep 2\nkill $(jobs -p) 2>/dev/null"),
        (Step(2, "getJob", "", {"job_id": Ref(1, "/id")}), "# 2. nobody: getJob\n"),
    ],
    ids=["time", "about", "left", "volley", "stream", "nobody"],
)
def test_a_step_is_played_as_it_was(step: Step, words: str) -> None:
    text = written(*steps(create(), step))
    assert words in text
    assert f"{URL}/jobs/job-7" in bash(
        f'sleep() {{ command sleep 0.3; }}\ncurl() {{ echo "$@" >&3; }}\njq() {{ echo job-7; }}\nexec 3>&1\n{text}'
    )


def test_what_is_told_is_a_comment_whatever_it_holds() -> None:
    text = written(*steps(create()), told="actual: $(touch /tmp/x)\n`date`\r\necho broken")
    assert bash(f"{ECHO}{text}").count("broken") == 0


def test_two_values_of_one_name_have_their_own_variables() -> None:
    first, second = Ref(1, "/id"), Ref(1, "/data/id")
    step = Step(2, "getJob", path={"job_id": first}, query={"of": second})
    text = written(
        (create(), Request("POST", "/jobs"), {}),
        (step, Request("GET", "/jobs/aaaa?of=bbbb"), {first: "aaaa", second: "bbbb"}),
    )
    assert '"$url"/jobs/"$id_1"\'?of=\'"$id_1_"' in text
