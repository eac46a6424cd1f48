"""Scenarios: Arazzo documents, played on a deployment.

``arazzo-runner`` from PyPI is not what plays them: it runs the right side of conditions through ``eval``, takes a
condition that it cannot read for one that does not hold, has no way in for another HTTP client without its own
credentials and logging, and needs requests, pydantic and jsonpath-ng.
"""

from tasktwin.suite.scenario.phase import scenarios

__all__ = ["scenarios"]
