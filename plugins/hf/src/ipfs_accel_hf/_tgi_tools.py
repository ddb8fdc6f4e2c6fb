"""Tools as TGI wants them: the calls of a history as its router writes them, and schemas without references.

The facts are those of the router of version 3.3.6, run over a test's shard.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.errors import InvalidRequestError

__all__ = ["without_references", "written"]

Json = dict[str, Any]


def written(message: Json) -> Json:
    """Write a message of a model with calls of tools as one, which has either a content or calls.

    Arguments go as an object: the router writes them as JSON into the text that the template sees, a text once more.
    Beside a text the calls stand in the content, as the router would have written them there.
    """
    calls = [_call(call) for call in message.pop("tool_calls")]
    content = message.get("content")
    if not content:
        return {**{name: value for name, value in message.items() if name != "content"}, "tool_calls": calls}
    said = "\n" + strict_json.dumps([_in_text(call) for call in calls]).decode()
    whole = content + said if isinstance(content, str) else [*content, {"type": "text", "text": said}]
    return {**message, "content": whole}


def _call(call: Json) -> Json:
    function = call["function"]
    arguments = function["arguments"] or "{}"
    with suppress(ValueError, RecursionError):  # what is no JSON stays what the model wrote
        arguments = strict_json.loads(arguments)
    return {**call, "function": {**function, "arguments": arguments}}


def _in_text(call: Json) -> Json:
    function = call["function"]
    arguments = strict_json.dumps(function["arguments"]).decode()
    said = {"description": None, "name": function["name"], "arguments": arguments}
    return {"id": call["id"], "type": "function", "function": said}


def without_references(tools: Any) -> list[Json]:
    """Write what references of the tools' schemas lead to in their place.

    The router puts all schemas into one, in which they lead nowhere.

    Raises:
        InvalidRequestError: One leads back to itself.
    """
    return [_resolved(tool, index) for index, tool in enumerate(tools)]


def _resolved(tool: Json, index: int) -> Json:
    function: Json = tool["function"]
    schema = function["parameters"]
    if not _refers(schema):
        return tool
    found = _walked(schema, schema, (), f"tools[{index}].parameters")
    kept = {name: value for name, value in found.items() if name not in {"$defs", "definitions"}}
    return {**tool, "function": {**function, "parameters": kept}}


def _refers(value: Any) -> bool:
    if isinstance(value, Mapping):
        return isinstance(value.get("$ref"), str) or any(_refers(each) for each in value.values())
    return isinstance(value, list | tuple) and any(_refers(each) for each in value)


def _walked(value: Any, root: Mapping[str, Any], inside: tuple[str, ...], where: str) -> Any:
    if isinstance(value, list | tuple):
        return [_walked(each, root, inside, where) for each in value]
    if not isinstance(value, Mapping):
        return value
    target = str(value.get("$ref", ""))
    found = _found(root, target)
    if found is None:
        names = {name for name in value if value is not root or name not in {"$defs", "definitions"}}
        return {name: _walked(each, root, inside, where) for name, each in value.items() if name in names}
    if target in inside:
        raise InvalidRequestError(
            f"{where}: {target} leads back to itself, which TGI cannot follow",
            hint="write the schema without recursion",
        )
    beside = {name: each for name, each in value.items() if name != "$ref"}
    return {**_walked(found, root, (*inside, target), where), **_walked(beside, root, inside, where)}


def _found(root: Mapping[str, Any], target: str) -> Mapping[str, Any] | None:
    """Return what a reference within the document leads to; None if that is nothing."""
    found: Any = root
    if not target.startswith("#/"):
        return None
    for step in target[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None
