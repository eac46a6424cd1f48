"""What is written as YAML reads back as it was."""

from pathlib import Path

import pytest

from tasktwin.provider.yaml_file import read_yaml
from tasktwin.provider.yaml_text import block, line
from tasktwin.wire import Json

TEXTS = [
    "", "a", "1", "1e3", "1.", ".5", "-1h", "+3d", "0o7", "0x1F", "010", "~", "null", "Null", "true", "yes", "no", "on", "y",
    "=", "<<", ".inf", "-.INF", ".nan", "2026-01-01", "2026-01-01T00:00:00Z", "12:30:45", "a: b", "# a", "- a", "@a", "`a", "%a",
    "&a", "*a", "!a", "{a", "a\nb", "a\nb\n", " a", "a ", "\ta", "a\n  b\nc ", "\n", "🐶", "\u3000", "\x07", "\u2028", "a" * 300, "'", '"', "$x",
]  # fmt: skip
VALUES: list[Json] = [0, -1, 1.5, 1e300, 2**63, True, None, [], {}, [[1], [{}]], {"a": {"on": [None]}, "200": "x"}]


@pytest.mark.parametrize("value", [*TEXTS, *VALUES], ids=lambda value: ascii(value)[:20])
def test_a_value_reads_back_as_it_was(tmp_path: Path, value: Json) -> None:
    whole = {"value": value, "again": [value, value]} | ({value: 1} if isinstance(value, str) and value != "<<" else {})
    for write in (block, line):
        (tmp_path / "a.yaml").write_text(write(whole), encoding="utf-8")
        assert read_yaml(tmp_path / "a.yaml", "a") == whole


def test_a_line_is_one_line() -> None:
    assert line({"verb": "list", "of": ["x" * 90, "y" * 90]}).count("\n") == 0
