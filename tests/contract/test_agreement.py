"""Our plans and openapi-core accept and reject the same requests and responses, but for the defects named here."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.generation import Answered, Generator, Sent, requests, responses

from tasktwin.contract import Contract, Match, Violation, compile_contract
from tasktwin.contract.parameter import read_cookies, read_pairs

ROOT = Path(__file__).parents[2]
CORPUS = sorted((ROOT / "tests/contract/corpus").glob("*.yaml"))
PROVIDERS = sorted((ROOT / "fixtures").glob("*/openapi.yaml"))
SETTINGS = settings(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
JSON = ((b"Content-Type", b"application/json"),)

Case = Sent | Answered
Explains = Callable[[Case, Violation], bool]


def is_31(case: Case) -> bool:
    return bool(case.operation.reference.document["openapi"].startswith("3.1"))


def parameter(case: Case, violation: Violation) -> dict[str, Any]:
    """The parameter object that a complaint is about, ``{}`` if it is about something else."""
    if not isinstance(case, Sent) or violation.where not in {"path", "query", "header", "cookie"}:
        return {}
    generator = Generator(case.operation.reference.document)
    item = generator.follow(generator.document["paths"][case.operation.path])
    nodes = [
        generator.follow(node) for node in [*case.operation.raw.get("parameters", []), *item.get("parameters", [])]
    ]
    place = (violation.pointer.split("/")[1], violation.where)
    return next((node for node in nodes if (node["name"], node["in"]) == place), {})


def has_style(*styles: str) -> Explains:
    return lambda case, violation: parameter(case, violation).get("style") in styles


def is_loosely(kind: str, loose: str, strict: str) -> Explains:
    """A text on the wire that openapi-core reads as ``kind`` and we do not, and rightly."""

    def explains(_: Case, violation: Violation) -> bool:
        text = str(violation.actual)
        is_text = violation.where not in {"body", "response"} and violation.keyword == "type"
        is_odd = re.fullmatch(loose, text, re.IGNORECASE) and not re.fullmatch(strict, text, re.ASCII)
        return is_text and kind in str(violation.expected) and bool(is_odd)

    return explains


def is_format(name: str) -> Explains:
    return lambda _, violation: violation.keyword == "format" and violation.expected == name


def is_sent_twice(case: Case, violation: Violation) -> bool:
    """A parameter or form field: with only the last value, the one that we take, both say the same about it."""
    name = f"{violation.pointer}/".split("/")[1]
    alone = last_values(case, violation.where, name) if isinstance(case, Sent) else case
    ours, theirs = ([item for item in side if item.pointer.split("/")[1:2] == [name]] for side in judge(alone))
    return alone != case and bool(ours) == bool(theirs)


def last_values(sent: Sent, where: str, name: str) -> Sent:
    """The request with only the last value of one name."""

    def joined(fields: dict[str, list[str]], mark: str) -> bytes:
        pairs = [(key, text) for key, texts in fields.items() for text in (texts if key != name else texts[-1:])]
        return mark.join(f"{key}={text if mark == '; ' else quote(text)}" for key, text in pairs).encode()

    if where == "cookie":
        lines = [
            (key, joined(read_cookies(text.decode()), "; ") if key == b"Cookie" else text) for key, text in sent.headers
        ]
        return replace(sent, headers=tuple(lines))
    part = "body" if where == "body" else "query"
    fields = read_pairs(getattr(sent, part))
    if len(fields.get(name, ())) < 2:
        return sent
    raw = joined(fields, "&")
    return replace(sent, body=raw) if where == "body" else replace(sent, query=raw)


def is_hidden(case: Case, violation: Violation) -> bool:
    """A required property that must not travel this way."""
    mark = "readOnly" if isinstance(case, Sent) else "writeOnly"
    missing = re.fullmatch(r"'(\w+)' is a required property", violation.message)
    schemas = case.operation.reference.document.get("components", {}).get("schemas", {}).values()
    levels = [*schemas, *(item for schema in schemas for item in schema.get("properties", {}).values())]
    return (
        bool(missing)
        and is_31(case)
        and any(level.get("properties", {}).get(missing[1], {}).get(mark) for level in levels if missing)
    )


def is_exploded_object(case: Case, violation: Violation) -> bool:
    node = parameter(case, violation)
    return node.get("in") == "query" and "style" not in node and node["schema"].get("type") == "object"


def is_json_under_a_range(case: Case, violation: Violation) -> bool:
    return (
        isinstance(case, Sent)
        and case.headers[-1:] != ()
        and case.headers[-1][1].startswith(b"application/vnd.x+json")
        and violation.keyword == "type"
    )


def is_uncastable_empty(case: Case, violation: Violation) -> bool:
    return parameter(case, violation).get("allowEmptyValue") is True and violation.keyword == "type"


def is_other_component(_: Case, violation: Violation) -> bool:
    return (
        violation.keyword == "enum" and violation.pointer == "/kind" and violation.actual in {"Other", "Thing", "Cat"}
    )


@dataclass(frozen=True)
class Defect:
    """A disagreement in which openapi-core is wrong, or chose otherwise where OpenAPI is silent.

    ``explains`` tells whether a complaint of the side that rejects is due to it. ``document``, ``operation`` and
    ``case`` show it: as long as they do, the defect is still there.
    """

    about: str
    explains: Explains
    document: str
    operation: str
    case: dict[str, Any]


WE_REJECT = (
    Defect("1_0, ' 7 ' and Arabic digits are integers", is_loosely("integer", r"\s*[+-]?[\d_]+\s*", r"-?\d+"), "query_form", "form", {"query": b"q=x&limit=1_0"}),
    Defect("inf, 1_0 and Arabic digits are numbers", is_loosely("number", r"\s*[+-]?([\d_.]+(e[+-]?\d+)?|inf|nan)\s*", r"-?\d+(\.\d+)?"), "query_form", "form", {"query": b"q=x&ratio=1_0"}),
    Defect("yes, on, 1 and TRUE are booleans", is_loosely("boolean", "y|yes|t|true|on|1|n|no|f|false|off|0", "true|false"), "query_form", "form", {"query": b"q=x&open=yes"}),
    Defect("a dollar matches before a newline", lambda _, v: v.keyword == "pattern" and str(v.actual).endswith("\n"), "path_styles", "scalars", {"path_values": {"n": "1", "flag": "true", "word": "a\n"}}),
    Defect("uri is not checked", is_format("uri"), "formats", "create", {"headers": JSON, "body": b'{"link":"a b"}'}),
    Defect("decimal is not known", is_format("decimal"), "formats", "create", {"headers": JSON, "body": b'{"price":"1e5"}'}),
    Defect("email is anything with an @", lambda _, v: v.expected == "email" and "@" in str(v.actual), "formats", "create", {"headers": JSON, "body": b'{"mail":"a@b@c"}'}),
    Defect("readOnly is not enforced in 3.1", lambda c, v: v.keyword == "readOnly" and is_31(c), "read_only_31", "create", {"headers": JSON, "body": b'{"id":1,"name":"a","secret":"s"}'}),
    Defect("writeOnly is not enforced in 3.1", lambda c, v: v.keyword == "writeOnly" and is_31(c), "read_only_31", "create", {"status": 201, "media": "application/json", "body": {"id": 1, "name": "a", "secret": "s"}}),
    Defect("a body passes where none is declared", lambda _, v: v.message == "this response has no body", "query_form", "form", {"status": 200, "media": "text/html", "body": "x"}),
    Defect("of a value sent twice the first counts", is_sent_twice, "query_form", "form", {"query": b"q=x&limit=1&limit=x"}),
    Defect("a discriminator reaches schemas outside its oneOf", is_other_component, "discriminator", "create", {"headers": JSON, "body": b'{"kind":"Other"}'}),
)  # fmt: skip

THEY_REJECT = (
    Defect("an empty text is no body", lambda c, v: isinstance(c, Answered) and c.body == "" and v.keyword == "required", "media_ranges", "upload", {"status": 200, "media": "text/html", "body": ""}),
    Defect("JSON under a range is not read", is_json_under_a_range, "media_ranges", "upload", {"headers": ((b"Content-Type", b"application/vnd.x+json"),), "body": b'"x"'}),
    Defect("an uploaded part is no string in 3.1", lambda c, v: is_31(c) and v.keyword == "type" and str(v.actual).endswith(" bytes"), "multipart_body", "upload", {"headers": ((b"Content-Type", b"multipart/form-data; boundary=b"),), "body": b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\na\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\na\r\n--b--\r\n'}),
    Defect("a parameter with several types is a TypeError", lambda _, v: v.keyword == "reference" and "got <class 'list'>" in v.message, "parameter_unions", "unions", {"query": b"listed=1"}),
    Defect("label and matrix need a template of their own", has_style("label", "matrix"), "path_styles_label_matrix", "label", {"path_values": {"color": ".red"}}),
    Defect("spaceDelimited splits at %20 after decoding", has_style("spaceDelimited"), "query_delimited", "delimited", {"query": b"words=a%20b"}),
    Defect("an exploded object is looked for under its own name", is_exploded_object, "query_objects", "exploded", {"query": b"point=1"}),
    Defect("a deepObject beside its bare name is an IndexError", lambda _, v: v.keyword == "reference" and "IndexError" in v.message, "query_objects", "deep", {"query": b"filter%5Bstatus%5D=open&filter="}),
    Defect("required counts for hidden properties in 3.1", is_hidden, "read_only_31", "create", {"headers": JSON, "body": b'{"name":"a","secret":"s"}'}),
    Defect("of a value sent twice the first counts", is_sent_twice, "query_form", "form", {"query": b"q=x&limit=x&limit=1"}),
    Defect("XML is parsed although no schema asks for it", lambda c, v: isinstance(c, Answered) and c.media == "application/xml" and "Failed to deserialize" in v.message, "xml_without_schema", "receipt", {"status": 200, "media": "application/xml", "body": "x"}),
    Defect("allowEmptyValue does not help a number", is_uncastable_empty, "defaults", "defaults", {"query": b"sort=newest&count="}),
)  # fmt: skip


@cache
def contract(path: Path) -> Contract:
    return compile_contract(yaml.safe_load(path.read_text()))


def operations() -> list[Any]:
    return [
        pytest.param(path, name, id=f"{path.parent.name if path in PROVIDERS else path.stem}-{name}")
        for path in [*CORPUS, *PROVIDERS]
        for name in contract(path).operations
    ]


def judge(case: Case) -> tuple[tuple[Violation, ...], tuple[Violation, ...]]:
    """Our complaints and those of openapi-core."""
    operation = case.operation
    if isinstance(case, Sent):
        sent = (case.path_values, case.query, case.headers, case.body)
        return operation.read(*sent).violations, operation.reference.request(operation, *sent)
    answer = (case.status, case.media, case.body, case.headers)
    return operation.check_response(*answer), operation.reference.response(operation, *answer)


def unexplained(case: Case) -> list[Violation]:
    """The complaints of the one side that rejects, without those that a defect explains."""
    ours, theirs = judge(case)
    if bool(ours) == bool(theirs):
        return []
    table = WE_REJECT if ours else THEY_REJECT
    return [item for item in ours or theirs if not any(defect.explains(case, item) for defect in table)]


def budget(path: Path) -> int:
    return 10 if path in PROVIDERS else 80


@pytest.mark.parametrize(("path", "name"), operations())
def test_requests_are_judged_alike(path: Path, name: str) -> None:
    compiled = contract(path)

    @settings(SETTINGS, max_examples=budget(path))
    @given(requests(Generator(compiled.document), compiled.operations[name]))
    def check(sent: Sent) -> None:
        assert not unexplained(sent)

    check()


@pytest.mark.parametrize(("path", "name"), operations())
def test_responses_are_judged_alike(path: Path, name: str) -> None:
    compiled = contract(path)

    @settings(SETTINGS, max_examples=budget(path))
    @given(responses(Generator(compiled.document), compiled.operations[name]))
    def check(answer: Answered) -> None:
        assert not unexplained(answer)

    check()


PATHS = st.lists(
    st.sampled_from(["tasks", "hall", "log", "12", "x", "files", "a.json", "both", "a%2Fb", "%2e%2e", "tÄsk"]),
    max_size=3,
)


@pytest.mark.parametrize("name", ["static_and_template", "trailing_slash"])
@settings(SETTINGS, max_examples=200)
@given(PATHS, st.booleans(), st.sampled_from(["GET", "POST", "DELETE"]))
def test_paths_are_found_alike(name: str, segments: list[str], slashed: bool, method: str) -> None:  # noqa: FBT001
    compiled = contract(ROOT / f"tests/contract/corpus/{name}.yaml")
    prefix = "/api/v1" if name == "static_and_template" else ""
    path = prefix + "".join("/" + segment for segment in segments) + ("/" if slashed or not segments else "")
    found = compiled.match(method, path)
    ours = (
        isinstance(found, Match)
        and found.slash == "same"
        and not found.operation.read(found.path_values, b"", (), b"").violations
    )
    reference = next(iter(compiled.operations.values())).reference
    theirs = not reference.raw_request(method, path, {}, b"", (), b"")
    has_empty_parameter = theirs and slashed and not ours  # openapi-core lets a path parameter be empty
    assert ours == theirs or has_empty_parameter


@pytest.mark.parametrize("defect", [*WE_REJECT, *THEY_REJECT], ids=lambda defect: defect.about)
def test_the_defect_is_still_there(defect: Defect) -> None:
    operation = contract(ROOT / f"tests/contract/corpus/{defect.document}.yaml").operations[defect.operation]
    case = Answered(operation, headers={}, **defect.case) if "status" in defect.case else Sent(operation, **defect.case)
    ours, theirs = judge(case)
    assert bool(ours) == (defect in WE_REJECT)
    assert bool(theirs) == (defect in THEY_REJECT)
    assert all(defect.explains(case, item) for item in ours or theirs)
