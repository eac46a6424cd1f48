"""Whom the control plane does not obey: web pages of others, which a developer's browser lets send requests here.

A browser says for which page it asks (``Origin``; ``Sec-Fetch-Site``, W3C Fetch Metadata) and under which name it
reached the twin (``Host``), which is not the twin's own where a page had its name resolve to this machine (DNS
rebinding). Programs that are no browsers say nothing of pages, and pass.
"""

import re
from ipaddress import ip_address

from tasktwin.server.asgi import Scope
from tasktwin.server.control.call import ProblemError

_TOLD = frozenset({b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode", b"sec-fetch-dest"})
_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[^\[\]:/@]{1,255})(:[0-9]{0,5})?")
_OUTSIDE = frozenset({"cross-site", "same-site"})
"""Another port of this machine is the same site, and yet another origin."""


def check_sender(scope: Scope, *, has_token: bool) -> None:
    """Refuse what a page of another origin sends. Raises ``ProblemError``.

    With a token any name will do for the twin: a page knows the name, but not the token.
    """
    told: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        if name in _TOLD:
            told.setdefault(name, []).append(value.decode("latin-1").lower())
    hosts = told.get(b"host", [])
    if not has_token:
        for host in hosts:
            _check_host(host, scope)
    for origin in told.get(b"origin", ()):
        if [origin] != [f"{scope['scheme']}://{host}" for host in hosts]:
            raise _foreign(f"a page of {origin[:200]}")
    if _OUTSIDE.intersection(told.get(b"sec-fetch-site", ())) and not _is_visit(scope, told):
        raise _foreign("a page of another origin")


def _check_host(host: str, scope: Scope) -> None:
    found = _HOST.fullmatch(host)
    name = found[1].strip("[]").removesuffix(".") if found else ""
    server = scope.get("server")
    if _is_local(name) or (server and name == str(server[0]).lower()):
        return
    raise ProblemError(
        421,
        f"the control plane is not called {host[:200]!r}, which any web page could have resolve to this machine: use"
        " localhost or 127.0.0.1; or start the twin with --control-token and send the token, or with --host ADDRESS",
    )


def _is_local(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _is_visit(scope: Scope, told: dict[bytes, list[str]]) -> bool:
    """Whether somebody followed a link to here: what is shown then, the page with the link cannot read."""
    visit = (told.get(b"sec-fetch-mode"), told.get(b"sec-fetch-dest"))
    return scope["method"] in ("GET", "HEAD") and visit == (["navigate"], ["document"])


def _foreign(who: str) -> ProblemError:
    return ProblemError(
        403,
        f"{who} may not drive the control plane: only programs do, and the twin's own pages. --cors opens the API, not this",
    )
