"""The contract that every backend keeps."""

from __future__ import annotations

import base64
from typing import Any

from ipfs_accel.testing import BackendContract, Exchange, data_reply, json_reply, sse_reply
from ipfs_accel_gemini import backend

from .test_gemini_answers import SOUND, answer, candidate, say

MODEL = {
    "name": "models/m",
    "displayName": "M",
    "inputTokenLimit": 9,
    "supportedGenerationMethods": ["generateContent"],
}
FILE = {"name": "files/f1", "displayName": "a.txt", "mimeType": "text/plain", "sizeBytes": "2", "state": "ACTIVE"}
PNG = b"\x89PNG\r\n\x1a\n0"
PICTURE = {"inlineData": {"mimeType": "image/png", "data": base64.b64encode(PNG).decode()}}
RESULT = {"response": say("ho"), "metadata": {"key": "a"}}
CALL = {"functionCall": {"id": "t1", "name": "f", "args": {"a": 1}}}


def batch(state: str, **about: Any) -> Any:
    return json_reply({"name": "batches/b1", "metadata": {"state": f"BATCH_STATE_{state}", **about}})


def seen(found: Any) -> bool:
    return bool(found.images[0].data == PNG)


def went(**headers: str) -> dict[str, str]:
    return {f"x-goog-upload-{name}": value for name, value in headers.items()}


# The reason for its end is the terminal signal, and stands in the last piece.
MORE = answer(candidate({"text": "Grüß "}, reason=None))
DRAWN = sse_reply(answer(candidate({"text": "see"}, reason=None)), answer(candidate(PICTURE)), done=None)
DONE = batch("SUCCEEDED", output={"inlinedResponses": {"inlinedResponses": [RESULT]}})


class TestGemini(BackendContract):
    plugin = backend
    exchanges = (
        Exchange(operation="chat", call=lambda client, at: client.chat(f"{at}/m", "q"), replies=json_reply(say("ho")), check=lambda found: found.text == "ho"),
        Exchange(operation="chat", call=lambda client, at: client.chat(f"{at}/m", "q"), replies=json_reply(answer(candidate(CALL))), check=lambda found: found.tool_calls[0].parse_arguments() == {"a": 1}),
        Exchange(operation="stream", call=lambda client, at: client.stream(f"{at}/m", "q"), replies=sse_reply(MORE, MORE, say("Gott"), done=None), check=lambda found: found.text == "Grüß Grüß Gott"),
        Exchange(operation="stream", call=lambda client, at: client.stream(f"{at}/m", "q"), replies=sse_reply(answer(candidate(CALL, reason=None)), answer(candidate({"text": ""})), done=None), check=lambda found: found.tool_calls[0].parse_arguments() == {"a": 1}),
        Exchange(operation="count_tokens", call=lambda client, at: client.count_tokens(f"{at}/m", "q"), replies=json_reply({"totalTokens": 7}), check=lambda found: found.input_tokens == 7),
        Exchange(operation="embed", call=lambda client, at: client.embed(f"{at}/m", ["a"]), replies=json_reply({"embeddings": [{"values": [0.5, 1.0]}]}), check=lambda found: list(found.vectors[0]) == [0.5, 1.0]),
        Exchange(operation="generate_image", call=lambda client, at: client.generate_image(f"{at}/m", "a cat"), replies=json_reply(answer(candidate(PICTURE))), check=seen),
        Exchange(operation="stream_image", call=lambda client, at: client.stream_image(f"{at}/m", "a cat"), replies=DRAWN, check=seen),
        Exchange(operation="edit_image", call=lambda client, at: client.edit_image(f"{at}/m", PNG, "a hat"), replies=json_reply(answer(candidate(PICTURE))), check=seen),
        Exchange(operation="stream_image_edit", call=lambda client, at: client.stream_image_edit(f"{at}/m", PNG, "a hat"), replies=DRAWN, check=seen),
        Exchange(operation="speak", call=lambda client, at: client.speak(f"{at}/m", "hello"), replies=json_reply(answer(candidate(SOUND))), check=lambda found: found.media_type == "audio/wav"),
        Exchange(operation="stream_speak", call=lambda client, at: client.stream_speak(f"{at}/m", "hello"), replies=sse_reply(answer(candidate(SOUND, reason=None)), answer(candidate(SOUND)), done=None), check=lambda found: len(found.data) == 8),
        Exchange(operation="list_models", call=lambda client, at: client.list_models(at), replies=json_reply({"models": [MODEL]}), check=lambda found: found[0].id == "m"),
        Exchange(operation="show_model", call=lambda client, at: client.show_model(f"{at}/m"), replies=json_reply(MODEL), check=lambda found: found.context_window == 9),
        Exchange(operation="healthcheck", call=lambda client, at: client.healthcheck(at), replies=json_reply({"models": [MODEL]}), check=lambda found: found.ok),
        Exchange(operation="upload_file", call=lambda client, at: client.upload_file(at, b"{}", name="a.txt"), replies=(json_reply({}, headers=went(url="/up")), json_reply({"file": FILE}, headers=went(status="final"))), check=lambda found: found.id == "files/f1"),
        Exchange(operation="list_files", call=lambda client, at: client.list_files(at), replies=json_reply({"files": [FILE]}), check=lambda found: found[0].id == "files/f1"),
        Exchange(operation="get_file", call=lambda client, at: client.get_file(at, "f1"), replies=json_reply(FILE), check=lambda found: found.size == 2),
        Exchange(operation="download_file", call=lambda client, at: client.stream_file(at, "f1"), replies=data_reply(b"\0\1", "application/octet-stream"), check=lambda found: found.size == 2),
        Exchange(operation="delete_file", call=lambda client, at: client.delete_file(at, "f1"), replies=json_reply({})),
        Exchange(operation="create_batch", call=lambda client, at: client.create_batch(f"{at}/m", {"a": "q"}), replies=batch("PENDING"), check=lambda found: found.status == "validating"),
        Exchange(operation="list_batches", call=lambda client, at: client.list_batches(at), replies=json_reply({"operations": [{"name": "batches/b1", "metadata": {}}]}), check=lambda found: found[0].id == "batches/b1"),
        Exchange(operation="get_batch", call=lambda client, at: client.get_batch(at, "b1"), replies=batch("RUNNING"), check=lambda found: found.status == "in_progress"),
        Exchange(operation="batch_results", call=lambda client, at: client.batch_results(at, "b1"), replies=DONE, check=lambda found: found.succeeded == 1),
        Exchange(operation="cancel_batch", call=lambda client, at: client.cancel_batch(at, "b1"), replies=(json_reply({}), batch("CANCELLING")), check=lambda found: found.status == "cancelling"),
        Exchange(operation="delete_batch", call=lambda client, at: client.delete_batch(at, "b1"), replies=json_reply({})),
    )  # fmt: skip
