"""A backend in this process that answers by a script: for tests of applications and of middleware."""

from __future__ import annotations

import threading
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from typing import Any

from ipfs_accel.errors import AccelError, InvalidValueError
from ipfs_accel.hookspecs import BackendInfo, hookimpl
from ipfs_accel.plans import Job, Local, LocalStream, Ready
from ipfs_accel.types import (
    Answer,
    ChatRequest,
    ChatResponse,
    Choice,
    ClassifyResponse,
    CompletionRequest,
    CompletionResponse,
    EmbedResponse,
    Health,
    ImageResponse,
    Message,
    ModerateResponse,
    RerankResponse,
    SpeakResponse,
    Text,
    TranscribeResponse,
)
from ipfs_accel.wire._playing import play_answer
from ipfs_accel.wire.assembler import Assembler, chat_assembler, completion_assembler

from ._playing import PIECE, SAID, play_pieces
from .unexpected import UnexpectedCallError

__all__ = ["Scripted"]

_ASSEMBLERS: Mapping[type[Answer], Callable[[], Assembler[Any]]] = {
    ChatResponse: chat_assembler,
    CompletionResponse: completion_assembler,
}


def _whole(operation: str, kind: type[Answer]) -> Any:
    """Make the hook of an operation whose answer comes whole."""

    def hook(self: Scripted, request: Any) -> Local[Any]:
        return Local(run=lambda _job: self._answer(operation, kind, request))

    hook.__name__ = operation
    return hookimpl(hook)


class Scripted:
    """Answers each call by the next entry of a script, whole or streamed, whichever the call asks for.

        scripted = Scripted([ToolCall(id="1", name="weather", arguments='{"city": "Rome"}'), "It is sunny."])
        with Client(plugins=[scripted]) as client:
            assert client.chat("scripted/any", "How is the weather?").tool_calls[0].name == "weather"
            assert client.stream("scripted/any", "And now?").read().text == "It is sunny."
        assert scripted.requests[0].messages[0].text == "How is the weather?"

    An entry is one of these:

    - a text, a `Message`, or a part of one such as a `ToolCall`: the answer; a stream has it in pieces of 4 characters;
    - a list of texts and parts: the answer, its texts streamed as they are cut there; an error in it breaks it off;
    - a whole answer of the operation, such as `ChatResponse`, `EmbedResponse` or `ImageResponse`;
    - a list of vectors, for `embed`;
    - an error of `ipfs_accel.errors`, which the attempt fails with: retries, fallbacks and breakers do their work, and
      a retry gets the next entry;
    - a function of the request that returns any of these.

    A function in place of the list answers every call. A call for which there is nothing left raises
    `UnexpectedCallError`. It can be used from any number of threads and tasks.

    Attributes:
        requests: What came to it, in order: typed requests, as middleware made them, one for each attempt.
    """

    api_version = 1

    def __init__(self, script: Iterable[Any] | Callable[[Any], Any] = (), *, name: str = "scripted") -> None:
        """Take a script.

        Args:
            script: The entries, or one function for all calls.
            name: Of the backend, and so of its endpoint: with `openai`, models named `openai/…` are answered by it, and
                those of endpoints that are configured with this backend. It has no options: leave those of the real
                one out of a test's configuration.

        Raises:
            InvalidValueError: An entry is none of those; says which.
        """
        self.name = name
        self.requests: list[Any] = []
        self._always = script if callable(script) else None
        self._left: deque[Any] = deque() if callable(script) else deque(_entries(script))
        self._served = 0
        self._lock = threading.Lock()

    @property
    def left(self) -> tuple[Any, ...]:
        """The entries that no call has come for yet."""
        return tuple(self._left)

    @hookimpl
    def describe(self) -> BackendInfo:
        """Name it; nothing is sent to the URL."""
        return BackendInfo(name=self.name, base_url="http://127.0.0.1:9")

    @hookimpl
    def healthcheck(self) -> Ready[Health]:
        """Say that all is well."""
        return Ready(value=Health(status="ok"))

    chat = _whole("chat", ChatResponse)
    complete = _whole("complete", CompletionResponse)
    embed = _whole("embed", EmbedResponse)
    rerank = _whole("rerank", RerankResponse)
    moderate = _whole("moderate", ModerateResponse)
    classify = _whole("classify", ClassifyResponse)
    generate_image = _whole("generate_image", ImageResponse)
    edit_image = _whole("edit_image", ImageResponse)
    vary_image = _whole("vary_image", ImageResponse)
    transcribe = _whole("transcribe", TranscribeResponse)
    translate = _whole("translate", TranscribeResponse)
    speak = _whole("speak", SpeakResponse)

    @hookimpl
    def stream(self, request: ChatRequest) -> LocalStream[ChatResponse]:
        """Answer in pieces."""
        return self._streamed("stream", ChatResponse, request)

    @hookimpl
    def stream_complete(self, request: CompletionRequest) -> LocalStream[CompletionResponse]:
        """Continue in pieces."""
        return self._streamed("stream_complete", CompletionResponse, request)

    def _streamed(self, operation: str, kind: type[Answer], request: Any) -> LocalStream[Any]:
        def run(out: Assembler[Any], _job: Job) -> Iterator[None]:
            yield from _played(self._next(operation, request), operation, kind, out)

        return LocalStream(run=run, assembler=_ASSEMBLERS[kind])

    def _answer(self, operation: str, kind: type[Answer], request: Any) -> Any:
        entry = self._next(operation, request)
        if isinstance(entry, kind):
            return entry
        if kind in _ASSEMBLERS:
            out = _ASSEMBLERS[kind]()
            for _ in _played(entry, operation, kind, out):
                pass
            return out.conclude()
        if (
            kind is EmbedResponse
            and isinstance(entry, list)
            and not any(isinstance(each, (str, *SAID)) for each in entry)
        ):
            return EmbedResponse(vectors=tuple([array("f", vector) for vector in entry]))
        if kind is TranscribeResponse and isinstance(entry, str):
            return TranscribeResponse(text=entry)
        raise _unfit(entry, operation, kind)

    def _next(self, operation: str, request: Any) -> Any:
        with self._lock:
            self.requests.append(request)
            if self._always is None and not self._left:
                raise UnexpectedCallError(
                    f"the script of {self.name!r} has come to its end: it had {self._served} "
                    f"{'entry' if self._served == 1 else 'entries'}, and this {operation!r} is one call too many",
                    hint="give it an entry for each call, retries included; `requests` has what came to it",
                )
            entry = self._always or self._left.popleft()
            self._served += 1
        if callable(entry):
            entry = _called(entry, request)
        if isinstance(entry, AccelError):
            raise copy(entry)  # the call writes on it what became of it, and the script may have it twice
        return entry


def _entries(script: Iterable[Any]) -> Iterator[Any]:
    if isinstance(script, str | bytes | Mapping):
        raise InvalidValueError(f"a script is a list of entries, not {type(script).__name__}: [{script!r:.40}]")
    for index, entry in enumerate(script):
        yield entry if callable(entry) and not isinstance(entry, type) else _checked(entry, f"script[{index}]")


def _checked(entry: Any, where: str) -> Any:
    if isinstance(entry, SAID):
        return [entry]
    if isinstance(entry, str | Message | Answer | AccelError):
        return entry
    if isinstance(entry, list | tuple):
        pieces = list(entry)
        _check_pieces(pieces, where)
        return pieces
    hint = "an error is given as an instance, with its message" if isinstance(entry, type) else None
    raise InvalidValueError(
        f"{where}: expected a text, message, part, answer, error, list of pieces or function, got {_kind(entry)}",
        hint=hint,
    )


def _check_pieces(pieces: list[Any], where: str) -> None:
    if pieces and all(isinstance(piece, list | tuple | array) for piece in pieces):
        for index, vector in enumerate(pieces):
            if not all(isinstance(number, int | float) for number in vector):
                raise InvalidValueError(f"{where}[{index}]: expected a vector of numbers")
        return
    for index, piece in enumerate(pieces):
        if not isinstance(piece, (str, AccelError, *SAID)):
            raise InvalidValueError(f"{where}[{index}]: expected a text, a part or an error, got {_kind(piece)}")


def _called(function: Callable[[Any], Any], request: Any) -> Any:
    name = getattr(function, "__qualname__", type(function).__name__)
    try:
        return _checked(function(request), "what it returned")
    except AccelError:
        raise
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        raise UnexpectedCallError(f"the script's function {name} failed: {what}") from error


def _played(entry: Any, operation: str, kind: type[Answer], out: Assembler[Any]) -> Iterator[None]:
    """Tell an entry as an answer that can be streamed."""
    if isinstance(entry, str):
        entry = [Text(text=entry)]
    if isinstance(entry, Message) and kind is ChatResponse:
        reason = "tool_calls" if entry.tool_calls else "stop"
        entry = ChatResponse(choices=(Choice(message=entry, finish_reason=reason),))
    if isinstance(entry, kind):
        return play_answer(entry, out, PIECE)  # type: ignore[arg-type]
    if isinstance(entry, list) and (
        kind is ChatResponse or all(isinstance(piece, str | Text | AccelError) for piece in entry)
    ):
        return play_pieces(entry, out)
    raise _unfit(entry, operation, kind)


def _unfit(entry: Any, operation: str, kind: type[Answer]) -> UnexpectedCallError:
    return UnexpectedCallError(
        f"a call of {operation!r} came, and the script's next entry is {_kind(entry)}, of which no {kind.__name__} "
        "can be made"
    )


def _kind(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
