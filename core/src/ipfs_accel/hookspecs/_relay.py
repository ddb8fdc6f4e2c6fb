"""The hook for requests of others that a backend's server understands as they are; part of `hookspecs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from ipfs_accel.plans import Endpoint, Relay, RelayFlow
    from ipfs_accel.types import RelayRequest

__all__ = ["relay"]

hookspec = pluggy.HookspecMarker("ipfs_accel")


@hookspec(firstresult=True)
def relay(endpoint: Endpoint, request: RelayRequest) -> Relay | RelayFlow | None:
    """Plan to pass a request on in the words in which it came; None if the server does not speak that dialect.

    It is asked for every request that a gateway could relay. None is no failure: the request is then read, and goes the
    way of all others. So it is also what a server gets that would refuse something of the request, if the backend's own
    plan for the operation could do without.

    Dialects are `openai.chat`, `openai.responses`, `openai.responses.compact`, `openai.responses.input_tokens`,
    `openai.completions`, `openai.embeddings`, `openai.moderations`, `openai.images.generations`,
    `openai.audio.speech`, `anthropic.messages`, `anthropic.count_tokens`, `ollama.chat`, `ollama.generate`,
    `ollama.embed`, `ollama.embeddings`, `gemini.generate`, `gemini.embed` and `gemini.count_tokens`.
    """
