"""``tasktwin load``: the provider's scenarios as Locust's users. Locust itself is known only to ``swarm``."""
