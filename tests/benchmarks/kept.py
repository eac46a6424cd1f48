"""BENCHMARKS.md: a section for each measurement that is kept, and on which machine it was made."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

FILE = Path(__file__).parents[2] / "BENCHMARKS.md"


def keep(heading: str, about: str, versions: str, text: str) -> None:
    """Put a run in the place of the former one."""
    head, *sections = FILE.read_text(encoding="utf-8").split("\n## ")
    kept = {each.partition("\n")[0]: each.rstrip() for each in sections}
    kept[heading] = f"{heading}\n\n{about}\n\n{versions}\n\n```text\n{text}\n```"
    FILE.write_text("\n\n## ".join([head.rstrip(), *kept.values()]) + "\n", encoding="utf-8")


def machine() -> str:
    """When and on what this is measured."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    own = [f"{each} {version(each)}" for each in ("tasktwin", "uvicorn", "starlette")]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores of {cpu}, shared with the load generator; "
        f"Python {platform.python_version()}, {', '.join(own)}"
    )
