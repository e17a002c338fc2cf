"""The world of software-engineering agents: tasks, actions, trajectories, workspaces, rewards, gymnasium envs.

Usable alone under any trainer; never imports a learner. Importing it registers `srl_swe/Replay-v0`, `srl_swe/Live-v0`
and `srl_swe/Fork-v0` with gymnasium.
"""

from gymnasium import register

from .actions import (
    Action,
    Create,
    Insert,
    OtherCall,
    Replace,
    Shell,
    Submit,
    Undo,
    View,
    canonical_text,
)
from .dialects import Reply, parse_reply, render_reply
from .errors import ConfigError, MalformedReply, SrlSweError, TrajectoryFormatError, WorkspaceError
from .rewards import StepReward, score, score_replies, similarity, similarity_batch
from .steps import StepInstance, step_instances
from .swe_env import SweEnv
from .tasks import Task
from .trajectories import Observation, Trajectory, Turn, read_trajectories, write_trajectories

__all__ = [
    "Action",
    "ConfigError",
    "Create",
    "Insert",
    "MalformedReply",
    "Observation",
    "OtherCall",
    "Replace",
    "Reply",
    "Shell",
    "SrlSweError",
    "StepInstance",
    "StepReward",
    "Submit",
    "SweEnv",
    "Task",
    "Trajectory",
    "TrajectoryFormatError",
    "Turn",
    "Undo",
    "View",
    "WorkspaceError",
    "canonical_text",
    "parse_reply",
    "read_trajectories",
    "render_reply",
    "score",
    "score_replies",
    "similarity",
    "similarity_batch",
    "step_instances",
    "write_trajectories",
]

_ENTRY_POINT = "srl_swe_envs.swe_env:SweEnv"

register(id="srl_swe/Replay-v0", entry_point=_ENTRY_POINT, kwargs={"mode": "replay"})
# what a command prints and how long it takes is not seeded
register(id="srl_swe/Live-v0", entry_point=_ENTRY_POINT, kwargs={"mode": "live"}, nondeterministic=True)
register(id="srl_swe/Fork-v0", entry_point=_ENTRY_POINT, kwargs={"mode": "fork"}, nondeterministic=True)
