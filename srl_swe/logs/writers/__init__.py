"""Write recorded trajectories in the log formats of other harnesses, field by field as those harnesses write them."""

from .mini_v2 import to_mini_v2
from .openhands_v0 import to_openhands_v0
from .recording import Recording, text_of_json
from .swe_agent import to_swe_agent
from .swe_smith import to_swe_smith

__all__ = ["Recording", "text_of_json", "to_mini_v2", "to_openhands_v0", "to_swe_agent", "to_swe_smith"]
