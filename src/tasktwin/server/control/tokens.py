"""The route that makes signed tokens: good ones, and such as a client should be refused with."""

from starlette.responses import Response

from tasktwin.behaviour.rules import Place, Rules
from tasktwin.behaviour.signed import Jwt, sign
from tasktwin.server.control.call import Call, Handler, ProblemError, answer
from tasktwin.state import EARLIEST, LATEST, format_instant
from tasktwin.wire import Json

SECOND = 1_000_000


def issue_token(call: Call) -> Response:
    """A token that says what is asked for, signed as asked for, its times by the world's clock."""
    place, rule = _find(call.rules)
    asked = call.read.body
    claims = _own(call, rule, asked["principal"]) if "principal" in asked else {}
    claims["iat"] = now = call.world.instant // SECOND
    lasts = asked.get("expires_in", rule.lasts // SECOND)
    if lasts is not None:
        claims["exp"] = now + lasts
    claims |= asked.get("claims", {})
    token = sign(claims, asked.get("key", rule.key), asked.get("algorithm", rule.algorithms[0]))
    told: dict[str, Json] = {"token": token, "headers": _headers(call.rules, place, token)}
    return answer(201, told | {"claims": claims, "expires_at": _written(claims.get("exp"))})


def _find(rules: Rules) -> tuple[Place, Jwt]:
    """Where the provider looks for signed tokens, and what makes them good. Raises ``ProblemError`` if it never does."""
    for channel in rules.channels:
        for look in channel.looks:
            if look.jwt:
                return look.places[0], look.jwt
    raise ProblemError(409, f"{rules.name} takes no signed tokens; `tasktwin list {rules.name}` shows what it takes")


def _own(call: Call, rule: Jwt, name: str) -> dict[str, Json]:
    """What the provider's tokens say of a demo caller. Raises ``ProblemError`` for one that nobody knows."""
    known = call.rules.principals
    if name not in known:
        raise ProblemError(404, f"there is no demo caller {name!r}; known are {', '.join(known) or 'none'}")
    claims: dict[str, Json] = rule.claims({**call.world.scope(), "principal": call.who_is(name)})
    return claims


def _headers(rules: Rules, place: Place, token: str) -> dict[str, Json]:
    """The header to send it in; none where it stands elsewhere."""
    scheme = rules.contract.schemes.get(place.scheme)
    if scheme is None or scheme.location != "header":
        return {}
    name = "-".join(word.capitalize() for word in scheme.key.split("-"))
    return {name: f"{scheme.http_scheme.capitalize()} {token}".strip()}


def _written(seconds: Json) -> str | None:
    """When a token ends; nothing if its ``exp`` is no time."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    within = EARLIEST <= seconds * SECOND <= LATEST
    return format_instant(int(seconds * SECOND)) if within else None


ROUTES: dict[str, Handler] = {"issueToken": issue_token}
