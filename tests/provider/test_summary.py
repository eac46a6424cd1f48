"""``tasktwin list --json``: what scripts read."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.provider.small import write

from tasktwin.cli import main
from tasktwin.provider import bundled


def listed(*arguments: str) -> Any:
    result = CliRunner().invoke(main, ["list", *arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@pytest.mark.parametrize("name", bundled())
def test_a_provider_is_listed_in_the_documented_shape(name: str) -> None:
    told = listed(name)
    documented = {"provider", "title", "operations", "lifecycles", "principals", "seeds", "scenarios", "provenance"}
    assert set(told) == documented | {"about", "assumptions"}
    assert {key for each in told["operations"] for key in each} == {"id", "method", "path", "provenance", "modelled"}
    assert {key for each in told["lifecycles"].values() for key in each} == {"states", "transitions"}
    assert {key for each in told["principals"] for key in each} == {"name", "headers", "about"}
    assert {key for each in told["seeds"] for key in each} == {"name", "about"}
    assert set(told["provenance"]) == {"stated", "observed", "assumed"}
    assert len(told["assumptions"]) == told["provenance"]["assumed"]


def test_without_a_name_all_bundled_providers_are_listed() -> None:
    assert [each["provider"] for each in listed()] == bundled()


def test_a_folder_is_listed_with_its_values(tmp_path: Path) -> None:
    told = listed(str(write(tmp_path)))
    assert (told["provider"], told["title"]) == ("jobs", "Jobs")
    first = {"id": "listJobs", "method": "GET", "path": "/jobs", "provenance": "stated D", "modelled": True}
    assert told["operations"][0] == first
    assert told["lifecycles"]["job"]["states"] == ["open", "running", "done", "lapsed"]
    causes = {each["name"]: each["cause"] for each in told["lifecycles"]["job"]["transitions"]}
    assert causes == {
        "create": "createJob", "start": "startJob", "finish": "finishJob", "abandon": "trigger abandon", "lapse": "after 259200 s",
    }  # fmt: skip
    assert told["principals"][0] == {
        "name": "ann",
        "headers": {"Authorization": "Bearer ann-token"},
        "about": "Posts jobs",
    }
    assert [each["name"] for each in told["seeds"]] == ["default", "empty"]
    assert told["provenance"] == {"stated": 29, "observed": 3, "assumed": 6}
