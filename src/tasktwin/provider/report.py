"""The tables that ``list`` and ``check`` print: aligned, coloured where a terminal allows."""

from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tasktwin.provider.check import Report

COLOURS = {"stated": "green", "observed": "cyan", "assumed": "yellow"}


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=160, emoji=False)
    return console


def _table(*columns: str, title: str = "") -> Table:
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False, title_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _mark(provenance: str) -> str:
    colour = COLOURS.get(provenance.split(" ", maxsplit=1)[0].rstrip(":"), "white")
    return f"[{colour}]{escape(provenance)}[/]"


def print_overview(summaries: list[dict[str, Any]]) -> None:
    """One line for each provider."""
    table = _table("provider", "title", "operations", "lifecycles", "seeds", "scenarios", "stated/observed/assumed")
    for each in summaries:
        table.add_row(
            f"[bold]{each['provider']}[/]",
            escape(each["title"]),
            str(len(each["operations"])),
            ", ".join(each["lifecycles"]),
            ", ".join(seeds["name"] for seeds in each["seeds"]),
            str(len(each["scenarios"])),
            "/".join(str(count) for count in each["provenance"].values()),
        )
    console = _console()
    console.print(table)
    console.print("Next: tasktwin list PROVIDER, or tasktwin serve PROVIDER")


def print_provider(summary: dict[str, Any]) -> None:
    """All about one provider."""
    console = _console()
    console.print(f"[bold]{escape(summary['title'])}[/] ({summary['provider']}) {escape(summary['about'])}")
    operations = _table("operation", "method", "path", "provenance", title="Operations")
    for each in summary["operations"]:
        name = each["id"] if each["modelled"] else f"{each['id']} (not modelled)"
        operations.add_row(name, each["method"], escape(each["path"]), _mark(each["provenance"]))
    console.print(operations)
    for name, lifecycle in summary["lifecycles"].items():
        ways = _table("transition", "from", "to", "cause", "provenance", title=f"Lifecycle: {name}")
        for way in lifecycle["transitions"]:
            ways.add_row(
                way["name"], ", ".join(way["from"]), way["to"] or "(stays)", way["cause"], _mark(way["provenance"])
            )
        console.print(ways)
    callers = _table("principal", "headers", "about", title="Demo callers")
    for each in summary["principals"]:
        headers = "\n".join(f"{name}: {value}" for name, value in each["headers"].items())
        callers.add_row(each["name"], escape(headers), escape(each["about"]))
    console.print(callers)
    seeds = _table("seeds", "about", title="Seeds")
    for each in summary["seeds"]:
        seeds.add_row(each["name"], escape(each["about"]))
    console.print(seeds)
    console.print(f"Scenarios: {', '.join(summary['scenarios']) or 'none'}")
    console.print("Provenance: " + ", ".join(f"{count} {kind}" for kind, count in summary["provenance"].items()))
    console.print(
        f"What is assumed, and why: tasktwin list {summary['provider']} --json, or FIDELITY.md in the provider's folder"
    )


def print_check(report: Report) -> None:
    """The figures, then the problems, then the verdict."""
    console = _console()
    verdict = "[red]wrong[/]" if report.errors else "[green]right[/]"
    console.print(f"[bold]{escape(report.provider)}[/]: the data is {verdict}")
    for name, value in report.figures.items():
        console.print(f"  {name:<36} {escape(value)}")
    if report.provenance:
        console.print(
            f"  {'provenance':<36} " + ", ".join(f"{count} {kind}" for kind, count in report.provenance.items())
        )
    for problem in report.problems:
        colour = "red" if problem.level == "error" else "yellow"
        console.print(f"  [{colour}]{problem.level}[/]: {escape(str(problem))}", soft_wrap=True)
