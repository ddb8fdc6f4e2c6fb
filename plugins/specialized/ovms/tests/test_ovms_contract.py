"""The contract that every backend keeps."""

from __future__ import annotations

from typing import ClassVar

from ipfs_accel.testing import BackendContract, Exchange, json_reply, openai_exchanges
from ipfs_accel_ovms import backend

from .test_ovms_tensors import METADATA, NEW, N, Y

SOUND = ("transcribe", "stream_transcribe", "translate", "speak", "stream_speak")
OUTPUTS = [{**Y, "data": [1.0, 2.0]}, {**N, "data": [3]}]


class TestOVMS(BackendContract):
    plugin = backend
    asides: ClassVar = {"/v2": json_reply(NEW), "/v2/models/m": json_reply(METADATA)}
    exchanges = (
        *openai_exchanges(without=("show_model", "healthcheck"), more=(*SOUND, "generate_image", "edit_image")),
        Exchange(operation="predict", call=lambda client, at: client.predict(f"{at}/m", [[1.0, 2.0]]), replies=json_reply({"model_name": "m", "model_version": "1", "outputs": OUTPUTS}), check=lambda answer: answer["y"].to_list() == [[1.0, 2.0]]),
        Exchange(operation="rerank", call=lambda client, at: client.rerank(f"{at}/m", "q", ["a", "b"]), replies=json_reply({"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}), check=lambda answer: answer.results[0].document == "b"),
        Exchange(operation="tokenize", call=lambda client, at: client.tokenize(f"{at}/m", "a"), replies=json_reply({"tokens": [1, 7]}), check=lambda answer: answer.tokens == (1, 7)),
        Exchange(operation="show_model", call=lambda client, at: client.show_model(f"{at}/n"), replies=json_reply(METADATA), check=lambda answer: answer.features["predict"].value == "yes"),
        Exchange(operation="healthcheck", call=lambda client, at: client.healthcheck(at), replies=json_reply({}), check=lambda answer: answer.server == "OpenVINO Model Server 2026.4.1.abcdef"),
    )  # fmt: skip
