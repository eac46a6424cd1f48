"""A story: steps that callers take, played on a deployment and on the oracle side by side, and compared."""
