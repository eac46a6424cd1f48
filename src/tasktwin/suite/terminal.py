"""What a run and a proxy print at their end in the same way: a finding, facts in two columns, lines that can be copied."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from tasktwin.suite.finding import Finding
from tasktwin.suite.report.legible import clipped, legible

if TYPE_CHECKING:
    from rich.console import Console

MOST: Final = 50
"""Findings that are told; of more only the number."""

MOST_TEXT: Final = 600
"""Characters of one text."""

_COLOURS: Final = {"failure": "bold red", "note": "yellow"}


def print_finding(console: "Console", finding: Finding, told: Iterable[tuple[str, str]], who: str = "") -> None:
    """A finding with what is ``told`` of it, and its script. ``who`` is at fault, where that is in question."""
    from rich.text import Text  # noqa: PLC0415 - heavy

    title = Text(legible(clipped(finding.title, MOST_TEXT)), style="bold")
    head = Text.assemble((finding.severity, _COLOURS[finding.severity]), f"  {who}: " if who else "  ", title)
    console.print(head, soft_wrap=not console.is_terminal)
    print_facts(console, [(f"  {name}", text) for name, text in told if text])
    if finding.script:
        print_line(console, "  script", "dim")
        for line in finding.script.rstrip().split("\n"):
            print_line(console, f"    {line}")
    console.print()


def print_facts(console: "Console", facts: Iterable[tuple[str, str]], *, least: int = 0) -> None:
    """Names and texts in two columns, the first of which has this width at ``least``."""
    from rich.table import Table  # noqa: PLC0415 - heavy
    from rich.text import Text  # noqa: PLC0415

    told = list(facts)
    if not console.is_terminal:  # to be searched and cut: one line each, however long
        width = max((least, *(len(name) for name, _ in told)))
        for name, text in told:
            print_line(console, f"{name:<{width}}  {clipped(text, MOST_TEXT)}".rstrip())
        return
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True, min_width=least)
    table.add_column(overflow="fold")
    for name, text in told:
        table.add_row(name, Text(legible(clipped(text, MOST_TEXT))))
    if told:
        console.print(table)


def print_line(console: "Console", text: str, style: str = "") -> None:
    """One line that is never wrapped, so that it can be copied."""
    from rich.text import Text  # noqa: PLC0415 - heavy

    console.print(Text(legible(text), style=style), soft_wrap=True)
