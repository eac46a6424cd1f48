"""All deployments that there are, by the API that they are of."""

from importlib import import_module
from importlib.util import find_spec

from tests.deployments.deployment import Deployment

PROVIDERS = ("uumit", "aitasker", "posthog")

DEPLOYMENTS: list[Deployment] = [
    deployment
    for name in PROVIDERS
    if find_spec(f"tests.deployments.{name}")
    for deployment in import_module(f"tests.deployments.{name}").DEPLOYMENTS
]

BY_NAME = {each.name: each for each in DEPLOYMENTS}
