"""POST /v1/messages and /v1/messages/count_tokens of Anthropic's API, after its reference, version 2026-10-21."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from ipfs_accel import strict_json
from ipfs_accel.types import ChatResponse, TokenCount

from ipfs_accel_gateway._errors import Refusal

from ._anthropic import ANTHROPIC, failure, new_id, passed, usage
from ._anthropic_answers import blocks, end
from ._anthropic_blocks import refuse
from ._anthropic_requests import conversation, options
from ._anthropic_streams import Writer
from ._base import Family

__all__ = ["COUNT", "MESSAGES"]


class _Route:
    name = ""
    family: Family = ANTHROPIC
    stream_type = ""

    def passes(self, headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return the version and the betas."""
        return passed(headers)

    def read(self, members: Mapping[str, Any], *, lenient: bool) -> tuple[Any, dict[str, Any]]:
        """Return messages and options of a chat, or of a count."""
        try:
            return conversation(members, lenient=lenient), options(members, lenient=lenient)
        except RecursionError:
            raise refuse("messages", "something of the request is nested too deeply") from None

    def failure(self, refusal: Refusal, request_id: str) -> bytes:
        """Return the event `error`."""
        return failure(refusal, request_id)


class _Messages(_Route):
    name = "anthropic.messages"
    stream_type = "text/event-stream; charset=utf-8"

    def operation(self, members: Mapping[str, Any]) -> str:
        """Return `stream` where that is asked for."""
        return "stream" if members.get("stream") else "chat"

    def write(self, answer: ChatResponse, members: Mapping[str, Any], model: str) -> bytes:
        """Return a whole message."""
        return strict_json.dumps(
            {
                "id": new_id(),
                "type": "message",
                "role": "assistant",
                "model": answer.model or model,
                "content": list(blocks(answer)),
                **end(answer, members),
                "usage": usage(answer.usage),
            }
        )

    def writer(self, members: Mapping[str, Any], model: str) -> Writer:
        """Return what writes the events of a stream."""
        return Writer(members, model)


class _Count(_Route):
    name = "anthropic.count_tokens"

    def operation(self, members: Mapping[str, Any]) -> str:  # noqa: ARG002
        """Return the only operation."""
        return "count_tokens"

    def write(self, answer: TokenCount, members: Mapping[str, Any], model: str) -> bytes:  # noqa: ARG002
        """Return the count."""
        return strict_json.dumps({"input_tokens": answer.input_tokens})

    def writer(self, members: Mapping[str, Any], model: str) -> NoReturn:  # noqa: ARG002
        """Refuse: a count does not come as a stream."""
        raise AssertionError(self)


MESSAGES, COUNT = _Messages(), _Count()
