"""POST /responses of OpenAI's API, and what belongs to it, after its reference of 2026."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.types import ChatResponse, Message, TokenCount
from ipfs_accel.wire import keepsakes

from ipfs_accel_gateway._errors import Refusal

from ._base import Family
from ._openai import OPENAI
from ._openai_whole import Whole
from ._responses_answers import Frame, Items, usage
from ._responses_requests import conversation, options
from ._responses_streams import Writer, event

__all__ = ["COMPACT", "INPUT_TOKENS", "RESPONSES"]

_SHORT = """\
Write down what was said and done up to here, so that somebody who has not read it can go on: what is wanted and what \
was agreed on, what was done and found, what is left to do. Write names, paths, values and errors as they are. Answer \
with that text alone, and call no tool."""


class _Responses:
    name = "openai.responses"
    family: Family = OPENAI
    stream_type = "text/event-stream; charset=utf-8"

    def operation(self, members: Mapping[str, Any]) -> str:
        """Return `stream` where that is asked for."""
        return "stream" if members.get("stream") else "chat"

    def passes(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:  # noqa: ARG002
        """Return nothing: all of a request is in its body."""
        return ()

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return messages and options of a chat."""
        found = options(members, lenient=lenient)
        return conversation(members, lenient=lenient), found

    def write(self, answer: ChatResponse, members: Mapping[str, Any], model: str) -> bytes:
        """Return a whole answer."""
        frame = Frame(members, answer.model or model)
        return frame.ended(answer, Items(members, frame.token).of(answer))[1]

    def writer(self, members: Mapping[str, Any], model: str) -> Writer:
        """Return what writes the events of a stream."""
        return Writer(members, model)

    def failure(self, refusal: Refusal, request_id: str) -> bytes:  # noqa: ARG002
        """Return the event that says so where nothing else is known of the answer."""
        told = {"code": refusal.code or refusal.kind, "message": refusal.message, "param": refusal.param}
        return event("error", 0, strict_json.dumps(told)[1:-1])


class _Compact(Whole):
    name = "openai.responses.compact"
    asks = "chat"

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return the conversation, and at its end the wish to have it in short."""
        messages, found = RESPONSES.read(members, lenient=lenient)
        return [*messages, Message.user(_SHORT)], found

    def write(self, answer: ChatResponse, members: Mapping[str, Any], model: str) -> bytes:  # noqa: ARG002
        """Return an item that stands for the conversation, for whoever sends it here again.

        Raises:
            Refusal: The model wrote nothing.
        """
        if not answer.text.strip():
            raise Refusal(502, "server", "the model did not write down what was said")
        token = os.urandom(16).hex()
        locked = keepsakes.written({"summary": answer.text})
        body = {
            "id": f"resp_{token}",
            "object": "response.compaction",
            "created_at": int(time.time()),
            "output": [{"id": f"cmp_{token}", "type": "compaction", "encrypted_content": locked}],
        }
        used = usage(answer.usage)
        return strict_json.dumps(body if used is None else {**body, "usage": used})


class _InputTokens(Whole):
    name = "openai.responses.input_tokens"
    asks = "count_tokens"

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return messages and options of a chat."""
        return RESPONSES.read(members, lenient=lenient)

    def write(self, answer: TokenCount, members: Mapping[str, Any], model: str) -> bytes:  # noqa: ARG002
        """Return the count."""
        return strict_json.dumps({"object": "response.input_tokens", "input_tokens": answer.input_tokens})


RESPONSES = _Responses()
COMPACT = _Compact()
INPUT_TOKENS = _InputTokens()
