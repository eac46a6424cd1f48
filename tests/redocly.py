"""Redocly's command line, as its users run it: it lints OpenAPI and Arazzo documents and plays scenarios."""

import subprocess
from pathlib import Path

from tests import npm

ROOT = npm.ROOT
PACKAGES = ("@redocly/cli@2.77.0",)
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1"}


def redocly(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run ``redocly`` with these arguments; how it ended, whatever it found."""
    return npm.run(PACKAGES, "@redocly/cli/bin/cli.js", *arguments, cwd=cwd, env=QUIET)
