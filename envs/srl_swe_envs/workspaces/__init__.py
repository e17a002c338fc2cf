"""Workspaces: where commands run. One protocol, several back ends.

Nothing is imported here: the sandbox's own processes load single modules of this package and must start in
milliseconds.
"""
