"""What OpenAI's own service and its models refuse, and which of its two APIs a chat needs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from ipfs_accel.hookspecs import TokenRules
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import ChatRequest, ChatResponse, Document, Image, Message
from ipfs_accel.wire.openai_responses_requests import is_needed

__all__ = [
    "SERVER",
    "fewer",
    "is_forced",
    "is_hosted",
    "is_ollama",
    "lacks",
    "learn",
    "needs_responses",
    "prices_hold",
    "refused",
    "thought_of_by",
    "token_rules",
]

# Models that reason refuse what would steer their sampling. The names are those of the o-series and of gpt-5 and later;
# gpt-5-chat-latest and its like do not reason.
_REASONING = re.compile(r"(?:o[1-9]|gpt-(?:[5-9]|\d\d))(?!.*-chat)(?:[-.]|$)")
_REFUSED_WHEN_REASONING = ("top_k", "stop", "frequency_penalty", "presence_penalty", "logit_bias")
# These have no effort `none`, so they always reason; of the others some do not unless they are asked to.
_ALWAYS_REASONING = re.compile(r"(?:o[1-9]|gpt-5)(?:-|$)")
# What steers or shows sampling is refused while a model reasons, unless it is what happens anyway.
_DEFAULTS: dict[str, tuple[Any, ...]] = {
    "temperature": (None, 1),
    "top_p": (None, 1),
    "logprobs": (None, False),
    "top_logprobs": (None,),
}
# Models that the chat API does not have, and fields that only the Responses API has.
_RESPONSES_ONLY = re.compile(r".*(?:-pro|codex|deep-research|computer-use)(?:-|$)")
_RESPONSES_FIELDS = frozenset(
    {"previous_response_id", "conversation", "instructions", "include", "background", "reasoning", "truncation"}
    | {"prompt", "max_tool_calls", "context_management", "text", "max_output_tokens", "background_options"}
    | {"access_programs"}
)
_RESPONSES_EFFORT = "max"
_PLAIN_VOICES = re.compile(r"tts-1(?:-|$)")


def is_hosted(endpoint: Endpoint) -> bool:
    """Whether the endpoint is OpenAI's own, in any of its regions."""
    return _is_openais(endpoint.base_url)


@lru_cache(maxsize=64)  # a call asks several times
def _is_openais(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "api.openai.com" or host.endswith(".api.openai.com")


def refused(request: Any) -> tuple[str, ...]:
    """Return the options that OpenAI's own service refuses for a request."""
    if hasattr(request, "voice"):  # a SpeakRequest, which no chat is to load
        return ("sample_rate", "instructions") if _PLAIN_VOICES.match(request.model) else ("sample_rate",)
    if not _REASONING.match(request.model):
        return ("top_k",)
    if not _reasons(request):
        return _REFUSED_WHEN_REASONING
    changed = [name for name, usual in _DEFAULTS.items() if getattr(request, name, None) not in usual]
    return (*_REFUSED_WHEN_REASONING, *changed)


def _reasons(request: Any) -> bool:
    """Whether the model certainly reasons; where that is open, the server has the last word."""
    effort = request.extra.get("reasoning_effort", getattr(request, "reasoning_effort", None))
    if effort is None:
        return _ALWAYS_REASONING.match(request.model) is not None
    return bool(effort != "none")


def needs_responses(request: ChatRequest) -> bool:
    """Whether a chat can only be had from the Responses API."""
    return (
        request.reasoning_effort == _RESPONSES_EFFORT
        or _RESPONSES_ONLY.match(request.model) is not None
        or not _RESPONSES_FIELDS.isdisjoint(request.extra)
        or any(_is_hosted_tool(tool) for tool in _own_tools(request))
        or any(is_needed(part) for message in request.messages for part in message.content)
        or any(_has_media(message) for message in request.messages if message.role in {"system", "developer"})
    )


def _own_tools(request: ChatRequest) -> Any:
    tools = request.extra.get("tools")
    return tools if isinstance(tools, list | tuple) else ()


def _is_hosted_tool(tool: Any) -> bool:
    """Whether a tool runs at OpenAI, which chat completions have none of."""
    return isinstance(tool, Mapping) and tool.get("type", "function") not in {"function", "custom"}


def _has_media(message: Message) -> bool:
    return any(isinstance(part, Image | Document) for part in message.content)


def prices_hold(extra: Any) -> bool:
    """Whether an answer costs what the catalogue says: not if tools ran at OpenAI, which are paid for by the call."""
    return "server_tools" not in extra


SERVER = "server of one's own"
"""In an endpoint's memo: which server answered its first chat, as far as that tells."""
_OLLAMA_PORT = ":11434"


def is_ollama(endpoint: Endpoint) -> bool:
    """Whether Ollama is known, or by its usual port likely, to answer."""
    known = endpoint.memo.get(SERVER)
    return known == "Ollama" or (known is None and _OLLAMA_PORT in endpoint.base_url)


def is_forced(endpoint: Endpoint, request: ChatRequest) -> bool:
    """Whether a chat says more of its tools than that the model may call them, to a server that may not heed it.

    What is reached over TLS is taken for a service, which does.
    """
    is_said = bool(request.tools) and request.tool_choice not in {None, "auto"}
    return is_said and endpoint.base_url.startswith("http://")


# Both read `reasoning` in a model's turn and drop `reasoning_content` without a word. Sources: vLLM's issue 38488; the
# messages of Ollama v0.24.0's /v1 in its openai/openai.go.
_THINKERS = ("vLLM", "Ollama")


def thought_of_by(endpoint: Endpoint, place: str) -> str:
    """Return where a server of one's own reads what its model thought."""
    is_lost = place == "reasoning_content" and endpoint.memo.get(SERVER) in _THINKERS
    return "reasoning" if is_lost else place


def learn(endpoint: Endpoint, answer: ChatResponse) -> bool:
    """Remember who answered, as far as it shows, and return whether it is Ollama, which says so in each answer."""
    is_own = answer.extra.get("system_fingerprint") == "fp_ollama"
    is_vllm = isinstance(answer.raw, dict) and "kv_transfer_params" in answer.raw  # a member that vLLM alone has
    endpoint.memo[SERVER] = "Ollama" if is_own else "vLLM" if is_vllm else "other"
    return is_own


def fewer(request: ChatRequest, answer: ChatResponse) -> str | None:
    """Say that there are fewer answers than were asked for, as servers of one's own may ignore that."""
    if len(answer.choices) >= (request.n or 1):
        return None
    return f"n: the server gave {len(answer.choices)} of the {request.n} answers that were asked for"


def lacks(endpoint: Endpoint) -> Mapping[str, str]:
    """Return the operations that OpenAI no longer has, with the way out."""
    ended = "OpenAI ended it with dall-e-2 on 2026-05-12; use edit_image with a prompt"
    return {"vary_image": ended} if is_hosted(endpoint) else {}


def token_rules(endpoint: Endpoint, model: str) -> TokenRules:
    """Return what OpenAI publishes of how it counts, for its own place."""
    if not is_hosted(endpoint):
        return TokenRules()
    from . import _tokens  # noqa: PLC0415 - few callers count

    return _tokens.rules(model)
