"""Folders with one mistake each, and what must be said about it."""

from dataclasses import dataclass

from tests.provider.small import edited

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
DEEP = "[" * 101 + "]" * 101


@dataclass(frozen=True)
class Mistake:
    """One folder: ``files`` in place of the good ones, and what is said: which file, the line's text, and words.

    ``at`` is a text that begins on the line to be named; ``pointer`` is a part of what is said.
    """

    name: str
    files: dict[str, str]
    at: str
    pointer: str
    says: tuple[str, ...]

    @property
    def place(self) -> str:
        """``jobs/file:line: `` as the message must begin."""
        ((name, text),) = self.files.items()
        return f"jobs/{name}:{text[: text.index(self.at)].count(chr(10)) + 1}: "


def behaviour(name: str, old: str, new: str, pointer: str, *says: str, at: str = "") -> Mistake:
    return Mistake(name, edited("provider.yaml", old, new), at or new.strip().splitlines()[-1], pointer, says)


def contract(name: str, old: str, new: str, pointer: str, *says: str, at: str = "") -> Mistake:
    return Mistake(name, edited("openapi.yaml", old, new), at or new.strip().splitlines()[-1], pointer, says)


def seeds(name: str, old: str, new: str, pointer: str, *says: str, at: str = "") -> Mistake:
    return Mistake(name, edited("seeds/default.yaml", old, new), at or new.strip().splitlines()[-1], pointer, says)


def whole(name: str, file: str, text: str, *says: str, at: str = "", pointer: str = "") -> Mistake:
    return Mistake(name, {file: text}, at, pointer, says)


FORM = [
    behaviour("unknown-key", "about: A small", "abuot: A small", "/abuot", "unknown key 'abuot'", "Did you mean 'about'?"),
    behaviour("unknown-key-inside", "final: true, provenance: stated D}\n      lapsed", "finale: true, provenance: stated D}\n      lapsed", "/lifecycles/job/states/done/finale", "unknown key 'finale'", "Did you mean 'final'?", at="finale"),
    behaviour("unknown-key-in-binding", "order: -created_at", "oder: -created_at", "/operations/listJobs/oder", "Did you mean 'order'?"),
    behaviour("missing-key", "title: Jobs\n", "", "", "the key 'title' is missing", at="provider: jobs"),
    behaviour("missing-key-inside", "    field: state\n", "", "/lifecycles/job", "the key 'field' is missing", at="  job:\n    collection"),
    behaviour("duplicate-key", "time: seconds", "title: Work", "", "the key 'title' stands here twice"),
    behaviour("transition-of-one-name-twice", "      finish: {", "      start: {", "", "the key 'start' stands here twice", at="start: {operation: finishJob"),
    behaviour("syntax-error", "wrong_state\n    states:", "wrong_state\n    states: {", "", "did not find expected ',' or '}'", "begins in line 49", at="      running: {"),
    behaviour("unclosed-quote", 'pay: "nobody is paid"', 'pay: "nobody is paid', "", "begins in line 8", at="    principal: {name"),
    behaviour("tab-indentation", "  header: Idem", "\theader: Idem", "", "tab"),
    behaviour("self-referring-alias", "about: A small market of jobs.", "about: &me [*me]", "", "itself"),
    behaviour("unknown-alias", "time: seconds", "time: *nothing", "", "nothing"),
    behaviour("unknown-tag", "time: seconds", "time: !!python/object/apply:os.system [ls]", "", "python/object/apply"),
    behaviour("wrong-type", "time: seconds", "time: [seconds]", "/time", "not known here"),
    behaviour("wrong-type-of-mapping", "  methods: [POST]", "  methods: POST", "/idempotency/methods", "a list is expected here, not 'POST'"),
    behaviour("unknown-choice", "time: seconds", "time: second", "/time", "'second' is not known", "Did you mean 'seconds'?"),
    behaviour("unknown-verb", "{verb: read,", "{verb: reed,", "/operations/getJob/verb", "Did you mean 'read'?", at="reed"),
    behaviour("status-out-of-range", "status: 402", "status: 42", "/errors/kinds/broke/status", "42"),
    whole("empty-file", "provider.yaml", "", "a mapping is expected here, not nothing"),
    whole("a-list", "provider.yaml", "- 1\n", "mapping", at="- 1"),
    whole("alias-bomb", "provider.yaml", BOMB, "more than 200,000 values", at="a5:"),
    whole("hundred-levels", "provider.yaml", f"provider: {DEEP}\n", "deeper than 100 levels", at="provider"),
    whole("two-documents", "provider.yaml", "a: 1\n---\nb: 2\n", "a second document begins here", at="---"),
    whole("control-character", "provider.yaml", "provider: jobs\ntitle: a\x07b\n", "control characters", at="title"),
    whole("merge-key", "provider.yaml", "a: &a {b: 1}\nc:\n  <<: *a\n", "merge key <<", at="<<"),
]  # fmt: skip

NAMES = [
    behaviour("unknown-effects", "time: seconds", "effects: uumitt", "/effects", "'uumitt'", "Did you mean 'uumit'?"),
    behaviour("collection-of-sign-in", "collection: token, where: {secret", "collection: tokn, where: {secret", "/sign_in/0/look_ups/0/collection", "'tokn'", "Did you mean 'token'?"),
    behaviour("scheme-of-sign-in", "scheme: Bearer", "scheme: Barer", "/sign_in/0/look_ups/0/scheme", "'Barer'", "Did you mean 'Bearer'?"),
    behaviour("kind-of-sign-in", "unknown: bad_credential", "unknown: bad_credentials", "/sign_in/0/look_ups/0/unknown", "Did you mean 'bad_credential'?"),
    behaviour("collection-of-a-signed-token", "collection: token, where: {secret: $credential}, unknown", "collection: token, jwt: {key: '0123456789012345678901234567890123456789012345678901234567890123', algorithms: [HS256], claims: {}, lasts: 1h}, unknown", "/sign_in/0/look_ups/0/collection", "sought in no collection"),
    behaviour("algorithm-of-a-signed-token", "collection: token, where: {secret: $credential}, unknown", "jwt: {key: x, algorithms: [none], claims: {}, lasts: 1h}, unknown", "/sign_in/0/look_ups/0/jwt/algorithms/0", "'none' is not known"),
    behaviour("root-of-a-signed-token", "collection: token, where: {secret: $credential}, unknown", "jwt: {key: '0123456789012345678901234567890123456789012345678901234567890123', algorithms: [HS256], claims: {sub: $principl#/user}, lasts: 1h}, unknown", "/sign_in/0/look_ups/0/jwt/claims/sub", "Did you mean $principal?"),
    behaviour("kind-of-an-expired-token", "collection: token, where: {secret: $credential}, unknown", "jwt: {key: '0123456789012345678901234567890123456789012345678901234567890123', algorithms: [HS256], claims: {}, lasts: 1h, expired: bad_credentials}, unknown", "/sign_in/0/look_ups/0/jwt/expired", "Did you mean 'bad_credential'?"),
    behaviour("look-up-of-nothing", "where: {secret: $credential}, ", "", "/sign_in/0/look_ups/0", "the key 'where' is missing", at="      - {as: token, scheme"),
    behaviour("field-of-sign-in", "where: {secret: $", "where: {sekret: $", "/sign_in/0/look_ups/0/where/sekret", "token has no field 'sekret'", "Did you mean 'secret'?"),
    behaviour("root-of-principal", "user: $token#/user}", "user: $tokn#/user}", "/sign_in/0/principal/user", "Did you mean $token?"),
    behaviour("root-of-error-shape", "message: $error#/message}", "message: $eror#/message}", "/errors/shape/message", "Did you mean $error?"),
    behaviour("root-of-error-message", "not now: {$error#", "not now: {$eror#", "/errors/kinds/wrong_state/message", "Did you mean $error?"),
    behaviour("bad-expression", "start: $request.query.page", "start: $request query page", "/paging/pages/start", "no runtime expression"),
    behaviour("root-of-paging", "items: $page#/items", "items: $pages#/items", "/paging/pages/answer/items", "Did you mean $page?"),
    behaviour("operation-of-idempotency", "  keep: 1d", "  fields: {creatJob: key}\n  keep: 1d", "/idempotency/fields", "Did you mean 'createJob'?", at="creatJob"),
    behaviour("schema-of-collection", "schema: Job\n", "schema: Jb\n", "/collections/job/schema", "Did you mean 'Job'?"),
    behaviour("id-field-of-collection", "    created: created_at", "    id: {field: uid}\n    created: created_at", "/collections/job/id", "job has no field 'uid'", at="uid"),
    behaviour("created-of-collection", "created: created_at", "created: creatd_at", "/collections/job/created", "Did you mean 'created_at'?"),
    behaviour("read-only-of-collection", "read_only: [state, owner]", "read_only: [state, ownr]", "/collections/job/read_only/1", "Did you mean 'owner'?"),
    behaviour("decimals-of-collection", "    private: [note]", "    decimals: {pric: 2}", "/collections/job/decimals/pric", "Did you mean 'price'?"),
    behaviour("field-of-role", "      owner: {owner: $principal#/user}", "      owner: {ownr: $principal#/user}", "/collections/job/roles/owner/ownr", "Did you mean 'owner'?"),
    behaviour("root-of-role", "owner: {owner: $principal#/user}\n", "owner: {owner: $principl#/user}\n", "/collections/job/roles/owner/owner", "Did you mean $principal?", at="$principl#"),
    behaviour("operator-of-role", "{not: $principal", "{nt: $principal", "/collections/job/roles/other/owner", "is no condition"),
    behaviour("root-of-visible", "    private: [note]", "    visible: {owner: $me}", "/collections/job/visible/owner", "'$me' names nothing known"),
    behaviour("collection-of-join", "    private: [note]", "    joins:\n      worker: {collection: tokens, where: {user: $row#/owner}, give: $row#/user}", "/collections/job/joins/worker/collection", "Did you mean 'token'?"),
    behaviour("field-of-join", "    private: [note]", "    joins:\n      worker: {collection: token, where: {usr: $row#/owner}, give: $row#/user}", "/collections/job/joins/worker/where/usr", "Did you mean 'user'?"),
    behaviour("order-of-join", "    private: [note]", "    joins:\n      worker: {collection: token, order: -usr, where: {}, give: $row#/user}", "/collections/job/joins/worker/order", "Did you mean 'user'?"),
    behaviour("collection-of-lifecycle", "    collection: job\n    field", "    collection: jobs\n    field", "/lifecycles/job/collection", "there is no collection 'jobs'", "Did you mean 'job'?", at="collection: jobs"),
    behaviour("field-of-lifecycle", "field: state", "field: stat", "/lifecycles/job/field", "Did you mean 'state'?"),
    behaviour("kind-of-lifecycle", "refuse: wrong_state\n    states", "refuse: wrong_stat\n    states", "/lifecycles/job/refuse", "Did you mean 'wrong_state'?", at="refuse: wrong_stat\n"),
    behaviour("operation-of-transition", "operation: startJob", "operation: startJobs", "/lifecycles/job/transitions/start/operation", "Did you mean 'startJob'?"),
    behaviour("state-a-transition-leaves", "from: running, to: done", "from: runing, to: done", "/lifecycles/job/transitions/finish/from", "Did you mean 'running'?"),
    behaviour("state-a-transition-reaches", "from: open, to: running", "from: open, to: runing", "/lifecycles/job/transitions/start/to", "Did you mean 'running'?"),
    behaviour("role-of-transition", "only: [other]", "only: [othr]", "/lifecycles/job/transitions/start/only", "Did you mean 'other'?"),
    behaviour("required-field-of-transition", "requires: [hours]", "requires: [hour]", "/lifecycles/job/transitions/start/requires", "Did you mean 'hours'?"),
    behaviour("field-set-by-transition", "set: {worker: $", "set: {workr: $", "/lifecycles/job/transitions/start/set/workr", "Did you mean 'worker'?"),
    behaviour("effect-of-transition", "operation: createJob, from", "effects: [pay], operation: createJob, from", "/lifecycles/job/transitions/create/effects", "there is no effect 'pay'"),
    behaviour("kind-of-transition", "operation: finishJob, from", "refuse: wrong, operation: finishJob, from", "/lifecycles/job/transitions/finish/refuse", "Did you mean 'wrong_state'?"),
    behaviour("kind-of-fallback", "operation: createJob, from", "otherwise: [{kind: brok, to: done, answer: parked, provenance: stated D}], operation: createJob, from", "/lifecycles/job/transitions/create/otherwise/0/kind", "Did you mean 'broke'?"),
    behaviour("state-of-fallback", "operation: createJob, from", "otherwise: [{kind: broke, to: doen, answer: parked, provenance: stated D}], operation: createJob, from", "/lifecycles/job/transitions/create/otherwise/0/to", "there is no state 'doen'"),
    behaviour("role-of-fallback", "operation: createJob, from", "otherwise: [{kind: broke, only: [ownr], to: done, answer: parked, provenance: stated D}], operation: createJob, from", "/lifecycles/job/transitions/create/otherwise/0/only", "Did you mean 'owner'?"),
    behaviour("bound-operation", "  getJob: {verb", "  getJobs: {verb", "/operations/getJobs", "there is no operation 'getJobs'", "Did you mean 'getJob'?"),
    behaviour("collection-of-binding", "getJob: {verb: read, collection: job", "getJob: {verb: read, collection: jbo", "/operations/getJob/collection", "Did you mean 'job'?"),
    behaviour("root-of-row", "  getJob: {verb: read, collection: job, row: $request.path.job_id", "  getJob: {verb: read, collection: job, row: $request.pth.job_id", "/operations/getJob/row", "Did you mean $request.p"),
    behaviour("parameter-of-row", "  getJob: {verb: read, collection: job, row: $request.path.job_id", "  getJob: {verb: read, collection: job, row: $request.path.jobid", "/operations/getJob/row", "getJob has no path parameter 'jobid'", "Did you mean 'job_id'?"),
    behaviour("role-of-binding", "  deleteJob: {verb: delete, collection: job, row: $request.path.job_id, only: [owner]", "  deleteJob: {verb: delete, collection: job, row: $request.path.job_id, only: [ownr]", "/operations/deleteJob/only", "Did you mean 'owner'?"),
    behaviour("field-of-filter", "filter: {state: $", "filter: {stat: $", "/operations/listJobs/filter/stat", "Did you mean 'state'?"),
    behaviour("parameter-of-filter", "$request.query.state}", "$request.query.stat}", "/operations/listJobs/filter/state", "Did you mean 'state'?"),
    behaviour("field-of-search", "search: {in: [title]", "search: {in: [titel]", "/operations/listJobs/search/in", "Did you mean 'title'?"),
    behaviour("field-of-order", "order: -created_at", "order: -createdat", "/operations/listJobs/order", "Did you mean 'created_at'?"),
    behaviour("unknown-paging", "page: pages", "page: page", "/operations/listJobs/page", "Did you mean 'pages'?"),
    behaviour("field-set-by-binding", "    set: {owner: $", "    set: {ownr: $", "/operations/createJob/set/ownr", "Did you mean 'owner'?"),
    behaviour("field-of-unique", "unique: {where: {title:", "unique: {where: {titel:", "/operations/createJob/unique/where/titel", "Did you mean 'title'?"),
    behaviour("kind-of-unique", "refuse: twice}", "refuse: twce}", "/operations/createJob/unique/refuse", "Did you mean 'twice'?"),
    behaviour("collection-of-need", "{as: target, collection: job,", "{as: target, collection: jop,", "/operations/startJob/needs/0/collection", "Did you mean 'job'?"),
    behaviour("state-of-need", "in: [open, running]", "in: [open, runing]", "/operations/startJob/needs/0/in", "Did you mean 'running'?"),
    behaviour("kind-of-need", "refuse: wrong_state}\n  finishJob", "refuse: wrongstate}\n  finishJob", "/operations/startJob/needs/0/refuse", "Did you mean 'wrong_state'?", at="wrongstate"),
    behaviour("need-of-copy", "    set: {owner: $principal#/user}", "    copy: {from: target, fields: [title]}", "/operations/createJob/copy/from", "there is no need 'target'"),
    behaviour("kind-of-guard", "  finishJob: {verb: move,", "  finishJob: {verb: move, guards: [{when: {state: open}, refuse: twise}],", "/operations/finishJob/guards/0/refuse", "Did you mean 'twice'?"),
    behaviour("field-of-guard", "  finishJob: {verb: move,", "  finishJob: {verb: move, guards: [{when: {stat: open}, refuse: twice}],", "/operations/finishJob/guards/0/when/stat", "job has no field 'stat'", "Did you mean 'state'?"),
    behaviour("first-guard", "  finishJob: {verb: move,", "  finishJob: {verb: move, first: [{when: {$rwo: 1}, refuse: twice}],", "/operations/finishJob/first/0/when/$rwo", "Did you mean $row?"),
    behaviour("effect-of-binding", "  finishJob: {verb: move,", "  finishJob: {verb: move, effect: pay,", "/operations/finishJob/effect", "there is no effect 'pay'"),
    behaviour("operation-of-method", "        operation: getJob", "        operation: getJb", "/operations/callAgent/methods/jobs~1get/operation", "Did you mean 'getJob'?"),
    behaviour("schema-of-method", "params: JobId", "params: JobID", "/operations/callAgent/methods/jobs~1get/params", "Did you mean 'JobId'?"),
    behaviour("root-of-method", "body: {title: $params#/title}", "body: {title: $param#/title}", "/operations/callAgent/methods/jobs~1create/body/title", "Did you mean $params?"),
    behaviour("kind-of-method-error", "      not_found: {code", "      not_fond: {code", "/operations/callAgent/errors", "Did you mean 'not_found'?"),
    behaviour("unknown-step", "time: seconds", "steps: [match, authentify]", "/steps", "steps"),
]  # fmt: skip

SENSE = [
    behaviour("unreachable-state", "operation: startJob, from: open, to: running", "operation: startJob, from: open", "/lifecycles/job/states/running", "state 'running' can never be reached", at="      running: {"),
    behaviour("dead-end", "done: {final: true, ", "done: {", "/lifecycles/job/states/done", "state 'done' is a dead end", "final: true"),
    behaviour("final-state-left", "from: running, to: open", "from: [running, done], to: open", "/lifecycles/job/states/done", "is final, yet a transition leaves it", at="      done: {"),
    behaviour("bad-duration", "after: 3d", "after: 3 days", "/lifecycles/job/transitions/lapse/after", "'3 days'", "90s, 10m, 72h or 3d"),
    behaviour("timer-of-zero", "after: 3d", "after: 0s", "/lifecycles/job/transitions/lapse/after", "'0s'", "90s, 10m, 72h"),
    behaviour("duration-beyond-the-calendar", "after: 3d", "after: 999999999d", "/lifecycles/job/transitions/lapse/after", "999999999d"),
    behaviour("bad-duration-of-keys", "keep: 1d", "keep: ever", "/idempotency/keep", "ever"),
    behaviour("two-causes", "trigger: abandon,", "trigger: abandon, operation: startJob,", "/lifecycles/job/transitions/abandon", "one of operation, trigger, after"),
    behaviour("no-cause", "trigger: abandon,", "", "/lifecycles/job/transitions/abandon", "one of operation, trigger, after", at="abandon: {"),
    behaviour("two-timers-of-a-state", "trigger: abandon, from: running", "after: 1h, from: open", "/lifecycles/job/transitions/lapse", "a timer already", at="lapse: {after"),
    behaviour("timer-on-nothing", "after: 3d, from: open", "after: 3d, from: new", "/lifecycles/job/transitions/lapse", "before a row exists"),
    behaviour("two-lifecycles-of-a-collection", "operations:\n  listJobs", "  other:\n    collection: job\n    field: state\n    states: {open: {final: true, provenance: stated D}}\n    transitions: {make: {trigger: make, from: new, to: open, provenance: stated D}}\noperations:\n  listJobs", "/lifecycles/other", "job has a lifecycle already", at="  other:\n"),
    behaviour("creating-without-a-state", "operation: createJob, from: new, to: open", "operation: createJob, from: new", "/lifecycles/job/transitions/create", "from new needs a state"),
    behaviour("creation-not-in-the-lifecycle", "operation: createJob, from: new, to: open", "trigger: create, from: new, to: open", "/operations/createJob", "no transition names this operation", at="  createJob:\n"),
    behaviour("move-without-transition", "finish: {operation: finishJob,", "finish: {operation: startJob,", "/operations/finishJob", "no transition", at="  finishJob: {"),
    behaviour("transition-of-unbound-operation", "  finishJob: {verb: move, collection: job, row: $request.path.job_id}\n", "", "/lifecycles/job/transitions/finish/operation", "finishJob", at="      finish: {"),
    behaviour("verb-without-collection", "getJob: {verb: read, collection: job, ", "getJob: {verb: read, ", "/operations/getJob", "needs a collection", at="  getJob: {"),
    behaviour("verb-without-row", "getJob: {verb: read, collection: job, row: $request.path.job_id}", "getJob: {verb: read, collection: job}", "/operations/getJob", "needs a row", at="  getJob: {"),
    behaviour("rpc-without-methods", "  finishJob: {verb: move, collection: job, row: $request.path.job_id}", "  finishJob: {verb: rpc}", "/operations/finishJob", "needs methods"),
    behaviour("provenance-of-wrong-form", "running: {provenance: stated D}", "running: {provenance: sated D}", "/lifecycles/job/states/running/provenance", "'sated D'", "'stated TAG'"),
    behaviour("provenance-without-reason", 'provenance: "assumed: 402"', 'provenance: "assumed: "', "/errors/kinds/broke/provenance", "assumed: why"),
]  # fmt: skip

STREAM = [
    behaviour("unknown-key-of-stream", "      retry: 2s", "      retri: 2s", "/operations/watchJob/stream/retri", "unknown key 'retri'", "Did you mean 'retry'?"),
    behaviour("unknown-key-of-event", "{kinds: [create], event:", "{kinds: [create], evnt:", "/operations/watchJob/stream/events/0/evnt", "Did you mean 'event'?"),
    behaviour("unknown-key-of-heartbeat", "{every: 20s, event: ping", "{every: 20s, evnt: ping", "/operations/watchJob/stream/heartbeat/evnt", "Did you mean 'event'?"),
    behaviour("stream-without-topic", '      topic: "job:{$row#/id}"\n', "", "/operations/watchJob/stream", "the key 'topic' is missing", at="    stream:"),
    behaviour("stream-without-provenance", "      provenance: stated D\n  callAgent", "  callAgent", "/operations/watchJob/stream", "the key 'provenance' is missing", at="    stream:"),
    behaviour("provenance-of-stream", "      provenance: stated D\n  callAgent", "      provenance: sated D\n  callAgent", "/operations/watchJob/stream/provenance", "'sated D'", at="provenance: sated D"),
    behaviour("source-of-ids", "      retry: 2s", "      id: numbr", "/operations/watchJob/stream/id", "'numbr' is not known", "Did you mean 'number'?"),
    behaviour("kind-of-gone", "      retry: 2s", "      gone: wrong_stat", "/operations/watchJob/stream/gone", "Did you mean 'wrong_state'?"),
    behaviour("kind-of-bad-id", "      retry: 2s", "      bad_id: invald", "/operations/watchJob/stream/bad_id", "Did you mean 'invalid'?"),
    behaviour("root-of-bad-id", "      retry: 2s", "      bad_id: {event: end, data: {id: $roww#/id}}", "/operations/watchJob/stream/bad_id/data/id", "Did you mean $row?"),
    behaviour("bad-duration-of-retry", "      retry: 2s", "      retry: 2 seconds", "/operations/watchJob/stream/retry", "'2 seconds'", "90s, 10m, 72h or 3d"),
    behaviour("heartbeat-without-every", "{every: 20s, event: ping", "{event: ping", "/operations/watchJob/stream/heartbeat", "the key 'every' is missing"),
    behaviour("heartbeat-of-zero", "{every: 20s, event", "{every: 0s, event", "/operations/watchJob/stream/heartbeat/every", "'0s'", "90s, 10m, 72h"),
    behaviour("wait-without-span", "      retry: 2s", "      wait: {event: end}", "/operations/watchJob/stream/wait", "the key 'for' is missing"),
    behaviour("row-id-told-in-the-stream", "      retry: 2s", "      id: row\n      bad_id: {event: error, data: no}", "/operations/watchJob/stream/bad_id", "must be refused when it is none", "Name a kind of refusal", at="bad_id"),
    behaviour("lasts-for-nothing", "      retry: 2s", "      lasts: {for: 0s, comment: over}", "/operations/watchJob/stream/lasts/for", "'0s'"),
    behaviour("root-of-topic", '"job:{$row#/id}"', '"job:{$rwo#/id}"', "/operations/watchJob/stream/topic", "'$rwo#/id' names nothing known", "Did you mean $row?"),
    behaviour("collection-of-topic", '"job:{$row#/id}"', '"jobs:{$row#/id}"', "/operations/watchJob/stream/topic", "nothing is ever told in the topic 'jobs:{$row#/id}'", "Did you mean 'job'?"),
    behaviour("topic-without-a-row", '"job:{$row#/id}"', "job", "/operations/watchJob/stream/topic", "nothing is ever told in the topic 'job'", "Add the row: job:{$row#/id}.", at="topic: job"),
    behaviour("root-of-event", "event: created, data: {id: $row#/id}", "event: created, data: {id: $evnt#/data}", "/operations/watchJob/stream/events/0/data/id", "Did you mean $event?"),
    behaviour("root-of-heartbeat", "event: ping, data: {id: $row", "event: ping, data: {id: $job", "/operations/watchJob/stream/heartbeat/data/id", "'$job#/id' names nothing known"),
    behaviour("parameter-of-resume", "$request.header.Last-Event-ID", "$request.header.Last-Event", "/operations/watchJob/stream/resume", "watchJob has no header parameter 'last-event'", "Did you mean 'last-event-id'?"),
    behaviour("begin-by-unknown-parameter", "      retry: 2s", "      begin: $request.query.start", "/operations/watchJob/stream/begin", "watchJob has no query parameter 'start'"),
    behaviour("field-of-ends", "ends: {state: [done", "ends: {stat: [done", "/operations/watchJob/stream/events/1/ends/stat", "job has no field 'stat'", "Did you mean 'state'?"),
    behaviour("operator-of-ends", "ends: {state: [done, lapsed]}", "ends: {state: {nt: open}}", "/operations/watchJob/stream/events/1/ends/state", "is no condition"),
    behaviour("ends-is-no-condition", "ends: {state: [done, lapsed]}", "ends: done", "/operations/watchJob/stream/events/1/ends", "'done' does not fit here", "true, or a condition"),
    behaviour("field-of-when", "{kinds: [create], event", "{kinds: [create], when: {titel: x}, event", "/operations/watchJob/stream/events/0/when/titel", "Did you mean 'title'?"),
    behaviour("field-of-now", "      retry: 2s", "      now: {event: change, data: {id: $row#/id}, ends: {stat: done}}", "/operations/watchJob/stream/now/ends/stat", "Did you mean 'state'?"),
    behaviour("stream-of-a-method-without-one", "        operation: getJob", "        operation: getJob\n        stream: {topic: 'job:{$row#/id}', provenance: stated D}", "/operations/callAgent/methods/jobs~1get/stream", "the contract answers no stream here", "under the 200 of callAgent."),
    behaviour("no-events", "      events:\n        - {kinds: [create], event: created, data: {id: $row#/id}}\n        - {event: change, data: {id: $row#/id, state: $row#/state}, ends: {state: [done, lapsed]}}", "      events: []", "/operations/watchJob/stream/events", "[]"),
    behaviour("no-kinds", "{kinds: [create], event", "{kinds: [], event", "/operations/watchJob/stream/events/0/kinds", "[]"),
    behaviour("name-of-two-lines", "event: created,", 'event: "a\\nb",', "/operations/watchJob/stream/events/0/event", "a\\nb"),
    behaviour("stream-of-an-operation-without-one", "  getJob: {verb: read, collection: job, row: $request.path.job_id}", '  getJob: {verb: read, collection: job, row: $request.path.job_id, stream: {topic: "job:{$row#/id}", provenance: stated D}}', "/operations/getJob/stream", "the contract answers no stream here", "Declare text/event-stream under the 200 of getJob."),
]  # fmt: skip

DOCUMENT = [
    contract("no-version", "openapi: 3.1.0", "openapi: 2.0", "/openapi", "3.0.x and 3.1.x"),
    contract("reference-to-the-web", '$ref: "#/components/schemas/Jobs"', '$ref: "https://jobs.example/jobs.json#/Jobs"', "", "never fetched", at="https://"),
    contract("reference-without-scheme", '$ref: "#/components/schemas/Jobs"', '$ref: "//jobs.example/jobs.json"', "", "never fetched", at="//jobs"),
    contract("reference-to-a-file-url", '$ref: "#/components/schemas/Jobs"', '$ref: "file:///etc/passwd"', "", "never fetched", at="file:"),
    contract("reference-out-of-the-folder", '$ref: "#/components/schemas/Jobs"', '$ref: "../../secret.yaml#/Jobs"', "", "out of the folder", at="secret"),
    contract("reference-to-a-missing-file", '$ref: "#/components/schemas/Jobs"', '$ref: "schemas/jobs.yaml#/Jobs"', "", "leads to no file", at="schemas/jobs"),
    contract("reference-to-nothing", "schemas/Jobs", "schemas/Jbs", "/paths/~1jobs/get/responses/200/content/application~1json/schema", "leads nowhere", "Did you mean '#/components/schemas/Jobs'?"),
    contract("reference-to-itself", "    JobId:\n", '    Loop: {$ref: "#/components/schemas/Loop"}\n    JobId:\n', "/components/schemas/Loop", "refers to itself", at="    Loop:"),
    contract("broken-schema", "{type: string, enum: [open", "{type: strin, enum: [open", "/components/schemas/Job/properties/state/type", "strin"),
    contract("impossible-pattern", '"^[^!]*$"', '"^[^!*$"', "/components/schemas/NewJob/properties/title", "pattern"),
    contract("undeclared-path-parameter", "  /jobs/{job_id}/start:\n", "  /jobs/{id}/start:\n", "/paths/~1jobs~1{id}~1start/post", "{id} in the path is not declared", at="    post: {operationId: startJob"),
    contract("operation-id-taken", "operationId: finishJob", "operationId: startJob", "/paths/~1jobs~1{job_id}~1finish/post/operationId", "'startJob' is taken", at="    post: {operationId: startJob, x-provenance: stated D, responses: *answers}\n  /rpc"),
    contract("unknown-security-scheme", "  - Bearer: []", "  - Barer: []", "/security/0/Barer", "Did you mean 'Bearer'?"),
    whole("empty-document", "openapi.yaml", "", "an OpenAPI document is a mapping"),
    whole("document-is-a-text", "openapi.yaml", "hello\n", "mapping", at="hello"),
]  # fmt: skip

ROWS = [
    seeds("unknown-state", "state: running", "state: runing", "/rows/job/1/state", "job has no state 'runing'", "Did you mean 'running'?"),
    seeds("time-that-is-none", "created_at: -1d", "created_at: yesterday", "/rows/job/2/created_at", "'yesterday' is not an ISO 8601 date", "-2h"),
    seeds("amount-that-is-none", 'price: "5"', "price: five", "/rows/job/0/price", "price must be a decimal number"),
    seeds("wrong-pick-of-state", "state: running", "state: {$pick: [open, shut]}", "/rows/job/1/state", "job has no state 'shut'"),
    seeds("too-many-rows-in-all", "rows:\n  token", "make: {job: [{count: 999999, row: {}}]}\nrows:\n  token", "/make", "more than 1,000,000 rows", at="make"),
    seeds("unknown-collection", "  job:\n", "  jbo:\n", "/rows/jbo", "there is no collection 'jbo'", "Did you mean 'job'?"),
    seeds("unknown-field", "title: Sweep", "titel: Sweep", "/rows/job/1/titel", "job has no field 'titel'", "Did you mean 'title'?"),
    seeds("unknown-seeds-to-extend", "rows:\n  token", "extends: emty\nrows:\n  token", "/extends", "there are no seeds 'emty'", at="extends"),
    seeds("seeds-that-extend-themselves", "rows:\n  token", "extends: default\nrows:\n  token", "/extends", "extend themselves", at="extends"),
    seeds("unknown-maker", "hours: 2,", "hours: {$pik: [1, 2]},", "/rows/job/0/hours", "$pick"),
    seeds("pick-from-nothing", "hours: 2,", "hours: {$pick: []},", "/rows/job/0/hours", "$pick"),
    seeds("between-the-wrong-way-round", "hours: 2,", "hours: {$between: [5, 2]},", "/rows/job/0/hours", "$between"),
    seeds("unknown-root", "title: Cook", "title: $name", "/rows/job/2/title", "'$name' names nothing known"),
    seeds("too-many-rows", "rows:\n  token", "make: {job: [{count: 10000000, row: {}}]}\nrows:\n  token", "/make/job/0/count", "1000000", at="make"),
    seeds("row-is-no-mapping", "    - {id: t1, secret: ann-token, user: ann}", "    - t1", "/rows/token/0", "mapping"),
    seeds("unknown-key-of-seeds", "about: Two", "abuot: Two", "/abuot", "Did you mean 'about'?"),
    whole("empty-seeds", "seeds/default.yaml", "", "a mapping is expected here, not nothing"),
]  # fmt: skip

CHECKED = [
    contract("provenance-of-wrong-form-in-the-document", "x-provenance: observed C1", "x-provenance: obsrved C1", "/paths/~1jobs~1{job_id}/get", "'obsrved C1' is no provenance", "'stated TAG'", at="    get: &one"),
    contract("provenance-of-wrong-type", "x-provenance: observed C1", "x-provenance: [C1]", "/paths/~1jobs~1{job_id}/get", "is no provenance", at="    get: &one"),
    contract("unknown-source-in-the-document", "x-provenance: observed C1", "x-provenance: observed C2", "/paths/~1jobs~1{job_id}/get", "the source 'C2' is not among `sources`", at="    get: &one"),
    contract("document-against-openapi", 'info: {title: Jobs, version: "1"}', 'info: {titel: Jobs, version: "1"}', "/info", '"title" is a required property'),
    behaviour("unknown-source", "running: {provenance: stated D}", "running: {provenance: stated E}", "/lifecycles/job/states/running", "the source 'E' is not among `sources`", "Known are: C1, D."),
    behaviour("caller-who-cannot-sign-in", "Bearer ann-token", "Bearer an-token", "/principals/ann", "the demo caller 'ann' cannot sign in"),
    seeds("row-against-its-schema", "title: Sweep", "title: 5", "/rows/job/1/title", "string"),
]  # fmt: skip
