"""The contract that every backend keeps."""

from __future__ import annotations

from typing import Any, ClassVar

from ipfs_accel.testing import BackendContract, Exchange, json_reply, openai_exchanges, sse_reply
from ipfs_accel_openai import azure, backend

from .test_oracle_media import RESPONSE

SOUND = ("transcribe", "stream_transcribe", "translate", "speak", "stream_speak")
PICTURES = ("generate_image", "stream_image", "edit_image", "stream_image_edit")
FILES = ("upload_file", "list_files", "get_file", "download_file", "delete_file")
BATCHES = ("create_batch", "list_batches", "get_batch", "batch_results", "cancel_batch")
BOTH = (*SOUND, *PICTURES, "moderate", *FILES, *BATCHES)
COUNTED = Exchange(
    operation="count_tokens",
    call=lambda client, at: client.count_tokens(f"{at}/m", "q"),
    replies=json_reply({"object": "response.input_tokens", "input_tokens": 11}),
    check=lambda answer: answer.input_tokens == 11,
)


def said(kind: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    return kind, {"type": kind, **fields}


TEXT = {"output_index": 0, "content_index": 0, "item_id": "msg_1"}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant"}
WHOLE = {**MESSAGE, "content": [{"type": "output_text", "text": "Hi there", "annotations": []}]}


class TestOpenAI(BackendContract):
    plugin = backend
    options: ClassVar = {"count": "server"}
    exchanges = (*openai_exchanges(more=(*BOTH, "vary_image")), COUNTED)


class TestOpenAIResponses(BackendContract):
    plugin = backend
    options: ClassVar = {"api": "responses"}
    local: ClassVar = dict.fromkeys(
        {each.operation for each in TestOpenAI.exchanges} - {"chat", "stream"}, "as with chat completions"
    )
    exchanges = (
        Exchange(
            operation="chat",
            call=lambda client, at: client.chat(f"{at}/m", "q"),
            replies=json_reply(RESPONSE),
            check=lambda answer: (answer.text, answer.usage.input_tokens) == ("Hi there", 8),
        ),
        Exchange(
            operation="stream",
            call=lambda client, at: client.stream(f"{at}/m", "q"),
            replies=sse_reply(
                said("response.created", response={**RESPONSE, "status": "in_progress", "output": []}),
                said("response.output_item.added", output_index=0, item={**MESSAGE, "content": []}),
                said(
                    "response.content_part.added", **TEXT, part={"type": "output_text", "text": "", "annotations": []}
                ),
                said("response.output_text.delta", **TEXT, delta="Hi "),
                said("response.output_text.delta", **TEXT, delta="there"),
                said("response.output_text.done", **TEXT, text="Hi there"),
                said("response.content_part.done", **TEXT, part=WHOLE["content"][0]),
                said("response.output_item.done", output_index=0, item=WHOLE),
                said("response.completed", response={**RESPONSE, "output": [WHOLE]}),
                done=None,
            ),
            check=lambda answer: (answer.text, answer.usage.output_tokens) == ("Hi there", 20),
        ),
    )


class TestAzure(BackendContract):
    plugin = azure
    options: ClassVar = {"count": "server"}
    exchanges = (*openai_exchanges(more=BOTH), COUNTED)
