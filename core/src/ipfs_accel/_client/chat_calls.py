"""Conversations: whole and streamed, as text or as values of a type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ipfs_accel._calls import operations as ops
from ipfs_accel._calls.streams import AsyncStream, Stream

from .base import AsyncBase, SyncBase

if TYPE_CHECKING:
    from typing import Unpack

    from typing_extensions import TypeForm  # known to type checkers wherever they run; never loaded

    from ipfs_accel._calls.run_streams import AsyncRunStream, RunStream
    from ipfs_accel.types import (
        ChatOptions,
        ChatResponse,
        ConversationOptions,
        FreeRunOptions,
        Messages,
        Model,
        ParsedResponse,
        RunOptions,
        RunResult,
        StreamEvent,
    )
    from ipfs_accel.types._options import ToolSource

__all__ = ["AsyncChatCalls", "ChatCalls"]

T = TypeVar("T")


class ChatCalls(SyncBase):
    """Conversations of a client that waits."""

    @overload
    def chat(
        self,
        model: Model,
        messages: Messages,
        *,
        response_format: TypeForm[T],
        repair: int = 0,
        **options: Unpack[ConversationOptions],
    ) -> ParsedResponse[T]: ...

    @overload
    def chat(self, model: Model, messages: Messages, **options: Unpack[ChatOptions]) -> ChatResponse: ...

    def chat(self, model: Model, messages: Messages, **options: Any) -> ChatResponse:
        """Continue a conversation.

        Args:
            model: `endpoint/model`, an alias or a route; a list is a fallback chain; None means the configured default.
            messages: A string, or messages (typed or plain dicts), oldest first; see `Messages` for files among them.
            options: See `ChatOptions`; what is not given is left to the provider. With a type as `response_format` the
                answer has to fit it, and `parsed` is a value of that type; `repair` is how often the model may mend
                what does not.

        Raises:
            AnswerFormatError: No answer fits the type.
        """
        return self._run(self._core.whole(ops.CHAT, model, messages, options))

    @overload
    def stream(
        self,
        model: Model,
        messages: Messages,
        *,
        response_format: TypeForm[T],
        **options: Unpack[ConversationOptions],
    ) -> Stream[StreamEvent, ParsedResponse[T]]: ...

    @overload
    def stream(
        self, model: Model, messages: Messages, **options: Unpack[ChatOptions]
    ) -> Stream[StreamEvent, ChatResponse]: ...

    def stream(self, model: Model, messages: Messages, **options: Any) -> Stream[StreamEvent, Any]:
        """Continue a conversation and read the answer while it comes; arguments as for `chat`, but for `repair`.

        With a type as `response_format` the stream's `partial` is what has come of the value, and its answer has it.
        """
        return Stream(self._core.opening(ops.STREAM, model, messages, options), self._world)

    @overload
    def run(
        self,
        model: Model,
        messages: Messages,
        *,
        tools: Sequence[ToolSource],
        response_format: TypeForm[T],
        repair: int = 0,
        **options: Unpack[RunOptions],
    ) -> RunResult[T]: ...

    @overload
    def run(
        self, model: Model, messages: Messages, *, tools: Sequence[ToolSource], **options: Unpack[FreeRunOptions]
    ) -> RunResult[None]: ...

    def run(self, model: Model, messages: Messages, **options: Any) -> RunResult[Any]:
        """Ask a model, call the tools that it asks for, and go on until it has its answer.

        What a tool raises, arguments that do not fit and names that there are not, the model is told, so that it can
        mend it. Several calls are made side by side. A limit that ends the run is `stopped` of the result, no error.

        Args:
            model: `endpoint/model`, an alias or a route; a list is a fallback chain; None means the configured default.
            messages: A string, or messages (typed or plain dicts), oldest first.
            options: `tools`, functions or `Tool`s that have one; the limits of `RunOptions`; else as for `chat`.

        Raises:
            AccelError: A question failed; `run` of the error is what had come of it.
        """
        from ipfs_accel._calls import runs  # noqa: PLC0415 - few programs have tools

        return self._run(runs.run(runs.Loop(self._core, model, messages, options, is_async=False)))

    @overload
    def stream_run(
        self,
        model: Model,
        messages: Messages,
        *,
        tools: Sequence[ToolSource],
        response_format: TypeForm[T],
        **options: Unpack[RunOptions],
    ) -> RunStream[T]: ...

    @overload
    def stream_run(
        self, model: Model, messages: Messages, *, tools: Sequence[ToolSource], **options: Unpack[FreeRunOptions]
    ) -> RunStream[None]: ...

    def stream_run(self, model: Model, messages: Messages, **options: Any) -> RunStream[Any]:
        """Run as `run` does and read it while it goes on: events of each answer, and of each call and its result."""
        from ipfs_accel._calls import run_streams, runs  # noqa: PLC0415 - few programs have tools

        return run_streams.RunStream(runs.Loop(self._core, model, messages, options, is_async=False), self._world)


class AsyncChatCalls(AsyncBase):
    """Conversations of a client that is awaited."""

    @overload
    async def chat(
        self,
        model: Model,
        messages: Messages,
        *,
        response_format: TypeForm[T],
        repair: int = 0,
        **options: Unpack[ConversationOptions],
    ) -> ParsedResponse[T]: ...

    @overload
    async def chat(self, model: Model, messages: Messages, **options: Unpack[ChatOptions]) -> ChatResponse: ...

    async def chat(self, model: Model, messages: Messages, **options: Any) -> ChatResponse:
        """As `Client.chat`."""
        return await self._run(self._core.whole(ops.CHAT, model, messages, options))

    @overload
    def stream(
        self,
        model: Model,
        messages: Messages,
        *,
        response_format: TypeForm[T],
        **options: Unpack[ConversationOptions],
    ) -> AsyncStream[StreamEvent, ParsedResponse[T]]: ...

    @overload
    def stream(
        self, model: Model, messages: Messages, **options: Unpack[ChatOptions]
    ) -> AsyncStream[StreamEvent, ChatResponse]: ...

    def stream(self, model: Model, messages: Messages, **options: Any) -> AsyncStream[StreamEvent, Any]:
        """As `Client.stream`; not awaited itself."""
        return AsyncStream(self._core.opening(ops.STREAM, model, messages, options), self._world)

    @overload
    async def run(
        self,
        model: Model,
        messages: Messages,
        *,
        tools: Sequence[ToolSource],
        response_format: TypeForm[T],
        repair: int = 0,
        **options: Unpack[RunOptions],
    ) -> RunResult[T]: ...

    @overload
    async def run(
        self, model: Model, messages: Messages, *, tools: Sequence[ToolSource], **options: Unpack[FreeRunOptions]
    ) -> RunResult[None]: ...

    async def run(self, model: Model, messages: Messages, **options: Any) -> RunResult[Any]:
        """As `Client.run`."""
        from ipfs_accel._calls import runs  # noqa: PLC0415 - few programs have tools

        return await self._run(runs.run(runs.Loop(self._core, model, messages, options, is_async=True)))

    @overload
    def stream_run(
        self,
        model: Model,
        messages: Messages,
        *,
        tools: Sequence[ToolSource],
        response_format: TypeForm[T],
        **options: Unpack[RunOptions],
    ) -> AsyncRunStream[T]: ...

    @overload
    def stream_run(
        self, model: Model, messages: Messages, *, tools: Sequence[ToolSource], **options: Unpack[FreeRunOptions]
    ) -> AsyncRunStream[None]: ...

    def stream_run(self, model: Model, messages: Messages, **options: Any) -> AsyncRunStream[Any]:
        """As `Client.stream_run`; not awaited itself."""
        from ipfs_accel._calls import run_streams, runs  # noqa: PLC0415 - few programs have tools

        return run_streams.AsyncRunStream(runs.Loop(self._core, model, messages, options, is_async=True), self._world)
