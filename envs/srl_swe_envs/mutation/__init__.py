"""Plant bugs in a repository with a test-suite: mutants that some test notices, each with an issue text."""

from .make import MutantTask, make_tasks
from .suite import PytestSuite, SuiteRun, SuiteRunner

__all__ = ["MutantTask", "PytestSuite", "SuiteRun", "SuiteRunner", "make_tasks"]
