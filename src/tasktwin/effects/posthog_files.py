"""The files of PostHog's tasks and runs: forms to upload them, the storage that takes them, and their manifests.

The storage is the twin's own. A form is checked as S3 checks it: its policy is signed, so nothing needs remembering.
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from hashlib import md5, sha256
from typing import NoReturn
from urllib.parse import quote
from xml.sax.saxutils import escape

from tasktwin.behaviour.step import Step, effect
from tasktwin.effects.posthog_log import chain
from tasktwin.effects.posthog_runs import DAY, invalid, later
from tasktwin.errors import Refusal
from tasktwin.state import Row
from tasktwin.wire import Json, dumps, loads

HOUR = 3600
BUCKET = "posthog"
MEGABYTE = 1_048_576
MOST, MOST_PDF = 30, 10
OVERHEAD = 65_536
"""Bytes that the form around a file may take (STAGED)."""

OCTETS = "application/octet-stream"
FIELDS = ("key", "policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")


def _excess(artifact: Json, size: int) -> str:
    """What is wrong with a file of this size, ``""`` if nothing is."""
    kind = (artifact.get("content_type") or "").partition(";")[0].strip().lower()
    named = artifact["name"].lower().endswith(".pdf")
    pdf = artifact["type"] == "user_attachment" and (named or kind == "application/pdf")
    most = MOST_PDF if pdf else MOST
    rest = " for PDFs in cloud runs" if pdf and named else ""
    return f"{artifact['name']} exceeds the {most}MB attachment limit{rest}" if size > most * MEGABYTE else ""


def _inner(n: int, field: str, words: str) -> Refusal:
    """An error inside a list of objects, as the handler tells it: Python's text of the first object's errors (PROBE)."""
    if n:
        return invalid("{}", "artifacts", "{}")
    errors = f"{{'{field}': [ErrorDetail(string={words!r}, code='invalid')]}}"
    return invalid(errors, "artifacts", f"{{'{field}': ['invalid']}}")


@effect("invalid")
def check_sizes(step: Step) -> None:
    """Attached PDFs may be only a third as large as other files."""
    for n, each in enumerate(step.body["artifacts"]):
        if words := _excess(each, each["size"]):
            raise _inner(n, "size", words)


@effect("invalid")
def check_contents(step: Step) -> None:
    """What says that it is base64 must be."""
    for n, each in enumerate(step.body["artifacts"]):
        if _content(each) is None:
            raise _inner(n, "content", "Invalid base64 content")


def _content(artifact: Json) -> bytes | None:
    if artifact.get("content_encoding") != "base64":
        return str(artifact["content"]).encode()
    try:
        return b64decode(artifact["content"], validate=True)
    except (Base64Error, ValueError):
        return None


# ── places ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _folder(step: Step, task: str) -> str:
    return f"tasks/artifacts/team_{step.needed('project')['id']}/task_{task}"


def _run_folder(step: Step) -> str:
    return f"{_folder(step, step.row['task'])}/run_{step.row['id']}"


def _base_name(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2].strip() or "artifact"


def _storage(step: Step) -> str:
    return f"{step.scope['request.url']().partition('/api/projects/')[0]}/storage/{BUCKET}"


@effect()
def prepare_staged(step: Step) -> Json:
    """A form for each file of the next run."""
    folder = f"{_folder(step, step.row['id'])}/staged"
    return {"artifacts": [_prepared(step, each, f"{folder}/{{id}}/{{name}}") for each in step.body["artifacts"]]}


@effect()
def prepare_attached(step: Step) -> Json:
    """A form for each file of this run."""
    folder = _run_folder(step)
    return {"artifacts": [_prepared(step, each, f"{folder}/{{id:.8}}_{{name}}") for each in step.body["artifacts"]]}


def _prepared(step: Step, asked: Json, place: str) -> Json:
    key, name = step.new_id().replace("-", ""), _base_name(asked["name"])
    path = place.format(id=key, name=name)
    told = {"id": key, "name": name, "type": asked["type"], "source": asked.get("source", ""), "size": asked["size"]}
    form = {"url": _storage(step), "fields": _form(step, path, asked["size"] + OVERHEAD)}
    more = {"storage_path": path, "expires_in": HOUR, "presigned_post": form}
    return {**told, "content_type": asked.get("content_type", ""), **more}


def _form(step: Step, key: str, most: int) -> dict[str, str]:
    day = step.now[:10].replace("-", "")
    rest = {
        "key": key,
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"twin/{day}/us-east-1/s3/aws4_request",
        "x-amz-date": f"{day}T{step.now[11:19].replace(':', '')}Z",
    }
    conditions: list[Json] = [{"bucket": BUCKET}, ["content-length-range", 0, most], *({k: v} for k, v in rest.items())]
    policy = b64encode(dumps({"expiration": later(step, HOUR), "conditions": conditions})).decode()
    return {**rest, "policy": policy, "x-amz-signature": _signature(step, policy)}


def _signature(step: Step, policy: str) -> str:
    return hmac.new(f"twin:{step.world.beginning.seed}".encode(), policy.encode(), sha256).hexdigest()


# ── the storage ──────────────────────────────────────────────────────────────────────────────────────────────────────


@effect("upload_invalid", "upload_refused", "bucket_not_found")
def upload_object(step: Step) -> None:
    """A file arrives with its form: signed by this twin, unchanged, in time, and no larger than announced."""
    body = step.body
    if step.scope["request.path"]["bucket"] != BUCKET:
        _turn_away("bucket_not_found", "NoSuchBucket", "The specified bucket does not exist")
    for name in FIELDS:
        if not body.get(name):
            words = f"Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
            _turn_away("upload_refused" if name != "key" else "upload_invalid", "InvalidArgument", words)
    content = body.get("file")
    if content is None:
        _turn_away("upload_invalid", "InvalidArgument", "POST requires exactly one file upload per request.")
    _check_policy(step, len(content))
    etag = md5(content, usedforsecurity=False).hexdigest()
    _store(step, body["key"], content, "binary/octet-stream")
    address = f"{step.scope['request.url']().partition('?')[0]}/{quote(body['key'])}"
    step.answer_with(ETag=f'"{etag}"', Location=address)


def _check_policy(step: Step, size: int) -> None:
    body = step.body
    if not hmac.compare_digest(_signature(step, body["policy"]).encode(), body["x-amz-signature"].encode()):
        words = "The request signature we calculated does not match the signature you provided. Check your key and signing method."
        _turn_away("upload_refused", "SignatureDoesNotMatch", words)
    policy = loads(b64decode(body["policy"]))
    if policy["expiration"] <= step.now:
        _turn_away("upload_refused", "AccessDenied", "Invalid according to Policy: Policy expired.")
    for condition in policy["conditions"]:
        if isinstance(condition, list):
            if size > condition[2]:
                _turn_away("upload_invalid", "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        else:
            [(name, wanted)] = condition.items()
            if name != "bucket" and body[name] != wanted:
                words = f'Invalid according to Policy: Policy Condition failed: ["eq", "${name}", "{wanted}"]'
                _turn_away("upload_refused", "AccessDenied", words)


def _turn_away(kind: str, code: str, words: str) -> NoReturn:
    raise Refusal(kind, escape(words), data=code)


def _store(step: Step, key: str, content: bytes, kind: str) -> Row:
    """Keep an object, as text because rows are JSON."""
    fields = {"size": len(content), "content_type": kind, "content": b64encode(content).decode()}
    return _put(step, "object", key, **fields)


def _put(step: Step, collection: str, key: str, **fields: Json) -> Row:
    row = step.read(collection, key)
    return step.change(collection, row, **fields) if row else step.add(collection, id=key, **fields)


# ── manifests ────────────────────────────────────────────────────────────────────────────────────────────────────────


@effect("refused")
def finalize_staged(step: Step) -> Json:
    """Uploaded files wait a day for the next run; the first that is wrong stops all."""
    task = step.row["id"]
    prefix = f"{_folder(step, task)}/staged/"
    found = []
    for asked in step.body["artifacts"]:
        path = asked["storage_path"]
        if not path.startswith(prefix) or f"/{asked['id']}/" not in path:
            step.refuse("refused", "Artifact storage path is invalid for this task")
        found.append(_uploaded(step, asked))
    for artifact in found:
        _put(step, "staged", f"{task}:{artifact['id']}", artifact=artifact, expires_at=later(step, DAY))
    return {"artifacts": found}


@effect("refused")
def finalize_attached(step: Step) -> Json:
    """Uploaded files join the run's own; those that did before are answered as they are."""
    prefix, manifest, found = f"{_run_folder(step)}/", list(step.row["artifacts"]), []
    for asked in step.body["artifacts"]:
        if not asked["storage_path"].startswith(prefix):
            step.refuse("refused", "Artifact storage path is invalid for this run")
        artifact = next((each for each in manifest if each["storage_path"] == asked["storage_path"]), None)
        if artifact is None:
            artifact = _uploaded(step, asked)
            manifest.append(artifact)
        found.append(artifact)
    step.set(artifacts=manifest)
    return {"artifacts": found}


def _uploaded(step: Step, asked: Json) -> Json:
    stored = step.read("object", asked["storage_path"])
    if stored is None:
        step.refuse("refused", "Artifact upload not found in object storage")
    if words := _excess(asked, stored["size"]):
        step.refuse("refused", words)
    return _entry(step, asked, asked["id"], asked["storage_path"], stored)


def _entry(step: Step, asked: Json, key: str, path: str, stored: Row) -> Json:
    told = {"id": key, "name": _base_name(asked["name"]), "type": asked["type"], "source": asked.get("source", "")}
    kind = asked.get("content_type") or stored["content_type"]
    return {**told, "size": stored["size"], "content_type": kind, "storage_path": path, "uploaded_at": step.now}


@effect()
def add_artifacts(step: Step) -> Json:
    """Files sent inside the request join the run's own; all of them are answered."""
    manifest = list(step.row["artifacts"])
    for asked in step.body["artifacts"]:
        content, key = _content(asked) or b"", step.new_id().replace("-", "")
        path = f"{_run_folder(step)}/{key[:8]}_{_base_name(asked['name'])}"
        stored = _store(step, path, content, asked.get("content_type") or OCTETS)
        manifest.append(_entry(step, asked, key, path, stored))
    step.set(artifacts=manifest)
    return {"artifacts": manifest}


@effect("artifact_not_found")
def presign_artifact(step: Step) -> Json:
    """A link to a file of this run."""
    path = _listed(step, [step.row])["storage_path"]
    expires, signature = later(step, HOUR), _signature(step, path)
    return {"url": f"{_storage(step)}?key={quote(path)}&expires={expires}&signature={signature}", "expires_in": HOUR}


@effect("artifact_not_found")
def download_artifact(step: Step) -> bytes:
    """A file of this run or of one that it resumes."""
    artifact = _listed(step, chain(step))
    stored = step.read("object", artifact["storage_path"])
    if stored is None:
        step.refuse("artifact_not_found", "Artifact content not found")
    kind, name = artifact.get("content_type") or "", artifact["name"]
    sound = kind.isascii() and kind.isprintable() and kind.partition("/")[2]
    plain = name.isascii() and name.isprintable() and '"' not in name
    shown = f'filename="{name}"' if plain else f"filename*=utf-8''{quote(name)}"
    media = kind if sound else OCTETS
    step.answer_with(media, Content_Disposition=f"attachment; {shown}", Cache_Control="no-cache")
    return b64decode(stored["content"])


def _listed(step: Step, runs: list[Row]) -> Json:
    path = step.body["storage_path"]
    found = [each for run in runs for each in run["artifacts"] if each["storage_path"] == path]
    if not found:
        step.refuse("artifact_not_found", "Artifact not found on this run")
    return found[0]
