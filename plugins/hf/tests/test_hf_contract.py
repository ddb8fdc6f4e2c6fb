"""The contract that every backend keeps, kept by `hf` at both its places: the router and a dedicated endpoint."""

from __future__ import annotations

from typing import ClassVar

from ipfs_accel.testing import BackendContract, Exchange, data_reply, json_reply, openai_exchanges
from ipfs_accel_hf.hub import backend

from .test_hf import MODEL, PNG, WAV

TASKS = (
    Exchange(operation="embed", call=lambda client, at: client.embed(f"{at}/a/m", ["x"]), replies=json_reply([0.5, 1.0]), check=lambda answer: list(answer.vectors[0]) == [0.5, 1.0]),
    Exchange(operation="classify", call=lambda client, at: client.classify(f"{at}/a/m", ["x"]), replies=json_reply([[{"label": "joy", "score": 0.9}]]), check=lambda answer: answer.results[0][0].label == "joy"),
    Exchange(operation="generate_image", call=lambda client, at: client.generate_image(f"{at}/a/m", "a cat"), replies=data_reply(PNG, "image/png"), check=lambda answer: answer.images[0].data == PNG),
    Exchange(operation="transcribe", call=lambda client, at: client.transcribe(f"{at}/a/m", WAV), replies=json_reply({"text": "hello"}), check=lambda answer: answer.text == "hello"),
    Exchange(operation="speak", call=lambda client, at: client.speak(f"{at}/a/m", "hello"), replies=data_reply(WAV, "audio/wav"), check=lambda answer: answer.data == WAV),
)  # fmt: skip


class TestHuggingFaceRouter(BackendContract):
    plugin = backend
    options: ClassVar = {"router": True}
    exchanges = (
        *openai_exchanges(without=("complete", "stream_complete", "embed", "list_models", "show_model")), *TASKS,
        Exchange(operation="complete", call=lambda client, at: client.complete(f"{at}/a/m", "x"), replies=json_reply([{"generated_text": "y"}]), check=lambda answer: answer.text == "y"),
        Exchange(operation="list_models", call=lambda client, at: client.list_models(at), replies=json_reply({"object": "list", "data": [MODEL]}), check=lambda answer: answer[0].context_window == 1000),
        Exchange(operation="show_model", call=lambda client, at: client.show_model(f"{at}/a/m"), replies=json_reply(MODEL), check=lambda answer: answer.id == "a/m"),
    )  # fmt: skip


class TestHuggingFaceDedicated(BackendContract):
    plugin = backend
    exchanges = (
        *openai_exchanges(without=("embed", "show_model")), *TASKS,
        Exchange(operation="show_model", call=lambda client, at: client.show_model(f"{at}/a/m"), replies=json_reply({"object": "list", "data": [{**MODEL, "max_model_len": 9}]}), check=lambda answer: answer.context_window == 9),
    )  # fmt: skip
