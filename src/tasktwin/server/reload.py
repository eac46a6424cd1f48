"""``tasktwin serve --reload``: a provider's folder is watched, and what changes in it is served without losing state."""

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tasktwin.errors import DataError, MisuseError, Problem
from tasktwin.provider import Provider, load
from tasktwin.server.transport import ProviderApp
from tasktwin.state import elapsed

if TYPE_CHECKING:
    from watchfiles import Change

DATA = frozenset({".yaml", ".yml", ".json"})
"""The endings of the files that are watched. Python, and so effects, is not loaded anew."""

LOOK = 2_000
"""Milliseconds after which a look is taken whether the folders are still the same ones."""

Tell = Callable[[str, object], None]
"""Told of each thing: its level (``error``, ``warning`` or ``info``), and what."""


class Reloader:
    """Watches the folders of what is served. ``tell`` is told what came of each change; the same error only once."""

    def __init__(self, served: Iterable[tuple[Provider, ProviderApp]], tell: Tell) -> None:
        self.served = {provider.folder: app for provider, app in served}
        self.tell = tell
        self._told: dict[Path, str] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            async for changed in self._changes():
                for folder, app in self.served.items():
                    if any(path.is_relative_to(folder) for path in changed):
                        await self._reload(folder, app)
        except Exception as error:  # noqa: BLE001 - serving goes on without watching, and this is said
            self.tell("error", f"changes are watched no longer, restart to see them: {error}")

    async def _changes(self) -> AsyncIterator[list[Path]]:
        from watchfiles import awatch  # noqa: PLC0415 - only who reloads pays for it

        others: list[Path] = []  # told once they are watched, so that nothing is missed between
        while True:
            seen = {folder: _identity(folder) for folder in self.served}
            there = [folder for folder, identity in seen.items() if identity]
            watched = awatch(*there, watch_filter=_is_data, debounce=400, rust_timeout=LOOK, yield_on_timeout=True)
            async for changes in watched if there else _every(LOOK / 1000):
                if changes or others:
                    yield [*(Path(path) for _, path in changes), *others]
                if others := [folder for folder, identity in seen.items() if identity != _identity(folder)]:
                    break

    async def _reload(self, folder: Path, app: ProviderApp) -> None:
        started = elapsed()
        try:
            provider = await asyncio.to_thread(_load, folder, app.worlds.rules.name)
            lost = adopt(app, provider)
        except DataError as error:
            self._complain(folder, error.problems)
        except MisuseError as error:
            self._complain(folder, [Problem(str(error), file=folder.name)])
        else:
            self._told.pop(folder, None)
            for what, count in lost.items():
                self.tell("warning", f"{count} of {what}")
            count, seconds = len(provider.rules.contract.operations), elapsed() - started
            self.tell("info", f"reloaded {provider.name}: {count} operations ({seconds:.1f} s)")
            await asyncio.to_thread(_forget_garbage)

    def _complain(self, folder: Path, problems: Iterable[Problem]) -> None:
        text = "\n".join(map(str, problems))
        if self._told.get(folder) == text:
            return
        self._told[folder] = text
        for problem in problems:
            self.tell(problem.level, problem)
        self.tell("info", f"{folder.name}: the data of before is served on, until this is mended")


def adopt(app: ProviderApp, provider: Provider) -> Counter[str]:
    """Serve by other rules from now on, with the state that there is; what could not be kept, and how often.

    Open streams end. Raises ``MisuseError``, and changes nothing, when the seeds cannot be sown.
    """
    lost = app.worlds.adopt(provider.rules, provider.seeds)
    app.pipeline.adopt(provider.rules)
    app.hub.stir()
    return lost


def _load(folder: Path, name: str) -> Provider:
    """The provider as its folder says now. Raises ``DataError``, also when it is called otherwise than before."""
    provider = load(str(folder))
    if provider.name != name:
        hint = "Restart to serve it under another name."
        raise DataError(Problem(f"it was {name!r} and is {provider.name!r} now", file=folder.name, hint=hint))
    return provider


async def _every(seconds: float) -> AsyncIterator[set[tuple["Change", str]]]:
    """Nothing, again and again."""
    while True:
        await asyncio.sleep(seconds)
        yield set()


def _identity(folder: Path) -> int:
    """A number that is another one when another folder has taken this one's name; 0 while there is none."""
    try:
        return folder.stat().st_ino
    except OSError:
        return 0


def _is_data(_change: "Change", path: str) -> bool:
    return Path(path).suffix in DATA


def _forget_garbage() -> None:
    """The rules of before are in cycles; what is loaded now stays (see ``run``)."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
