"""The vendor's cURL guide through real bash, curl and jq: its closing script, and each command before it.

Only the base URL and the placeholders are changed. Source: https://uumit.com/en/docs/sdk/curl/
"""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
import yaml

from tasktwin.wire import Json

HERE = Path(__file__).parent
SCRIPT = (HERE / "curl_guide.sh").read_text(encoding="utf-8")
COMMANDS = {each["name"]: each for each in yaml.safe_load((HERE / "curl_guide.yaml").read_text(encoding="utf-8"))}

API_KEY, USER_ID, CAP_ID = "uuagent_sk_demo", "a0000000-0000-4000-8000-0000000000a1", "cap_ocr_invoice_v1"
HEADERS = '-H "X-Api-Key: $API_KEY" -H "X-Platform-User-Id: $USER_ID"'
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Serve = Callable[..., str]


def test_the_script_of_the_guide_prints_what_it_promises(serve: Serve) -> None:
    script = set_lines(SCRIPT, BASE=serve("uumit"), API_KEY=API_KEY, USER_ID=USER_ID)
    done = bash(script)
    printed = sections(done.stdout)

    assert done.stderr == ""
    assert [len(values) for values in printed.values()] == [1, 2, 3, 1, 1], printed
    reached, (code, wallet), names, (sent,), (asked,) = printed.values()
    assert reached == [0]
    assert (code, wallet["ut"]["total"]) == (0, "2935.00")
    assert "Translation" in names
    assert UUID.fullmatch(sent["result"]["id"])
    assert (sent["id"], asked["id"]) == ("demo-1", "demo-2")
    assert asked["result"] == sent["result"]


def test_the_script_stops_after_the_refusal_when_the_capability_is_unknown(serve: Serve) -> None:
    script = set_lines(SCRIPT, BASE=serve("uumit"), API_KEY=API_KEY, USER_ID=USER_ID)
    *_, (title, (refused,)) = sections(bash(script, CAP_ID="cap_nobody_sells").stdout).items()
    assert title == "4. A2A JSON-RPC create transaction"
    assert (refused["id"], refused["error"]["code"]) == ("demo-1", -32602)


@pytest.mark.parametrize("case", COMMANDS.values(), ids=COMMANDS)
def test_a_command_of_the_guide_answers_as_it_says(serve: Serve, case: Json) -> None:
    base = serve("uumit", "--clock", case.get("clock", "real"))
    transaction = bought(base) if "TRANSACTION_UUID_HERE" in case["command"] else ""
    done = bash(filled(case["command"], base, transaction) + case.get("then", ""))
    printed = events(done.stdout) if "curl -N" in case["command"] else done.stdout
    assert [
        condition for condition in case["holds"].splitlines() if not holds(condition, printed, transaction)
    ] == [], done.stdout
    assert [line for line in case.get("details", ()) if line not in done.stderr] == []


def test_repeating_a_purchase_with_its_key_gives_the_first_result_and_buys_once(serve: Serve) -> None:
    base = serve("uumit")
    key, purchase = filled(COMMANDS["create transaction"]["command"], base).split("\n", 1)
    count = f"curl -sS {base}/api/v1/transactions {HEADERS} | jq .data.total"
    before, first, second, after = values(bash(f"{count}\n{key}\n{purchase}{purchase}{count}").stdout)
    assert second == first
    assert after == before + 1


def test_two_purchases_with_keys_of_their_own_are_two(serve: Serve) -> None:
    command = filled(COMMANDS["create transaction"]["command"], serve("uumit"))
    first, second = values(bash(command + command).stdout)
    assert first["data"]["id"] != second["data"]["id"]


def bash(script: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it as a person would who has set the guide's variables."""
    known = {"API_KEY": API_KEY, "USER_ID": USER_ID, "CAP_ID": CAP_ID}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        env={**os.environ, "NO_PROXY": "127.0.0.1", **known, **env},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )


def set_lines(script: str, **values_: str) -> str:
    """The script with the values of its assignments replaced, and nothing else."""
    for name, value in values_.items():
        script, times = re.subn(rf'^{name}=".*"$', f'{name}="{value}"', script, flags=re.MULTILINE)
        assert times == 1, name
    return script


def filled(command: str, base: str, transaction: str = "") -> str:
    """The command with the guide's placeholders replaced."""
    places = {
        "https://api.uumit.com": base,
        "uuagent_sk_REPLACE_ME": API_KEY,
        "REPLACE_WITH_USER_UUID": USER_ID,
        "TRANSACTION_UUID_HERE": transaction,
        "curl -sS ... ": f"curl -sS {base}/api/v1/capabilities {HEADERS} ",
    }
    for place, value in places.items():
        command = command.replace(place, value)
    return command


def bought(base: str) -> str:
    """A transaction to ask for: bought by the guide's own command."""
    (answer,) = values(bash(filled(COMMANDS["a2a tasks send"]["command"], base)).stdout)
    return str(answer["result"]["id"])


def holds(condition: str, printed: str, transaction: str) -> bool:
    """Whether jq finds the condition true of what was printed."""
    env = {**os.environ, "TRANSACTION": transaction}
    done = subprocess.run(["jq", "-e", condition], input=printed, env=env, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), f"{condition}: {done.stderr}"
    return done.returncode == 0


def events(printed: str) -> str:
    """The events that curl printed, as a JSON list."""
    asked, media = httpx2.Request("POST", "http://twin"), {"Content-Type": "text/event-stream"}
    response = httpx2.Response(200, headers=media, text=printed, request=asked)
    return json.dumps([{"event": each.event, "data": each.json()} for each in httpx2.EventSource(response)])


def sections(printed: str) -> dict[str, list[Json]]:
    """What stands under each ``=== heading ===``."""
    _, *parts = re.split(r"^=== (.*) ===$", printed, flags=re.MULTILINE)
    return {title: values(body) for title, body in zip(parts[::2], parts[1::2], strict=True)}


def values(printed: str) -> list[Json]:
    """The JSON values that jq printed one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while printed[at:].strip():
        at += len(printed[at:]) - len(printed[at:].lstrip())
        value, at = decoder.raw_decode(printed, at)
        found.append(value)
    return found
