"""One question to a model, and its answer on the screen; `chat` asks one, `repl` goes on asking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ipfs_accel._calls.streams import Stream
from ipfs_accel._client.clients import Client
from ipfs_accel._values import frozen
from ipfs_accel.errors import ContentFilterError, StreamIncomplete, UnsupportedOperationError
from ipfs_accel.types import ChatResponse, Message, RunResult, StreamEvent

from .command import State
from .live import Printer, show_usage
from .output import is_terminal, note, write_line

if TYPE_CHECKING:
    from .tools import Toolkit

__all__ = ["Ask", "Interrupted", "judge_finish", "judge_run"]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C in the middle of an answer; `partial` is what came, or None."""

    partial: ChatResponse | None = None


@frozen(kw_only=True)
class Ask:
    """How an answer is asked for and shown.

    Attributes:
        model: As the user named it; None means the configured default.
        options: Of the call.
        stream: Whether to show the answer while it comes.
        usage: Whether to tell tokens and times.
        reasoning: Whether to show what the model thinks.
        tools: What the model may call; None if nothing.
    """

    model: str | None
    options: dict[str, Any]
    stream: bool = True
    usage: bool = False
    reasoning: bool = False
    tools: Toolkit | None = None

    def shown(self, client: Client, messages: list[Message], state: State) -> Sequence[Message]:
        """Get the answer and show it, while it comes if that is wanted and the backend can; return what was said."""
        if self.tools is not None:
            return self._run(client, messages, state)
        # Several answers at once would mix on the screen.
        wants_stream = self.stream and self.options.get("n", 1) == 1
        answer = self._streamed(client, messages, state) if wants_stream else None
        if answer is None:
            answer = client.chat(self.model, messages, **self.options)
            for index, choice in enumerate(answer.choices):
                if index:
                    write_line("")
                Printer(state, reasoning=self.reasoning).message(choice.message)
        if self.usage:
            show_usage(answer)
        judge_finish(state, answer)
        return [answer.message]

    def _run(self, client: Client, messages: list[Message], state: State) -> Sequence[Message]:
        tools: Any = self.tools
        result = tools.shown(client, self.model, messages, self.options, Printer(state, reasoning=self.reasoning))
        if self.usage:
            show_usage(result.response, result)
        judge_run(state, result)
        return result.messages[len(messages) :]  # type: ignore[no-any-return]

    def _streamed(self, client: Client, messages: list[Message], state: State) -> ChatResponse | None:
        stream: Stream[StreamEvent, ChatResponse] = client.stream(self.model, messages, **self.options)
        try:
            stream.__enter__()
        except UnsupportedOperationError:
            return None
        with stream:
            try:
                Printer(state, reasoning=self.reasoning).show(stream)
            except KeyboardInterrupt:
                interrupted = Interrupted()
                interrupted.partial = _partial(stream)
                raise interrupted from None
            return stream.response


def _partial(stream: Stream[StreamEvent, ChatResponse]) -> ChatResponse | None:
    try:
        return stream.response
    except StreamIncomplete as error:
        return error.partial if isinstance(error.partial, ChatResponse) else None


def judge_run(state: State, result: RunResult[Any]) -> None:
    """Tell of a run that a limit ended, and else judge its last answer."""
    if result.stopped is not None:
        note(state, f"note: the limit of {result.stopped} ended the run before the model had its answer")
    judge_finish(state, result.response)


def judge_finish(state: State, answer: ChatResponse) -> None:
    """Raise for an answer that a filter stopped; tell of one that a limit did."""
    if answer.finish_reason == "content_filter":
        raise ContentFilterError("a content filter stopped the answer", endpoint=answer.endpoint)
    if answer.finish_reason == "length" and is_terminal(err=True):
        note(state, "note: the answer ended at the limit of tokens (-o max_tokens=…)")
