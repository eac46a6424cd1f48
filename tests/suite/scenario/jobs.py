"""Scenarios of the small jobs API, written for one test each."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from textwrap import indent

from tests.provider.small import write

from tasktwin.provider import Provider, load
from tasktwin.suite.budget import Budget
from tasktwin.suite.run import Options, Run, go_through
from tasktwin.suite.scenario import scenarios
from tasktwin.suite.target import Callers, Target
from tasktwin.suite.traffic import Request

HEAD = """\
arazzo: 1.0.1
info: {title: Jobs, version: 1.0.0}
sourceDescriptions: [{name: jobs, type: openapi, url: ../openapi.yaml}]
"""
POST = """\
- stepId: post
  operationId: createJob
  x-tasktwin-as: ann
  requestBody: {contentType: application/json, payload: {title: Dig, hours: 3}}
  successCriteria:
    - condition: $statusCode == 201
  outputs: {id: $response.body#/id}
"""
READ = """\
- stepId: read
  operationId: getJob
  x-tasktwin-as: ann
  parameters: [{name: job_id, in: path, value: $steps.post.outputs.id}]
"""


def flow(*steps: str, name: str = "main", more: str = "") -> str:
    """A workflow of these steps, as YAML."""
    return f"- workflowId: {name}\n{indent(more, '  ')}  steps:\n{indent(''.join(steps), '  ')}"


def document(*flows: str, more: str = "") -> str:
    """A document of these workflows."""
    return f"{HEAD}workflows:\n{''.join(flows)}{more}"


def jobs(folder: Path, text: str = "") -> Provider:
    """The jobs API, with one scenario if there is one."""
    provider = load(str(write(folder)))
    if not text:
        return provider
    path = folder / "one.arazzo.yaml"
    path.write_text(text, encoding="utf-8")
    return replace(provider, scenarios=(path,))


def play(
    provider: Provider,
    url: str,
    seconds: float | None = None,
    may_send: Callable[[Request], bool] = lambda _request: True,
) -> Run:
    """What came of playing a provider's scenarios."""
    callers = Callers({name: dict(each.headers) for name, each in provider.rules.principals.items()})
    target = Target(url, callers, Budget(seconds), may_send, patience=5.0)
    run = Run(provider, target, Options(("scenarios",)))
    try:
        go_through(run, [("scenarios", scenarios)])
    finally:
        target.close()
    return run
