"""A backend that runs in this process and answers with what it was asked, for tests of what stands around calls."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any

from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.errors import InternalServerError
from ipfs_accel.plans import Endpoint, Job, Local, LocalStream, Ready
from ipfs_accel.types import (
    ChatRequest,
    ChatResponse,
    Choice,
    EmbedRequest,
    EmbedResponse,
    Health,
    Message,
    ModerateRequest,
    ModerateResponse,
    Moderation,
    Usage,
)
from ipfs_accel.wire.assembler import Assembler, chat_assembler


class Echo:
    """Keeps what it was asked in `asked`; fails as often as `failures` says."""

    api_version = 1

    def __init__(self, name: str = "echo", failures: int = 0) -> None:
        self.name = name
        self.failures = failures
        self.asked: list[Any] = []

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(name=self.name, base_url="http://127.0.0.1:9")

    def _take(self, request: Any) -> None:
        self.asked.append(request)
        if self.failures:
            self.failures -= 1
            raise InternalServerError("told to fail", status=500)

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Any:
        def run(_job: Job) -> ChatResponse:
            self._take(request)
            choice = Choice(message=Message.assistant(f"echo {request.messages[-1].text}"), finish_reason="stop")
            return ChatResponse(choices=(choice,), usage=Usage(input_tokens=3, output_tokens=4))

        return Local(run=run)

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> Any:
        """One character at a time, so that nothing comes whole."""

        def run(out: Assembler[ChatResponse], _job: Job) -> Iterator[None]:
            self._take(request)
            out.usage = Usage(input_tokens=3)
            for character in f"echo {request.messages[-1].text}":
                out.text(character)
                yield
            out.finish("stop")
            out.usage = Usage(input_tokens=3, output_tokens=4)
            out.done()
            yield

        return LocalStream(run=run, assembler=chat_assembler)

    @hookimpl
    def embed(self, endpoint: Endpoint, request: EmbedRequest) -> Any:
        def run(_job: Job) -> EmbedResponse:
            self._take(request)
            return EmbedResponse(vectors=tuple([array("f", [len(each)]) for each in request.inputs]))

        return Local(run=run)

    @hookimpl
    def moderate(self, endpoint: Endpoint, request: ModerateRequest) -> Any:
        def run(_job: Job) -> ModerateResponse:
            self._take(request)
            flags = ["bomb" in str(each) for each in request.inputs]
            return ModerateResponse(results=tuple([Moderation(flagged=each) for each in flags]))

        return Local(run=run)

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Any:
        return Ready(value=Health(status="ok"))

    @hookimpl
    def delete_file(self, endpoint: Endpoint, file: str) -> Any:
        return Local(run=lambda _job: self._take(file))

    @hookimpl
    def calls(self) -> Any:
        return {"shout": lambda endpoint, *, text: Ready(value={"said": text.upper()})}
