"""Completions, as editors ask for them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from ipfs_accel import Client, Config, EndpointConfig
from ipfs_accel.errors import InternalServerError
from ipfs_accel.testing import Scripted
from ipfs_accel.types import CompletionChoice, CompletionResponse, TokenLogprob, Usage

from .gateways import Running

MODEL = "scripted/any"
LIKELY = (
    TokenLogprob(token=" wor", logprob=-0.5, top=(TokenLogprob(token=" wor", logprob=-0.5),)),
    TokenLogprob(token="ld", logprob=-0.25, top=(TokenLogprob(token="ld", logprob=-0.25),)),
)
ANSWER = CompletionResponse(
    choices=(
        CompletionChoice(text=" world", finish_reason="stop", logprobs=LIKELY),
        CompletionChoice(index=1, text=" you", finish_reason="length"),
    ),
    usage=Usage(input_tokens=1, output_tokens=3),
)


class At:
    def __init__(self) -> None:
        self.script: deque[Any] = deque()
        self.scripted = Scripted(lambda _request: self.script.popleft())
        self.running = Running(Config(endpoints={"scripted": EndpointConfig()}, environ={}), {}, (self.scripted,))
        base = f"{self.running.url}/v1"
        self.ours = Client(
            config=Config(endpoints={"gw": EndpointConfig(backend="openai", base_url=base, key="any")}, environ={})
        )
        self.sdk = openai.OpenAI(base_url=base, api_key="any", max_retries=0)


@pytest.fixture(scope="module")
def at() -> Iterator[At]:
    found = At()
    yield found
    found.sdk.close()
    found.ours.close()
    found.running.close()


def test_our_plugin_asks_and_is_answered(at: At) -> None:
    at.script += [ANSWER, ANSWER]
    options: Any = {
        "suffix": "!",
        "max_tokens": 9,
        "stop": ["\n"],
        "logprobs": 1,
        "n": 2,
        "seed": 3,
        "temperature": 0.1,
    }
    whole = at.ours.complete(f"gw/{MODEL}", "Hello", **options)
    asked = at.scripted.requests[-1]
    assert (asked.prompt, asked.suffix, asked.max_tokens, asked.stop) == (("Hello",), "!", 9, ("\n",))
    assert (asked.logprobs, asked.n, asked.seed, asked.temperature) == (1, 2, 3, 0.1)
    streamed = at.ours.stream_complete(f"gw/{MODEL}", "Hello", **options).read()
    for found in (whole, streamed):
        assert [(each.index, each.text, each.finish_reason) for each in found.choices] == [
            (0, " world", "stop"),
            (1, " you", "length"),
        ]
        assert found.usage == ANSWER.usage
        assert found.choices[0].logprobs
        assert [(each.token, each.logprob) for each in found.choices[0].logprobs] == [(" wor", -0.5), ("ld", -0.25)]


def test_the_sdk_reads_both(at: At) -> None:
    at.script += [ANSWER, ["wor", "ld"]]
    whole = at.sdk.completions.create(model=MODEL, prompt=["Hello", "To"], suffix="!")
    assert at.scripted.requests[-1].prompt == ("Hello", "To")
    assert [choice.text for choice in whole.choices] == [" world", " you"]
    assert whole.choices[0].logprobs
    assert whole.choices[0].logprobs.text_offset == [0, 4]
    stream = at.sdk.completions.create(model=MODEL, prompt="Hello ", stream=True)
    chunks = [chunk.choices[0] for chunk in stream]
    assert "".join([chunk.text for chunk in chunks]) == "world"
    assert chunks[-1].finish_reason == "stop"


def test_a_stream_that_fails_says_so(at: At) -> None:
    at.script.append(["wor", InternalServerError("it broke", status=500)])
    with pytest.raises(openai.APIError, match="it broke"):
        list(at.sdk.completions.create(model=MODEL, prompt="Hello ", stream=True))


@pytest.mark.parametrize(
    ("more", "param"), [({"prompt": []}, "prompt"), ({"best_of": 3}, "best_of"), ({"frobnicate": 1}, "frobnicate")]
)
def test_what_cannot_be_done_is_refused(at: At, more: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        at.sdk.completions.create(model=MODEL, prompt="Hi", extra_body=more)
    assert caught.value.param == param


def test_a_server_of_the_dialect_gets_the_very_bytes(http: Any, httpserver: Any, running: Any) -> None:
    answer = {"id": "c", "object": "text_completion", "created": 1, "model": "m", "choices": []}
    httpserver.expect_request("/v1/completions").respond_with_json(answer)
    found = running(endpoints={"up": {"backend": "openai", "base_url": httpserver.url_for("/v1"), "key": "k"}})
    body = b'{"prompt":"a",  "model":"up/m","suffix":"b"}'
    assert http.post(f"{found.url}/v1/completions", content=body).json() == answer
    assert httpserver.log[-1][0].get_data() == body.replace(b"up/m", b"m")
    assert json.loads(body)["suffix"] == "b"
