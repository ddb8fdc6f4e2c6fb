"""From what callers write to typed requests, with errors that name the field. Nothing is sent before this is done."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ipfs_accel import types
from ipfs_accel._invalid import InvalidValueError
from ipfs_accel._suggest import did_you_mean, short
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import ChatRequest, JsonSchema, Request, Tool

from .messages import checked_messages

if TYPE_CHECKING:
    from ipfs_accel.types import (
        CompletionRequest,
        DetokenizeRequest,
        EmbedRequest,
        Messages,
        RerankRequest,
        TokenizeRequest,
    )

__all__ = [
    "chat_request",
    "check",
    "checked",
    "checked_chat",
    "completion_request",
    "detokenize_request",
    "embed_request",
    "rerank_request",
    "strings",
    "tokenize_request",
    "tool_of",
    "tools_of",
]

R = TypeVar("R", bound=Request)

_NUMBER = (int, float)
# What each option has to be; the provider checks ranges, since they differ.
_TYPES: dict[str, tuple[type[Any], ...]] = {
    "max_tokens": (int,),
    "temperature": _NUMBER,
    "top_p": _NUMBER,
    "top_k": (int,),
    "seed": (int,),
    "n": (int,),
    "frequency_penalty": _NUMBER,
    "presence_penalty": _NUMBER,
    "logit_bias": (Mapping,),
    "user": (str,),
    "tool_choice": (str,),
    "parallel_tool_calls": (bool,),
    "reasoning_effort": (str,),
    "top_logprobs": (int,),
    "suffix": (str,),
    "echo": (bool,),
    "dimensions": (int,),
    "extra": (Mapping,),
    "size": (str,),
    "quality": (str,),
    "background": (str,),
    "style": (str,),
    "output_format": (str,),
    "output_compression": (int,),
    "negative_prompt": (str,),
    "partial_images": (int,),
    "language": (str,),
    "voice": (str,),
    "speed": _NUMBER,
    "instructions": (str,),
    "sample_rate": (int,),
    "purpose": (str,),
    "expires_after": (int,),
    "completion_window": (str,),
    "metadata": (Mapping,),
}
_AT_LEAST_ONE = {"max_tokens", "n", "dimensions", "top_n", "sample_rate", "expires_after"}
# What callers give by position, and options that are lists of words.
_ARGUMENTS = {
    *("model", "messages", "inputs", "query", "documents", "text", "tokens", "audio", "images", "image"),
    *("mask", "file", "items"),
}
_WORDS = {"outputs", "stop", "timestamps"}


def chat_request(model: str, messages: Messages, options: dict[str, Any]) -> ChatRequest:
    """Make the request of `chat`, `stream` and `count_tokens`."""
    values = checked(ChatRequest, options)
    if "tools" in values:
        values["tools"] = _tools(values["tools"])
    choice = values.get("tool_choice")
    if choice is not None and choice not in {"auto", "none", "required"}:
        names = [tool.name for tool in values.get("tools") or ()]
        if choice not in names:
            hint = did_you_mean(choice, [*names, "auto", "none", "required"])
            raise InvalidRequestError(f"tool_choice: {choice!r} is none of the tools", hint=hint)
    if "response_format" in values:
        values["response_format"] = _response_format(values["response_format"])
    return ChatRequest(model=model, messages=checked_messages(messages), **values)


def checked_chat(request: ChatRequest) -> ChatRequest:
    """Return a chat that the caller has made, with its messages and tools checked as those of `chat` are."""
    messages = checked_messages(request.messages) if request.messages else ()
    return attrs.evolve(request, messages=messages, tools=_tools(request.tools))


def completion_request(model: str, prompt: Any, options: dict[str, Any]) -> CompletionRequest:
    """Make the request of `complete` and `stream_complete`."""
    return types.CompletionRequest(
        model=model, prompt=_texts(prompt, "prompt"), **checked(types.CompletionRequest, options)
    )


def embed_request(model: str, inputs: Any, options: dict[str, Any]) -> EmbedRequest:
    """Make the request of `embed`."""
    return types.EmbedRequest(model=model, inputs=_texts(inputs, "inputs"), **checked(types.EmbedRequest, options))


def rerank_request(model: str, value: Any, options: dict[str, Any]) -> RerankRequest:
    """Make the request of `rerank` from (query, documents, top_n)."""
    query, documents, top_n = value
    check("query", query, (str,))
    if top_n is not None:
        check("top_n", top_n, (int,))
    found = strings(documents, "documents")
    if isinstance(documents, str) or not found:
        raise InvalidRequestError("documents: expected a list of at least one string")
    return types.RerankRequest(model=model, query=query, documents=found, top_n=top_n, **checked(Request, options))


def tokenize_request(model: str, value: Any, options: dict[str, Any]) -> TokenizeRequest:
    """Make the request of `tokenize` from (text, add_special)."""
    text, add_special = value
    check("text", text, (str,))
    return types.TokenizeRequest(model=model, text=text, add_special=add_special, **checked(Request, options))


def detokenize_request(model: str, tokens: Any, options: dict[str, Any]) -> DetokenizeRequest:
    """Make the request of `detokenize`."""
    return types.DetokenizeRequest(model=model, tokens=_token_ids(tokens, "tokens"), **checked(Request, options))


def checked(kind: type[R], options: dict[str, Any]) -> dict[str, Any]:
    """Check names and types of the options; None means not given."""
    values: dict[str, Any] = {}
    known = _fields(kind)
    for name, value in options.items():
        if name not in known:
            hint = did_you_mean(name, known) or ""
            hint += (
                "; fields of the provider's own go into extra={…}"
                if hint
                else "fields of the provider's own go into extra={…}"
            )
            raise InvalidRequestError(f"{name}: unknown option of {kind.__name__}", hint=hint)
        if value is None:
            continue
        if name in _WORDS:
            value = strings(value, name)  # noqa: PLW2901 - the checked form
        elif name in _TYPES:
            check(name, value, _TYPES[name])
        values[name] = value
    for key in values.get("extra", ()):
        if not isinstance(key, str):
            raise InvalidRequestError(f"extra: the key {short(key)} is not a string")
    return values


_KNOWN: dict[type[Any], frozenset[str]] = {}


def _fields(kind: type[Request]) -> frozenset[str]:
    known = _KNOWN.get(kind)
    if known is None:
        fields = attrs.fields(kind)
        given = {field.name for field in fields if field.name in _ARGUMENTS or field.default is attrs.NOTHING}
        known = _KNOWN[kind] = frozenset(field.name for field in fields) - given
    return known


def check(name: str, value: Any, kinds: tuple[type[Any], ...]) -> None:
    """Raise unless a value is of one of these types, finite, and not below what makes sense."""
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        expected = " or ".join([kind.__name__ for kind in kinds])
        raise InvalidRequestError(f"{name}: expected {expected}, got {short(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidRequestError(f"{name}: {value} is not a finite number")
    if name in _AT_LEAST_ONE and value < 1:
        raise InvalidRequestError(f"{name}: has to be at least 1, got {value}")


def strings(value: Any, name: str) -> tuple[str, ...]:
    """Accept a string or several."""
    items = (value,) if isinstance(value, str) else tuple(value) if isinstance(value, Iterable) else (value,)
    for index, item in enumerate(items):
        if not isinstance(item, str):
            raise InvalidRequestError(f"{name}[{index}]: expected a string, got {type(item).__name__}")
    return items


def _texts(value: Any, name: str) -> tuple[str | tuple[int, ...], ...]:
    """Accept a text, a list of token ids, or a list of either."""
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence) or isinstance(value, bytes | bytearray) or not len(value):
        raise InvalidRequestError(f"{name}: expected a string, token ids, or a list of them, got {short(value)}")
    if isinstance(value[0], int):
        return (_token_ids(value, name),)
    return tuple(
        [item if isinstance(item, str) else _token_ids(item, f"{name}[{index}]") for index, item in enumerate(value)]
    )


def _token_ids(value: Any, name: str) -> tuple[int, ...]:
    is_sequence = isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)
    if not is_sequence or not all(isinstance(token, int) and not isinstance(token, bool) for token in value):
        raise InvalidRequestError(f"{name}: expected a string or token ids, got {short(value)}")
    return tuple(value)


def tools_of(tools: Any) -> list[Tool]:
    """Return the tools that a caller gave, each as such, as a dict or as a function."""
    if isinstance(tools, Tool | Mapping | str) or not isinstance(tools, Iterable):
        raise InvalidRequestError(f"tools: expected a list of tools, got {type(tools).__name__}")
    return [tool_of(tool, f"tools[{index}]") for index, tool in enumerate(tools)]


def _tools(tools: Any) -> tuple[Tool, ...]:
    """Return them as requests have them, without their functions."""
    found = tools_of(tools)
    return tuple([each if each.function is None else attrs.evolve(each, function=None) for each in found])


def tool_of(tool: Any, where: str) -> Tool:
    """Return a tool that a caller gave as such, as a dict or as a function."""
    if isinstance(tool, Tool):
        pass
    elif callable(tool):
        try:
            tool = Tool.of(tool)
        except InvalidValueError as error:
            raise InvalidRequestError(f"{where}: {error}", hint=error.hint) from None
    else:
        tool = _tool_of(tool, where)
    _check_fields(tool, {"name": (str,), "parameters": (dict, Mapping), **_OPTIONAL}, where)
    return tool  # type: ignore[no-any-return]


_OPTIONAL: dict[str, tuple[type[Any], ...]] = {"description": (str, NoneType), "strict": (bool, NoneType)}


def _check_fields(value: Any, kinds: Mapping[str, tuple[type[Any], ...]], where: str) -> None:
    for name, allowed in kinds.items():
        found = getattr(value, name)
        if not isinstance(found, allowed):
            expected = "a mapping" if Mapping in allowed else allowed[0].__name__
            raise InvalidRequestError(f"{where}.{name}: expected {expected}, got {short(found)}")


def _tool_of(tool: Any, where: str) -> Tool:
    if not isinstance(tool, Mapping):
        raise InvalidRequestError(f"{where}: expected a Tool, a function or a dict, got {type(tool).__name__}")
    if tool.get("type", "function") != "function":
        raise InvalidRequestError(
            f"{where}: {tool['type']!r} is no function", hint="tools of the provider's own go into extra={'tools': […]}"
        )
    function = tool.get("function", tool)
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise InvalidRequestError(f"{where}.function.name: missing")
    values = {
        name: function[name]
        for name in ("name", "description", "parameters", "strict")
        if function.get(name) is not None
    }
    return Tool(**values)


def _response_format(value: Any) -> Any:
    """Accept our own forms, the common wire form, and a bare JSON Schema."""
    if isinstance(value, str) and value in {"text", "json"}:
        return value
    made = value if isinstance(value, JsonSchema) else _format_of(value)
    if isinstance(made, JsonSchema):
        _check_fields(made, {"schema": (dict, Mapping), "name": (str,), **_OPTIONAL}, "response_format")
    return made


def _format_of(value: Any) -> str | JsonSchema:
    if not isinstance(value, Mapping):
        wanted = "expected 'text', 'json', a JsonSchema or a type"
        raise InvalidRequestError(f"response_format: {wanted}, got {short(value)}")
    kind = value.get("type")
    if kind == "text":
        return "text"
    if kind == "json_object":
        return JsonSchema(schema=value["schema"]) if "schema" in value else "json"
    if kind == "json_schema":
        inner = value.get("json_schema", value)
        if not isinstance(inner, Mapping) or not isinstance(inner.get("schema"), Mapping):
            raise InvalidRequestError("response_format.json_schema.schema: missing")
        names = ("schema", "name", "description", "strict")
        return JsonSchema(**{name: inner[name] for name in names if inner.get(name) is not None})
    return JsonSchema(schema=value)
