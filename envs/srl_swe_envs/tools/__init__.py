"""Tools: what an agent's actions do to a workspace, with the words that recorded agents saw."""

from .editor import Editor, EditorResult
from .execute import Tools
from .files import Files, MemoryFiles
from .workspace_files import WorkspaceFiles

__all__ = ["Editor", "EditorResult", "Files", "MemoryFiles", "Tools", "WorkspaceFiles"]
