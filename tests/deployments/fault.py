"""The faulty deployments of an API, each noted where it is written."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tests.deployments.deployment import Caller, Data, Deployment, Kind, ruled

from tasktwin import Provider
from tasktwin.behaviour.rules import Effect
from tasktwin.behaviour.step import effect
from tasktwin.server.asgi import App

Shows: TypeAlias = Callable[[Caller], bool]
Break: TypeAlias = Callable[[Provider], App]
Change: TypeAlias = Callable[[Data], None]


class Faults:
    """The faulty deployments of one API, each noted where it is written; what is wrong stands in its docstring."""

    def __init__(self, provider: str) -> None:
        self.provider = provider
        self.all: list[Deployment] = []

    def of_provider(
        self, name: str, kind: Kind, against: str, shows: Shows, about: str = ""
    ) -> Callable[[Break], Break]:
        """Note what makes a faulty application of the provider."""

        def note(break_: Break) -> Break:
            told = about or str(break_.__doc__)
            self.all.append(Deployment(f"{self.provider}-{name}", self.provider, told, kind, against, break_, shows))
            return break_

        return note

    def of_rules(self, name: str, kind: Kind, against: str, shows: Shows) -> Callable[[Change], Change]:
        """Note a change of provider.yaml."""

        def note(change: Change) -> Change:
            self.of_provider(name, kind, against, shows, str(change.__doc__))(ruled(change))
            return change

        return note

    def of_effect(
        self, name: str, kind: Kind, against: str, shows: Shows, replaced: str, *refuses: str
    ) -> Callable[[Effect], Effect]:
        """Note an effect that stands for another."""

        def note(act: Effect) -> Effect:
            broken = ruled(lambda _: None, **{replaced: effect(*refuses)(act)})
            self.of_provider(name, kind, against, shows, str(act.__doc__))(broken)
            return act

        return note


def whole(faulty: Sequence[Deployment], break_: Break) -> list[Deployment]:
    """The faulty deployments of one API, and a correct one, on which no story of theirs shows anything."""
    provider = faulty[0].provider

    def none_shows(caller: Caller) -> bool:
        """Whether any story shows something, each told in a world of its own."""
        for each in faulty:
            with Caller(caller.base_url, caller.principals) as fresh:
                if each.shows(fresh):
                    return True
        return False

    last = Deployment(f"{provider}-correct", provider, str(break_.__doc__), "correct", "nothing", break_, none_shows)
    return [*faulty, last]
