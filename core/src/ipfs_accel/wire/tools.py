"""Tools at servers of one's own: choices that they ignore, and calls that were cut before they were any.

Sources: answers of llama.cpp b11549, Ollama v0.24.0 and vLLM 0.32; what begins a call stands in vLLM's parsers of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from ipfs_accel.plans import Held, Http, HttpResponse
from ipfs_accel.types import Text

if TYPE_CHECKING:
    from ipfs_accel.types import ChatRequest, ChatResponse, Choice

__all__ = ["asked", "watched"]

# Which choices beside auto a server heeds, on its route for chats; who is not here heeds them all, as far as is known.
_HEEDED: Mapping[str, frozenset[str]] = {
    "llama.cpp": frozenset({"none", "required"}),
    "llama.cpp's Messages route": frozenset({"required"}),
    "Ollama": frozenset(),
}
# Hermes and Qwen; Mistral; Llama; DeepSeek.
_BEGUN = re.compile(
    r"<tool_call>(?!.*</tool_call>)|\[TOOL_CALLS\]|<\|python_tag\|>|<\uff5ctool\u2581calls\u2581begin\uff5c>",
    re.DOTALL,
)


def asked(server: str | None, request: ChatRequest) -> tuple[ChatRequest, tuple[str, ...], str | None]:
    """Return a chat as a server is to be asked, so that its tool choice holds; what is lost; what callers are told.

    A tool that is chosen by its name is sent alone, with a demand for some call, where that is heeded.
    """
    choice, heeded = request.tool_choice, _HEEDED.get(server or "")
    if heeded is None or not request.tools or choice in {None, "auto", *heeded}:
        return request, (), None
    if choice == "none":
        return attrs.evolve(request, tools=(), tool_choice=None, parallel_tool_calls=None), (), None
    if choice == "required" or "tools" in request.extra:
        return attrs.evolve(request, tool_choice=None), ("tool_choice",), None
    alone = tuple([tool for tool in request.tools if tool.name == choice])
    others = ", ".join([tool.name for tool in request.tools if tool.name != choice])
    if "required" not in heeded:
        return attrs.evolve(request, tools=alone, tool_choice=None), ("tool_choice",), None
    lost = ("parallel_tool_calls",) if others and request.parallel_tool_calls else ()
    told = (
        f"tool_choice: {server} forces no tool by its name, so that {choice!r} is sent alone: the other tools "
        f"({others}) cannot be called in this turn"
    )
    parallel = None if lost else request.parallel_tool_calls
    changed = attrs.evolve(request, tools=alone, tool_choice="required", parallel_tool_calls=parallel)
    return changed, lost, told if others else None


def watched(plan: Any, request: ChatRequest, told: str | None = None) -> Any:
    """Return the plan of a chat with tools as one that tells of a call that the limit cut before it was one.

    A whole answer has its beginning as a text, which is left out; a stream has nothing of it.
    """
    if isinstance(plan, Http):
        plan = attrs.evolve(plan, parse=partial(_read, plan.parse))
    return Held(plan=plan, told=told, doubt=partial(_doubt, request))


def _read(parse: Callable[[HttpResponse], ChatResponse], response: HttpResponse) -> ChatResponse:
    answer = parse(response)
    if all(choice.finish_reason != "length" for choice in answer.choices):
        return answer
    return attrs.evolve(answer, choices=tuple([_without_piece(choice) for choice in answer.choices]))


def _without_piece(choice: Choice) -> Choice:
    if choice.finish_reason != "length":
        return choice
    parts = [_told(part) if isinstance(part, Text) else part for part in choice.message.content]
    kept = tuple([part for part in parts if not isinstance(part, Text) or part.text])
    return attrs.evolve(choice, message=attrs.evolve(choice.message, content=kept))


def _told(part: Text) -> Text:
    begun = _BEGUN.search(part.text)
    return part if begun is None else attrs.evolve(part, text=part.text[: begun.start()].rstrip())


def _doubt(request: ChatRequest, answer: ChatResponse) -> str | None:
    """Say what an answer does not: that it ends in a call that is none yet."""
    if all(choice.finish_reason != "length" for choice in answer.choices):
        return None
    is_demanded = request.tool_choice not in {None, "auto", "none"} and not answer.tool_calls
    if is_demanded or any(_BEGUN.search(text) for text in _texts(answer.raw)):
        return "the limit cut the answer in the call of a tool, before its name was whole: give it more max_tokens"
    if any(choice.message.content for choice in answer.choices):
        return None
    return "the limit cut the answer before anything came of it, perhaps in the call of a tool: give it more max_tokens"


def _texts(body: Any) -> Iterator[str]:
    """Return the texts of a whole answer as they came, of chat completions and of the Responses API."""
    if not isinstance(body, Mapping):
        return
    for choice in body.get("choices") or ():
        content = choice["message"].get("content")
        if isinstance(content, str):
            yield content
    for item in body.get("output") or ():
        content = item.get("content")
        yield from [part["text"] for part in content if part.get("text")] if isinstance(content, list) else ()
