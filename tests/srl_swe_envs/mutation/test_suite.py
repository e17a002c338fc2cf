"""Running a test-suite and hearing of every test."""

import pytest

from srl_swe_envs.errors import WorkspaceError
from srl_swe_envs.mutation import PytestSuite

SUITE = PytestSuite(arguments=("--disable-plugin-autoload",))


def test_failures_are_told_with_error_message_and_line(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_good(): pass\n"
        "def test_bad():\n"
        "    {}['key']\n"
        "def test_silent():\n"
        "    with pytest.raises(ValueError):\n"
        "        int('1')\n"
        "@pytest.mark.parametrize('text', ['a'])\n"
        "def test_each(text):\n"
        "    assert text == 'b'\n"
        "@pytest.fixture\n"
        "def broken(): 1 / 0\n"
        "def test_setup(broken): pass\n"
    )
    run = SUITE.run(tmp_path, timeout_s=60.0)
    assert run.finished
    assert run.passed() == ("test_it.py::test_good",)
    bad = run.failures["test_it.py::test_bad"]
    assert (bad.error, bad.message, bad.line) == ("KeyError", "'key'", 4)
    assert run.failures["test_it.py::test_silent"].error == "Failed"
    assert run.failures["test_it.py::test_each[a]"].parameters == {"text": "'a'"}
    assert run.failures["test_it.py::test_setup"].error == "ZeroDivisionError"


def test_a_repository_that_stops_at_the_first_failure_is_run_to_its_end(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -x\n")
    (tmp_path / "test_it.py").write_text("def test_a(): assert 0\ndef test_b(): assert 0\n")
    assert set(SUITE.run(tmp_path, timeout_s=60.0).failures) == {"test_it.py::test_a", "test_it.py::test_b"}


def test_a_run_beyond_its_time_is_killed(tmp_path):
    (tmp_path / "test_it.py").write_text("def test_endless():\n    while True: pass\n")
    run = SUITE.run(tmp_path, timeout_s=3.0)
    assert not run.finished


def test_a_run_that_waits_without_computing_is_killed(tmp_path):
    (tmp_path / "test_it.py").write_text("import time\ndef test_sleep(): time.sleep(1000)\n")
    assert not SUITE.run(tmp_path, timeout_s=1.0).finished


def test_a_run_that_dies_is_not_finished(tmp_path):
    (tmp_path / "test_it.py").write_text("import os\ndef test_exit(): os._exit(0)\n")
    assert not SUITE.run(tmp_path, timeout_s=60.0).finished


def test_a_memory_hog_fails_its_test_alone(tmp_path):
    (tmp_path / "test_it.py").write_text("def test_hog(): bytearray(1 << 40)\ndef test_good(): pass\n")
    run = SUITE.run(tmp_path, timeout_s=60.0)
    assert run.passed() == ("test_it.py::test_good",)


def test_an_interpreter_without_pytest_is_no_verdict_on_the_tests(tmp_path):
    (tmp_path / "pytest.py").write_text("raise SystemExit('no pytest here')\n")
    with pytest.raises(WorkspaceError, match="no pytest here"):
        SUITE.run(tmp_path, timeout_s=60.0)


def test_a_snippet_is_evaluated_in_the_repository(tmp_path):
    (tmp_path / "mod.py").write_text("class Odd(ValueError): pass\ndef f(a):\n    raise Odd(f'not {a}')\n")
    value = SUITE.evaluate(tmp_path, "print(repr('x'))", timeout_s=60.0)
    error = SUITE.evaluate(tmp_path, "import mod; mod.f(1)", timeout_s=60.0)
    assert value is not None
    assert error is not None
    assert (value.text, value.raised) == ("'x'", False)
    assert (error.text, error.raised, error.error) == ("mod.Odd: not 1", True, "Odd")
    assert SUITE.evaluate(tmp_path, "while True: pass", timeout_s=1.0) is None
