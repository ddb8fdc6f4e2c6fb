"""Exchanges for the parts of OpenAI's dialect that fewer servers have: sound, pictures, judgements, files, batches."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

from .replies import data_reply, json_reply, sse_reply
from .trials import Exchange

__all__ = ["MEDIA"]

_PNG = b"\x89PNG\r\n\x1a\n0"
_WAV = b"RIFF\0\0\0\0WAVEfmt "


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


_USAGE = {"input_tokens": 5, "output_tokens": 9, "total_tokens": 14}
_HEARD = {"text": "Grüß Gott", "usage": {"type": "duration", "seconds": 3}}
_PICTURES = {"created": 1, "output_format": "png", "data": [{"b64_json": _base64(_PNG)}], "usage": _USAGE}
_FILE = {"id": "f1", "object": "file", "bytes": 2, "created_at": 5, "filename": "a.jsonl", "purpose": "batch"}
_BATCH = {
    "id": "b1",
    "object": "batch",
    "endpoint": "/v1/chat/completions",
    "status": "completed",
    "input_file_id": "f1",
    "output_file_id": "f2",
    "error_file_id": "f3",
    "created_at": 1,
    "request_counts": {"total": 2, "completed": 1, "failed": 1},
}
_SAID = {"index": 0, "message": {"role": "assistant", "content": "Grüß Gott"}, "finish_reason": "stop"}
_CHAT = {"id": "c1", "object": "chat.completion", "model": "m", "choices": [_SAID]}
_JUDGEMENT = {"flagged": True, "categories": {"violence": True}, "category_scores": {"violence": 0.9}}


def _line(name: str, status: int, body: Any) -> bytes:
    said = {"status_code": status, "request_id": "r", "body": body}
    return json.dumps({"id": f"r-{name}", "custom_id": name, "response": said, "error": None}).encode() + b"\n"


def _pictures(kind: str) -> Any:
    picture = {"b64_json": _base64(_PNG), "output_format": "png"}
    partial = {"type": f"{kind}.partial_image", "partial_image_index": 0, **picture}
    return sse_reply(partial, {"type": f"{kind}.completed", **picture, "usage": _USAGE}, done=None)


def _heard(answer: Any) -> bool:
    return bool(answer.text == "Grüß Gott")


def _seen(answer: Any) -> bool:
    return [image.data for image in answer.images] == [_PNG]


def _is(field: str, value: Any) -> Callable[[Any], bool]:
    return lambda answer: bool(getattr(answer, field) == value)


def _ids(*expected: str) -> Callable[[Any], bool]:
    return lambda answer: [each.id for each in answer] == list(expected)


MEDIA: tuple[Exchange, ...] = (
    Exchange(
        operation="transcribe",
        call=lambda client, at: client.transcribe(f"{at}/m", _WAV),
        replies=json_reply(_HEARD),
        check=_heard,
    ),
    Exchange(
        operation="stream_transcribe",
        call=lambda client, at: client.stream_transcribe(f"{at}/m", _WAV),
        replies=sse_reply(
            {"type": "transcript.text.delta", "delta": "Grüß "},
            {"type": "transcript.text.delta", "delta": "Gott"},
            {"type": "transcript.text.done", "text": "Grüß Gott", "usage": {"type": "tokens", **_USAGE}},
            done=None,
        ),
        check=_heard,
    ),
    Exchange(
        operation="translate",
        call=lambda client, at: client.translate(f"{at}/m", _WAV),
        replies=json_reply(_HEARD),
        check=_heard,
    ),
    Exchange(
        operation="speak",
        call=lambda client, at: client.speak(f"{at}/m", "Hello", voice="v"),
        replies=data_reply(_WAV, "audio/wav"),
        check=_is("data", _WAV),
    ),
    Exchange(
        operation="stream_speak",
        call=lambda client, at: client.stream_speak(f"{at}/m", "Hello", voice="v"),
        replies=data_reply(_WAV, "audio/wav"),
        check=_is("data", _WAV),
    ),
    Exchange(
        operation="generate_image",
        call=lambda client, at: client.generate_image(f"{at}/m", "a cat"),
        replies=json_reply(_PICTURES),
        check=_seen,
    ),
    Exchange(
        operation="stream_image",
        call=lambda client, at: client.stream_image(f"{at}/m", "a cat", partial_images=1),
        replies=_pictures("image_generation"),
        check=_seen,
    ),
    Exchange(
        operation="edit_image",
        call=lambda client, at: client.edit_image(f"{at}/m", _PNG, "a hat"),
        replies=json_reply(_PICTURES),
        check=_seen,
    ),
    Exchange(
        operation="stream_image_edit",
        call=lambda client, at: client.stream_image_edit(f"{at}/m", _PNG, "a hat", partial_images=1),
        replies=_pictures("image_edit"),
        check=_seen,
    ),
    Exchange(
        operation="vary_image",
        call=lambda client, at: client.vary_image(f"{at}/m", _PNG),
        replies=json_reply(_PICTURES),
        check=_seen,
    ),
    Exchange(
        operation="moderate",
        call=lambda client, at: client.moderate(f"{at}/m", "x"),
        replies=json_reply({"id": "j1", "model": "m", "results": [_JUDGEMENT]}),
        check=lambda answer: [(each.flagged, each.scores) for each in answer.results] == [(True, {"violence": 0.9})],
    ),
    Exchange(
        operation="upload_file",
        call=lambda client, at: client.upload_file(at, b"{}", name="a.jsonl"),
        replies=json_reply(_FILE),
        check=_is("id", "f1"),
    ),
    Exchange(
        operation="list_files",
        call=lambda client, at: client.list_files(at),
        replies=json_reply({"object": "list", "data": [_FILE], "has_more": False}),
        check=_ids("f1"),
    ),
    Exchange(
        operation="get_file",
        call=lambda client, at: client.get_file(at, "f1"),
        replies=json_reply(_FILE),
        check=_is("name", "a.jsonl"),
    ),
    Exchange(
        operation="download_file",
        call=lambda client, at: client.stream_file(at, "f1"),
        replies=data_reply(b"\0\1\2", "application/octet-stream"),
        check=_is("size", 3),
    ),
    Exchange(
        operation="delete_file",
        call=lambda client, at: client.delete_file(at, "f1"),
        replies=json_reply({"id": "f1", "object": "file", "deleted": True}),
    ),
    Exchange(
        operation="create_batch",
        call=lambda client, at: client.create_batch(f"{at}/m", {"a": "Hello"}),
        replies=(json_reply(_FILE), json_reply({**_BATCH, "status": "validating"})),
        check=_is("status", "validating"),
    ),
    Exchange(
        operation="list_batches",
        call=lambda client, at: client.list_batches(at),
        replies=json_reply({"object": "list", "data": [_BATCH], "has_more": False}),
        check=_ids("b1"),
    ),
    Exchange(
        operation="get_batch",
        call=lambda client, at: client.get_batch(at, "b1"),
        replies=json_reply(_BATCH),
        check=_is("status", "completed"),
    ),
    Exchange(
        operation="batch_results",
        call=lambda client, at: client.batch_results(at, "b1"),
        replies=(
            json_reply(_BATCH),
            data_reply(_line("b", 400, {"error": {"message": "no"}}), "application/octet-stream"),
            data_reply(_line("a", 200, _CHAT), "application/octet-stream"),
        ),
        check=lambda answer: (answer.succeeded, answer.failed) == (1, 1),
    ),
    Exchange(
        operation="cancel_batch",
        call=lambda client, at: client.cancel_batch(at, "b1"),
        replies=json_reply({**_BATCH, "status": "cancelling"}),
        check=_is("status", "cancelling"),
    ),
)
