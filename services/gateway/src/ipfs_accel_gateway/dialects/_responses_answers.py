"""Answers in the words of the Responses API: what stands around them, and the items that parts of ours become."""

from __future__ import annotations

import os
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import (
    Audio,
    ChatResponse,
    Image,
    Opaque,
    Part,
    Reasoning,
    Text,
    TokenLogprob,
    ToolCall,
    Usage,
)
from ipfs_accel.types import Refusal as Refused
from ipfs_accel.wire import keepsakes

from ipfs_accel_gateway._errors import Refusal

from ._openai import logprobs
from ._responses_tools import FUNCTION, Called, as_input, called

__all__ = [
    "Frame",
    "Item",
    "Items",
    "call",
    "content",
    "is_shown",
    "kept",
    "message",
    "opaque",
    "picture",
    "remark_of",
    "tell_logprobs",
    "thought",
    "usage",
]

Item = dict[str, Any]

_ECHOED: Mapping[str, Any] = {
    "instructions": None, "max_output_tokens": None, "metadata": {}, "parallel_tool_calls": True, "reasoning": None,
    "temperature": None, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "top_p": None,
}  # fmt: skip
"""What an answer says again of its request, and what holds where that says nothing."""
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}
_CITATIONS = {"url_citation", "file_citation", "container_file_citation", "file_path"}


class Frame:
    """What all states of one answer have in common; written once, as it may repeat many tools.

    Attributes:
        token: Of which the ids of the answer and of its items are made.
    """

    def __init__(self, members: Mapping[str, Any], model: str) -> None:
        self.token = os.urandom(16).hex()
        said = {name: usual if members.get(name) is None else members[name] for name, usual in _ECHOED.items()}
        self._before = strict_json.dumps(
            {
                "id": f"resp_{self.token}",
                "object": "response",
                "created_at": int(time.time()),
                "background": False,
                "previous_response_id": None,
                "store": False,
                "truncation": "disabled",
                "tools": [_echoed(each) for each in members.get("tools") or ()],
                **said,
                "model": model,
            }
        )[:-1]

    def response(self, status: str, output: Iterable[Item] = (), **members: Any) -> bytes:
        """Return the answer in a state; `members` are error, incomplete_details and usage, where there are any."""
        state = {
            "status": status,
            "completed_at": int(time.time()) if status == "completed" else None,
            "error": None,
            "incomplete_details": None,
            "output": [*output],
            **members,
        }
        return b"%b,%b" % (self._before, strict_json.dumps(state)[1:])

    def ended(self, answer: ChatResponse, output: Iterable[Item]) -> tuple[str, bytes]:
        """Return the status of an answer that is over, and the answer."""
        reason = _INCOMPLETE.get(answer.finish_reason or "")
        status = "incomplete" if reason else "completed"
        details = {"reason": reason} if reason else None
        used = usage(answer.usage)
        told = {} if used is None else {"usage": used}
        return status, self.response(status, output, incomplete_details=details, **told)


def _echoed(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a tool as answers have it, in which nothing of a function is left out."""
    return tool if tool.get("type") != "function" else {"parameters": None, "strict": None, **tool}


def usage(used: Usage) -> dict[str, Any] | None:
    """Return token counts, or None where the provider tells none; the API leaves none of them out."""
    told, made = used.input_tokens, used.output_tokens
    if told is None and made is None:
        return None
    return {
        "input_tokens": told or 0,
        "input_tokens_details": {
            "cached_tokens": used.cached_input_tokens or 0,
            "cache_write_tokens": used.cache_write_input_tokens or 0,
        },
        "output_tokens": made or 0,
        "output_tokens_details": {"reasoning_tokens": used.reasoning_tokens or 0},
        "total_tokens": (told or 0) + (made or 0),
    }


class Items:
    """The output of a whole answer."""

    def __init__(self, members: Mapping[str, Any], token: str) -> None:
        self._called = called(members)
        self._token = token
        self._found: list[Item] = []
        self._message: Item | None = None
        self._shown: type[Part] | None = None

    def of(self, answer: ChatResponse) -> list[Item]:
        """Return the items.

        Raises:
            Refusal: The answer has something for which the API has no place.
        """
        choice = answer.choices[0]
        for part in choice.message.content:
            self._add(part)
        if choice.logprobs:
            tell_logprobs(self._found, choice.logprobs)
        if choice.message.extra:
            self._found.append(kept(self._id("rs"), {"message": choice.message.extra}))
        return self._found

    def _add(self, part: Part) -> None:
        if isinstance(part, Text | Refused | Audio):
            if self._message is None:
                self._message = message(self._id("msg"))
                self._found.append(self._message)
            self._message["content"].append(content(part))
            self._shown = None
            return
        data = remark_of(part)
        if data is not None and self._message is not None:
            self._message.update(data)
        self._message = None
        if data is None:
            self._add_item(part)

    def _add_item(self, part: Part) -> None:
        before, self._shown = self._shown, type(part)
        if isinstance(part, ToolCall):
            self._found.append(call(self._id("fc"), part, self._called.get(part.name, FUNCTION)))
            if part.extra:
                self._found.append(kept(self._id("rs"), {"call": part.id, "extra": part.extra}))
        elif isinstance(part, Reasoning):
            self._found.append(thought(self._id("rs"), part))
        elif isinstance(part, Image):
            self._found.append(picture(self._id("ig"), part))
        elif isinstance(part, Opaque):
            if is_shown(part, before):
                self._found.pop()
            self._found += opaque(self._id("rs"), part)

    def _id(self, prefix: str) -> str:
        return f"{prefix}_{self._token}{len(self._found):x}"


def message(id: str) -> Item:  # noqa: A002 - the field's own name
    """Return a message without content."""
    return {"id": id, "type": "message", "role": "assistant", "status": "completed", "content": []}


def content(part: Part) -> Item:
    """Return a part of a message's content.

    Raises:
        Refusal: It is a sound without words.
    """
    if isinstance(part, Refused):
        return {"type": "refusal", "refusal": part.text}
    if isinstance(part, Text):
        return {"type": "output_text", "text": part.text, "annotations": citations(part), "logprobs": []}
    said = part.transcript if isinstance(part, Audio) else None
    if said is None:
        what = type(part).__name__.lower()
        raise Refusal(502, "server", f"the model answered with {what}, for which this API has no place")
    return {"type": "output_text", "text": said, "annotations": [], "logprobs": []}


def citations(part: Text) -> list[Mapping[str, Any]]:
    """Return the citations of a text that are in the API's form, or in that of chats."""
    found = []
    for note in part.annotations:
        kind = note.get("type")
        inner = note.get(str(kind))
        if kind in _CITATIONS:
            found.append({"type": kind, **inner} if isinstance(inner, Mapping) else note)
    return found


def tell_logprobs(items: Iterable[Item], tokens: tuple[TokenLogprob, ...]) -> None:
    """Put the log probabilities of an answer's tokens where the text of it begins."""
    for item in items:
        if item.get("type") == "message" and item["content"] and item["content"][0]["type"] == "output_text":
            item["content"][0]["logprobs"] = logprobs(tokens)["content"]
            return


def thought(id: str, part: Reasoning) -> Item:  # noqa: A002 - as above
    """Return visible reasoning; what proves whose it is, or where it goes back to, is told as what nobody reads."""
    beside = {name: value for name, value in (("signature", part.signature), ("field", part.field)) if value}
    summary = [{"type": "summary_text", "text": part.text}] if part.text else []
    return {"id": id, "type": "reasoning", "summary": summary, "encrypted_content": keepsakes.written(beside)}


def kept(id: str, value: Mapping[str, Any]) -> Item:  # noqa: A002 - as above
    """Return an item that clients only send back."""
    return {"id": id, "type": "reasoning", "summary": [], "encrypted_content": keepsakes.written(value)}


def call(id: str, part: ToolCall, how: Called) -> Item:  # noqa: A002 - as above
    """Return a call of a tool."""
    found: Item = {"id": id, "type": "function_call", "call_id": part.id, "name": how.name or part.name}
    if how.namespace is not None:
        found["namespace"] = how.namespace
    if how.is_free:
        return {**found, "type": "custom_tool_call", "input": as_input(part)}
    return {**found, "arguments": part.arguments or "{}", "status": "completed"}


def picture(id: str, part: Image) -> Item:  # noqa: A002 - as above
    """Return a picture as OpenAI's own tool makes them.

    Raises:
        Refusal: It came as a URL.
    """
    if part.data is None:
        raise Refusal(502, "server", "the model answered with the URL of a picture, for which this API has no place")
    return {"id": id, "type": "image_generation_call", "status": "completed", "result": b64encode(part.data).decode()}


def remark_of(part: Part) -> Mapping[str, Any] | None:
    """Return what OpenAI says of a message or a call beside its parts; None for all else."""
    data = part.data if isinstance(part, Opaque) and part.backend == "openai" else {}
    kind = data.get("type")
    if kind == "message":
        return None if "content" in data else data
    return data if kind in {"function_call", "custom_tool_call"} and "call_id" not in data else None


def is_shown(part: Opaque, before: type[Part] | None) -> bool:
    """Whether what stands before an item of OpenAI's was only what of it people can see."""
    kind = part.data.get("type") if part.backend == "openai" else None
    return (kind, before) in {("reasoning", Reasoning), ("image_generation_call", Image)}


def opaque(id: str, part: Opaque) -> Iterator[Item]:  # noqa: A002 - as above
    """Return what only its provider understands: an item of OpenAI's, or one that clients keep unread."""
    if part.backend == "openai":
        yield {"id": id, **part.data}
    else:
        yield kept(id, {"backend": part.backend, "data": part.data})
