"""Journal entries for people and tools: as JSON, and as HAR 1.2."""

from http import HTTPStatus
from typing import IO
from urllib.parse import parse_qsl

from tasktwin.state import Entry, format_instant
from tasktwin.state.journal import CLOSED
from tasktwin.wire import Json, loads


def as_json(entry: Entry) -> Json:
    """An entry with its bodies readable: JSON where they are JSON, else text."""
    return {
        "number": entry.number,
        "at": format_instant(entry.instant, "microseconds"),
        "world": entry.world,
        "method": entry.method,
        "path": entry.path,
        "operation": entry.operation,
        "principal": entry.principal,
        "status": entry.status,
        "reason": entry.reason,
        "seconds": entry.seconds,
        "request": {"headers": entry.request_headers, "body": _readable(entry.request_body)},
        "response": {"headers": entry.response_headers, "body": _readable(entry.response_body)},
        "violations": entry.violations,
    }


def as_har(entries: list[Entry], origin: str, file: IO[str]) -> None:
    """Write entries as a HAR file. ``origin`` goes before their paths."""
    from harfile import Content, Creator, HarFile, PostData, Record, Request, Response, Timings  # noqa: PLC0415 - rarely used

    with HarFile.open(file, creator=Creator(name="tasktwin", version="1")) as har:
        for entry in entries:
            if entry.reason.startswith(CLOSED):
                continue
            headers = [Record(name, value) for name, value in entry.request_headers]
            media = dict(entry.request_headers).get("content-type", "")
            posted = PostData(mimeType=media, text=_text(entry.request_body)) if entry.request_body else None
            request = Request(
                entry.method,
                origin + entry.path,
                "HTTP/1.1",
                headers=headers,
                queryString=[Record(*pair) for pair in parse_qsl(entry.path.partition("?")[2], keep_blank_values=True)],
                postData=posted,
                bodySize=len(entry.request_body),
            )
            answered = dict(entry.response_headers).get("content-type", "")
            content = Content(size=len(entry.response_body), mimeType=answered, text=_text(entry.response_body))
            response = Response(
                status=entry.status,
                statusText=_phrase(entry.status),
                httpVersion="HTTP/1.1",
                headers=[Record(name, value) for name, value in entry.response_headers],
                content=content,
                bodySize=len(entry.response_body),
            )
            milliseconds = entry.seconds * 1_000
            har.add_entry(
                startedDateTime=format_instant(entry.instant, "microseconds"),
                time=milliseconds,
                request=request,
                response=response,
                timings=Timings(send=0, wait=milliseconds, receive=0),
            )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _readable(body: bytes) -> Json:
    try:
        return loads(body) if body else None
    except ValueError:
        return _text(body)
