"""What tests of several parts of the agent's side share."""

import os
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real logs beside the repository; tests on them skip on a lone clone."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no ../shared/data beside the repository")
    return SHARED_DATA


@pytest.fixture(scope="session")
def vllm_python() -> str:
    """The interpreter of an environment with vLLM; without one its tests skip, and fail in CI."""
    found = os.environ.get("SRL_SWE_VLLM_PYTHON", "")
    if not found and os.environ.get("CI"):
        pytest.fail("CI has to set SRL_SWE_VLLM_PYTHON (make vllm)")
    if not found:
        pytest.skip("SRL_SWE_VLLM_PYTHON names no interpreter that has vLLM (make vllm)")
    return found
