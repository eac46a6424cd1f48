"""Credentials for a real deployment: a YAML file of principals and the headers that each of them sends.

.. code-block:: yaml

    poster: {Authorization: "Bearer ${POSTER_TOKEN}"}
    worker: {X-Api-Key: "${KEY}", X-Platform-User-Id: 3f0c…}

``${NAME}`` is filled in from the environment. No message and no output ever holds a value.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tasktwin.contract.violation import token
from tasktwin.errors import DataError, Problem
from tasktwin.provider.yaml_file import did_you_mean, located, read_yaml
from tasktwin.wire import Json

_VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\x20-\x7e\x80-\xff]+")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What each principal sends, and how that is written where a person reads it: with shell variables for secrets."""

    headers: Mapping[str, Mapping[str, str]] = field(repr=False)
    written: Mapping[str, Mapping[str, str]]


def read_credentials(path: Path, principals: Iterable[str], environment: Mapping[str, str]) -> Credentials:
    """The credentials in a file. Raises ``DataError`` with the line of each that is wrong or whose variable is not set."""
    name = str(path)
    value = read_yaml(path, name)
    problems = list(_problems(value, list(principals), environment))
    if problems:
        raise DataError(*located(problems, path, name))
    headers = {who: {name: _filled(text, environment) for name, text in each.items()} for who, each in value.items()}
    written = {who: {name: _written(who, name, text) for name, text in each.items()} for who, each in value.items()}
    return Credentials(headers, written)


def _problems(value: Json, principals: list[str], environment: Mapping[str, str]) -> Iterable[Problem]:
    if not isinstance(value, dict) or not value:
        yield Problem(
            "principals and their headers are expected here", hint="Write: alice: {Authorization: Bearer ${TOKEN}}"
        )
        return
    for who, headers in value.items():
        at = token(who)
        if principals and who not in principals:
            yield Problem(f"there is no principal {who[:80]!r}", at, hint=did_you_mean(who, principals))
        if not isinstance(headers, dict) or not headers:
            yield Problem(f"the headers of {who[:80]} are expected here", at)
            continue
        for name, text in headers.items():
            yield from _header(name, text, at + token(name), environment)


def _header(name: str, text: Json, at: str, environment: Mapping[str, str]) -> Iterable[Problem]:
    if not _NAME.fullmatch(name):
        yield Problem("this is no name of a header", at)
        return
    if not isinstance(text, str):
        yield Problem(f"the value of {name} is expected to be a text", at, hint="Put quotes around it.")
        return
    for variable in _VARIABLE.findall(text):
        if variable not in environment:
            yield Problem(f"the environment variable {variable} is not set", at)
            return
    if not _VALUE.fullmatch(_filled(text, environment)):
        yield Problem(f"the value of {name} is empty, or has characters that no header carries", at)


def _filled(text: str, environment: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: environment[found[1]], text)


def _written(who: str, name: str, text: str) -> str:
    """The text itself if all that is secret in it comes from the environment, else a variable in its place."""
    if _VARIABLE.search(text):
        return text
    return "${" + re.sub(r"\W", "_", f"TASKTWIN_{who}_{name}", flags=re.ASCII).upper() + "}"
