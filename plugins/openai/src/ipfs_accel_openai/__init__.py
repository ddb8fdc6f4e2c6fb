"""The `openai` backend: OpenAI, and any server with its dialect as a further endpoint."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import attrs
from ipfs_accel import BackendInfo
from ipfs_accel.catalogue import Catalogue
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import ChatRequest, ModelInfo
from ipfs_accel.wire.openai import OpenAICompatible

__all__ = ["OpenAI", "Options", "backend"]

BASE_URL = "https://api.openai.com/v1"

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


@attrs.frozen(kw_only=True)
class Options:
    """Settings of an OpenAI endpoint.

    Attributes:
        organization: Id of the organisation to bill, where a key has several.
        project: Id of the project to bill.
    """

    organization: str | None = None
    project: str | None = None


def _headers(options: Options) -> Mapping[str, str]:
    named = {"OpenAI-Organization": options.organization, "OpenAI-Project": options.project}
    return {name: value for name, value in named.items() if value}


class OpenAI(OpenAICompatible):
    """OpenAI's chat, completions, embeddings and models."""

    api_version = 1
    info = BackendInfo(
        name="openai",
        title="OpenAI",
        base_url=BASE_URL,
        base_url_env=("OPENAI_BASE_URL",),
        key_env=("OPENAI_API_KEY",),
        needs_key=True,
        options=Options,
        options_env={"organization": "OPENAI_ORG_ID", "project": "OPENAI_PROJECT_ID"},
        headers=_headers,
        documentation="https://platform.openai.com/docs/api-reference",
    )

    def described(self, endpoint: Endpoint, model: ModelInfo) -> ModelInfo:
        """Add what the catalogue knows, for OpenAI's own service."""
        return _catalogue().describe(model) if _is_hosted(endpoint) else model

    def refused(self, endpoint: Endpoint, request: Any) -> Collection[str]:
        """Return what a reasoning model of OpenAI's refuses; other servers decide for themselves."""
        if not (_is_hosted(endpoint) and _REASONING.match(request.model)):
            return ("top_k",)
        if not _reasons(request):
            return _REFUSED_WHEN_REASONING
        changed = [name for name, usual in _DEFAULTS.items() if getattr(request, name, None) not in usual]
        return (*_REFUSED_WHEN_REASONING, *changed)

    def chat_body(self, endpoint: Endpoint, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """Name the limit as OpenAI does now; servers with its dialect often know only the old name."""
        body = super().chat_body(endpoint, request, stream=stream)
        if "max_tokens" in body and "max_tokens" not in request.extra and _is_hosted(endpoint):
            limit = body.pop("max_tokens")
            body.setdefault("max_completion_tokens", limit)
        return body


@cache
def _catalogue() -> Catalogue:
    return Catalogue.load(__name__)


def _reasons(request: Any) -> bool:
    """Whether the model certainly reasons; where that is open, the server has the last word."""
    effort = request.extra.get("reasoning_effort", getattr(request, "reasoning_effort", None))
    if effort is None:
        return _ALWAYS_REASONING.match(request.model) is not None
    return bool(effort != "none")


def _is_hosted(endpoint: Endpoint) -> bool:
    """Whether the endpoint is OpenAI's own, in any of its regions."""
    host = urlsplit(endpoint.base_url).hostname or ""
    return host == "api.openai.com" or host.endswith(".api.openai.com")


backend = OpenAI()
