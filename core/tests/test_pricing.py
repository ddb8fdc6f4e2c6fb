from __future__ import annotations

from typing import Any

import attrs
import pytest
from ipfs_accel import BackendInfo, Client, Config, EndpointConfig, ModelOverride, hookimpl
from ipfs_accel.plans import Endpoint, Plan, Ready
from ipfs_accel.types import (
    ChatRequest,
    ChatResponse,
    Choice,
    Message,
    ModelInfo,
    SpeakRequest,
    SpeakResponse,
    TranscribeRequest,
    TranscribeResponse,
    Usage,
)

PRICES: dict[str, dict[str, Any]] = {
    "plain": {"input_price": 2.0, "output_price": 8.0},
    "cached": {"input_price": 2.0, "output_price": 8.0, "cached_input_price": 0.5, "cache_write_price": 2.5},
    "sound": {"input_price": 1.0, "output_price": 2.0, "audio_input_price": 10.0, "audio_output_price": 20.0},
    "picture": {"input_price": 1.0, "image_input_price": 5.0, "image_output_price": 30.0},
    "short": {"input_price": 1.0, "output_price": 1.0, "prices_hold_to": 100},
    "seconds": {"second_price": 0.0001},
    "rounded": {"second_price": 0.0001, "least_seconds": 40.0},
    "letters": {"character_price": 15.0},
    "embedding": {"input_price": 0.02},
}


class Priced:
    api_version = 1

    def __init__(self, usage: Usage, extra: dict[str, Any] | None = None) -> None:
        self.usage = usage
        self.extra = extra or {}

    @hookimpl
    def describe(self) -> BackendInfo:
        def known(_endpoint: Endpoint, model: ModelInfo) -> ModelInfo:
            return attrs.evolve(model, **PRICES.get(model.id, {}))

        return BackendInfo(name="priced", describe_model=known)

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:
        choice = Choice(message=Message.assistant("yes"), finish_reason="stop")
        return Ready(value=ChatResponse(choices=(choice,), usage=self.usage, extra=self.extra))

    @hookimpl
    def transcribe(self, endpoint: Endpoint, request: TranscribeRequest) -> Plan[TranscribeResponse]:
        return Ready(value=TranscribeResponse(text="yes", duration=30.0, usage=self.usage))

    @hookimpl
    def speak(self, endpoint: Endpoint, request: SpeakRequest) -> Plan[SpeakResponse]:
        return Ready(value=SpeakResponse(data=b"RIFF"))


CASES = [
    ("plain", Usage(input_tokens=1000, output_tokens=500), 0.006),
    ("plain", Usage(input_tokens=1000), None),
    ("plain", Usage(output_tokens=500), None),
    ("plain", Usage(input_tokens=1000, output_tokens=500, cached_input_tokens=10), None),
    ("cached", Usage(input_tokens=1000, output_tokens=0, cached_input_tokens=600), 0.0011),
    ("cached", Usage(input_tokens=1000, output_tokens=0, cache_write_input_tokens=1000), 0.0025),
    ("sound", Usage(input_tokens=100, output_tokens=50, audio_input_tokens=90, audio_output_tokens=50), 0.00191),
    ("picture", Usage(input_tokens=50, output_tokens=4000, image_output_tokens=4000), 0.12005),
    ("short", Usage(input_tokens=100, output_tokens=0), 0.0001),
    ("short", Usage(input_tokens=101, output_tokens=0), None),
    ("embedding", Usage(input_tokens=1_000_000), 0.02),
    ("unheard-of", Usage(input_tokens=1000, output_tokens=500), None),
    ("plain", Usage(), None),
]


@pytest.mark.parametrize(("model", "usage", "cost"), CASES)
def test_a_cost_is_the_usage_times_the_prices_or_unknown(model: str, usage: Usage, cost: float | None) -> None:
    with Client(Config(), plugins=[Priced(usage)]) as client:
        answer = client.chat(f"priced/{model}", "hello")
    assert answer.cost == (None if cost is None else pytest.approx(cost))


@pytest.mark.parametrize(("tier", "cost"), [("default", 0.006), ("priority", None), ("flex", None), (None, 0.006)])
def test_a_tier_of_service_with_other_prices_has_no_known_cost(tier: str | None, cost: float | None) -> None:
    usage = Usage(input_tokens=1000, output_tokens=500)
    with Client(Config(), plugins=[Priced(usage, {"service_tier": tier})]) as client:
        assert client.chat("priced/plain", "hello").cost == cost


def test_sound_is_paid_by_the_second_and_speech_by_the_letter() -> None:
    with Client(Config(), plugins=[Priced(Usage())]) as client:
        assert client.transcribe("priced/seconds", b"RIFF....WAVE").cost == pytest.approx(0.003)
        assert client.transcribe("priced/rounded", b"RIFF....WAVE").cost == pytest.approx(0.004)
        assert client.transcribe("priced/letters", b"RIFF....WAVE").cost is None
        assert client.speak("priced/letters", "hello").cost == pytest.approx(0.000075)


def test_the_user_has_the_last_word_on_prices() -> None:
    said = {"plain": ModelOverride(input_price=0.0, output_price=0.0)}
    usage = Usage(input_tokens=1000, output_tokens=500)
    with Client(Config(), plugins=[Priced(usage)], endpoints={"priced": EndpointConfig(models=said)}) as client:
        assert client.chat("priced/plain", "hello").cost == 0.0
