"""The traffic of a run as HAR 1.2, for browsers and proxies to show."""

from http import HTTPStatus
from importlib.metadata import version
from typing import IO, TYPE_CHECKING
from urllib.parse import parse_qsl

from tasktwin.state import format_instant
from tasktwin.suite.report.mask import Mask
from tasktwin.suite.run import Run
from tasktwin.suite.traffic import Sent

if TYPE_CHECKING:
    from harfile import Request, Response

MOST = 64 * 1_048_576
"""Characters of bodies that a file holds; of what comes later the bodies are left out."""


def write_har(run: Run, url: str, file: IO[str]) -> None:
    """Write the exchanges that are still remembered. ``url`` goes before their paths."""
    from harfile import Creator, HarFile, Timings  # noqa: PLC0415 - rarely used

    mask, left = Mask.of(run.provider, run.target.callers), MOST
    with HarFile.open(file, creator=Creator(name="tasktwin", version=version("tasktwin"))) as har:
        for sent in tuple(run.target.traffic):
            bodies = [mask.body(body) if left > 0 else "" for body in (sent.request.body, sent.reply.body)]
            left -= sum(map(len, bodies))
            milliseconds = round(sent.reply.seconds * 1_000, 3)
            har.add_entry(
                startedDateTime=format_instant(sent.started, "milliseconds"),
                time=milliseconds,
                request=_request(sent, url, bodies[0], mask),
                response=_response(sent, bodies[1], mask),
                timings=Timings(send=0, wait=milliseconds, receive=0),
                comment=_comment(sent, mask),
            )


def _request(sent: Sent, url: str, body: str, mask: Mask) -> "Request":
    from harfile import PostData, Record, Request  # noqa: PLC0415

    request, path = sent.request, mask.path(sent.request.path)
    headers = mask.headers(request.headers)
    media = {name.lower(): value for name, value in headers.items()}.get("content-type", "")
    return Request(
        request.method,
        url.rstrip("/") + path,
        "HTTP/1.1",
        headers=[Record(*pair) for pair in headers.items()],
        queryString=[Record(*pair) for pair in parse_qsl(path.partition("?")[2], keep_blank_values=True)],
        postData=PostData(mimeType=media, text=body) if request.body else None,
        bodySize=len(request.body),
    )


def _response(sent: Sent, body: str, mask: Mask) -> "Response":
    from harfile import Content, Record, Response  # noqa: PLC0415

    reply = sent.reply
    headers = mask.headers(reply.headers)
    return Response(
        status=reply.status,
        statusText=_phrase(reply.status),
        httpVersion="HTTP/1.1",
        headers=[Record(*pair) for pair in headers.items()],
        content=Content(size=len(reply.body), mimeType=headers.get("content-type", ""), text=body),
        redirectURL=headers.get("location", ""),
        bodySize=len(reply.body),
    )


def _comment(sent: Sent, mask: Mask) -> str:
    who = sent.request.as_ or "nobody"
    told = f"{sent.phase or 'run'}: {sent.request.operation or 'no operation'} as {who}"
    return mask.text(f"{told}; {sent.reply.problem}" if sent.reply.problem else told, 2_048)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
