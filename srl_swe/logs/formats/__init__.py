"""The log formats, one file each; a record belongs to the first format that knows it."""

from ..reading import LogFormat
from .atif import ATIF
from .canonical import CANONICAL
from .chat import CHAT, CHAT_FILE, CHAT_LIST
from .claude_code import CLAUDE_CODE_SESSION, CLAUDE_CODE_WEB
from .codex import CODEX_SESSION
from .mini_v1 import MINI_V1
from .mini_v2 import MINI_V2
from .moatless import MOATLESS_NODES, MOATLESS_TRANSITIONS
from .nebius import NEBIUS
from .openai_responses import OPENAI_RESPONSES
from .openhands_completions import OPENHANDS_COMPLETIONS
from .openhands_v0 import OPENHANDS_V0, OPENHANDS_V0_EVENTS
from .openhands_v1 import OPENHANDS_V1, OPENHANDS_V1_FILE
from .r2e_gym import R2E_GYM
from .swe_agent import SWE_AGENT_0X, SWE_AGENT_1X
from .swe_gym import SWE_GYM
from .swe_smith import SWE_SMITH

FORMATS: tuple[LogFormat, ...] = (
    CANONICAL,
    OPENHANDS_COMPLETIONS,
    OPENHANDS_V1,
    ATIF,
    MINI_V1,
    MINI_V2,
    SWE_AGENT_1X,
    SWE_AGENT_0X,
    OPENAI_RESPONSES,
    R2E_GYM,
    NEBIUS,
    MOATLESS_TRANSITIONS,
    MOATLESS_NODES,
    OPENHANDS_V0,
    SWE_GYM,
    SWE_SMITH,
    CLAUDE_CODE_WEB,
    CODEX_SESSION,
    CLAUDE_CODE_SESSION,
    OPENHANDS_V1_FILE,
    OPENHANDS_V0_EVENTS,
    CHAT,
    CHAT_LIST,
    CHAT_FILE,
)
"""Order matters: particular formats stand before general ones."""

__all__ = ["FORMATS"]
