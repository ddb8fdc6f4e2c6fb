"""The contract that every backend keeps, kept with the servers that its two names are usually of."""

from __future__ import annotations

from typing import ClassVar

from ipfs_accel.testing import BackendContract, Exchange, json_reply, openai_exchanges
from ipfs_accel_llvm import backend, vllm_backend

from .test_servers import LLAMACPP, VLLM

RANKS = {"model": "m", "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}
RERANK = Exchange(operation="rerank", call=lambda client, at: client.rerank(f"{at}/m", "q", ["a", "b"]), replies=json_reply(RANKS), check=lambda answer: answer.results[0].document == "b")  # fmt: skip
TOKENS = Exchange(operation="tokenize", call=lambda client, at: client.tokenize(f"{at}/m", "a"), replies=json_reply({"tokens": [1, 7], "count": 2, "max_model_len": 9}), check=lambda answer: answer.tokens == (1, 7))  # fmt: skip


class TestLLVM(BackendContract):
    plugin = backend
    options: ClassVar = {"server": "llama.cpp"}
    local: ClassVar = dict.fromkeys(("classify", "predict", "translate"), "of other servers than llama.cpp")
    exchanges = (
        *openai_exchanges(without=("list_models", "show_model", "healthcheck"), more=("transcribe",)), RERANK, TOKENS,
        Exchange(operation="detokenize", call=lambda client, at: client.detokenize(f"{at}/m", [7]), replies=json_reply({"content": "a"}), check=lambda answer: answer.text == "a"),
        Exchange(operation="count_tokens", call=lambda client, at: client.count_tokens(f"{at}/m", "a"), replies=json_reply({"object": "response.input_tokens", "input_tokens": 9}), check=lambda answer: answer.input_tokens == 9),
        Exchange(operation="list_models", call=lambda client, at: client.list_models(at), replies=json_reply(LLAMACPP), check=lambda answer: answer[0].context_window == 2048),
        Exchange(operation="show_model", call=lambda client, at: client.show_model(f"{at}/tiny"), replies=(json_reply(LLAMACPP), json_reply({"modalities": {"vision": True}})), check=lambda answer: answer.features["vision"].value == "yes"),
        Exchange(operation="healthcheck", call=lambda client, at: client.healthcheck(at), replies=(json_reply({"status": "ok"}), json_reply({"build_info": "b9000"})), check=lambda answer: answer.server == "llama.cpp b9000"),
    )  # fmt: skip


class TestVLLM(BackendContract):
    plugin = vllm_backend
    options: ClassVar = {"server": "vllm"}
    local: ClassVar = {"predict": "of other servers than vLLM"}
    exchanges = (
        *openai_exchanges(without=("list_models", "show_model", "healthcheck"), more=("transcribe", "translate")), RERANK, TOKENS,
        Exchange(operation="classify", call=lambda client, at: client.classify(f"{at}/m", ["a"]), replies=json_reply({"data": [{"index": 0, "label": "joy", "probs": [0.9, 0.1], "num_classes": 2}]}), check=lambda answer: answer.results[0][0].label == "joy"),
        Exchange(operation="detokenize", call=lambda client, at: client.detokenize(f"{at}/m", [7]), replies=json_reply({"prompt": "a"}), check=lambda answer: answer.text == "a"),
        Exchange(operation="count_tokens", call=lambda client, at: client.count_tokens(f"{at}/m", "a"), replies=json_reply({"count": 9, "max_model_len": 9, "tokens": []}), check=lambda answer: answer.input_tokens == 9),
        Exchange(operation="list_models", call=lambda client, at: client.list_models(at), replies=json_reply(VLLM), check=lambda answer: answer[0].context_window == 32768),
        Exchange(operation="show_model", call=lambda client, at: client.show_model(f"{at}/big"), replies=(json_reply(VLLM), json_reply({"paths": {"/classify": {}}})), check=lambda answer: answer.features["classify"].value == "yes"),
        Exchange(operation="healthcheck", call=lambda client, at: client.healthcheck(at), replies=(json_reply({}), json_reply({"version": "0.33.0"})), check=lambda answer: answer.server == "vLLM 0.33.0"),
    )  # fmt: skip
