"""The contract that every backend keeps."""

from __future__ import annotations

import base64
from typing import Any, ClassVar

from ipfs_accel.testing import BackendContract, Exchange, json_reply, openai_exchanges
from ipfs_accel_opea import backend

from .test_opea import PNG

PATHS = {"/v1/chat/completions": {"post": {}}, "/v1/embeddings": {"post": {}}}
RANKED = {"id": "1", "reranked_docs": [{"text": "b", "score": 0.9}, {"text": "a", "score": 0.1}], "initial_query": "q"}


def blocked(answer: Any) -> bool:
    return [(each.flagged, each.categories) for each in answer.results] == [(True, {"O1": True})]


class TestOPEA(BackendContract):
    plugin = backend
    options: ClassVar = {"service": "llm"}
    exchanges = (
        *openai_exchanges(without=("list_models", "show_model", "healthcheck"), more=("transcribe", "speak")),
        Exchange(operation="rerank", call=lambda client, at: client.rerank(f"{at}/m", "q", ["a", "b"]), replies=json_reply(RANKED), check=lambda answer: [each.index for each in answer.results] == [1, 0]),
        Exchange(operation="moderate", call=lambda client, at: client.moderate(f"{at}/", "x"), replies=json_reply({"id": "1", "text": "Violated policies: O1, please check your input.", "downstream_black_list": [".*"]}), check=blocked),
        Exchange(operation="generate_image", call=lambda client, at: client.generate_image(f"{at}/", "a cat"), replies=json_reply({"images": [base64.b64encode(PNG).decode()]}), check=lambda answer: answer.images[0].data == PNG),
        Exchange(operation="list_models", call=lambda client, at: client.list_models(at), replies=json_reply({"openapi": "3.1.0", "paths": PATHS}), check=lambda answer: [model.id for model in answer] == ["llm", "embeddings"]),
        Exchange(operation="healthcheck", call=lambda client, at: client.healthcheck(at), replies=json_reply({"Service Title": "opea_service@llm", "Version": "1.0"}), check=lambda answer: answer.server == "opea_service@llm 1.0"),
    )  # fmt: skip
