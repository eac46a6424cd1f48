"""``tasktwin verify`` and ``tasktwin fuzz``: from what was asked for to a run, and from a run to an exit code."""
