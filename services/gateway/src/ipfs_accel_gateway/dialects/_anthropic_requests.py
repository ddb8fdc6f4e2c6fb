"""Requests in Anthropic's words, read: what the API calls a conversation, and the options of one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ipfs_accel.types import JsonSchema, Message, Tool, ToolResult

from ._anthropic_blocks import Block, assistant, parts, refuse, text_of, texts
from ._openai import leftover

__all__ = ["conversation", "options"]

_SAME = ("max_tokens", "temperature", "top_p", "top_k")
_READ = {
    *_SAME, "model", "messages", "system", "stream", "stop_sequences", "tools", "tool_choice", "output_config",
    "output_format",
}  # fmt: skip
# What concerns Anthropic's own service, or how its models think: an answer has the same form without.
_IGNORED = {
    "metadata", "service_tier", "speed", "cache_control", "diagnostics", "betas", "thinking", "context_management",
    "fallbacks", "fallback_credit_token",
}  # fmt: skip
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_BILLING = "x-anthropic-billing-header:"
"""How a block of Claude Code's begins that is no instruction: it differs from one request to the next, and at the head
of the prompt it has servers read all that follows anew (anthropics/claude-code#68900)."""


def conversation(members: Mapping[str, Any], *, lenient: bool) -> list[Message]:
    """Return the messages, what stands above them first.

    Raises:
        Refusal: Something of it has not the form of the API.
    """
    found: list[Message] = []
    system = members.get("system")
    if system is not None:
        above = [part.text for part in texts(system, "system") if not part.text.startswith(_BILLING)]
        if above:
            found.append(Message.system("\n\n".join(above)))
    messages = members.get("messages")
    if not isinstance(messages, list) or not messages:
        raise refuse("messages", "expected a list with at least one message")
    for index, message in enumerate(messages):
        found += _turns(message, f"messages.{index}", lenient=lenient)
    return found


def _turns(message: Any, where: str, *, lenient: bool) -> Iterator[Message]:
    """Return the message that one is, or two: what tools gave back is a message of its own."""
    role = message.get("role") if isinstance(message, dict) else None
    where_said = f"{where}.content"
    if role == "assistant":
        yield assistant(message.get("content"), where_said, lenient=lenient)
    elif role == "system":
        yield Message.system("\n\n".join([part.text for part in texts(message.get("content"), where_said)]))
    elif role == "user":
        said = parts(message.get("content"), where_said, lenient=lenient)
        results = [part for part in said if isinstance(part, ToolResult)]
        if results:
            yield Message(role="tool", content=results)
        if not results or len(results) < len(said):
            yield Message(role="user", content=[part for part in said if not isinstance(part, ToolResult)])
    else:
        raise refuse(f"{where}.role", "expected user, assistant or system")


def options(members: Mapping[str, Any], *, lenient: bool) -> dict[str, Any]:
    """Return the options of a chat.

    Raises:
        Refusal: There is something that only Anthropic can do, unless it is to be left out.
    """
    leftover(members, _READ, _IGNORED, lenient=lenient)
    found = {name: members[name] for name in _SAME if members.get(name) is not None}
    stops = members.get("stop_sequences") or []
    if not isinstance(stops, list) or not all(isinstance(each, str) for each in stops):
        raise refuse("stop_sequences", "expected a list of texts")
    if stops:
        found["stop"] = stops
    tools = _tools(members.get("tools") or [], lenient=lenient)
    if tools:
        found["tools"] = tools
        _choose(members.get("tool_choice"), found)
    output = members.get("output_config") or {}
    if not isinstance(output, dict):
        raise refuse("output_config", "expected an object")
    form = output.get("format") or members.get("output_format")
    if form is not None:
        found["response_format"] = _schema(form)
    # Beside `thinking` it says how much of Claude's own way to think is wanted, as Claude Code says it of any model.
    if output.get("effort") is not None and members.get("thinking") is None:
        found["reasoning_effort"] = text_of(output, "effort", "output_config")
    return found


def _tools(tools: Any, *, lenient: bool) -> list[Tool]:
    if not isinstance(tools, list):
        raise refuse("tools", "expected a list")
    found = []
    for index, tool in enumerate(tools):
        where = f"tools.{index}"
        if not isinstance(tool, dict):
            raise refuse(where, "expected an object")
        kind = tool.get("type") or "custom"
        if kind == "custom":
            found.append(_tool(tool, where))
        elif not lenient:
            raise refuse(f"{where}.type", f"{kind!r} is a tool of Anthropic's, which no other model has")
    return found


def _tool(tool: Block, where: str) -> Tool:
    schema = tool.get("input_schema")
    if not isinstance(schema, dict):
        raise refuse(f"{where}.input_schema", "expected a JSON Schema")
    name, strict = text_of(tool, "name", where), tool.get("strict")
    return Tool(name=name, description=tool.get("description"), parameters=schema, strict=strict)


def _choose(choice: Any, found: dict[str, Any]) -> None:
    """Put the choice of tools into the options."""
    if choice is None:
        return
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind == "tool":
        found["tool_choice"] = text_of(choice, "name", "tool_choice")
    elif kind in _CHOICES:
        found["tool_choice"] = _CHOICES[kind]
    else:
        raise refuse("tool_choice.type", "expected auto, any, tool or none")
    if choice.get("disable_parallel_tool_use"):
        found["parallel_tool_calls"] = False


def _schema(form: Any) -> JsonSchema:
    schema = form.get("schema") if isinstance(form, dict) else None
    if not isinstance(schema, dict) or form.get("type") != "json_schema":
        raise refuse("output_config.format", "expected a json_schema with a schema")
    return JsonSchema(schema=schema, adapts=_is_closed(schema))


def _is_closed(schema: Any) -> bool:
    """Whether all objects of a schema name all that they have, and have it always: all services enforce such ones."""
    if isinstance(schema, list):
        return all(map(_is_closed, schema))
    if not isinstance(schema, dict):
        return True
    named = schema.get("properties")
    if isinstance(named, dict) and not (
        schema.get("additionalProperties") is False and named.keys() <= set(schema.get("required") or ())
    ):
        return False
    return all(map(_is_closed, schema.values()))
