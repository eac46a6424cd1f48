"""What a developer meets first: a call that works, and a page with base URLs, callers and ways on."""

from collections.abc import Sequence
from html import escape
from shlex import quote
from urllib.parse import urlencode

from tasktwin import __version__
from tasktwin.behaviour.rules import Rules
from tasktwin.contract import Operation
from tasktwin.server.transport import CONTROL

STYLE = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2.5rem auto;padding:0 1rem}
h1 small{font-size:.5em;font-weight:400;opacity:.65}
section{border:1px solid #8886;border-radius:8px;padding:.25rem 1.25rem 1rem;margin:1.25rem 0}
pre,code{font:13px/1.5 ui-monospace,monospace;background:#8882;border-radius:4px;padding:.1em .4em}
pre{padding:.6em .8em;overflow:auto}
div{overflow:auto}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.35rem 1rem .35rem 0;border-bottom:1px solid #8884}
td code{display:table;white-space:nowrap;margin:.1rem 0}
@media(max-width:45rem){th{display:none}tr{display:grid;border-bottom:1px solid #8884;padding:.4rem 0}
td{border:0;padding:0}td code{white-space:normal;overflow-wrap:anywhere}}
"""


def first_call(rules: Rules, url: str) -> str:
    """A curl line for a list that the first demo caller may ask for; else for any GET that needs nothing made up.

    ``""`` if there is none: a path's parameters are filled in only where the document gives an example. Where the data
    knows no callers any credential counts, so one is made up.
    """
    operations = rules.contract.operations.values()
    gets = [each for each in operations if each.method == "GET" and each.id in rules.bindings]
    listed = [each for each in gets if rules.bindings[each.id].verb == "list"]
    for each in (*listed, *gets):
        if path := _filled(each):
            query, headers = _made_up(rules, each)
            for who in [*rules.principals.values()][:1]:
                query, headers = "", {**who.headers}
            given = "".join(f" -H {quote(f'{name}: {value}')}" for name, value in headers.items())
            return f"curl -sS {quote(url + rules.contract.prefix + path + query)}{given}"
    return ""


def _made_up(rules: Rules, operation: Operation) -> tuple[str, dict[str, str]]:
    """Query and headers that hold a credential for each scheme the operation asks for first."""
    query, headers = {}, {}
    for name, _ in (operation.security or ((),))[0]:
        scheme = rules.contract.schemes[name]
        if scheme.location == "query":
            query[scheme.key] = "demo"
        elif scheme.location == "cookie":
            headers["Cookie"] = f"{scheme.key}=demo"
        else:
            headers[scheme.key.title()] = f"{scheme.http_scheme.title()} demo".strip()
    return "?" + urlencode(query) if query else "", headers


def _filled(operation: Operation) -> str:
    """The operation's path with its examples in it; ``""`` if something else must be known."""
    path = operation.path
    for each in operation.declared:
        if each.where == "path" and isinstance(each.node.get("example"), str):
            path = path.replace(f"{{{each.node['name']}}}", each.node["example"])
        elif each.required:
            return ""
    return "" if "{" in path else path


def page(apis: Sequence[Rules], bases: Sequence[str]) -> str:
    """The page that names each API with its base URL, its callers and its links."""
    sections = "".join(_section(rules, base) for rules, base in zip(apis, bases, strict=True))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<link rel="icon" href="data:,"><title>tasktwin</title><style>{STYLE}</style>'
        f"<h1>tasktwin <small>{__version__}</small></h1>{sections}</html>"
    )


def _section(rules: Rules, base: str) -> str:
    url = escape(base)
    drawn = [(f"lifecycle: {name}", f"lifecycles/{name}.svg") for name in rules.lifecycles]
    seen = [(name, name) for name in ("state", "clock", "journal", "coverage", "clients", "worlds")]
    links = " · ".join(
        f'<a href="{url}{CONTROL}/{escape(route)}">{escape(name)}</a>'
        for name, route in (*drawn, *seen, ("control plane", "openapi.json"))
    )
    call = first_call(rules, base)
    told = f"<pre>{escape(call)}</pre>" if call else ""
    return f"<section><h2>{escape(rules.title)}</h2><p>Base URL <code>{url}</code></p>{told}{_callers(rules)}<p>{links}</p></section>"


def _callers(rules: Rules) -> str:
    if not rules.principals:
        return ""
    rows = "".join(
        f"<tr><td><b>{escape(who.name)}</b><td>{escape(who.about)}<td>"
        + "".join(f"<code>{escape(name)}: {escape(value)}</code>" for name, value in who.headers.items())
        for who in rules.principals.values()
    )
    return f"<div><table><tr><th>caller<th>who that is<th>headers{rows}</table></div>"
