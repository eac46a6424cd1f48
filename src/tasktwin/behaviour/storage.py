"""Object storage with presigned forms, as S3 has it: a form's policy is signed, so nothing needs remembering.

The signature is the twin's own, drawn from the world's seed. What is refused is worded as S3 words it; the codes are the
refusals' data.
"""

import hmac
from base64 import b64decode, b64encode
from hashlib import md5, sha256
from typing import NoReturn
from urllib.parse import quote
from xml.sax.saxutils import escape

from tasktwin.behaviour.rules import Storage
from tasktwin.behaviour.step import Step
from tasktwin.errors import Refusal
from tasktwin.state import Row
from tasktwin.wire import Json, dumps, loads

FIELDS = ("key", "policy", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
UNNAMED = "Bucket POST must contain a field named '{}'.  If it is specified, please check the order of the fields."
UNSIGNED = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)
DEFAULT_MEDIA = "binary/octet-stream"
"""What an object is when nothing is said, as in S3."""


def storage_of(step: Step) -> Storage:
    """The provider's storage. An effect that asks for one where the data have none is a mistake of ours."""
    found = step.world.rules.storage
    if found is None:
        raise AssertionError("the data have no storage")
    return found


def make_form(step: Step, url: str, key: str, most: int) -> Json:
    """A form to post one object of at most so many bytes to ``url``: its address and its fields."""
    storage, day = storage_of(step), step.now[:10].replace("-", "")
    rest = {
        "key": key,
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"twin/{day}/us-east-1/s3/aws4_request",
        "x-amz-date": f"{day}T{step.now[11:19].replace(':', '')}Z",
    }
    fixed = [{name: value} for name, value in rest.items()]
    conditions = [{"bucket": storage.bucket}, ["content-length-range", 0, most], *fixed]
    policy = b64encode(dumps({"expiration": step.later(storage.lasts), "conditions": conditions})).decode()
    return {"url": url, "fields": {**rest, "policy": policy, "x-amz-signature": sign(step, policy)}}


def sign(step: Step, text: str) -> str:
    """The signature of a policy or a link, as hexadecimal digits."""
    return hmac.new(f"twin:{step.world.beginning.seed}".encode(), text.encode(), sha256).hexdigest()


def keep(step: Step, key: str, content: bytes, media: str = DEFAULT_MEDIA) -> Row:
    """Keep an object in place of an older one, as text because rows are JSON."""
    fields = {"size": len(content), "content_type": media, "content": b64encode(content).decode()}
    return step.put(storage_of(step).collection, key, **fields)


def find_object(step: Step, key: str) -> Row | None:
    """The object of this key: its size and media type, and its content for ``content_of``."""
    return step.read(storage_of(step).collection, key)


def content_of(stored: Row) -> bytes:
    """The bytes of an object."""
    return b64decode(stored["content"])


def upload(step: Step) -> None:
    """An object arrives with its form: signed by this twin, unchanged, in time, and no larger than it says.

    Raises ``Refusal``, whose kinds are ``upload_invalid`` and ``upload_refused``.
    """
    body = step.body
    for name in FIELDS:
        if not body.get(name):
            _turn_away("upload_invalid" if name == "key" else "upload_refused", "InvalidArgument", UNNAMED.format(name))
    content = body.get("file")
    if content is None:
        _turn_away("upload_invalid", "InvalidArgument", "POST requires exactly one file upload per request.")
    _check_policy(step, len(content))
    etag = md5(content, usedforsecurity=False).hexdigest()
    keep(step, body["key"], content)
    address = f"{step.scope['request.url']().partition('?')[0]}/{quote(body['key'])}"
    step.answer_with(ETag=f'"{etag}"', Location=address)


def _check_policy(step: Step, size: int) -> None:
    body = step.body
    if not hmac.compare_digest(sign(step, body["policy"]).encode(), body["x-amz-signature"].encode()):
        _turn_away("upload_refused", "SignatureDoesNotMatch", UNSIGNED)
    policy = loads(b64decode(body["policy"]))
    if policy["expiration"] <= step.now:
        _turn_away("upload_refused", "AccessDenied", "Invalid according to Policy: Policy expired.")
    for condition in policy["conditions"]:
        if isinstance(condition, list):
            if size > condition[2]:
                _turn_away("upload_invalid", "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
            continue
        [(name, wanted)] = condition.items()
        if name != "bucket" and body[name] != wanted:
            words = f'Invalid according to Policy: Policy Condition failed: ["eq", "${name}", "{wanted}"]'
            _turn_away("upload_refused", "AccessDenied", words)


def _turn_away(kind: str, code: str, words: str) -> NoReturn:
    raise Refusal(kind, escape(words), data=code)
