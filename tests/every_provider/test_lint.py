"""Redocly's linter on the documents of every bundled provider.

What an ``openapi.yaml`` breaks on purpose stands in ``lint.yaml`` beside it: rule → reason.
"""

import json
from pathlib import Path

import pytest
import yaml
from tests.redocly import ROOT, redocly

from tasktwin.provider import bundled

DOCUMENTS = [ROOT / "fixtures" / name / "openapi.yaml" for name in bundled()]
SCENARIOS = [path for name in bundled() for path in sorted((ROOT / "scenarios" / name).glob("*.arazzo.yaml"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=bundled())
def test_the_document_breaks_exactly_the_rules_that_it_gives_reasons_for(document: Path) -> None:
    exceptions = document.with_name("lint.yaml")
    reasons = yaml.safe_load(exceptions.read_text(encoding="utf-8")) if exceptions.exists() else {}
    found = findings(document)
    assert [line for rule, line in found if rule not in reasons] == []
    assert [rule for rule in reasons if rule not in dict(found)] == [], "these reasons are no longer needed"
    assert [rule for rule, reason in reasons.items() if not str(reason or "").strip()] == []


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[path.name for path in SCENARIOS])
def test_a_scenario_keeps_the_rules_of_arazzo(scenario: Path) -> None:
    assert findings(scenario) == []


def findings(document: Path) -> list[tuple[str, str]]:
    """The broken rules, errors and warnings alike, each with a line to read."""
    name = str(document.relative_to(ROOT))
    done = redocly("lint", "--extends=recommended", "--format=json", "--max-problems=10000", name)
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    return [
        (each["ruleId"], f"{name}{each['location'][0]['pointer']}: {each['message']} ({each['severity']})")
        for each in json.loads(done.stdout)["problems"]
    ]
