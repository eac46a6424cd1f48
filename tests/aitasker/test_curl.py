"""The cURL examples of the vendor's reference pages, through real bash and curl. Only base URL, token and id are changed."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tasktwin.provider import load
from tasktwin.wire import Json

PAGES = {page["name"]: page for page in yaml.safe_load(Path(__file__).with_name("pages.yaml").read_text("utf-8"))}
OPERATIONS = {"create task": ("createTask", 201), "update draft task": ("updateDraftTask", 200)}
DRAFT = "10000000-0000-4000-8000-000000000001"
TELLING_THE_STATUS = "curl() { command curl -sS --write-out '\\n%{http_code}' \"$@\"; }\n"

Serve = Callable[..., str]


def test_the_example_of_the_autosave_is_answered_with_what_it_sent(serve: Serve) -> None:
    status, body = bash(PAGES["update draft task"]["command"], serve("aitasker"))
    text = dict.fromkeys(("title", "description", "category", "task_type"), "<string>")
    brand = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
    expected = {**text, "requirements": {}, "budget_usd": 151.5, "experimentation": 0.5, "brand_kit_id": brand}
    assert status == 200
    assert {name: body[name] for name in expected} == expected
    assert (body["id"], body["status"]) == (DRAFT, "draft")


def test_the_example_of_create_has_no_content_and_is_refused_by_the_rule_that_its_neighbour_states(
    serve: Serve,
) -> None:
    status, body = bash(PAGES["create task"]["command"], serve("aitasker"))
    (fault,) = body["detail"]
    assert (status, fault["type"], fault["loc"]) == (422, "value_error", ["body"])
    assert fault["input"] == json.loads(PAGES["create task"]["command"].split("--data '")[1].rstrip("'\n"))


def test_the_example_of_create_with_a_description_makes_a_task(serve: Serve) -> None:
    command = PAGES["create task"]["command"].replace('"description": ""', '"description": "Twenty characters, yes."')
    status, body = bash(command, serve("aitasker"))
    assert (status, body["status"], body["title"], body["budget_usd"]) == (201, "open", "<string>", 151.5)
    assert list(body) == list(json.loads(PAGES["create task"]["answer"]))


@pytest.mark.parametrize("name", PAGES)
def test_the_answer_of_the_page_keeps_the_contract(name: str) -> None:
    operation, status = OPERATIONS[name]
    contract = load("aitasker").rules.contract
    answer = json.loads(PAGES[name]["answer"])
    assert contract.operations[operation].check_response(status, "application/json", answer) == ()


def bash(command: str, base: str) -> tuple[int, Json]:
    """Status and body of the command, run as a person would who has a key and a draft."""
    places = {"https://api.example.com": base, "<token>": "aitk_test_poster", "{task_id}": DRAFT}
    for place, value in places.items():
        command = command.replace(place, value)
    env = {**os.environ, "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        ["bash", "-c", TELLING_THE_STATUS + command], env=env, capture_output=True, text=True, timeout=30, check=True
    )
    body, status = done.stdout.rsplit("\n", 1)
    return int(status), json.loads(body)
