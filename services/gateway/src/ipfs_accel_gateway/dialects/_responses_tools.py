"""Tools of the Responses API as functions, which all models know, and calls of them as the API has them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from ipfs_accel import strict_json
from ipfs_accel.types import Tool, ToolCall

from ._openai_whole import refuse

__all__ = ["FUNCTION", "Called", "as_arguments", "as_input", "called", "choice", "joined", "tools"]

_FREE = {
    "type": "object",
    "properties": {"input": {"type": "string", "description": "The text for the tool, as it is."}},
    "required": ["input"],
    "additionalProperties": False,
}
"""Of a tool that takes free text, which other APIs do not have."""
_WORDS = ("auto", "none", "required")


class Called(NamedTuple):
    """How a call of a tool is told.

    Attributes:
        is_free: Whether it takes free text.
        name: Within its namespace.
        namespace: In which it is, if any.
    """

    is_free: bool
    name: str
    namespace: str | None = None


FUNCTION = Called(is_free=False, name="")
"""Of all tools that are not otherwise known: a function, by the name that it was called by."""


def joined(namespace: str | None, name: str) -> str:
    """Return the name of a function in a namespace, for APIs that have none."""
    return name if namespace is None else f"{namespace}__{name}"


def called(members: Mapping[str, Any]) -> dict[str, Called]:
    """Return how calls of tools that are no plain functions are told, by the names that the model knows."""
    found: dict[str, Called] = {}
    for tool in members.get("tools") or ():
        kind, name = tool.get("type"), tool.get("name")
        if kind == "custom":
            found[name] = Called(is_free=True, name=name)
        elif kind == "namespace":
            for each in tool.get("tools") or ():
                inner = each.get("name")
                found[joined(name, inner)] = Called(each.get("type") == "custom", inner, name)
    return found


def tools(members: Mapping[str, Any], *, lenient: bool) -> list[Tool]:
    """Return the tools of a request, those alone that its choice allows.

    Raises:
        Refusal: One is malformed, or runs at OpenAI and is not to be left out.
    """
    given = members.get("tools")
    if given is None:
        return []
    if not isinstance(given, list):
        raise refuse("tools", "expected a list")
    found = [each for index, tool in enumerate(given) for each in _tools_of(tool, f"tools[{index}]", lenient=lenient)]
    allowed = _allowed(members.get("tool_choice"))
    return found if allowed is None else [each for each in found if each.name in allowed]


def _tools_of(tool: Any, where: str, *, lenient: bool, namespace: str | None = None) -> Iterator[Tool]:
    if not isinstance(tool, Mapping):
        raise refuse(where, "expected an object")
    kind = str(tool.get("type"))
    if kind not in {"function", "custom", "namespace"}:
        # Codex offers its search of kept pages with every request, whatever the model.
        if not (lenient or (kind == "web_search" and tool.get("external_web_access") is False)):
            raise refuse(
                f"{where}.type", f"{kind!r} is a tool of OpenAI's own servers, which the model behind this name has not"
            )
        return
    name = tool.get("name")
    if not isinstance(name, str) or not name:
        raise refuse(f"{where}.name", "expected a text")
    about = tool.get("description")
    if not isinstance(about, str | None):
        raise refuse(f"{where}.description", "expected a text")
    if kind == "namespace":
        inside = tool.get("tools")
        if not isinstance(inside, list) or namespace is not None:
            raise refuse(f"{where}.tools", "expected a list of functions")
        for index, inner in enumerate(inside):
            for each in _tools_of(inner, f"{where}.tools[{index}]", lenient=lenient, namespace=name):
                yield _described(each, about)
        return
    is_free = kind == "custom"
    yield Tool(
        name=joined(namespace, name),
        description=_free_text(tool, about) if is_free else about,
        parameters=_FREE if is_free else tool.get("parameters") or {"type": "object", "properties": {}},
        strict=None if is_free else tool.get("strict"),
    )


def _described(tool: Tool, about: str | None) -> Tool:
    """Say what a namespace is for with each of its tools."""
    said = "\n\n".join([each for each in (about, tool.description) if each])
    return Tool(name=tool.name, description=said or None, parameters=tool.parameters, strict=tool.strict)


def _free_text(tool: Mapping[str, Any], about: str | None) -> str | None:
    """Describe a tool that takes free text, with the grammar that nobody else enforces."""
    form = tool.get("format")
    said = [about]
    if isinstance(form, Mapping) and form.get("type") == "grammar":
        said.append(f"The text has to follow this grammar ({form.get('syntax')}):\n{form.get('definition')}")
    return "\n\n".join([each for each in said if each]) or None


def choice(members: Mapping[str, Any]) -> str | None:
    """Return a choice of tools as a word, or as the name of a tool; None for what is so anyway.

    Raises:
        Refusal: It is none that a model without OpenAI's own tools could make.
    """
    value = members.get("tool_choice")
    if isinstance(value, Mapping) and value.get("type") == "allowed_tools":
        value = value.get("mode")
    if value in _WORDS:
        return None if value == "auto" else value
    if value is None:
        return None
    name = value.get("name") if isinstance(value, Mapping) and value.get("type") in ("function", "custom") else None
    if isinstance(name, str):
        return joined(value.get("namespace"), name)
    raise refuse("tool_choice", "expected auto, none, required, or a function by its name")


def _allowed(value: Any) -> Collection[str] | None:
    if not isinstance(value, Mapping) or value.get("type") != "allowed_tools":
        return None
    named = value.get("tools")
    if not isinstance(named, list):
        raise refuse("tool_choice.tools", "expected a list of tools")
    return {joined(each.get("namespace"), str(each.get("name"))) for each in named if isinstance(each, Mapping)}


def as_arguments(text: str) -> str:
    """Return free text as the arguments of the function that the tool is for others."""
    return strict_json.dumps({"input": text}).decode()


def as_input(call: ToolCall) -> str:
    """Return the free text that a model gave to such a function; one that wrote no JSON meant the text itself."""
    try:
        value = call.parse_arguments()
    except ValueError:
        return call.arguments
    found = value.get("input")
    return found if isinstance(found, str) else call.arguments
