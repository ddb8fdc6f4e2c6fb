"""Speech to text, by the OpenAI-like route /v1/audio/transcriptions: a chat with a model that hears underneath."""

from __future__ import annotations

from typing import Any

from ipfs_accel.plans import Endpoint
from ipfs_accel.wire.openai_audio import OpenAIAudio

__all__ = ["AUDIO"]


class _Audio(OpenAIAudio):
    """The dialect's sound, of which Ollama reads the file, its language and a prompt."""

    def refused(self, _endpoint: Endpoint, _request: Any) -> tuple[str, ...]:
        return ("timestamps", "temperature")

    def path(self, _endpoint: Endpoint, route: str) -> str:
        return f"/v1{route}"


AUDIO = _Audio()
