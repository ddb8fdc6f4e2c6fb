"""The contract that every backend keeps."""

from __future__ import annotations

from typing import Any, ClassVar

from ipfs_accel.testing import BackendContract, Exchange, json_reply, openai_exchanges
from ipfs_accel_groq import backend

SOUND = ("transcribe", "translate", "speak", "stream_speak")
FILES = ("upload_file", "list_files", "get_file", "download_file", "delete_file")
BATCHES = ("create_batch", "list_batches", "get_batch", "batch_results", "cancel_batch")


def says(text: str) -> Any:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    return json_reply({"model": "m", "choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 2}})


class TestGroq(BackendContract):
    plugin = backend
    local: ClassVar = {"count_tokens": "counted without a server"}
    exchanges = (
        *openai_exchanges(without=("complete", "stream_complete"), more=(*SOUND, *FILES, *BATCHES)),
        Exchange(
            operation="moderate",
            call=lambda client, at: client.moderate(f"{at}/llama-prompt-guard-2-86m", ["a", "b"]),
            replies=says("0.9991"),
            check=lambda answer: [each.flagged for each in answer.results] == [True, True],
        ),
        Exchange(
            operation="classify",
            call=lambda client, at: client.classify(f"{at}/llama-prompt-guard-2-86m", ["a"]),
            replies=says("0.75"),
            check=lambda answer: answer.results[0][0].score == 0.75,
        ),
    )
