"""Answers and streams, inward. What comes depends on what is behind a service, so everything is told by its look."""

from __future__ import annotations

import ast
import codecs
from collections.abc import Sequence
from typing import Any, TypeVar

import attrs
from ipfs_accel import strict_json
from ipfs_accel.errors import InternalServerError, InvalidResponseError
from ipfs_accel.plans import ErrorDetail, HttpResponse
from ipfs_accel.types import ChatResponse, Choice, CompletionChoice, CompletionResponse, Message, Usage
from ipfs_accel.wire import openai_answers as dialect
from ipfs_accel.wire import openai_streams
from ipfs_accel.wire.assembler import Assembler, chat_assembler, completion_assembler
from ipfs_accel.wire.openai_errors import error_in_body, error_in_event, is_error
from ipfs_accel.wire.openai_errors import read_error as read_dialect_error
from ipfs_accel.wire.sse import ServerSentEvent, SSEDecoder

__all__ = ["Frames", "StreamDecoder", "read_chat", "read_completion", "read_error"]

Json = dict[str, Any]
A = TypeVar("A", ChatResponse, CompletionResponse)

_LOG_START, _LOG_END = "/logs/", "/streamed_output_str/-"
_END_OF_TEXT = "</s>"


def read_error(response: HttpResponse) -> ErrorDetail:
    """Read an error: `detail` as text or as a list of problems; a plain 500 says nothing of its cause."""
    if response.text().strip() == "Internal Server Error":
        return ErrorDetail(
            message="the service failed and does not say why",
            hint="the request may be wrong for it, or a service behind it is down; run: ipfs-accel health",
        )
    detail = read_dialect_error(response)
    if response.status == 404 and detail.message == "Not Found":  # noqa: PLR2004
        hint = "the service has no such path; services in the endpoint's options says where another one is"
        return attrs.evolve(detail, message="the service does not know this path", hint=hint)
    return detail


def _is_stream(response: HttpResponse) -> bool:
    return response.headers.get("content-type", "").startswith("text/event-stream")


def read_chat(response: HttpResponse) -> ChatResponse:
    """Read the answer of any service that takes chats; some stream whatever they are asked for."""
    if _is_stream(response):
        return _assembled(response, chat_assembler(merge=True))  # type: ignore[no-any-return]
    body = response.json()
    _check(body)
    if isinstance(body, dict) and isinstance(body.get("choices"), list):
        first = body["choices"][0] if body["choices"] else None
        if isinstance(first, dict) and isinstance(first.get("message"), dict):
            return _without_zeros(dialect.chat_of(body))
    message = Message.assistant(_text(body))
    known = body if isinstance(body, dict) else {}
    return ChatResponse(
        id=known.get("id"),
        model=known.get("model"),
        choices=(Choice(message=message, finish_reason=_reason(known)),),
        raw=body,
    )


def read_completion(response: HttpResponse) -> CompletionResponse:
    """Read the answer to a text completion."""
    if _is_stream(response):
        return _assembled(response, completion_assembler())  # type: ignore[no-any-return]
    body = response.json()
    _check(body)
    if isinstance(body, dict) and isinstance(body.get("choices"), list) and body["choices"]:
        first = body["choices"][0]
        if isinstance(first, dict) and isinstance(first.get("text"), str):
            return _without_zeros(dialect.completion_of(body))
    choice = CompletionChoice(text=_text(body), finish_reason=_reason(body if isinstance(body, dict) else {}))
    return CompletionResponse(choices=(choice,), raw=body)


def _check(body: Any) -> None:
    """Raise what a success says of a failure: in the words of whatever is behind the service, or of its framework."""
    if isinstance(body, dict):
        if is_error(body):
            raise error_in_body(body)
        if "detail" in body and "choices" not in body and "text" not in body:
            raise InternalServerError(f"the service answered with an error: {body['detail']}", body=body)


def _text(body: Any) -> str:
    """Find the text in the order in which the forms are likely."""
    if isinstance(body, str):
        return body
    if isinstance(body, dict):
        for choice in body.get("choices") or ():
            content = (choice.get("message") or {}).get("content", choice.get("text"))
            if isinstance(content, str):
                return content
        if isinstance(body.get("text"), str):
            return body["text"]  # type: ignore[no-any-return]
    raise InvalidResponseError("the answer has no text in any of the forms that OPEA's services use", body=body)


def _reason(body: Json) -> str | None:
    choices: Any = body.get("choices") or ({},)
    return choices[0].get("finish_reason") or None


def _without_zeros(answer: A) -> A:
    """Leave out a usage that is all zeros: megaservices do not count."""
    usage = answer.usage
    return answer if usage.input_tokens or usage.output_tokens else attrs.evolve(answer, usage=Usage())


def _assembled(response: HttpResponse, out: Assembler[Any]) -> Any:
    frames, decode = SSEDecoder(), StreamDecoder()
    for event in (*frames.feed(response.body), *frames.flush()):
        if not out.is_done:
            decode(event, out)
    return out.conclude()


class Frames:
    """Cuts a stream into events; a service that answers with one whole JSON value gives one event, at the end."""

    def __init__(self) -> None:
        self._events = SSEDecoder()
        self._whole: list[bytes] | None = None
        self._has_begun = False

    def feed(self, chunk: bytes) -> Sequence[ServerSentEvent]:
        """Take bytes and return the events that they complete."""
        if not self._has_begun and chunk.strip():
            self._has_begun = True
            self._whole = [] if chunk.lstrip()[:1] in {b"{", b'"', b"["} else None
        if self._whole is not None:
            self._whole.append(chunk)
            return ()
        return self._events.feed(chunk)

    def flush(self) -> Sequence[ServerSentEvent]:
        """Return what is left."""
        if self._whole is not None:
            return (ServerSentEvent(event="whole", data=b"".join(self._whole).decode()),)
        return self._events.flush()


class StreamDecoder:
    """Tells an assembler what a stream means, in whichever of its forms it comes; made anew for each stream."""

    def __init__(self) -> None:
        self._chat = openai_streams.ChatDecoder()
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._has_text = False

    def __call__(self, event: ServerSentEvent, out: Assembler[Any]) -> None:
        """Take one event."""
        data = event.data
        if event.event == "error" and data:
            raise error_in_event(data)
        if data.strip() == "[DONE]":
            self._end(out)
        elif event.event == "whole":
            self._whole(strict_json.loads(data), out)
        elif data.startswith(("b'", 'b"')):
            self._add(self._utf8.decode(_bytes(data)), out)
        elif data.startswith("{"):
            self._object(event, out)
        elif data:
            self._add(data, out)

    def _whole(self, body: Any, out: Assembler[Any]) -> None:
        _check(body)
        out.text(_text(body))
        out.finish(_reason(body if isinstance(body, dict) else {}) or "stop")
        out.done()

    def _object(self, event: ServerSentEvent, out: Assembler[Any]) -> None:
        try:
            value = strict_json.loads(event.data)
        except ValueError:
            self._add(event.data, out)
            return
        if "ops" in value:
            for operation in value["ops"]:
                self._operation(operation, out)
        elif isinstance(value.get("choices"), list) and not any("text" in each for each in value["choices"]):
            self._has_text = self._has_text or bool(value["choices"])
            self._chat(event, out)
        elif "choices" in value:
            self._has_text = True
            openai_streams.decode_completion(event, out)
        else:
            _check(value)
            if isinstance(value.get("text"), str):
                self._add(value["text"], out)

    def _operation(self, operation: Any, out: Assembler[Any]) -> None:
        """Read an entry of a run log; the same text stands in other entries too."""
        path, value = operation.get("path"), operation.get("value")
        is_piece = isinstance(path, str) and path.startswith(_LOG_START) and path.endswith(_LOG_END)
        if is_piece and isinstance(value, str) and value != _END_OF_TEXT:
            self._add(value, out)

    def _add(self, text: str, out: Assembler[Any]) -> None:
        if text:
            self._has_text = True
            out.text(text)

    def _end(self, out: Assembler[Any]) -> None:
        self._add(self._utf8.decode(b"", final=True), out)
        if not self._has_text:
            # A service behind this one failed: that is all that is told of it.
            raise InternalServerError("the stream ended without any text: a service behind this one has failed")
        for choice in out.choices.values():
            if choice.finish_reason is None:
                out.finish("stop", choice.index)
        out.done()


def _bytes(text: str) -> bytes:
    """Read bytes as Python writes them; a guardrail writes its sentence between the quotes without escaping it."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = None
    if isinstance(value, bytes):
        return value
    return text[2:].removesuffix(text[1]).encode()
