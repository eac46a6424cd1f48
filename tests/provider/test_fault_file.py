"""Faults in a file: read like an order, with file and line for what is wrong, and taken by whom they can strike."""

from pathlib import Path

import httpx2
import pytest
from tests.conftest import Serve

from tasktwin import load
from tasktwin.behaviour.fault import gentle
from tasktwin.behaviour.worlds import Plan, Worlds
from tasktwin.errors import DataError
from tasktwin.provider.fault_file import read_faults

UUMIT, POSTHOG = load("uumit"), load("posthog")

YAML = """\
# what production brings
- name: busy
  match: {operation: createTask, times: 1}
  do: {status: 503, retry_after: 2}
- do: {delay: {lognormal: [-3, 0.5]}}
"""


def written(folder: Path, text: str, name: str = "faults.yaml") -> str:
    """A file with this text; its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_of_yaml_orders_what_the_control_plane_would(tmp_path: Path) -> None:
    faults = read_faults(written(tmp_path, YAML), [UUMIT])
    assert [fault.as_json() for fault in faults] == [
        {"name": "busy", "match": {"operation": "createTask", "times": 1}, "do": {"status": 503, "retry_after": 2}},
        {"name": "fault-2", "do": {"delay": {"lognormal": [-3, 0.5]}}},
    ]


def test_a_file_of_json_is_read_too(tmp_path: Path) -> None:
    (fault,) = read_faults(written(tmp_path, '[{"do": {"drop": "after"}}]', "faults.json"), [UUMIT])
    assert fault.as_json() == {"name": "fault-1", "do": {"drop": "after"}}


def test_the_bundled_set_is_known_by_its_name() -> None:
    assert read_faults("gentle", [UUMIT, POSTHOG]) == gentle()


WRONG = {
    "a misspelt key": ("- do: {status: 500}\n- name: x\n  mach: {}\n  do: {status: 500}\n", 3, "Did you mean 'match'?"),
    "a misspelt kind": ("- name: x\n  do:\n    dorp: after\n", 3, "Did you mean 'drop'?"),
    "nothing to do": ("- name: x\n", 1, "must say what to do"),
    "an operation nobody has": (
        "- do: {status: 500}\n  match:\n    operation: createTsk\n",
        3,
        "there is no operation 'createTsk'. Did you mean 'createTask'?",
    ),
    "a stream nobody has": ("- match: {operation: createTask}\n  do:\n    stream: cut\n", 3, "answers with no stream"),
    "a name twice": (
        "- &a\n  name: x\n  do: {status: 500}\n- do: {status: 500}\n  name: x\n",
        5,
        "the name of /0 already",
    ),
    "no list": ("do: {status: 500}\n", 1, "faults are a list, not an object"),
    "a key twice": ("- do: {status: 500}\n  do: {status: 501}\n", 2, "do"),
    "no YAML": ("- do: {status: 500\n", 2, ""),
}


@pytest.mark.parametrize(("text", "line", "told"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_in_a_file_is_told_with_its_line(tmp_path: Path, text: str, line: int, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DataError) as caught:
        read_faults(path, [UUMIT])
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (path, line)
    assert told in str(problem)


@pytest.mark.parametrize("name", ["gentel", "x" * 300, "."], ids=["misspelt", "too long", "a folder"])
def test_a_file_that_is_not_there_is_told_with_what_could_be_given(name: str) -> None:
    with pytest.raises(DataError, match=r"there is no such file of faults\. Give a file, or gentle"):
        read_faults(name, [UUMIT])


def test_each_of_several_providers_takes_what_can_strike_it(tmp_path: Path) -> None:
    text = """\
- {name: mine, match: {operation: acceptApplication}, do: {status: 500}}
- {name: theirs, match: {operation: "*Presence"}, do: {status: 500}}
- {name: both, do: {delay: 0.1}}
"""
    faults = read_faults(written(tmp_path, text), [UUMIT, POSTHOG])
    taken = [
        [each["name"] for each in Worlds(one.rules, one.seeds, Plan(faults=faults)).get().faults.as_json()]
        for one in (UUMIT, POSTHOG)
    ]
    assert taken == [["mine", "both"], ["theirs", "both"]]


def test_a_served_twin_begins_with_the_trouble_in_a_file_and_a_reset_brings_it_back(
    tmp_path: Path, serve: Serve
) -> None:
    base = serve("uumit", "--faults", written(tmp_path, YAML))
    faults = f"{base}/_tasktwin/faults"
    assert [each["name"] for each in httpx2.get(faults).json()] == ["busy", "fault-2"]
    assert httpx2.put(faults, json=[]).json() == []
    httpx2.post(f"{base}/_tasktwin/reset")
    assert [each["name"] for each in httpx2.get(faults).json()] == ["busy", "fault-2"]
    other = {"Tasktwin-World": "another"}
    assert [each["name"] for each in httpx2.get(faults, headers=other).json()] == ["busy", "fault-2"]
