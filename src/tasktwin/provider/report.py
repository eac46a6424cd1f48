"""The tables that ``list`` and ``check`` print: aligned, coloured where a terminal allows."""

from collections.abc import Iterator
from typing import Any

from rich import box, markup
from rich.console import Console
from rich.table import Table

from tasktwin.errors import printable
from tasktwin.provider.check import Report

WIDE = 120
"""Columns from which on there is room for reasons."""

COLOURS = {"stated": "green", "observed": "cyan", "assumed": "yellow"}


def escape(text: str) -> str:
    """A text of the data as it may stand in the markup of a table."""
    return markup.escape(printable(text))


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=160, emoji=False)
    return console


def _table(console: Console, *columns: str, title: str = "", folded: tuple[str, ...] = ()) -> Table:
    """A table whose ``folded`` columns give way where the terminal is narrow, so that names stay whole."""
    table = Table(box=None, padding=(0, 2, 0, 0)) if _narrow(console) else Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.title, table.title_justify, table.title_style = title or None, "left", "bold"
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column not in folded)
    return table


def _narrow(console: Console) -> bool:
    return console.width < WIDE


def _mark(provenance: str, console: Console) -> str:
    """The provenance in its colour; where there is no room its reason is left to FIDELITY.md."""
    kind = provenance.split(" ", maxsplit=1)[0].rstrip(":")
    return f"[{COLOURS.get(kind, 'white')}]{escape(kind if _narrow(console) else provenance)}[/]"


def print_overview(summaries: list[dict[str, Any]]) -> None:
    """One line for each provider."""
    console = _console()
    columns = ("provider", "title", "operations", "lifecycles", "seeds", "assumed")
    table = _table(console, *columns, folded=("lifecycles", "seeds"))
    for each in summaries:
        table.add_row(
            f"[bold]{each['provider']}[/]",
            escape(each["title"]),
            str(len(each["operations"])),
            ", ".join(each["lifecycles"]),
            ", ".join(seeds["name"] for seeds in each["seeds"]),
            f"{each['provenance']['assumed']} of {sum(each['provenance'].values())}",
        )
    console.print(table)
    console.print("Next: tasktwin list PROVIDER, or tasktwin serve PROVIDER")


def print_provider(summary: dict[str, Any]) -> None:
    """All about one provider."""
    console = _console()
    about = f": {summary['about']}" if summary["about"] else ""
    console.print(f"[bold]{escape(summary['title'])}[/] ({summary['provider']}){escape(about)}\n")
    for table in (_operations(console, summary), *_lifecycles(console, summary), *_beginnings(console, summary)):
        console.print(table)
        if _narrow(console):
            console.print()
    console.print(f"Scenarios: {', '.join(summary['scenarios']) or 'none'}")
    console.print("Provenance: " + ", ".join(f"{count} {kind}" for kind, count in summary["provenance"].items()))
    if summary["assumptions"]:
        console.print("What is assumed, and why: FIDELITY.md in the provider's folder, or the option --json")


def _operations(console: Console, summary: dict[str, Any]) -> Table:
    columns = ("operation", "method", "path", "provenance")
    folded = ("path", "provenance") if console.is_terminal else ("provenance",)  # what is piped is searched for paths
    table = _table(console, *columns, title="Operations", folded=folded)
    for each in summary["operations"]:
        name = each["id"] if each["modelled"] else f"{each['id']} (not modelled)"
        table.add_row(escape(name), each["method"], escape(each["path"]), _mark(each["provenance"], console))
    return table


def _lifecycles(console: Console, summary: dict[str, Any]) -> Iterator[Table]:
    columns = ("transition", "from", "to", "cause", "provenance")
    for name, lifecycle in summary["lifecycles"].items():
        table = _table(console, *columns, title=f"Lifecycle: {name}", folded=("from", "cause", "provenance"))
        for way in lifecycle["transitions"]:
            sources, mark = ", ".join(way["from"]), _mark(way["provenance"], console)
            table.add_row(way["name"], sources, way["to"] or "(stays)", way["cause"], mark)
        yield table


def _beginnings(console: Console, summary: dict[str, Any]) -> Iterator[Table]:
    """Who can call, if anybody is known, and what there is."""
    if summary["principals"]:
        table = _table(console, "caller", "headers", "about", title="Demo callers", folded=("headers", "about"))
        for each in summary["principals"]:
            headers = "\n".join(f"{name}: {value}" for name, value in each["headers"].items())
            table.add_row(each["name"], escape(headers), escape(each["about"]))
        yield table
    table = _table(console, "seeds", "about", title="Seeds", folded=("about",))
    for each in summary["seeds"]:
        table.add_row(each["name"], escape(each["about"]))
    yield table


def print_check(report: Report) -> None:
    """The figures, then the problems, then the verdict."""
    console = _console()
    verdict = "[red]wrong[/]" if report.errors else "[green]right[/]"
    console.print(f"[bold]{escape(report.provider)}[/]: the data is {verdict}")
    for name, value in report.figures.items():
        console.print(f"  {name:<36} {escape(value)}", soft_wrap=True)
    if report.provenance:
        console.print(
            f"  {'provenance':<36} " + ", ".join(f"{count} {kind}" for kind, count in report.provenance.items())
        )
    for problem in report.problems:
        colour = "red" if problem.level == "error" else "yellow"
        console.print(f"  [{colour}]{problem.level}[/]: {escape(str(problem))}", soft_wrap=True)
