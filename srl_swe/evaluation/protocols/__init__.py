"""Protocols: how a policy is asked for a patch.

* `agent`: many turns in the task's workspace;
* `oracle`: the files of the reference fix are given, one reply repairs them;
* `agentless-mini`: one reply names files, a second repairs them.
"""

from .protocol import Protocol

__all__ = ["Protocol"]
