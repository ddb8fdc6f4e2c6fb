"""The contract that every backend keeps."""

from __future__ import annotations

from typing import Any

from ipfs_accel.testing import BackendContract, Exchange, data_reply, json_reply, sse_reply
from ipfs_accel_claude import backend

from .test_claude_answers import ANSWER, CALL, HO, START, STOP, TEXT, delta, finish, start, stop
from .test_claude_lists import BATCH, result

MODEL = {"id": "m", "type": "model", "display_name": "M", "created_at": "2026-01-01T00:00:00Z"}
FILE = {"id": "f1", "type": "file", "filename": "a.txt", "mime_type": "text/plain", "size_bytes": 2, "created_at": "2026-01-01T00:00:00Z"}  # fmt: skip
CALLED = [start(0, CALL), delta(0, "input_json_delta", partial_json='{"a"'), delta(0, "input_json_delta", partial_json=": 1}"), stop(0)]  # fmt: skip
THOUGHT = [start(0, {"type": "thinking", "thinking": "", "signature": ""}), delta(0, "thinking_delta", thinking="hm"), delta(0, "signature_delta", signature="Eq"), stop(0)]  # fmt: skip
THEN = [start(1, TEXT), delta(1, "text_delta", text="ho"), stop(1)]


def page(*items: Any) -> Any:
    return json_reply({"data": items, "has_more": False, "first_id": "m", "last_id": "m"})


def stream(*events: dict[str, Any]) -> Any:
    return sse_reply(*[(event["type"], event) for event in events], done=None)


def asked(client: Any, at: str) -> Any:
    return client.stream(f"{at}/m", "q")


class TestClaude(BackendContract):
    plugin = backend
    exchanges = (
        Exchange(operation="chat", call=lambda client, at: client.chat(f"{at}/m", "q", max_tokens=9), replies=json_reply(ANSWER), check=lambda answer: answer.text == "ho"),
        Exchange(operation="chat", call=lambda client, at: client.chat(f"{at}/m", "q"), replies=json_reply({**ANSWER, "content": [{**CALL, "input": {"a": 1}}], "stop_reason": "tool_use"}), check=lambda answer: answer.tool_calls[0].parse_arguments() == {"a": 1}),
        Exchange(operation="stream", call=asked, replies=stream(START, *HO, finish(), STOP), check=lambda answer: answer.text == "ho"),
        Exchange(operation="stream", call=asked, replies=stream(START, *CALLED, finish("tool_use"), STOP), check=lambda answer: answer.tool_calls[0].parse_arguments() == {"a": 1}),
        Exchange(operation="stream", call=asked, replies=stream(START, *THOUGHT, *THEN, finish(), STOP), check=lambda answer: answer.text == "ho"),
        Exchange(operation="count_tokens", call=lambda client, at: client.count_tokens(f"{at}/m", "q"), replies=json_reply({"input_tokens": 7}), check=lambda answer: answer.input_tokens == 7),
        Exchange(operation="list_models", call=lambda client, at: client.list_models(at), replies=page(MODEL), check=lambda answer: answer[0].id == "m"),
        Exchange(operation="show_model", call=lambda client, at: client.show_model(f"{at}/m"), replies=json_reply(MODEL), check=lambda answer: answer.id == "m"),
        Exchange(operation="healthcheck", call=lambda client, at: client.healthcheck(at), replies=page(MODEL), check=lambda answer: answer.ok),
        Exchange(operation="upload_file", call=lambda client, at: client.upload_file(at, b"{}", name="a.txt"), replies=json_reply(FILE), check=lambda answer: answer.id == "f1"),
        Exchange(operation="list_files", call=lambda client, at: client.list_files(at), replies=page(FILE), check=lambda answer: answer[0].id == "f1"),
        Exchange(operation="get_file", call=lambda client, at: client.get_file(at, "f1"), replies=json_reply(FILE), check=lambda answer: answer.size == 2),
        Exchange(operation="download_file", call=lambda client, at: client.stream_file(at, "f1"), replies=data_reply(b"\0\1", "application/octet-stream"), check=lambda answer: answer.size == 2),
        Exchange(operation="delete_file", call=lambda client, at: client.delete_file(at, "f1"), replies=json_reply({"id": "f1", "type": "file_deleted"})),
        Exchange(operation="create_batch", call=lambda client, at: client.create_batch(f"{at}/m", {"a": "q"}), replies=json_reply({**BATCH, "processing_status": "in_progress"}), check=lambda answer: answer.status == "in_progress"),
        Exchange(operation="list_batches", call=lambda client, at: client.list_batches(at), replies=page(BATCH), check=lambda answer: answer[0].id == "b1"),
        Exchange(operation="get_batch", call=lambda client, at: client.get_batch(at, "b1"), replies=json_reply(BATCH), check=lambda answer: answer.succeeded == 2),
        Exchange(operation="batch_results", call=lambda client, at: client.batch_results(at, "b1"), replies=(json_reply(BATCH), data_reply((result("a") + result("b")).encode(), "application/x-jsonl")), check=lambda answer: answer.succeeded == 2),
        Exchange(operation="cancel_batch", call=lambda client, at: client.cancel_batch(at, "b1"), replies=json_reply({**BATCH, "processing_status": "canceling"}), check=lambda answer: answer.status == "cancelling"),
        Exchange(operation="delete_batch", call=lambda client, at: client.delete_batch(at, "b1"), replies=json_reply({"id": "b1", "type": "message_batch_deleted"})),
    )  # fmt: skip
