"""The report on clients, for people and for programs."""

from html import escape

from starlette.responses import HTMLResponse, Response

from tasktwin.server.control.call import Call, answer
from tasktwin.server.control.page import STYLE
from tasktwin.server.referee import report
from tasktwin.server.referee.point import times
from tasktwin.wire import Json

MARKS = {"good": "✓ good", "bad": "✗ bad", "unseen": "· unseen"}

LOOK = """
td:nth-child(-n+2){white-space:nowrap}
td summary{margin:0}
td ul{margin:.2rem 0;padding-left:1.1rem}
td small,td details{opacity:.8;font-size:.85em}
h2 code{overflow-wrap:anywhere}
.good,.bad,.unseen{display:inline-block;min-width:5rem;font-weight:600}
.good{color:#2a8a4a}.bad{color:#d33}.unseen{opacity:.55;font-weight:400}
summary{cursor:pointer;margin-top:.6rem}
dt{font-weight:600;margin-top:.5rem}dd{margin:0 0 0 1rem;overflow-wrap:anywhere}
nav{font-size:.9em;opacity:.75}
"""


def get_clients(call: Call) -> Response:
    """How the clients of this world coped."""
    found = report(call.world)
    format_ = call.read.query.get("format")
    accepted = call.request.headers.get("accept", "")
    if format_ == "html" or (format_ is None and "text/html" in accepted):
        return HTMLResponse(page(found, call.rules.title), headers={"vary": "Accept"})
    shown = answer(200, found)
    shown.headers["vary"] = "Accept"
    return shown


def page(found: Json, title: str) -> str:
    """The report as one HTML page, which needs nothing else."""
    world, journal = escape(found["world"]), found["journal"]
    clients = "".join(_client(each) for each in found["clients"])
    nobody = "<p>Nobody has asked anything in this world yet.</p>" if not found["clients"] else ""
    left = f"<p>{found['left_out']} more clients with fewer requests are left out.</p>" if found["left_out"] else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<link rel="icon" href="data:,"><title>clients of {world}</title><style>{STYLE}{LOOK}</style>'
        f"<h1>How clients coped <small>{escape(title)}, world {world}</small></h1>"
        f"<p>{_range(journal)} Times are the world's; it is {escape(found['at'])}.</p>{nobody}{clients}{left}"
        f'<nav><a href="journal">journal</a> · <a href="coverage">coverage</a> · '
        f'<a href="clients?format=json">this as JSON</a></nav></html>'
    )


def _range(journal: Json) -> str:
    if journal["last"] < journal["first"]:
        return "The journal is empty."
    spoken = f"Judged by the journal's entries {_link(journal['first'])} to {_link(journal['last'])}."
    if not journal["dropped"]:
        return spoken
    return f"{spoken} <b>{journal['dropped']} older ones gave way</b> (it keeps {journal['limit']}) and are not judged."


def _client(client: Json) -> str:
    who = escape(client["principal"] or "(nobody signed in)")
    agent = escape(client["user_agent"] or "(no User-Agent)")
    counts, first, last = client["verdicts"], client["first"]["number"], client["last"]["number"]
    span = _link(first) if first == last else f"{_link(first)} to {_link(last)}"
    rows = "".join(_point(each) for each in client["points"])
    return (
        f"<section><h2>{who} <small><code>{agent}</code></small></h2>"
        f"<p>{times(client['requests'], 'request')}, {span}: "
        f"{counts['good']} good, {counts['bad']} bad, {counts['unseen']} unseen</p>"
        f"<div><table><tr><th>verdict<th>point<th>what was seen{rows}</table></div>{_never(client['never_met'])}</section>"
    )


def _point(point: Json) -> str:
    verdict, shown = point["verdict"], point["evidence"]
    told = escape(point["says"])
    if len(shown) == 1:
        told += f"<br><small>{_links(shown[0])}</small>"
    elif shown:
        lines = "".join(f"<li>{escape(each['says'])}: {_links(each)}" for each in shown)
        told += f"<details><summary>each of them</summary><ul>{lines}</ul></details>"
    return f'<tr><td><span class="{verdict}">{MARKS[verdict]}</span><td>{escape(point["name"])}<td>{told}'


def _links(finding: Json) -> str:
    return " ".join(_link(each["number"], each["at"]) for each in finding["entries"])


def _link(number: int, at: str = "") -> str:
    title = f' title="{escape(at)}"' if at else ""
    return f'<a href="journal?since={number - 1}&amp;limit=1"{title}>#{number}</a>'


def _never(met: Json) -> str:
    """What a client never met, folded away."""
    parts = [
        (
            "Statuses that the contract declares",
            [f"{name}: {', '.join(left)}" for name, left in met["statuses"].items()],
        ),
        ("Transitions", [f"{name}: {', '.join(left)}" for name, left in met["transitions"].items()]),
        ("Events of streams", [f"{name}: {', '.join(left)}" for name, left in met["events"].items()]),
        ("Faults that can be ordered", [", ".join(met["faults"])] if met["faults"] else []),
    ]
    told = "".join(f"<dt>{name}{''.join(f'<dd>{escape(line)}' for line in lines)}" for name, lines in parts if lines)
    return f"<details><summary>What it never met</summary><dl>{told}</dl></details>" if told else ""
