"""The command line. Every command imports what it needs when it runs, so that each starts fast."""

import gc
import os
import sys
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from tasktwin import __version__
from tasktwin.errors import DataError, MisuseError, printable
from tasktwin.suite.command.option import OF_PROVIDER, carry_out, carry_out_load, judging, loading

if TYPE_CHECKING:
    from socket import socket

    from tasktwin.provider import Provider
    from tasktwin.server.application import Application
    from tasktwin.server.reload import Reloader
    from tasktwin.server.serving import Serving

P = ParamSpec("P")
T = TypeVar("T")

FINE, FINDINGS, WRONG, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130


def telling(command: Callable[P, T]) -> Callable[P, T]:
    """Wrong data and misuse end with a message and exit code 2, Ctrl-C with 130, never with a trace."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except DataError as error:
            for problem in error.problems:
                complain(problem.level, problem)
            sys.exit(WRONG)
        except MisuseError as error:
            complain("error", error)
            sys.exit(WRONG)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)

    return run


def loading_fast(command: Callable[P, T]) -> Callable[P, T]:
    """What a server loads is no garbage: nothing is collected until ``run`` begins to serve."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        gc.disable()
        try:
            return command(*args, **kwargs)
        finally:
            gc.enable()

    return run


def complain(level: str, about: object) -> None:
    """One line on standard error, coloured where a terminal wants that."""
    colour = False if os.environ.get("NO_COLOR") else None
    click.echo(f"{click.style(level, fg='red', bold=True)}: {printable(str(about))}", err=True, color=colour)


LISTENING_AT = click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on."
)
LISTENING_ON = click.option(
    "--port",
    default=8080,
    show_default=True,
    type=click.IntRange(0, 65_535),
    metavar="N",
    help="Port; 0 takes any free one.",
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="tasktwin")
def main() -> None:
    """A twin of a task API: it behaves like the real thing, with real state and a clock that you can move."""


@main.command(short_help="Serve one API at the root, or several by name.")
@click.argument("providers", nargs=-1, metavar="[PROVIDER|DIR]...")
@LISTENING_AT
@LISTENING_ON
@click.option("--seeds", default="default", show_default=True, metavar="NAME", help="Which seeds worlds begin with.")
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=click.IntRange(0),
    metavar="N",
    help="Number that identifiers and chance come from.",
)
@click.option("--now", default=None, metavar="ISO8601", help="The time at which worlds begin.")
@click.option(
    "--clock", default="real", show_default=True, metavar="real|frozen|xN", help="How time passes in the worlds."
)
@click.option(
    "--store",
    envvar="TASKTWIN_STORE",
    default="memory",
    show_default=True,
    metavar="memory|redis://…",
    help="Where worlds are kept: all processes that name the same Redis share them.",
)
@click.option(
    "--workers",
    default=1,
    show_default=True,
    type=click.IntRange(1, 64),
    metavar="N",
    help="Serve with so many processes; needs a store that they share.",
)
@click.option(
    "--responses",
    default="strict",
    show_default=True,
    type=click.Choice(["strict", "log"]),
    help="What happens when the twin itself would break its contract.",
)
@click.option(
    "--journal",
    default=1_000,
    show_default=True,
    type=click.IntRange(0, 1_000_000),
    metavar="N",
    help="How many exchanges each world remembers.",
)
@click.option(
    "--limits",
    default="count",
    show_default=True,
    type=click.Choice(["on", "count", "off"]),
    help="Whether rate limits refuse, are only counted and told, or are not looked at.",
)
@click.option(
    "--faults",
    default="",
    metavar="FILE|gentle",
    help="Trouble that worlds begin with: a file of faults, or the bundled set that no well-written client notices.",
)
@click.option(
    "--control-token",
    default="",
    envvar="TASKTWIN_CONTROL_TOKEN",
    show_envvar=True,
    metavar="T",
    help="Token that the control plane asks for; the variable keeps it out of the list of processes.",
)
@click.option(
    "--cors",
    multiple=True,
    metavar="ORIGIN|*|none",
    help="Web pages that may read the API's answers; repeatable.  [default: those of this machine]",
)
@click.option(
    "--log-format",
    default="text",
    show_default=True,
    type=click.Choice(["text", "json"]),
    help="How requests are logged.",
)
@click.option("--reload", "reloads", is_flag=True, help="Serve changed data at once; the state is kept.")
@click.option("-q", "--quiet", is_flag=True, help="Print the base URL and nothing else.")
@telling
@loading_fast
def serve(
    providers: tuple[str, ...],
    host: str,
    port: int,
    seeds: str,
    seed: int,
    now: str | None,
    clock: str,
    store: str,
    workers: int,
    responses: Any,
    journal: int,
    limits: Any,
    faults: str,
    control_token: str,
    cors: tuple[str, ...],
    log_format: Any,
    *,
    reloads: bool,
    quiet: bool,
) -> None:
    """Serve one API at the root, or several (all bundled ones when none is named) each under its name."""
    from tasktwin.behaviour.worlds import Plan
    from tasktwin.provider import bundled, load
    from tasktwin.provider.fault_file import read_faults
    from tasktwin.server.run import Place, bind_each, is_loopback
    from tasktwin.server.serving import Serving

    _check_serving(control_token, store, workers, reloads=reloads)
    loaded = [load(name) for name in providers or bundled()]
    printed = "" if is_loopback(host) or control_token else make_control_token()
    ordered = read_faults(faults, loaded) if faults else ()
    serving = Serving(
        tuple(providers or bundled()),
        Plan(seeds, seed, _instant(now), clock, journal, limits=limits, faults=ordered),
        responses,
        control_token or printed,
        cors,
        mounted=len(loaded) > 1 or not providers,
        store=store,
        log="" if quiet else log_format,
    )
    application = serving.application(loaded)
    listeners, url = bind_each(Place(host, port), workers)
    if printed:
        click.echo(f"control token: {printed}", err=True)
    _announce(application, [] if quiet else loaded, url, locked=bool(serving.control_token))
    reloader = _reloader(application, loaded, quiet=quiet) if reloads else None
    _run(serving, application, listeners, reloader)


def _run(
    serving: "Serving", application: "Application", listeners: "list[socket]", reloader: "Reloader | None"
) -> None:
    """In this process, or in one for each socket."""
    if len(listeners) > 1:
        from tasktwin.server.workers import run_workers

        run_workers(serving, listeners)
    else:
        from tasktwin.server.run import run

        run(application, listeners[0], serving.line, reloader)


def _announce(application: "Application", greeted: "Sequence[Provider]", url: str, *, locked: bool) -> None:
    """Say where it is served, and what is wrong if anything is."""
    if trouble := application.trouble():
        complain("warning", trouble)
    click.echo(url)
    prefixes = {app.pipeline.rules.name: app.prefix for app in application.apps}
    for provider in greeted:
        _greet(provider, url + prefixes[provider.name], locked=locked)
    sys.stdout.flush()


def _check_serving(control_token: str, store: str, workers: int, *, reloads: bool) -> None:
    """Raises ``MisuseError`` for what does not go together."""
    if not (control_token.isascii() and control_token.isprintable()):
        raise MisuseError("--control-token: headers carry printable ASCII only, and no line breaks")
    if workers > 1 and store == "memory":
        raise MisuseError("--workers: processes share no memory. Add --store redis://HOST:PORT, which they can share")
    if reloads and store != "memory":
        raise MisuseError("--reload changes the data of one process only, so it does not go with --store redis://…")


def _instant(now: str | None) -> int | None:
    from tasktwin.state import parse_instant

    try:
        return parse_instant(now) if now else None
    except ValueError as error:
        raise MisuseError(f"--now: {error}") from None


def _reloader(application: "Application", loaded: list["Provider"], *, quiet: bool) -> "Reloader":
    """What watches the data; of a quiet one only errors are heard."""
    from tasktwin.server.reload import Reloader

    def tell(level: str, about: object) -> None:
        if level != "info":
            complain(level, about)
        elif not quiet:
            click.echo(str(about), err=True)

    return Reloader(zip(loaded, application.apps, strict=True), tell)


def make_control_token() -> str:
    """A token nobody can guess. Not of any world, so not from its seed."""
    from secrets import token_urlsafe

    return token_urlsafe(24)


def _greet(provider: "Provider", url: str, *, locked: bool) -> None:
    """What a developer needs to begin: where to look around, and a curl line that works. A page that is ``locked`` no browser opens."""
    from tasktwin.server.control.page import first_call

    where = f"for whoever sends the token, {url}/_tasktwin" if locked else f"callers and more at {url}/_tasktwin"
    click.echo(f"  {printable(provider.title)}: {len(provider.rules.bindings)} operations; {where}")
    if call := first_call(provider.rules, url):
        click.echo(f"  {call}")


@main.command("list", short_help="Show the providers, or all about one.")
@click.argument("provider", required=False, metavar="[PROVIDER|DIR]")
@AS_JSON
@telling
def list_(provider: str | None, *, as_json: bool) -> None:
    """Show the bundled providers, or one provider's operations, states, demo callers and assumptions."""
    from tasktwin.provider import bundled, load
    from tasktwin.provider.summary import summarise

    loaded = [load(name) for name in ([provider] if provider else bundled())]
    summaries = [summarise(each) for each in loaded]
    if as_json:
        from tasktwin.wire import dumps

        click.echo(dumps(summaries[0] if provider else summaries).decode())
        return
    from tasktwin.provider.report import print_overview, print_provider

    if provider:
        print_provider(summaries[0])
    else:
        print_overview(summaries)


@main.command(short_help="Is the data of a provider right?")
@click.argument("providers", nargs=-1, metavar="[PROVIDER|DIR]...")
@AS_JSON
@click.option(
    "--schema",
    type=click.Choice(["provider", "scenario", "seeds"]),
    help="Print the JSON Schema of one of our files, and stop.",
)
@click.option("--write-fidelity", is_flag=True, help="Write FIDELITY.md anew into each folder.")
@telling
def check(providers: tuple[str, ...], schema: str | None, *, as_json: bool, write_fidelity: bool) -> None:
    """Is the data right? Contract, bindings, lifecycle, seeds, scenarios, provenance."""
    from tasktwin.provider import bundled
    from tasktwin.provider.data_file import schema_text
    from tasktwin.provider.deadline import check_all

    if schema:
        click.echo(schema_text(schema).decode())
        return
    reports = check_all(providers or bundled(), write_fidelity=write_fidelity)
    if as_json:
        from tasktwin.wire import dumps

        click.echo(dumps([each.as_json() for each in reports]).decode())
    else:
        from tasktwin.provider.report import print_check

        for each in reports:
            print_check(each)
    if any(each.errors for each in reports):
        sys.exit(WRONG)


@main.command()
@click.argument("provider", metavar="PROVIDER|DIR")
@click.option(
    "--format",
    "form",
    default="mermaid",
    show_default=True,
    type=click.Choice(["mermaid", "dot", "svg"]),
    help="What to draw in.",
)
@click.option("--lifecycle", default=None, metavar="NAME", help="Only this one. svg needs it when there are several.")
@telling
def graph(provider: str, form: str, lifecycle: str | None) -> None:
    """Draw the lifecycles of a provider."""
    from tasktwin import diagram
    from tasktwin.provider import load

    found = load(provider).rules.lifecycles
    if lifecycle and lifecycle not in found:
        raise MisuseError(f"{provider} has no lifecycle {lifecycle!r}: it has {', '.join(found) or 'none'}")
    chosen = [found[lifecycle]] if lifecycle else list(found.values())
    if not chosen:
        raise MisuseError(f"{provider} has no lifecycle to draw")
    if form == "svg" and len(chosen) > 1:
        raise MisuseError(f"one SVG shows one lifecycle: add --lifecycle {' or --lifecycle '.join(found)}")
    draw = {"mermaid": diagram.mermaid, "dot": diagram.dot, "svg": diagram.svg}[form]
    click.echo("\n".join(draw(each) for each in chosen))


@main.command(short_help="Make a working folder for your own API.")
@click.argument("folder", metavar="DIR")
@click.option("--openapi", required=True, metavar="FILE", help="The API's OpenAPI 3 document, YAML or JSON.")
@telling
def new(folder: str, openapi: str) -> None:
    """Make a working folder from an OpenAPI document: what its paths tell is written out, and a first row of each kind.

    DIR must not be there yet, or be empty. Nothing is ever overwritten.
    """
    from tasktwin.provider.scaffold import make_folder

    click.echo("\n".join(map(printable, make_folder(folder, openapi).told())))


@main.command(short_help="Play the scenarios against a deployment.")
@judging("scenarios")
@telling
def verify(**given: Any) -> None:
    """Play the provider's scenarios against the deployment at URL, and hold every answer against the contract."""
    sys.exit(carry_out("verify", given))


@main.command(short_help="Hunt for bugs in a deployment.")
@judging("protocol,lifecycle,examples,coverage,stateful,fuzzing")
@telling
def fuzz(**given: Any) -> None:
    """Hunt for bugs in the deployment at URL: broken lifecycles, lost idempotency, leaks, wrong shapes, crashes.

    A deployment that is not on this machine is only read, unless --allow-writes says what may be written.
    """
    sys.exit(carry_out("fuzz", given))


@main.command("load", short_help="Have many users play the scenarios at once, by Locust.")
@loading
@telling
def load_(**given: Any) -> None:
    """Have users play the provider's scenarios at the deployment at URL, over and over and all at once.

    Locust runs them, on this machine or on many. What stands after -- goes to Locust unchanged: `-- --headful --autostart`
    shows its web page. A request fails whose answer breaks the contract, or is not what the scenario expects.
    """
    sys.exit(carry_out_load(given))


@main.command(short_help="Stand between a client and a deployment.")
@click.argument("url", metavar="URL")
@OF_PROVIDER
@LISTENING_AT
@LISTENING_ON
@click.option(
    "--report",
    default="",
    metavar="DIR",
    help="At the end write junit.xml, report.html, report.json, report.sarif and traffic.har there.",
)
@click.option("--json", "as_json", is_flag=True, help="At the end print each finding as a line of JSON.")
@click.option("-q", "--quiet", is_flag=True, help="Tell nothing until the end.")
@telling
def proxy(url: str, provider: str, host: str, port: int, report: str, *, as_json: bool, quiet: bool) -> None:
    """Pass everything on to the deployment at URL and back, unchanged, and hold both ways against the contract.

    What breaks it is told at once on standard error, and summed up when the proxy is stopped (Ctrl-C). That is how it
    ends: the exit code is 1 if the server or the client broke the contract, 3 if URL was never reached, else 0.
    """
    from tasktwin.server.bare import run_bare
    from tasktwin.server.run import Place, bind
    from tasktwin.suite.proxy.session import Order, Session, stoppable

    session = Session(Order(url, provider, report, as_json, quiet))
    listener, own = bind(Place(host, port))
    click.echo(own)
    sys.stdout.flush()
    with stoppable():
        run_bare(session.open(own), listener)
    sys.exit(session.close())
