"""Messages in OpenAI's form: what of them has a type here, so that all else is known to stand beside it.

Answers of servers and messages that callers give as dicts are read by the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["THOUGHTS", "beside_call"]

THOUGHTS = ("reasoning_content", "reasoning", "reasoning_text", "thinking")
"""Where hosts say what a model thought."""
_CALL = frozenset({"index", "id", "type", "function", "custom", "name", "arguments", "input"})
_FUNCTION = frozenset({"index", "name", "arguments", "input"})
_KINDS = (None, "", "function", "custom")


def beside_call(call: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a tool call says beside its id, name and arguments, such as Gemini's `extra_content`."""
    function = call.get("function")
    is_usual = not isinstance(function, Mapping) or function.keys() <= _FUNCTION
    if is_usual and call.keys() <= _CALL and call.get("type") in _KINDS:
        return {}
    found = _rest(call, _CALL)
    if call.get("type") not in _KINDS:  # Moonshot's builtin_function
        found["type"] = call["type"]
    if not is_usual and (inner := _rest(function, _FUNCTION)):  # type: ignore[arg-type]
        found["function"] = inner
    return found


def _rest(value: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    return {str(name): each for name, each in value.items() if name not in known and each is not None}
