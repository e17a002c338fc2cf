"""Moatless: `transitions` of a state machine (2024-06), and a tree of `nodes` (2024-11 and later).

Of the tree, the path to the last finished node counts. The call is taken from the model's response where it is kept;
its `scratch_pad` is the thought.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from srl_swe_envs.recorded_toolsets import MOATLESS
from srl_swe_envs.toolsets import ToolCall

from ..messages import text_of
from ..reading import LogFormat, Origin, Reading
from ..tasks_in_logs import task_of
from ..turns import TurnBuilder, joined_thought

_THOUGHTS = ("scratch_pad", "thoughts")


def _matches_transitions(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("transitions"), list) and "initial_message" in value


def _matches_nodes(value: Any) -> bool:
    nodes = value.get("nodes") if isinstance(value, dict) else None
    return isinstance(nodes, list) and bool(nodes) and isinstance(nodes[0], dict) and "node_id" in nodes[0]


def _read_transitions(value: dict[str, Any], origin: Origin) -> Reading:
    builder = TurnBuilder()
    model = ""
    for transition in value["transitions"]:
        model = model or str((transition.get("state") or {}).get("model") or "")
        if not transition.get("actions"):
            builder.drop("exit pseudo-step")
        for step in transition.get("actions") or ():
            _add(builder, transition["name"], step.get("action") or {}, "")
            answer = (step.get("output") or {}).get("message")
            if isinstance(answer, str):
                builder.observe(answer, own_record=False)
    info = value.get("info") or {}
    return builder.finish(
        source="moatless_transitions",
        origin=origin,
        task=task_of(str(info.get("instance_id") or ""), value["initial_message"]),
        seen=sum(max(1, len(transition.get("actions") or ())) for transition in value["transitions"]),
        model=model,
    )


def _read_nodes(value: dict[str, Any], origin: Origin) -> Reading:
    builder = TurnBuilder()
    nodes = value["nodes"]
    path = _path(nodes)
    prompt = ""
    for node in nodes:
        if node["node_id"] not in path:
            builder.drop("abandoned branch", len(_steps(node)) or 1)
        elif not _steps(node):
            builder.note("task")
            prompt = prompt or text_of(node.get("message") or node.get("user_message"))
        else:
            _read_steps(node, builder)
    completion = (value.get("agent") or {}).get("completion") or {}
    metadata = value.get("metadata") or {}
    return builder.finish(
        source="moatless_nodes",
        origin=origin,
        task=task_of(str(metadata.get("instance_id") or ""), prompt.replace("<task>", "").replace("</task>", "")),
        seen=sum(len(_steps(node)) or 1 for node in nodes),
        model=str(completion.get("model") or ""),
    )


def _path(nodes: Sequence[Mapping[str, Any]]) -> set[Any]:
    """Ids from the root to the last node that ended the run, or else to the last node."""
    known = {node["node_id"]: node for node in nodes}
    ended = [node for node in nodes if any((step.get("observation") or {}).get("terminal") for step in _steps(node))]
    here: Any = (ended or list(nodes))[-1]["node_id"]
    path: set[Any] = set()
    while here is not None and here not in path and here in known:
        path.add(here)
        here = known[here].get("parent_id")
    return path


def _steps(node: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The steps of a node: `action_steps`, or the node itself when it has an action."""
    if node.get("action_steps"):
        steps: Sequence[Mapping[str, Any]] = node["action_steps"]
        return steps
    return [node] if node.get("action") else []


def _read_steps(node: Mapping[str, Any], builder: TurnBuilder) -> None:
    said, blocks = _response(node)
    for index, step in enumerate(_steps(node)):
        if index < len(blocks):
            _add(builder, str(blocks[index]["name"]), blocks[index].get("input") or {}, said, continues=index > 0)
        else:
            _add(builder, _tool_name(step["action"]), step["action"], said, continues=index > 0)
        answer = text_of((step.get("observation") or {}).get("message"))
        if answer:
            builder.observe(answer, own_record=False)


def _response(node: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """Text and tool calls of the response that made the node's action."""
    completion = (node.get("completions") or {}).get("build_action") or {}
    content = (completion.get("response") or {}).get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    said = "\n".join(block["text"] for block in blocks if block.get("type") == "text")
    return said, [block for block in blocks if block.get("type") == "tool_use"]


def _tool_name(action: Mapping[str, Any]) -> str:
    name = str(action.get("action_args_class") or "action").rpartition(".")[2]
    return name.removesuffix("Args")


def _add(builder: TurnBuilder, tool: str, given: Mapping[str, Any], said: str, *, continues: bool = False) -> None:
    """One action; placeholders (`temp`) that Moatless' prompt allows as a scratch pad are no thought."""
    pads = [str(given[name]) for name in _THOUGHTS if given.get(name) and given[name] != "temp"]
    arguments = {k: v for k, v in given.items() if k not in _THOUGHTS and k != "action_args_class"}
    action = MOATLESS.read_call(ToolCall(name=tool, arguments=arguments))
    builder.reply(joined_thought(said, *pads), [(action, None)], continues=continues)


MOATLESS_TRANSITIONS = LogFormat(name="moatless_transitions", matches=_matches_transitions, read=_read_transitions)
MOATLESS_NODES = LogFormat(name="moatless_nodes", matches=_matches_nodes, read=_read_nodes)
