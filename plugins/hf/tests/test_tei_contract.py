"""The contract that every backend keeps, kept by `tei`."""

from __future__ import annotations

from ipfs_accel.testing import BackendContract, Exchange, json_reply
from ipfs_accel_hf.tei import backend

from .tei_server import INFO, KINDS

MODEL = json_reply({**INFO, "model_type": KINDS["embedding"]})
VECTOR = {"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, 1.0]}], "usage": {"prompt_tokens": 3, "total_tokens": 3}}  # fmt: skip
TOKEN = {"id": 7, "text": "a", "special": False, "start": 0, "stop": 1}


class TestTEI(BackendContract):
    plugin = backend
    exchanges = (
        Exchange(operation="embed", call=lambda client, at: client.embed(f"{at}/m", ["a"]), replies=json_reply(VECTOR), check=lambda answer: list(answer.vectors[0]) == [0.5, 1.0]),
        Exchange(operation="rerank", call=lambda client, at: client.rerank(f"{at}/m", "q", ["a", "b"]), replies=(MODEL, json_reply([{"index": 1, "score": 0.9}, {"index": 0, "score": 0.1}])), check=lambda answer: answer.results[0].document == "b"),
        Exchange(operation="classify", call=lambda client, at: client.classify(f"{at}/m", ["a"]), replies=json_reply([{"score": 0.9, "label": "joy"}]), check=lambda answer: answer.results[0][0].label == "joy"),
        Exchange(operation="tokenize", call=lambda client, at: client.tokenize(f"{at}/m", "a"), replies=json_reply([[TOKEN]]), check=lambda answer: answer.tokens == (7,)),
        Exchange(operation="detokenize", call=lambda client, at: client.detokenize(f"{at}/m", [7]), replies=json_reply(["a"]), check=lambda answer: answer.text == "a"),
        Exchange(operation="list_models", call=lambda client, at: client.list_models(at), replies=MODEL, check=lambda answer: answer[0].id == INFO["model_id"]),
        Exchange(operation="show_model", call=lambda client, at: client.show_model(f"{at}/m"), replies=MODEL, check=lambda answer: answer.context_window == 8),
        Exchange(operation="healthcheck", call=lambda client, at: client.healthcheck(at), replies=MODEL, check=lambda answer: answer.server == "TEI 1.9.3"),
    )  # fmt: skip
