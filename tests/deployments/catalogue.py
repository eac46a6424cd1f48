"""All deployments that there are, by the API that they are of."""

from tests.deployments.aitasker.catalogue import DEPLOYMENTS as AITASKER
from tests.deployments.deployment import Deployment
from tests.deployments.posthog.catalogue import DEPLOYMENTS as POSTHOG
from tests.deployments.uumit.catalogue import DEPLOYMENTS as UUMIT

PROVIDERS = ("uumit", "aitasker", "posthog")

DEPLOYMENTS: list[Deployment] = [*UUMIT, *AITASKER, *POSTHOG]

BY_NAME = {each.name: each for each in DEPLOYMENTS}
