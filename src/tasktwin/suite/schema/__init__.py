"""What a schema fuzzer can find, by Schemathesis's engine: examples, coverage, fuzzing, stateful."""

from tasktwin.suite.schema.phase import coverage, examples, fuzzing, stateful

__all__ = ["coverage", "examples", "fuzzing", "stateful"]
