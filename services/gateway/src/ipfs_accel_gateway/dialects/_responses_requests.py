"""Requests of the Responses API: the conversation that its items are, and the options of a chat."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeAlias

import attrs
from ipfs_accel.types import (
    Audio,
    Document,
    Image,
    Message,
    Opaque,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
from ipfs_accel.types import Refusal as Refused
from ipfs_accel.wire import keepsakes

from ._openai import leftover
from ._openai_whole import refuse
from ._responses_tools import as_arguments, called, choice, joined, tools

__all__ = ["conversation", "options"]

Item: TypeAlias = Mapping[str, Any]

_SAME = ("temperature", "top_p", "top_logprobs", "user")
_READ = {
    *_SAME, "model", "input", "instructions", "max_output_tokens", "parallel_tool_calls", "tools", "tool_choice",
    "text", "reasoning", "include", "stream", "store", "background", "previous_response_id", "conversation",
    "truncation", "prompt",
}  # fmt: skip
# What changes nothing of an answer, or only at OpenAI's own: notes, caches, tiers, and limits of tools that run there.
_IGNORED = {
    "metadata", "client_metadata", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    "prompt_cache_options", "stream_options", "max_tool_calls",
}  # fmt: skip
_NEEDS_MEMORY = {
    "previous_response_id": "no answer is kept here: send the whole conversation as `input`",
    "conversation": "no conversation is kept here: send the whole of it as `input`",
    "background": "nothing is done in the background here",
    "store": "no answer is kept here: send false, and what was said before as `input`",
    "prompt": "no prompts are kept here: send its text as `instructions`",
}
_BEFORE = "What was said and done before, in short:\n\n"
_LOGPROBS = "message.output_text.logprobs"
# What OpenAI's own tools and models said, which goes back to where it can be read.
_OPENAIS = {
    "web_search_call", "file_search_call", "computer_call", "image_generation_call", "code_interpreter_call",
    "local_shell_call", "shell_call", "apply_patch_call", "mcp_call", "mcp_list_tools", "tool_search_call", "program",
}  # fmt: skip


def options(members: Mapping[str, Any], *, lenient: bool) -> dict[str, Any]:
    """Return the options of a chat.

    Raises:
        Refusal: There is something that only OpenAI can do, unless it is to be left out.
    """
    leftover(members, _READ, _IGNORED, lenient=lenient)
    for name, why in _NEEDS_MEMORY.items():
        if members.get(name) and not (lenient and name in {"store", "background"}):
            raise refuse(name, why)
    if members.get("truncation") not in (None, "disabled") and not lenient:
        raise refuse("truncation", "conversations are not cut here")
    found = {name: members[name] for name in _SAME if members.get(name) is not None}
    if members.get("max_output_tokens") is not None:
        found["max_tokens"] = members["max_output_tokens"]
    include = members.get("include") or []
    if not isinstance(include, list):
        raise refuse("include", "expected a list")
    if _LOGPROBS in include or found.get("top_logprobs"):
        found["logprobs"] = True
    made = tools(members, lenient=lenient)
    if made:
        found["tools"] = made
        if (chosen := choice(members)) is not None:
            found["tool_choice"] = chosen
        if members.get("parallel_tool_calls") is False:
            found["parallel_tool_calls"] = False
    _form(_object(members, "text"), found, lenient=lenient)
    _think(_object(members, "reasoning"), found, lenient=lenient)
    return found


def _object(members: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = members.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise refuse(name, "expected an object")
    return value


def _form(text: Mapping[str, Any], found: dict[str, Any], *, lenient: bool) -> None:
    form = text.get("format")
    if isinstance(form, Mapping) and form.get("type") != "text":
        found["response_format"] = form
    if text.get("verbosity") not in (None, "medium") and not lenient:
        raise refuse("text.verbosity", "the model behind this name has nothing that would do this")


def _think(reasoning: Mapping[str, Any], found: dict[str, Any], *, lenient: bool) -> None:
    if reasoning.get("effort") is not None:
        found["reasoning_effort"] = reasoning["effort"]
    for name, usual in (("context", "auto"), ("mode", "standard")):
        if reasoning.get(name) not in (None, usual) and not lenient:
            raise refuse(f"reasoning.{name}", "the model behind this name has nothing that would do this")


def conversation(members: Mapping[str, Any], *, lenient: bool) -> list[Message]:
    """Return the messages that the items are, what stands above them first.

    Raises:
        Refusal: An item is malformed, unknown, or only a reference to what a server would have kept.
    """
    turns = _Turns({name for name, how in called(members).items() if how.is_free})
    above = members.get("instructions")
    if above:
        turns.add(Message(role="system", content=_parts(above, "instructions")))
    given = members.get("input")
    if isinstance(given, str):
        turns.add(Message.user(given))
    elif isinstance(given, list):
        for index, item in enumerate(given):
            _read(item, f"input[{index}]", turns, lenient=lenient)
    else:
        raise refuse("input", "expected a text or a list of items")
    return turns.messages()


class _Turns:
    """Messages as they come of items: what a model said in several items one after the other is one turn of it.

    Attributes:
        free: The tools that take free text, by the names that the model knows.
    """

    def __init__(self, free: Collection[str]) -> None:
        self.free = free
        self._found: list[Message] = []
        self._said: list[Part] = []
        self._extra: Mapping[str, Any] = {}
        self._beside: dict[str, Mapping[str, Any]] = {}
        self._in_message = False

    def add(self, message: Message) -> None:
        """Add a message that no model said."""
        self._close()
        self._found.append(message)

    def say(self, *parts: Part, remark: Mapping[str, Any] | None = None) -> None:
        """Add to a model's turn; `remark` is what a message says beside its text."""
        if remark is not None and self._in_message:  # nothing else would tell it from the one before
            self._said.append(Opaque(backend="openai", data={"type": "message"}))
        self._said += parts
        if remark:
            self._said.append(Opaque(backend="openai", data={"type": "message", **remark}))
        self._in_message = remark is not None and not remark

    def keep(self, kept: Mapping[str, Any]) -> None:
        """Put back what a provider said beside, to where it was."""
        if "call" in kept:
            self._beside[str(kept["call"])] = kept.get("extra") or {}
        elif "message" in kept:
            self._extra = kept["message"] or {}
        else:
            self.say(Opaque(backend=str(kept.get("backend")), data=kept.get("data") or {}))

    def messages(self) -> list[Message]:
        """Return all of them."""
        self._close()
        return self._found

    def _close(self) -> None:
        beside = self._beside
        if beside:
            self._said = [
                attrs.evolve(each, extra=beside[each.id]) if isinstance(each, ToolCall) and each.id in beside else each
                for each in self._said
            ]
        if self._said or self._extra:
            self._found.append(Message(role="assistant", content=self._said, extra=self._extra))
        self._said, self._extra, self._beside, self._in_message = [], {}, {}, False


def _read(item: Any, where: str, turns: _Turns, *, lenient: bool) -> None:
    if not isinstance(item, Mapping):
        raise refuse(where, "expected an object")
    kind = str(item.get("type") or "message")
    if kind in _READERS:
        _READERS[kind](item, where, turns)
    elif kind in _OPENAIS:
        turns.say(Opaque(backend="openai", data=item))
    elif kind == "item_reference":
        raise refuse(where, "nothing is kept here that could be referred to: send the item itself, and `store: false`")
    elif not lenient:
        raise refuse(f"{where}.type", f"{kind!r} is no type of item that is known here")


def _message(item: Item, where: str, turns: _Turns) -> None:
    role, parts = item.get("role"), _parts(item.get("content"), f"{where}.content")
    if role == "assistant":
        turns.say(*parts, remark={"phase": item["phase"]} if item.get("phase") else {})
    elif role in ("user", "system", "developer"):
        turns.add(Message(role=role, content=parts))
    else:
        raise refuse(f"{where}.role", "expected user, assistant, system or developer")


def _reasoning(item: Item, where: str, turns: _Turns) -> None:
    pieces = item.get("summary") or item.get("content") or ()
    if not isinstance(pieces, list | tuple):
        raise refuse(f"{where}.summary", "expected a list")
    text = "\n\n".join([str(piece.get("text") or "") for piece in pieces if isinstance(piece, Mapping)])
    locked = item.get("encrypted_content")
    kept = keepsakes.read(locked) if isinstance(locked, str) else None
    if kept is None:  # OpenAI's own
        turns.say(*([Reasoning(text=text)] if text else []), Opaque(backend="openai", data=item))
    elif not kept.keys().isdisjoint({"backend", "call", "message"}):
        turns.keep(kept)
    elif text or kept.get("signature"):
        turns.say(Reasoning(text=text, signature=kept.get("signature"), field=kept.get("field")))


def _call(item: Item, where: str, turns: _Turns) -> None:
    name = joined(item.get("namespace"), _text(item, "name", where))
    is_custom = item.get("type") == "custom_tool_call"
    said = _text(item, "input" if is_custom else "arguments", where)
    # Cursor sends what a tool was given as free text back as the arguments of a function.
    is_free = is_custom or (name in turns.free and not said.startswith("{"))
    turns.say(ToolCall(id=_text(item, "call_id", where), name=name, arguments=as_arguments(said) if is_free else said))


def _result(item: Item, where: str, turns: _Turns) -> None:
    content = _parts(item.get("output"), f"{where}.output")
    result = ToolResult(tool_call_id=_text(item, "call_id", where), content=content)
    turns.add(Message(role="tool", content=(result,)))


def _compacted(item: Item, where: str, turns: _Turns) -> None:
    locked = item.get("encrypted_content")
    kept = keepsakes.read(locked) if isinstance(locked, str) else None
    if kept is None or not isinstance(kept.get("summary"), str):
        raise refuse(where, "only the server that made this can read it: send what it stands for")
    turns.add(Message.user(f"{_BEFORE}{kept['summary']}"))


_READERS: dict[Any, Callable[[Item, str, _Turns], None]] = {
    "message": _message,
    "reasoning": _reasoning,
    "function_call": _call,
    "custom_tool_call": _call,
    "function_call_output": _result,
    "custom_tool_call_output": _result,
    "compaction": _compacted,
}


def _text(value: Item, name: str, where: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise refuse(f"{where}.{name}", "expected a text")
    return found


def _parts(content: Any, where: str) -> list[Any]:
    """Return the parts that content is."""
    if isinstance(content, str):
        return [Text(text=content)] if content else []
    if not isinstance(content, list):
        raise refuse(where, "expected a text or a list of parts")
    return [part for index, each in enumerate(content) for part in _part(each, f"{where}[{index}]")]


def _part(part: Any, where: str) -> Iterator[Part]:
    kind = str(part.get("type")) if isinstance(part, Mapping) else ""
    if kind in {"input_text", "output_text", "text"}:
        text = _text(part, "text", where)
        if text:
            notes = part.get("annotations") or ()
            yield Text(text=text, annotations=tuple(notes) if isinstance(notes, list) else notes)
    elif kind == "refusal":
        yield Refused(text=_text(part, "refusal", where))
    elif kind == "input_image":
        yield Image(url=part.get("image_url"), file_id=part.get("file_id"), detail=part.get("detail"))
    elif kind == "input_file":
        url = part.get("file_data") or part.get("file_url")
        yield Document(url=url, file_id=part.get("file_id"), name=part.get("filename"))
    elif kind == "input_audio" and isinstance(part.get("input_audio"), Mapping):
        sound = part["input_audio"]
        yield Audio(url=f"data:audio/{sound.get('format', 'wav')};base64,{_text(sound, 'data', where)}")
    else:
        raise refuse(f"{where}.type", f"{kind!r} is no type of part that is known here")
