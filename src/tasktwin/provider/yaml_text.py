"""Values written as YAML that reads back as the same values, the 1.2 way."""

import re
from typing import Any

import yaml

from tasktwin.wire import Json

_WIDTH = 120
_MISTAKEN = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.(?i:inf|nan)|~|(?i:null|true|false)"
)
"""Texts that YAML 1.2 may take for numbers or words where 1.1, which PyYAML writes, does not."""


class _Dumper(yaml.SafeDumper):
    """Without anchors, and texts in quotes wherever they could be taken for something else."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - its place in PyYAML
        """A value that is there twice is written twice."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _MISTAKEN.fullmatch(text) else "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def block(value: Json) -> str:
    """A value over several lines, with a line end."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    return text


def line(value: Json) -> str:
    """A mapping or a list in one line, without a line end: ``{verb: list, collection: todo}``."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"), default_flow_style=True
    )
    return text.rstrip("\n")
