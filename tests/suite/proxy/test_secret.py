"""The curl line of what passed sends it again, with variables in place of credentials."""

from pathlib import Path

from tests.suite.proxy.front import folder
from tests.suite.recorder import Got, arrived, bash

from tasktwin import load
from tasktwin.suite.proxy.judgement import Passed
from tasktwin.suite.proxy.secret import Secrets


def again(home: Path, passed: Passed, **env: str) -> Got:
    """What arrives when the line is pasted."""
    secrets = Secrets(load(str(folder(home))))
    url, line = secrets.script(passed, "http://127.0.0.1:9", secrets.mask(passed)).splitlines()
    assert url == "url=http://127.0.0.1:9"
    (got,) = arrived(line, **env)
    return got


def test_what_passed_arrives_again_with_the_credentials_of_who_pastes(tmp_path: Path) -> None:
    headers = ((b"host", b"x"), (b"x-key", b"s3cr3t-key"), (b"x-note", b"it's \xff"), (b"content-type", b"text/plain"))
    got = again(tmp_path, Passed("GET", "/things", b"a[]={b}&c=/../", headers, b"@/etc/passwd"), X_KEY="mine")
    assert (got.method, got.path, got.body) == ("GET", "/things?a[]={b}&c=/../", b"@/etc/passwd")
    assert (got.headers["x-key"], got.headers["x-note"]) == ("mine", "it's \xff")


def test_a_header_that_has_a_name_of_signs_is_no_order_to_the_shell(tmp_path: Path) -> None:
    headers = ((b"x-`echo`$HOME-token", b"s3cr3t-key"), (b"x-$(echo)", b""))
    got = again(tmp_path, Passed("POST", "/things", b"", headers, None), X__ECHO__HOME_TOKEN="mine")
    assert got.headers["x-`echo`$home-token"] == "mine"
    assert got.headers["x-$(echo)"] == ""


def test_a_body_without_a_type_gets_none(tmp_path: Path) -> None:
    assert "content-type" not in again(tmp_path, Passed("POST", "/things", b"", (), b"x")).headers


def test_bash_is_happy_with_the_whole_script(tmp_path: Path) -> None:
    secrets = Secrets(load(str(folder(tmp_path))))
    passed = Passed("HEAD", "/things", b"", ((b"x-key", b"s3cr3t-key"),), None)
    text = secrets.script(passed, "http://a'b", secrets.mask(passed))
    assert "s3cr3t" not in text
    assert bash(f'curl() {{ echo "$@"; }}\n{text}', X_KEY="k") == "-sSi -I http://a'b/things -H x-key: k\n"
