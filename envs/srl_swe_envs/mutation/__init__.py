"""Plant bugs in a repository with a test-suite: mutants that some test notices, each with an issue text."""

from .make import MutantTask, make_tasks, materialise_mutant
from .mutants import Mutant
from .suite import PytestSuite, SuiteRun, SuiteRunner

__all__ = ["Mutant", "MutantTask", "PytestSuite", "SuiteRun", "SuiteRunner", "make_tasks", "materialise_mutant"]
