"""Where Groq's answers say more than OpenAI's: tools that ran at the server, times, and errors inside of streams."""

from __future__ import annotations

from typing import Any

import attrs
from ipfs_accel.errors import APIStatusError, InternalServerError
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import ChatResponse
from ipfs_accel.wire import openai_answers as answers
from ipfs_accel.wire import openai_streams
from ipfs_accel.wire.assembler import Assembler
from ipfs_accel.wire.sse import ServerSentEvent

from ._errors import refined

__all__ = ["GroqDecoder", "read_chat"]

Json = dict[str, Any]


def read_chat(response: HttpResponse) -> ChatResponse:
    """Read the answer of POST /chat/completions."""
    answer = answers.read_chat(response)
    ran = answer.raw["choices"][0]["message"].get("executed_tools")
    if not ran:
        return answer
    first = answer.choices[0]
    if first.finish_reason == "tool_calls" and not first.message.tool_calls:
        first = attrs.evolve(first, finish_reason="stop")
    return attrs.evolve(answer, choices=(first, *answer.choices[1:]), extra={**answer.extra, "executed_tools": ran})


class GroqDecoder(openai_streams.ChatDecoder):
    """Tells an assembler what the chunks of a chat stream mean; made anew for each stream."""

    def __init__(self) -> None:
        super().__init__()
        self._said: Json = {}
        self._ran: dict[int, Json] = {}

    def __call__(self, event: ServerSentEvent, out: Assembler[ChatResponse]) -> None:
        """Take one event."""
        try:
            super().__call__(event, out)
        except APIStatusError as error:
            raise refined(error) from None
        said = out.extra.get("x_groq")
        if said is not None and said is not self._said:
            self._take(said, out)
        for state in out.choices.values():
            if self._ran and state.finish_reason == "tool_calls" and not state.tools:
                state.finish_reason = "stop"  # only the server's own tools were called, and they have run

    def rest(self, delta: Json, out: Assembler[ChatResponse], index: int) -> None:
        """Take also the server's tools, of which each comes several times and says more each time."""
        super().rest(delta, out, index)
        tools: list[Json] = delta.get("executed_tools") or []
        for position, tool in enumerate(tools):
            known = self._ran.setdefault(tool.get("index", position), {})
            known.update({name: value for name, value in tool.items() if value not in (None, "")})
            out.extra["executed_tools"] = list(self._ran.values())

    def _take(self, said: Json, out: Assembler[ChatResponse]) -> None:
        """Add what a chunk says of itself to what earlier ones said: the first has the seed, the last the usage."""
        self._said = out.extra["x_groq"] = {**self._said, **said}
        if said.get("error"):
            raise InternalServerError(f"the server stopped the stream: {said['error']}", body={"x_groq": said})
        usage = said.get("usage")
        if usage and out.usage is None:  # older servers say it only here
            out.usage, beside = answers.usage_of(usage)
            if beside:
                out.extra["usage"] = beside
        if said.get("usage_breakdown"):
            out.extra["usage_breakdown"] = said["usage_breakdown"]
