"""A harness' own words come off an observation, and nothing else does."""

import pytest

from srl_swe.logs.observations import unwrapped


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("OBSERVATION:\na.py\nb.py", "a.py\nb.py"),
        ("Observation: cut short", "cut short"),
        ("EXECUTION RESULT of [execute_bash]:\n2 passed", "2 passed"),
        ("<returncode>0</returncode>\n<output>\na.py\n</output>", "a.py"),
        ("<returncode>1</returncode>\n<output>\n</output>", ""),
        ("plain OBSERVATION:\n", "plain OBSERVATION:\n"),
        ("<returncode>0</returncode>\n<output_head>\na", "<returncode>0</returncode>\n<output_head>\na"),
    ],
)
def test_only_the_wrapper_comes_off(text: str, inner: str) -> None:
    assert unwrapped(text) == inner
