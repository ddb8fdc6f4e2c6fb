"""What OpenAI's own service and its reasoning models refuse, and what they call it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from ipfs_accel.plans import Endpoint, Http
from ipfs_accel.types import ChatRequest, Message
from ipfs_accel_openai import Options, backend

HI = (Message.user("hi"),)


def at(url: str) -> Endpoint:
    return Endpoint(name="openai", backend="openai", base_url=url, options=Options())


HOSTED = at("https://api.openai.com/v1")


def planned(endpoint: Endpoint, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return what is sent beside model and messages, and what is reported as unsupported."""
    plan = backend.chat(endpoint, ChatRequest(**{"messages": HI, **fields}))
    assert isinstance(plan, Http)
    assert plan.send.content is not None
    body = json.loads(plan.send.content)
    del body["messages"], body["model"]
    return body, plan.unsupported


HOSTS = [
    (True, "https://api.openai.com/v1"),
    (True, "https://eu.api.openai.com/v1"),
    (True, "https://mtls.api.openai.com:443/v1"),
    (False, "http://127.0.0.1:8080/v1"),
    (False, "https://api.openai.com.example/v1"),
    (False, "https://notapi.openai.com/v1"),
    (False, "https://proxy.example/api.openai.com/v1"),
]


@pytest.mark.parametrize(("is_hosted", "url"), HOSTS)
def test_the_limit_has_its_new_name_at_openai_and_its_old_one_elsewhere(*, is_hosted: bool, url: str) -> None:
    expected = {"max_completion_tokens": 5} if is_hosted else {"max_tokens": 5}
    for model in ("gpt-4o", "gpt-5.4-mini", "o3"):
        assert planned(at(url), model=model, max_tokens=5) == (expected, ())


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
        ({"max_completion_tokens": 7}, {"max_tokens": 5, "extra": {"max_completion_tokens": 7}}),
        ({"max_tokens": 7}, {"max_tokens": 5, "extra": {"max_tokens": 7}}),
        ({"max_tokens": 7}, {"extra": {"max_tokens": 7}}),
    ],
)
def test_what_extra_says_wins(expected: dict[str, Any], fields: dict[str, Any]) -> None:
    assert planned(HOSTED, model="gpt-5.4", **fields) == (expected, ())


STEERING: dict[str, Any] = {
    "stop": ("a",),
    "frequency_penalty": 1,
    "presence_penalty": 1,
    "logit_bias": {"1": 1},
}
SAMPLING: dict[str, Any] = {"temperature": 0.5, "top_p": 0.5, "logprobs": True, "top_logprobs": 2}
SENT = {"stop": ["a"], "frequency_penalty": 1, "presence_penalty": 1, "logit_bias": {"1": 1}}


@pytest.mark.parametrize(
    "model", ["o1", "o1-2024-12-17", "o3-mini", "o4-mini", "gpt-5", "gpt-5-nano", "gpt-5.4-mini", "gpt-6-sol", "gpt-10"]
)
def test_reasoning_models_take_no_steering(model: str) -> None:
    body, unsupported = planned(HOSTED, model=model, top_k=3, seed=1, **STEERING)
    assert body == {"seed": 1}
    assert sorted(unsupported) == sorted(["top_k", *STEERING])


@pytest.mark.parametrize(
    "model", ["gpt-4o", "gpt-4.1-mini", "chat-latest", "gpt-5-chat-latest", "gpt-audio-1.5", "omni"]
)
def test_other_models_do(model: str) -> None:
    assert planned(HOSTED, model=model, top_k=3, **STEERING) == (SENT, ("top_k",))
    assert planned(HOSTED, model=model, **SAMPLING) == (SAMPLING, ())


def test_other_servers_decide_for_themselves() -> None:
    local = at("http://127.0.0.1:8080/v1")
    assert planned(local, model="gpt-5", **STEERING, **SAMPLING) == (SENT | SAMPLING, ())


@pytest.mark.parametrize(
    ("reasons", "model", "effort"),
    [
        (True, "o3", None),
        (True, "gpt-5", None),
        (True, "gpt-5-mini-2025-08-07", None),
        (True, "gpt-5.4", "low"),
        (True, "gpt-6-sol", "high"),
        # Their effort resolves to `none` unless one is asked for; where that is open, the server says.
        (False, "gpt-5.4", None),
        (False, "gpt-5.2", "none"),
        (False, "gpt-6-sol", None),
    ],
)
def test_sampling_is_refused_only_while_a_model_reasons(*, reasons: bool, model: str, effort: str | None) -> None:
    given = {} if effort is None else {"reasoning_effort": effort}
    body, unsupported = planned(HOSTED, model=model, **SAMPLING, **given)
    assert body == given | ({} if reasons else SAMPLING)
    assert unsupported == (tuple(SAMPLING) if reasons else ())
    extra = planned(HOSTED, model=model, extra=given, **SAMPLING)
    assert extra == (body, unsupported)


def test_what_happens_anyway_is_not_refused() -> None:
    usual = {"temperature": 1, "top_p": 1.0, "logprobs": False}
    assert planned(HOSTED, model="o3", **usual) == (usual, ())


def test_importing_it_is_light() -> None:
    heavy = ["httpx", "httpcore", "openai", "numpy", "anyio", "structlog", "cattrs"]
    code = f"import sys, ipfs_accel_openai; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert found.strip() == "[]"
