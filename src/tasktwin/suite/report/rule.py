"""The rules that findings break, explained: for SARIF viewers and for the HTML report."""

from dataclasses import dataclass

FAMILIES = {
    "contract": (
        "The answer breaks the contract",
        "What came back is not what the OpenAPI document promises: its status, its media type, its headers or its body.",
        "Either the service or the document is wrong. Compare the pointer with the schema of the operation.",
    ),
    "client": (
        "The client breaks the contract",
        "A client sent what the contract rules out, or asked for what it does not describe.",
        "Mend the client, or the document, if that is what lags behind.",
    ),
    "request": (
        "A wrong request is let through",
        "A request that the contract rules out was accepted.",
        "Check the request against the document before anything is done with it.",
    ),
    "response": (
        "The answer breaks the contract",
        "The status, the media type, a header or the body of an answer is not what the OpenAPI document promises.",
        "Either the service or the document is wrong. Compare the pointer with the schema of the operation.",
    ),
    "answer": (
        "The answer is not the right one",
        "The answer has a good form, but another status, code or value than what happened before calls for.",
        "Follow the story to the step where the answer first differs from what was expected.",
    ),
    "access": (
        "Somebody gets in who should not",
        "A caller without the right credentials, or without the right to this resource, was served.",
        "Check on every route who is asking and whether the resource is theirs.",
    ),
    "list": (
        "A list does not show what there is",
        "A list shows what it should not, lacks what it should show, or is in another order than it says.",
        "Compare the filter of the list with the rules of who may see what.",
    ),
    "itself": (
        "The deployment contradicts itself",
        "Two of its own answers cannot both be right.",
        "Compare the two answers in the story: one of them reads something old, or did not keep what it was given.",
    ),
    "rule": (
        "A business rule is not kept",
        "Something was accepted that a rule of this API forbids.",
        "Look where the rule is checked, and whether every way to the effect passes there.",
    ),
    "server": (
        "The server failed",
        "It answered with an error of its own, or not at all.",
        "Its log at the time of the last step of the story tells more.",
    ),
    "schema": (
        "A schema check failed",
        "Data made from the OpenAPI document led to an answer that the document rules out.",
        "Send the reproduction again and compare the answer with the document.",
    ),
    "lifecycle": (
        "The lifecycle is broken",
        "A move was allowed that the state forbids, or refused that it allows, or led to another state than it should.",
        "Look at the transition in the drawing of the lifecycle and at who may make it when.",
    ),
    "isolation": (
        "Somebody reaches what belongs to somebody else",
        "A caller saw or changed a resource of another caller, or needed no credentials where they are required.",
        "Check on every route that the resource belongs to the caller, not only that the caller is signed in.",
    ),
    "idempotency": (
        "A repeated request takes effect again",
        "A request that was sent again with the same key did not get the first answer, or did its work twice.",
        "Keep key, payload and answer in the same transaction as the effect.",
    ),
    "race": (
        "Concurrent requests get into each other's way",
        "Of requests sent at the same time more succeeded than may, or what they did does not add up.",
        "Check and act in one transaction, or under a lock.",
    ),
    "paging": (
        "Pages do not add up",
        "Following a list page by page lost a row, repeated one, or counted them wrongly.",
        "Order by something unique, and count what the list shows.",
    ),
    "limit": (
        "Limits are not honest",
        "The number of requests that are let through, or the time to wait, is not what is said.",
        "Compare Retry-After and the limit's headers with what is really enforced.",
    ),
    "stream": (
        "The stream lies",
        "Events were lost, repeated, out of order, or framed against the standard.",
        "Read events from a log with ids that only grow, and resume after the last one that the client names.",
    ),
    "rpc": (
        "JSON-RPC is not followed",
        "An answer breaks JSON-RPC 2.0 or the binding of the agent endpoint.",
        "Compare the answer with the specification of JSON-RPC 2.0.",
    ),
    "http": (
        "HTTP is not followed",
        "Methods, media types, statuses or headers are not handled as RFC 9110 says.",
        "Compare the answer with RFC 9110.",
    ),
    "error": (
        "An error is told in the wrong way",
        "A refusal does not have the status, the code or the form that this API gives its errors.",
        "Let every refusal leave through one place that knows the form.",
    ),
    "scenario": (
        "A scenario does not come to its end",
        "A step of an Arazzo scenario did not meet its success criteria.",
        "Play the scenario alone with tasktwin verify, and look at the step that failed.",
    ),
    "time": (
        "Time does not do its work",
        "What should happen by the passing of time did not happen, or too early or too late.",
        "Check the job that is to notice it, and the clock that it reads.",
    ),
}
"""By the first word of a rule's name: title, what is wrong, what to look at."""

_OTHER = ("The deployment does not behave as described", "What happened contradicts what is known of this API.", "")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as people read it. ``about`` says what is wrong when it is broken, ``look`` where to look."""

    id: str
    title: str
    about: str
    look: str

    @property
    def name(self) -> str:
        """In camel case, as SARIF wants: ``LifecycleRefused``."""
        return "".join(word.capitalize() for word in self.id.replace("-", ".").replace("_", ".").split("."))


def rule(name: str) -> Rule:
    """The rule of this name, explained by its family."""
    title, about, look = FAMILIES.get(name.partition(".")[0], _OTHER)
    detail = name.partition(".")[2].replace("_", " ").replace(".", ", ")
    return Rule(name, f"{title} ({detail})" if detail else title, about, look)
