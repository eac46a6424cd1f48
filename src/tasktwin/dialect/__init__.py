"""Dialects: how a family of servers reads a request and words what is wrong with it. Any provider may name one."""

from collections.abc import Mapping
from importlib import import_module

from tasktwin.behaviour.asked import Dialect

DIALECTS: Mapping[str, str] = {"drf": "Django REST framework", "fastapi": "FastAPI with pydantic 2"}


def find_dialect(name: str) -> Dialect:
    """The dialect of that name, one of ``DIALECTS``; imported only when a provider speaks it."""
    found: Dialect = import_module(f"tasktwin.dialect.{name}").read
    return found
