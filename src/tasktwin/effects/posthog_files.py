"""The files of PostHog's tasks and runs: forms to upload them, and the manifests that list them."""

from base64 import b64decode
from binascii import Error as Base64Error
from urllib.parse import quote

from tasktwin.behaviour.step import Step, effect
from tasktwin.behaviour.storage import content_of, find_object, keep, make_form, sign, storage_of
from tasktwin.effects.posthog_log import chain
from tasktwin.effects.posthog_runs import DAY, invalid
from tasktwin.errors import Refusal
from tasktwin.state import Row
from tasktwin.wire import Json

MEGABYTE = 1_048_576
MOST, MOST_PDF = 30, 10
OVERHEAD = 65_536
"""Bytes that the form around a file may take (API)."""

OCTETS = "application/octet-stream"


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
    return f"{step.scope['request.url']().partition('/api/projects/')[0]}/storage/{storage_of(step).bucket}"


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
    form = make_form(step, _storage(step), path, asked["size"] + OVERHEAD)
    more = {"storage_path": path, "expires_in": storage_of(step).lasts, "presigned_post": form}
    return {**told, "content_type": asked.get("content_type", ""), **more}


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
        step.put("staged", f"{task}:{artifact['id']}", artifact=artifact, expires_at=step.later(DAY))
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
    stored = find_object(step, asked["storage_path"])
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
        stored = keep(step, path, content, asked.get("content_type") or OCTETS)
        manifest.append(_entry(step, asked, key, path, stored))
    step.set(artifacts=manifest)
    return {"artifacts": manifest}


@effect("artifact_not_found")
def presign_artifact(step: Step) -> Json:
    """A link to a file of this run."""
    path = _listed(step, [step.row])["storage_path"]
    lasts = storage_of(step).lasts
    link = f"{_storage(step)}?key={quote(path)}&expires={step.later(lasts)}&signature={sign(step, path)}"
    return {"url": link, "expires_in": lasts}


@effect("artifact_not_found")
def download_artifact(step: Step) -> bytes:
    """A file of this run or of one that it resumes."""
    artifact = _listed(step, chain(step))
    stored = find_object(step, artifact["storage_path"])
    if stored is None:
        step.refuse("artifact_not_found", "Artifact content not found")
    kind, name = artifact.get("content_type") or "", artifact["name"]
    sound = kind.isascii() and kind.isprintable() and kind.partition("/")[2]
    plain = name.isascii() and name.isprintable() and '"' not in name
    shown = f'filename="{name}"' if plain else f"filename*=utf-8''{quote(name)}"
    media = kind if sound else OCTETS
    step.answer_with(media, Content_Disposition=f"attachment; {shown}", Cache_Control="no-cache")
    return content_of(stored)


def _listed(step: Step, runs: list[Row]) -> Json:
    path = step.body["storage_path"]
    found = [each for run in runs for each in run["artifacts"] if each["storage_path"] == path]
    if not found:
        step.refuse("artifact_not_found", "Artifact not found on this run")
    return found[0]
