"""The log formats, one file each; a record belongs to the first format that knows it."""

from ..reading import LogFormat
from .mini_v1 import MINI_V1
from .mini_v2 import MINI_V2
from .openhands_v0 import OPENHANDS_V0, OPENHANDS_V0_EVENTS
from .swe_agent import SWE_AGENT_0X, SWE_AGENT_1X
from .swe_smith import SWE_SMITH

FORMATS: tuple[LogFormat, ...] = (
    SWE_AGENT_1X,
    SWE_AGENT_0X,
    MINI_V1,
    MINI_V2,
    OPENHANDS_V0,
    SWE_SMITH,
    OPENHANDS_V0_EVENTS,
)
"""Order matters: particular formats stand before general ones."""

__all__ = ["FORMATS"]
