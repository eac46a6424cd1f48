"""The options of ``verify``, ``fuzz`` and ``load``: the same where that can be, so that what is learnt of one holds for all."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import click

from tasktwin.suite.command.interruption import at_once

Command = TypeVar("Command", bound=Callable[..., Any])

OF_PROVIDER = click.option(
    "--provider", required=True, metavar="PROVIDER|DIR", help="The API that the deployment is said to be."
)

_CREDENTIALS = click.option(
    "--credentials",
    default="",
    metavar="FILE",
    help="Who sends: a YAML file of principals and their headers; ${ENV} is filled in.  [default: the demo callers]",
)
_READ_ONLY = click.option("--read-only", is_flag=True, help="Send nothing that writes.")
_WRITES = click.option(
    "--allow-writes",
    "writes",
    multiple=True,
    is_flag=False,
    flag_value="*",
    metavar="[GLOB]",
    help="Operations that may write; repeatable. Off this machine none may otherwise.",
)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Print the plan, and stop.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")

_OPTIONS = (
    OF_PROVIDER,
    _CREDENTIALS,
    click.option(
        "--seed",
        default=0,
        show_default=True,
        type=click.IntRange(0),
        metavar="N",
        help="Number that chance comes from.",
    ),
    click.option("--time-budget", default=None, metavar="SPAN", help="So long at most, such as 60s or 5m."),
    click.option(
        "--max-examples",
        default=100,
        show_default=True,
        type=click.IntRange(1, 100_000),
        metavar="N",
        help="Random requests for each operation; walks of each lifecycle.",
    ),
    click.option("--rate", default=None, metavar="RATE", help="So many requests at most, such as 10/s or 600/m."),
    click.option(
        "--workers",
        default=1,
        show_default=True,
        type=click.IntRange(1, 64),
        metavar="N",
        help="Processes that share the work.",
    ),
    click.option("--operation", "operations", multiple=True, metavar="GLOB", help="Only these operations; repeatable."),
    _READ_ONLY,
    _WRITES,
    click.option("--shard", default="1/1", metavar="I/N", help="Do the I-th of N equal parts only."),
    click.option(
        "--report",
        default="",
        metavar="DIR",
        help="Write junit.xml, report.html, report.json, report.sarif and traffic.har there.",
    ),
    click.option(
        "--baseline", default="", metavar="FILE", help="Findings that are known; written if it is not there yet."
    ),
    click.option(
        "--cleanup/--no-cleanup", default=True, show_default=True, help="Put away at the end what the run made."
    ),
    _DRY_RUN,
    _JSON,
    click.option("-q", "--quiet", is_flag=True, help="No plan and no progress."),
)

_LOAD_OPTIONS = (
    OF_PROVIDER,
    click.option(
        "--users",
        default=10,
        show_default=True,
        type=click.IntRange(1, 1_000_000),
        metavar="N",
        help="So many play at the same time.",
    ),
    click.option(
        "--spawn-rate",
        default=None,
        type=click.FloatRange(0.01, 10_000),
        metavar="N",
        help="So many users begin in a second.  [default: all at once, 100 at most]",
    ),
    click.option(
        "--time", "span", default=None, metavar="SPAN", help="So long, such as 30s or 5m.  [default: until Ctrl-C]"
    ),
    click.option("--scenario", "scenarios", multiple=True, metavar="GLOB", help="Only these scenarios; repeatable."),
    _CREDENTIALS,
    _READ_ONLY,
    _WRITES,
    click.option("--report", default="", metavar="DIR", help="Write Locust's load.html and load_*.csv there."),
    click.option("--master", is_flag=True, help="Share the users among workers."),
    click.option("--worker", is_flag=True, help="Play a master's users: it says how many, how long."),
    click.option("--master-host", default="", metavar="HOST", help="Where a worker finds its master.  [default: here]"),
    click.option(
        "--processes",
        default=0,
        type=click.IntRange(0, 256),
        metavar="N",
        help="So many workers, and a master for them; with --worker they are another's.",
    ),
    _DRY_RUN,
    _JSON,
    click.option("-q", "--quiet", is_flag=True, help="No plan, and the statistics only at the end."),
)


def judging(phases: str) -> Callable[[Command], Command]:
    """Adds the URL and the options. ``phases`` is the default of ``--phases``."""

    def add(command: Command) -> Command:
        phase = click.option(
            "--phases", default=phases, show_default=True, metavar="NAMES", help="What to do, separated by commas."
        )
        for option in reversed((*_OPTIONS[:4], phase, *_OPTIONS[4:])):
            command = option(command)
        return click.argument("url", metavar="URL")(command)

    return add


def loading(command: Command) -> Command:
    """Adds the URL, the options of ``load``, and the words that are Locust's."""
    for option in reversed(_LOAD_OPTIONS):
        command = option(command)
    command = click.argument("locust", nargs=-1, type=click.UNPROCESSED, metavar="[-- LOCUST OPTIONS...]")(command)
    return click.argument("url", metavar="URL")(command)


def carry_out_load(given: dict[str, Any]) -> int:
    """The exit code of ``load`` with these options. Raises ``DataError`` and ``MisuseError``."""
    with at_once():
        from tasktwin.suite.command import order  # noqa: PLC0415 - each command imports what it needs when it runs
        from tasktwin.suite.load.command import Load, carry_out  # noqa: PLC0415

    words = dict(given)
    span = words.pop("span")
    shared = {name: words.pop(name) for name in ("credentials", "read_only", "report", "dry_run", "quiet", "as_json")}
    judged = order.Order(
        "load",
        words.pop("url"),
        words.pop("provider"),
        (order.SCENARIOS,),
        time_budget=order.span("--time", span) if span else None,
        writes=words.pop("writes") or None,
        **shared,
    )
    return carry_out(Load(judged, **words))


def carry_out(command: Literal["verify", "fuzz"], given: dict[str, Any]) -> int:
    """The exit code of a command with these options. Raises ``DataError`` and ``MisuseError``."""
    with at_once():
        from tasktwin.suite.command import order  # noqa: PLC0415 - each command imports what it needs when it runs
        from tasktwin.suite.command.judge import judge  # noqa: PLC0415

    words = dict(given)
    budget, rate = words.pop("time_budget"), words.pop("rate")
    return judge(
        order.Order(
            command,
            words.pop("url"),
            words.pop("provider"),
            order.phases("--phases", [words.pop("phases")]),
            time_budget=order.span("--time-budget", budget) if budget else None,
            rate=order.rate("--rate", rate) if rate else 0.0,
            shard=order.shard("--shard", words.pop("shard")),
            writes=words.pop("writes") or None,
            **words,
        )
    )
