"""A small notes API: its data, and a deployment of it that can have one fault."""

import json
import os
import re
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

Body = Any
Answer = tuple[int, Body] | tuple[int, Body, str]

OPENAPI = """\
openapi: 3.1.0
info: {title: Notes, version: "1"}
security: [{Bearer: []}]
paths:
  /notes:
    get:
      operationId: listNotes
      x-provenance: stated D
      parameters:
        - {name: page, in: query, schema: {type: integer, minimum: 1, maximum: 9, default: 1}}
        - {name: size, in: query, schema: {type: integer, minimum: 1, maximum: 50, default: 20}}
      responses:
        "200": {description: Notes., content: {application/json: {schema: {$ref: "#/components/schemas/Page"}}}}
        "401": {$ref: "#/components/responses/Failure"}
        "422": {$ref: "#/components/responses/Failure"}
    post:
      operationId: createNote
      x-provenance: stated D
      requestBody:
        required: true
        content: {application/json: {schema: {$ref: "#/components/schemas/NewNote"}, example: {title: Milk}}}
      responses:
        "201":
          description: Made.
          content: {application/json: {schema: {$ref: "#/components/schemas/Made"}}}
          links:
            read: {operationId: getNote, parameters: {note_id: $response.body#/data/id}}
            delete: {operationId: deleteNote, parameters: {note_id: $response.body#/data/id}}
        "401": {$ref: "#/components/responses/Failure"}
        "415": {$ref: "#/components/responses/Failure"}
        "422": {$ref: "#/components/responses/Failure"}
  /notes/{note_id}:
    parameters: [{name: note_id, in: path, required: true, schema: {type: string}}]
    get:
      operationId: getNote
      x-provenance: stated D
      responses:
        "200":
          description: The note.
          content: {application/json: {schema: {$ref: "#/components/schemas/Made"}}}
          links:
            delete: {operationId: deleteNote, parameters: {note_id: $response.body#/data/id}}
        "401": {$ref: "#/components/responses/Failure"}
        "404": {$ref: "#/components/responses/Failure"}
    delete:
      operationId: deleteNote
      x-provenance: "assumed: nobody says that notes can be deleted"
      responses:
        "204":
          description: Gone.
          links:
            read: {operationId: getNote, parameters: {note_id: $request.path.note_id}}
        "401": {$ref: "#/components/responses/Failure"}
        "404": {$ref: "#/components/responses/Failure"}
components:
  securitySchemes: {Bearer: {type: http, scheme: bearer}}
  responses:
    Failure: {description: Refused., content: {application/json: {schema: {$ref: "#/components/schemas/Failure"}}}}
  schemas:
    NewNote: {type: object, required: [title], properties: {title: {type: string, minLength: 1, maxLength: 40}}}
    Note:
      type: object
      required: [id, title]
      properties: {id: {type: string}, title: {type: string, x-provenance: "assumed: it may be null"}}
    Made:
      type: object
      required: [code, data]
      properties: {code: {type: integer}, data: {$ref: "#/components/schemas/Note"}}
    Page:
      type: object
      required: [code, data]
      properties:
        code: {type: integer}
        data:
          type: object
          required: [items, total, page, more]
          properties:
            items: {type: array, items: {$ref: "#/components/schemas/Note"}}
            total: {type: integer}
            page: {type: integer}
            more: {type: boolean}
    Failure: {type: object, required: [code, message], properties: {code: {type: integer}, message: {type: string}}}
"""

PROVIDER = """\
provider: notes
title: Notes
sources: {D: {title: The notes guide, url: "https://notes.example/guide"}}
sign_in:
  - channel: key
    provenance: stated D
    look_ups: [{as: token, scheme: Bearer, collection: token, where: {value: $credential}, unknown: not_authenticated}]
    principal: {name: $token#/id}
principals:
  ann: {about: Writes, headers: {Authorization: Bearer ann-key}}
  bo: {about: Writes too, headers: {Authorization: Bearer bo-key}}
wrap: {code: 0, data: $response.body}
errors:
  shape: {code: $error#/code, message: $error#/detail}
  kinds:
    not_authenticated: {status: 401, code: 11, message: no, provenance: stated D}
    not_found: {status: 404, code: 14, message: no, provenance: stated D}
    no_such_path: {status: 404, code: 14, message: no, provenance: stated D}
    method_not_allowed: {status: 405, code: 15, message: no, provenance: stated D}
    unsupported_media_type: {status: 415, code: 16, message: no, provenance: stated D}
    invalid: {status: 422, code: 12, message: no, provenance: stated D}
    malformed: {status: 422, code: 12, message: no, provenance: stated D}
paging:
  pages:
    style: page
    start: $request.query.page
    size: $request.query.size
    answer: {items: $page#/items, total: $page#/total, page: $page#/number, more: $page#/more}
collections:
  token: {schema: null, fields: [id, value]}
  note: {schema: Note}
operations:
  listNotes: {verb: list, collection: note, page: pages}
  createNote: {verb: create, collection: note, status: 201}
  getNote: {verb: read, collection: note, row: $request.path.note_id}
  deleteNote: {verb: delete, collection: note, row: $request.path.note_id}
"""

SEEDS = """\
about: Keys
rows:
  token: [{id: ann, value: ann-key}, {id: bo, value: bo-key}]
"""


def folder(at: Path) -> Path:
    """The data as a provider folder."""
    (at / "seeds").mkdir(parents=True)
    (at / "openapi.yaml").write_text(OPENAPI)
    (at / "provider.yaml").write_text(PROVIDER)
    (at / "seeds" / "default.yaml").write_text(SEEDS)
    return at


class Notes:
    """A deployment. ``fault`` names what is wrong with it, "" for nothing; ``calls`` are the requests it got."""

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.rows: dict[str, dict[str, Body]] = {}
        self.made = 0
        self.calls: list[tuple[str, str, dict[str, str]]] = []

    async def __call__(self, scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        """Answer as an ASGI application."""
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        query = dict(part.partition("=")[::2] for part in scope["query_string"].decode().split("&") if part)
        self.calls.append((scope["method"], scope["path"], headers))
        if self.fault == "interrupt" and len(self.calls) == 20:
            os.kill(os.getpid(), signal.SIGINT)
        status, value, *media = self.answer(scope["method"], scope["path"], query, headers, body)
        shown = value.encode() if media else json.dumps(value).encode() if value is not None else b""
        head = [(b"content-type", (media[0] if media else "application/json").encode())] if shown else []
        head += [(b"allow", b"GET, POST" if scope["path"] == "/notes" else b"GET, DELETE")] if status == 405 else []
        if self.fault == "cut" and query.get("size") == "50":
            head.append((b"content-length", b"9999"))
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": shown})

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        """Status, body and perhaps a media type."""
        found = re.fullmatch(r"/notes(?:/(.+))?", path, re.DOTALL)
        if not found:
            return self.refuse(404, 14)
        if method not in ({"GET", "DELETE"} if found[1] else {"GET", "POST"}):
            return self.refuse(404, 14) if self.fault == "method" else self.refuse(405, 15)
        if headers.get("authorization") not in {"Bearer ann-key", "Bearer bo-key"} and self.fault != "open":
            return self.refuse(401, 11)
        if found[1]:
            return self.one(method, found[1])
        return self.list(query) if method == "GET" else self.create(headers, body)

    def refuse(self, status: int, code: int) -> Answer:
        """A refusal in the API's words, or not."""
        if self.fault == "dialect":
            return status, "Not good", "text/plain"
        if self.fault == "envelope" and status == 404:
            return 200, {"code": code, "data": {"id": "", "title": ""}}
        return status, {"code": code, "message": "no"}

    def list(self, query: dict[str, str]) -> Answer:
        """A page."""
        page, size = query.get("page", "1"), query.get("size", "20")
        if not (page.isdigit() and size.isdigit() and 1 <= int(page) <= 9 and 1 <= int(size) <= 50):
            return self.refuse(422, 12)
        if self.fault == "crash" and int(size) == 50:
            return 500, {"code": 99, "message": "oops"}
        start, rows = (int(page) - 1) * int(size), list(self.rows.values())
        items = rows[start : start + int(size)]
        more = start + len(items) < len(rows)
        return 200, {
            "code": 0,
            "data": {
                "items": items,
                "total": len(rows),
                "page": int(page),
                "more": not more if self.fault == "pages" else more,
            },
        }

    def create(self, headers: dict[str, str], body: bytes) -> Answer:
        """A new note."""
        if headers.get("content-type", "").partition(";")[0] != "application/json":
            return self.refuse(415, 16)
        try:
            sent = json.loads(body)
        except ValueError:
            return self.refuse(422, 12)
        title = sent.get("title") if isinstance(sent, dict) else None
        good = isinstance(title, str) and 1 <= len(title) <= 40
        if self.fault == "undeclared" and not good:
            return 418, {"code": 12, "message": "no"}
        if not good and self.fault != "careless":
            return self.refuse(422, 12)
        self.made += 1
        row = {"id": f"note-{self.made:06}", "title": title if isinstance(title, str) else ""}
        if self.fault != "lost":
            self.rows[row["id"]] = row
        return 201, {"code": 0, "data": row}

    def one(self, method: str, key: str) -> Answer:
        """A note, shown or deleted."""
        row = self.rows.get(key)
        if row is None:
            return self.refuse(404, 14)
        if method == "DELETE":
            if self.fault != "zombie":
                del self.rows[key]
            return 204, None
        shown = {"shape": {"id": 7, "title": row["title"]}, "null": {**row, "title": None}}.get(self.fault, row)
        return 200, {"code": 0, "data": shown}


@contextmanager
def served(app: Notes) -> Iterator[str]:
    """The deployment on a free port; its URL."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
