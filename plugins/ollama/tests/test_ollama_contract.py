"""The contract that every backend keeps."""

from __future__ import annotations

from typing import Any

from ipfs_accel.testing import BackendContract, Exchange, json_reply, ndjson_reply
from ipfs_accel_ollama import backend

from .conftest import END, chat, generated

DONE = ({"status": "pulling 6a0746a1ec1a", "total": 9, "completed": 4}, {"status": "success"})


CALL = {"function": {"index": 0, "name": "f", "arguments": {"a": 1}}}


def called(answer: Any) -> bool:
    return bool(answer.tool_calls[0].parse_arguments() == {"a": 1})


def empty(_answer: Any) -> bool:
    return _answer is None


class TestOllama(BackendContract):
    plugin = backend
    exchanges = (
        Exchange(operation="chat", call=lambda client, at: client.chat(f"{at}/m", "q"), replies=json_reply({**chat("a"), **END}), check=lambda answer: answer.text == "a"),
        Exchange(operation="chat", call=lambda client, at: client.chat(f"{at}/m", "q"), replies=json_reply({**chat("", tool_calls=[CALL]), **END}), check=called),
        Exchange(operation="stream", call=lambda client, at: client.stream(f"{at}/m", "q"), replies=ndjson_reply(chat("ä"), chat("b"), {**chat(""), **END}), check=lambda answer: answer.text == "äb"),
        Exchange(operation="stream", call=lambda client, at: client.stream(f"{at}/m", "q"), replies=ndjson_reply(chat("", tool_calls=[CALL]), {**chat(""), **END}), check=called),
        Exchange(operation="complete", call=lambda client, at: client.complete(f"{at}/m", "q"), replies=json_reply({**generated("a"), **END}), check=lambda answer: answer.text == "a"),
        Exchange(operation="stream_complete", call=lambda client, at: client.stream_complete(f"{at}/m", "q"), replies=ndjson_reply(generated("a"), {**generated("b"), **END}), check=lambda answer: answer.text == "ab"),
        Exchange(operation="embed", call=lambda client, at: client.embed(f"{at}/m", ["q"]), replies=json_reply({"model": "m", "embeddings": [[1.0, 2.0]]}), check=lambda answer: list(answer.vectors[0]) == [1.0, 2.0]),
        Exchange(operation="transcribe", call=lambda client, at: client.transcribe(f"{at}/m", b"RIFF\0\0\0\0WAVE"), replies=json_reply({"text": "a"}), check=lambda answer: answer.text == "a"),
        Exchange(operation="list_models", call=lambda client, at: client.list_models(at), replies=json_reply({"models": [{"name": "m:latest"}]}), check=lambda answer: answer[0].id == "m:latest"),
        Exchange(operation="show_model", call=lambda client, at: client.show_model(f"{at}/m"), replies=json_reply({"capabilities": ["completion"]}), check=lambda answer: answer.features["chat"].value == "yes"),
        Exchange(operation="healthcheck", call=lambda client, at: client.healthcheck(at), replies=json_reply({"version": "0.24.0"}), check=lambda answer: answer.ok),
        Exchange(operation="running_models", call=lambda client, at: client.running_models(at), replies=json_reply({"models": [{"name": "m"}]}), check=lambda answer: answer[0].id == "m"),
        Exchange(operation="pull_model", call=lambda client, at: client.stream_pull_model(f"{at}/m"), replies=ndjson_reply(*DONE), check=lambda answer: answer.status == "success"),
        Exchange(operation="push_model", call=lambda client, at: client.stream_push_model(f"{at}/m"), replies=ndjson_reply(*DONE), check=lambda answer: answer.status == "success"),
        Exchange(operation="create_model", call=lambda client, at: client.stream_create_model(f"{at}/m", base="b"), replies=ndjson_reply(*DONE), check=lambda answer: answer.model == "m"),
        Exchange(operation="copy_model", call=lambda client, at: client.copy_model(f"{at}/m", "n"), replies=json_reply({}), check=empty),
        Exchange(operation="delete_model", call=lambda client, at: client.delete_model(f"{at}/m"), replies=json_reply({}), check=empty),
        Exchange(operation="load_model", call=lambda client, at: client.load_model(f"{at}/m"), replies=json_reply({**generated(""), "done": True}), check=empty),
        Exchange(operation="unload_model", call=lambda client, at: client.unload_model(f"{at}/m"), replies=json_reply({**generated(""), "done": True}), check=empty),
    )  # fmt: skip
