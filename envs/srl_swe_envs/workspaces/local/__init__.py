"""Sandboxes of the kernel alone: namespaces, an overlay and a system-call filter; no daemon, no image store.

`workspace.LocalWorkspace` is the public class. Nothing is imported here: the launcher must start in milliseconds.
"""
