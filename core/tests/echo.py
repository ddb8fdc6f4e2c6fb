"""A backend that answers with what it was asked, and has a call of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ipfs_accel import hookimpl
from ipfs_accel.errors import InternalServerError
from ipfs_accel.plans import Endpoint, Local
from ipfs_accel.testing import Scripted
from ipfs_accel.types import (
    ChatResponse,
    Choice,
    EmbedRequest,
    Message,
    ModerateRequest,
    ModerateResponse,
    Moderation,
    Text,
    ToolCall,
    Usage,
)


class Echo(Scripted):
    """Repeats the last message after the word echo; given tools, it calls the first one with it.

    It flags what has the word bomb in it, and gives each text its length as a vector.

    Attributes:
        failures: How many of the next calls fail with a status of 500.
    """

    def __init__(self, name: str = "echo", failures: int = 0) -> None:
        super().__init__(self.say, name=name)
        self.failures = failures

    def say(self, request: Any) -> Any:
        if self.failures:
            self.failures -= 1
            raise InternalServerError("told to fail", status=500)
        if isinstance(request, EmbedRequest):
            return [[len(text)] for text in request.inputs]
        if isinstance(request, ModerateRequest):
            flags = ["bomb" in str(each) for each in request.inputs]
            return ModerateResponse(
                results=tuple([Moderation(flagged=flag, categories={"weapons": flag}) for flag in flags])
            )
        text = f"echo {request.messages[-1].text}"
        part: Any = Text(text=text)
        if request.tools:
            part = ToolCall(id="1", name=request.tools[0].name, arguments=json.dumps({"text": text}))
        choice = Choice(message=Message.assistant(part), finish_reason="tool_calls" if request.tools else "stop")
        return ChatResponse(choices=(choice,), usage=Usage(input_tokens=3, output_tokens=4))

    @hookimpl
    def delete_file(self, file: str) -> Any:
        return Local(run=lambda _job: self.requests.append(file))

    @hookimpl
    def calls(self) -> Mapping[str, Callable[..., Any]]:
        def shout(_endpoint: Endpoint, *, text: str) -> Any:
            def run(_job: Any) -> dict[str, str]:
                self.requests.append(text)
                return {"said": text.upper()}

            return Local(run=run)

        return {"shout": shout}
