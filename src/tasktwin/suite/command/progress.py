"""What a person sees while a run goes on, on standard error: live on a terminal, a line for each phase elsewhere."""

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tasktwin.errors import printable
from tasktwin.state import elapsed
from tasktwin.suite.run import Ended, Event, Found, Run, Skipped, Started, Waits, Went

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live


class Progress:
    """Listens to a run. Without a ``console`` it says nothing. ``sent`` counts the requests of all processes."""

    def __init__(self, console: "Console | None", run: Run, sent: Callable[[], int]) -> None:
        self.console = console
        self.run = run
        self.sent = sent
        self.phase = self.what = ""
        self.done = self.total = self.failures = self.notes = 0
        self._causes: set[str] = set()
        self._began = elapsed()
        self._live: Live | None = None

    def __enter__(self) -> Self:
        """Begin to show."""
        if self.console is not None and self.console.is_terminal:
            from rich.live import Live  # noqa: PLC0415 - heavy

            self._live = Live(
                get_renderable=self._render,
                console=self.console,
                refresh_per_second=4,
                transient=True,
                auto_refresh=True,
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave no trace of what was live."""
        if self._live is not None:
            self._live.stop()

    def hear(self, event: Event) -> None:
        """Take in what a run tells."""
        match event:
            case Started():
                self.phase, self.what, self.done, self.total = event.phase, event.about, 0, 0
            case Went():
                self.phase, self.done, self.total, self.what = event.phase, event.done, event.total, event.what
            case Waits():
                self.phase, self.what = event.phase, f"waits {event.seconds:.3g} s"
                self._say(f"{event.phase or 'begins'}: waits {event.seconds:.3g} s, because {event.why}")
            case Found():
                self._count(event)
            case Ended():
                self._say(
                    f"{event.phase}: {event.seconds:.1f} s, {self.sent():,} requests so far, {self._found()}"
                    + (f"; cut short: {event.cut}" if event.cut else "")
                )
            case Skipped():
                pass  # told at the end, gathered by reason

    def _count(self, event: Found) -> None:
        if event.finding.cause in self._causes:
            return
        self._causes.add(event.finding.cause)
        is_failure = event.finding.severity == "failure"
        self.failures, self.notes = self.failures + is_failure, self.notes + (not is_failure)
        self._say(f"{event.finding.severity}: {event.finding.title}")

    def _found(self) -> str:
        return f"{self.failures} failure{'' if self.failures == 1 else 's'}, {self.notes} note{'' if self.notes == 1 else 's'}"

    def _say(self, text: str) -> None:
        if self.console is not None:
            clean = self.run.target.callers.redact(printable(text))
            self.console.print(clean[:500], markup=False, highlight=False, soft_wrap=True)

    def _render(self) -> "RenderableType":
        from rich.text import Text  # noqa: PLC0415 - heavy

        left = self.run.target.budget.seconds
        spent = elapsed() - self._began
        time = f"{spent:.0f} s" if left is None else f"{max(0.0, left - spent):.0f} s left"
        done = f" {self.done}/{self.total}" if self.total else ""
        about = f"  {printable(self.what)[:60]}" if self.what else ""
        return Text(
            f"{self.phase or 'begins'}{done}  {self.sent():,} requests  {self._found()}  {time}{about}", no_wrap=True
        )
