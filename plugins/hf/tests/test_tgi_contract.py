"""The contract that every backend keeps, kept by `tgi`."""

from __future__ import annotations

from typing import Any, ClassVar

from ipfs_accel.testing import BackendContract, Exchange, json_reply, openai_exchanges, sse_reply
from ipfs_accel_hf.tgi import backend

from .tgi_server import END, INFO

TOKENS = [{"id": 1, "text": "", "start": 0, "stop": 0}, {"id": 12, "text": "Hi", "start": 0, "stop": 2}]
OWN = ("complete", "stream_complete", "embed", "list_models", "show_model", "healthcheck")


def token(text: str) -> dict[str, Any]:
    return {"index": 1, "token": {"id": 5, "text": text, "logprob": -0.5, "special": False}, "generated_text": None, "details": None}  # fmt: skip


LAST = {"index": 3, "token": END, "generated_text": " Deep", "details": {"finish_reason": "eos_token", "generated_tokens": 3, "seed": None, "input_length": 2}}  # fmt: skip
WHOLE = {"generated_text": " Deep", "details": {"finish_reason": "length", "generated_tokens": 2, "seed": None, "prefill": [], "tokens": []}}  # fmt: skip


def deep(answer: Any) -> bool:
    return bool(answer.text == " Deep")


class TestTGI(BackendContract):
    plugin = backend
    exchanges = (
        *openai_exchanges(without=OWN),
        Exchange(operation="complete", call=lambda client, at: client.complete(f"{at}/m", "q"), replies=json_reply(WHOLE), check=deep),
        Exchange(operation="stream_complete", call=lambda client, at: client.stream_complete(f"{at}/m", "q"), replies=sse_reply(token(" De"), token("ep"), LAST, done=None), check=deep),
        Exchange(operation="tokenize", call=lambda client, at: client.tokenize(f"{at}/m", "Hi"), replies=json_reply(TOKENS), check=lambda answer: answer.tokens == (12,)),
        Exchange(operation="count_tokens", call=lambda client, at: client.count_tokens(f"{at}/m", "Hi"), replies=json_reply({"tokenize_response": TOKENS, "templated_text": "Hi"}), check=lambda answer: answer.input_tokens == 2),
        Exchange(operation="list_models", call=lambda client, at: client.list_models(at), replies=json_reply(INFO), check=lambda answer: answer[0].id == INFO["model_id"]),
        Exchange(operation="show_model", call=lambda client, at: client.show_model(f"{at}/m"), replies=json_reply(INFO), check=lambda answer: answer.context_window == 24),
        Exchange(operation="healthcheck", call=lambda client, at: client.healthcheck(at), replies=json_reply(INFO), check=lambda answer: answer.server == "TGI 3.3.7"),
    )  # fmt: skip


class TestTGICompletionsOfOpenAI(BackendContract):
    plugin = backend
    options: ClassVar = {"completions": "openai"}
    local: ClassVar = dict.fromkeys({each.operation for each in TestTGI.exchanges} - {"complete", "stream_complete"}, "as without the option")  # fmt: skip
    exchanges = openai_exchanges(without=("chat", "stream", *OWN[2:]))
