"""A backend in this process that answers with what it was asked: for tests of middleware and of applications."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ipfs_accel.errors import InternalServerError
from ipfs_accel.hookspecs import BackendInfo, hookimpl
from ipfs_accel.plans import Endpoint, Job, Local, LocalStream, Ready
from ipfs_accel.types import (
    ChatRequest,
    ChatResponse,
    EmbedRequest,
    EmbedResponse,
    Health,
    ModerateRequest,
    ModerateResponse,
    Moderation,
    Usage,
)
from ipfs_accel.wire.assembler import Assembler, chat_assembler

__all__ = ["Echo"]

_USAGE = Usage(input_tokens=3, output_tokens=4)


class Echo:
    """Repeats the last message after the word echo; where it is given tools, it calls the first one with it.

    A stream comes one character at a time, so that nothing comes whole. It flags what has the word bomb in it, gives
    each text its length as a vector, and has a call of its own, `shout(text=…)`.

        echo = Echo()
        with Client(plugins=[echo], middleware=[Redaction()]) as client:
            assert client.chat("echo/m", "from ada@example.com").text == "echo from ada@example.com"
        assert echo.asked[0].messages[0].text == "from [EMAIL_1]"

    Attributes:
        asked: What came to it: requests, or the id where an operation has no request.
        failures: How many of the next calls fail with a status of 500.
    """

    api_version = 1

    def __init__(self, name: str = "echo", failures: int = 0) -> None:
        self.name = name
        self.failures = failures
        self.asked: list[Any] = []

    def take(self, request: Any) -> None:
        """Note what came, and fail if it is to fail."""
        self.asked.append(request)
        if self.failures:
            self.failures -= 1
            raise InternalServerError("told to fail", status=500)

    @hookimpl
    def describe(self) -> BackendInfo:
        """Name it; nothing is sent to the URL."""
        return BackendInfo(name=self.name, base_url="http://127.0.0.1:9")

    def _steps(self, request: ChatRequest, out: Assembler[ChatResponse]) -> Iterator[None]:
        self.take(request)
        text = f"echo {request.messages[-1].text}"
        out.usage = Usage(input_tokens=3)
        yield
        for character in json.dumps({"text": text}, ensure_ascii=False) if request.tools else text:
            if request.tools:
                out.tool_call(0, name=request.tools[0].name, arguments=character)
            else:
                out.text(character)
            yield
        out.finish("tool_calls" if request.tools else "stop")
        out.usage = _USAGE
        out.done()
        yield

    @hookimpl
    def chat(self, request: ChatRequest) -> Any:
        """Answer at once."""

        def run(_job: Job) -> ChatResponse:
            out = chat_assembler()
            for _ in self._steps(request, out):
                pass
            return out.conclude()

        return Local(run=run)

    @hookimpl
    def stream(self, request: ChatRequest) -> Any:
        """Answer one character at a time."""
        return LocalStream(run=lambda out, _job: self._steps(request, out), assembler=chat_assembler)

    @hookimpl
    def embed(self, request: EmbedRequest) -> Any:
        """Measure each text."""

        def run(_job: Job) -> EmbedResponse:
            self.take(request)
            return EmbedResponse(vectors=tuple([array("f", [len(each)]) for each in request.inputs]), usage=_USAGE)

        return Local(run=run)

    @hookimpl
    def moderate(self, request: ModerateRequest) -> Any:
        """Flag bombs."""

        def run(_job: Job) -> ModerateResponse:
            self.take(request)
            flags = ["bomb" in str(each) for each in request.inputs]
            return ModerateResponse(
                results=tuple([Moderation(flagged=flag, categories={"weapons": flag}) for flag in flags])
            )

        return Local(run=run)

    @hookimpl
    def delete_file(self, file: str) -> Any:
        """Note the id, and nothing else."""
        return Local(run=lambda _job: self.take(file))

    @hookimpl
    def healthcheck(self) -> Any:
        """Say that all is well."""
        return Ready(value=Health(status="ok"))

    @hookimpl
    def calls(self) -> Mapping[str, Callable[..., Any]]:
        """Name its own call."""

        def shout(_endpoint: Endpoint, *, text: str) -> Any:
            def run(_job: Job) -> dict[str, str]:
                self.take(text)
                return {"said": text.upper()}

            return Local(run=run)

        return {"shout": shout}
