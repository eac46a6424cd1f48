"""The reports of a run: JUnit, HTML, JSON, SARIF, HAR."""

from pathlib import Path

from tasktwin.errors import DataError, Problem
from tasktwin.suite.report.account import Account, account_of, as_document
from tasktwin.suite.report.mask import Mask
from tasktwin.suite.run import Run

__all__ = ["Account", "Mask", "account_of", "as_document", "write_reports"]


def write_reports(folder: Path, run: Run, *, command: str, url: str) -> list[Path]:
    """Write ``junit.xml``, ``report.html``, ``report.json``, ``report.sarif`` and ``traffic.har`` into a folder.

    The folder is made if it is missing; files of an earlier run are replaced. ``command`` repeats the run, ``url`` is
    the target. Raises ``DataError`` if the folder cannot be written to.
    """
    import orjson  # noqa: PLC0415 - the libraries of the reports are loaded only when reports are written

    from tasktwin.suite.report.har import write_har  # noqa: PLC0415
    from tasktwin.suite.report.html import as_html  # noqa: PLC0415
    from tasktwin.suite.report.junit import as_junit  # noqa: PLC0415
    from tasktwin.suite.report.sarif import as_sarif  # noqa: PLC0415

    account = account_of(run, command=command, url=url)
    readable = orjson.OPT_INDENT_2
    contents = {
        "junit.xml": as_junit(account),
        "report.html": as_html(account).encode(),
        "report.json": orjson.dumps(as_document(account), option=readable),
        "report.sarif": orjson.dumps(as_sarif(account), option=readable),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        with (folder / "traffic.har").open("w", encoding="utf-8") as file:
            write_har(run, account.url, file)
    except OSError as error:
        raise DataError(
            Problem(f"the reports cannot be written: {error.strerror or error}", file=str(folder))
        ) from error
    return [folder / name for name in (*contents, "traffic.har")]
