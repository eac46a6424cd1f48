"""A page in a real browser: Debian's Chromium without a window, driven by Playwright."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tasktwin.wire import Json

MISSING = "chromium is missing: these tests read streams in a real browser (Debian: apt-get install chromium)"
FLAGS = (
    # Its sandbox needs rights that root in a container has not.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE = 8_000
"""Milliseconds to wait for what must come. A browser that was cut off waits 3 seconds before it reconnects."""

_COUNT = "count => seen.filter(each => 'data' in each).length >= count"
_NOTICED = "wanted => seen.some(each => !('data' in each) && JSON.stringify(each) === wanted)"


@contextmanager
def chromium(*flags: str) -> Iterator[Browser]:
    """The machine's own Chromium with a fresh profile and further ``flags``. Raises ``AssertionError`` if there is none.

    As long as it runs, this thread cannot run an event loop of its own: Playwright's runs in it.
    """
    program = shutil.which("chromium")
    assert program, MISSING
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=[*FLAGS, *flags])
        yield browser
        browser.close()


@dataclass(frozen=True, slots=True)
class Told:
    """One event as a page received it. ``data`` is text; ``event`` is ``message`` for those without a name."""

    event: str
    id: str
    data: str

    def json(self) -> Json:
        """The data as a value."""
        return json.loads(self.data)


class Reader:
    """A page with the functions of a script in it, which keeps in ``seen`` what it read, in order."""

    def __init__(self, page: Page, url: str, script: Path) -> None:
        self.page = page
        page.set_default_timeout(PATIENCE)
        page.goto(url)
        page.add_script_tag(path=script)

    def listen(self, url: str, *names: str) -> None:
        """Open the browser's own ``EventSource``. ``names`` are the events to hear besides ``message`` and ``error``."""
        self.page.evaluate("([url, names]) => listen(url, names)", [url, names])

    def follow(self, url: str, body: Json, headers: dict[str, str]) -> None:
        """POST with ``fetch`` and read the answer as a stream; go on after a cut. Comes back at once."""
        self.page.evaluate("([url, body, headers]) => void follow(url, body, headers)", [url, body, headers])

    def hang_up(self) -> None:
        """Close what ``listen`` opened."""
        self.page.evaluate("() => hangUp()")

    def leave(self) -> None:
        """Go to another page in the middle of all."""
        self.page.goto("about:blank")

    def close(self) -> None:
        """Close the page in the middle of all."""
        self.page.close()

    def told(self, until: Json = None) -> list[Told]:
        """The events so far, or those before the first such notice."""
        seen = takewhile(lambda each: each != until, self._seen())
        return [Told(**each) for each in seen if "data" in each]

    def noticed(self) -> list[Json]:
        """What else happened so far: the stream was opened, cut, refused, ended."""
        return [each for each in self._seen() if "data" not in each]

    def wait_for(self, count: int) -> list[Told]:
        """The events, once there are so many. Raises Playwright's ``TimeoutError`` if they do not come."""
        self.page.wait_for_function(_COUNT, arg=count)
        return self.told()

    def wait_until(self, **notice: Json) -> None:
        """Wait for a notice with exactly these fields."""
        self.page.wait_for_function(_NOTICED, arg=json.dumps(notice, separators=(",", ":")))

    def _seen(self) -> list[dict[str, str]]:
        seen: list[dict[str, str]] = self.page.evaluate("() => seen")
        return seen
