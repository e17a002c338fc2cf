"""The world of software-engineering agents: tasks, actions, trajectories, workspaces, rewards, gymnasium envs.

Usable alone under any trainer; never imports a learner.
"""

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
