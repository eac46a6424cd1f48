"""A small task API as a folder of data: what most tests of the provider and of behaviour begin with."""

from pathlib import Path

OPENAPI = """\
openapi: 3.1.0
info: {title: Jobs, version: "1"}
security:
  - Bearer: []
paths:
  /jobs:
    get:
      operationId: listJobs
      x-provenance: stated D
      parameters:
        - {name: state, in: query, schema: {type: string}}
        - {name: text, in: query, schema: {type: string}}
        - {name: role, in: query, schema: {type: string}}
        - {name: page, in: query, schema: {type: integer, minimum: 1, default: 1}}
        - {name: size, in: query, schema: {type: integer, minimum: 1, maximum: 100, default: 20}}
      responses:
        "200": {description: Jobs., content: {application/json: {schema: {$ref: "#/components/schemas/Jobs"}}}}
        default: {$ref: "#/components/responses/Failure"}
    post:
      operationId: createJob
      x-provenance: stated D
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/NewJob"}}}}
      responses:
        "201": {description: Made., content: {application/json: {schema: {$ref: "#/components/schemas/Job"}}}}
        default: {$ref: "#/components/responses/Failure"}
  /jobs/{job_id}:
    parameters:
      - {name: job_id, in: path, required: true, schema: {type: string}}
    get: &one
      operationId: getJob
      x-provenance: observed C1
      responses: &answers
        "200": {description: The job., content: {application/json: {schema: {$ref: "#/components/schemas/Job"}}}}
        default: {$ref: "#/components/responses/Failure"}
    patch:
      operationId: updateJob
      requestBody: {content: {application/json: {schema: {$ref: "#/components/schemas/NewJob"}}}}
      x-provenance: "assumed: a PATCH with the fields to change"
      responses: *answers
    delete:
      operationId: deleteJob
      x-provenance: stated D
      responses:
        "204": {description: Gone.}
        default: {$ref: "#/components/responses/Failure"}
  /jobs/{job_id}/start:
    parameters:
      - {name: job_id, in: path, required: true, schema: {type: string}}
    post: {operationId: startJob, x-provenance: stated D, responses: *answers}
  /jobs/{job_id}/finish:
    parameters:
      - {name: job_id, in: path, required: true, schema: {type: string}}
    post: {operationId: finishJob, x-provenance: stated D, responses: *answers}
  /rpc:
    post:
      operationId: callAgent
      x-provenance: stated D
      requestBody: {required: true, content: {application/json: {schema: {}}}}
      responses:
        "200": {description: A JSON-RPC response., content: {application/json: {schema: {type: object}}}}
        "204": {description: A notification has no response.}
        default: {$ref: "#/components/responses/Failure"}
  /jobs/{job_id}/events:
    parameters:
      - {name: job_id, in: path, required: true, schema: {type: string}}
    get:
      operationId: watchJob
      x-provenance: stated D
      parameters:
        - {name: Last-Event-ID, in: header, schema: {type: string}}
      responses:
        "200": {description: What happens to it., content: {text/event-stream: {schema: &event {$ref: "#/components/schemas/JobEvent"}, x-itemSchema: *event}}}
        default: {$ref: "#/components/responses/Failure"}
components:
  securitySchemes:
    Bearer: {type: http, scheme: bearer, x-provenance: stated D}
  responses:
    Failure: {description: Refused., content: {application/json: {schema: {type: object}}}}
  schemas:
    NewJob:
      x-provenance: stated D
      type: object
      properties:
        title: {type: string, pattern: "^[^!]*$"}
        hours: {type: [integer, "null"], minimum: 1}
        price: {type: [string, "null"], format: decimal}
    Job:
      x-provenance: stated D
      type: object
      required: [id, title, state, owner, created_at]
      properties:
        id: {type: string}
        title: {type: string}
        hours: {type: [integer, "null"], x-provenance: "assumed: hours, not days"}
        price: {type: [string, "null"], format: decimal}
        state: {type: string, enum: [open, running, done, lapsed]}
        owner: {type: [string, "null"]}
        worker: {type: [string, "null"]}
        created_at: {type: string, format: date-time}
        updated_at: {type: [string, "null"], format: date-time}
    Jobs:
      x-provenance: stated D
      type: object
      required: [items, total, more]
      properties:
        items: {type: array, items: {$ref: "#/components/schemas/Job"}}
        total: {type: integer}
        more: {type: boolean}
    JobEvent:
      x-provenance: stated D
      type: object
      required: [event, data]
      properties:
        event: {enum: [created, change, ping, end]}
        id: {type: string}
        data: {type: string, contentMediaType: application/json, contentSchema: {$ref: "#/components/schemas/JobId"}}
    JobId:
      x-provenance: stated D
      type: object
      required: [id]
      properties: {id: {type: string}}
"""

PROVIDER = """\
provider: jobs
title: Jobs
about: A small market of jobs.
sources:
  D: {title: The pages, url: https://jobs.example/docs}
  C1: {title: A client}
assumptions:
  pay: "nobody is paid"
time: seconds
sign_in:
  - channel: people
    provenance: stated D
    look_ups:
      - {as: token, scheme: Bearer, collection: token, where: {secret: $credential}, unknown: bad_credential}
    principal: {name: "{$token#/user}", user: $token#/user}
principals:
  ann: {about: Posts jobs, headers: {Authorization: Bearer ann-token}}
  ben: {about: Works, headers: {Authorization: Bearer ben-token}}
errors:
  shape: {error: $error#/kind, message: $error#/message}
  kinds:
    wrong_state: {status: 409, message: "not now: {$error#/detail}", provenance: stated D}
    twice: {status: 409, message: there is one already, provenance: observed C1}
    broke: {status: 402, message: no money, provenance: "assumed: 402"}
    parked: {status: 202, message: kept for later, provenance: "assumed: 202"}
idempotency:
  header: Idempotency-Key
  methods: [POST]
  keep: 1d
  provenance: stated D
paging:
  pages: {style: page, start: $request.query.page, size: $request.query.size, answer: {items: $page#/items, total: $page#/total, more: $page#/more}}
collections:
  token: {schema: null, fields: [id, secret, user]}
  job:
    schema: Job
    created: created_at
    updated: updated_at
    read_only: [state, owner]
    private: [note]
    roles:
      owner: {owner: $principal#/user}
      other: {owner: {not: $principal#/user}}
lifecycles:
  job:
    collection: job
    field: state
    refuse: wrong_state
    states:
      open: {provenance: stated D}
      running: {provenance: stated D}
      done: {final: true, provenance: stated D}
      lapsed: {final: true, provenance: stated D}
    transitions:
      create: {operation: createJob, from: new, to: open, provenance: stated D}
      start: {operation: startJob, from: open, to: running, only: [other], requires: [hours], set: {worker: $principal#/user}, provenance: stated D}
      finish: {operation: finishJob, from: running, to: done, only: [owner], provenance: stated D}
      abandon: {trigger: abandon, from: running, to: open, provenance: "assumed: the job can be had again"}
      lapse: {after: 3d, from: open, to: lapsed, provenance: observed C1}
operations:
  listJobs:
    verb: list
    collection: job
    filter: {state: $request.query.state}
    search: {in: [title], for: $request.query.text}
    order: -created_at
    page: pages
  createJob:
    verb: create
    collection: job
    set: {owner: $principal#/user}
    unique: {where: {title: $request.body#/title, owner: $principal#/user}, refuse: twice}
  getJob: {verb: read, collection: job, row: $request.path.job_id}
  updateJob: {verb: update, collection: job, row: $request.path.job_id, only: [owner]}
  deleteJob: {verb: delete, collection: job, row: $request.path.job_id, only: [owner]}
  startJob:
    verb: move
    collection: job
    row: $request.path.job_id
    needs:
      - {as: target, collection: job, id: $request.path.job_id, in: [open, running], refuse: wrong_state}
  finishJob: {verb: move, collection: job, row: $request.path.job_id}
  watchJob:
    verb: read
    collection: job
    row: $request.path.job_id
    stream:
      topic: "job:{$row#/id}"
      resume: $request.header.Last-Event-ID
      retry: 2s
      events:
        - {kinds: [create], event: created, data: {id: $row#/id}}
        - {event: change, data: {id: $row#/id, state: $row#/state}, ends: {state: [done, lapsed]}}
      heartbeat: {every: 20s, event: ping, data: {id: $row#/id}}
      provenance: stated D
  callAgent:
    verb: rpc
    methods:
      jobs/get:
        operation: getJob
        params: JobId
        path: {job_id: $params#/id}
        provenance: stated D
      jobs/create:
        operation: createJob
        body: {title: $params#/title}
        provenance: stated D
      jobs/delete:
        operation: deleteJob
        path: {job_id: $params#/id}
        provenance: stated D
    errors:
      not_found: {code: -32001, message: Job not found, provenance: stated D}
      invalid: {code: -32602, message: Invalid params, provenance: stated D}
"""

SEEDS = """\
about: Two people and three jobs
rows:
  token:
    - {id: t1, secret: ann-token, user: ann}
    - {id: t2, secret: ben-token, user: ben}
  job:
    - {id: j1, title: Paint, hours: 2, price: "5", state: open, owner: ann, created_at: -1h}
    - {id: j2, title: Sweep, state: running, owner: ann, worker: ben, created_at: -2h, updated_at: -1h}
    - {id: j3, title: Cook, state: open, owner: ben, created_at: -1d}
"""

FILES = {"openapi.yaml": OPENAPI, "provider.yaml": PROVIDER, "seeds/default.yaml": SEEDS}


def write(folder: Path, files: dict[str, str] | None = None) -> Path:
    """Write these files, each in place of the good one of its name, into a folder ``jobs`` below the given one."""
    root = folder / "jobs"
    for name, text in {**FILES, **(files or {})}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def edited(name: str, old: str, new: str, text: str | None = None) -> dict[str, str]:
    """A file (the good one of that name) with one text replaced by another, which must have stood there once."""
    text = FILES[name] if text is None else text
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
    return {name: text.replace(old, new)}
