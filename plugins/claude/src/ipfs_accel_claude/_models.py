"""Models: what GET /v1/models tells, and what the catalogue adds for Anthropic's own service."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ipfs_accel.capabilities import Support
from ipfs_accel.catalogue import Catalogue
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import ModelInfo
from ipfs_accel.wire.fields import field, optional, seconds

from ._rules import is_hosted

__all__ = ["catalogue", "described", "prices_hold", "read_model"]

_FEATURES = {
    "vision": "image_input",
    "documents": "pdf_input",
    "json_schema": "structured_outputs",
    "reasoning": "thinking",
    "reasoning_effort": "effort",
    "citations": "citations",
    "batch": "batch",
    "code_execution": "code_execution",
}
_INPUTS = {"vision": "image", "documents": "document"}


def described(endpoint: Endpoint, model: ModelInfo) -> ModelInfo:
    """Add what the catalogue knows, for Anthropic's own service."""
    return catalogue().describe(model) if is_hosted(endpoint) else model


def prices_hold(extra: Mapping[str, Any]) -> bool:
    """Whether an answer costs what the catalogue says: not if it was fast, local, searched or cached long."""
    written, tools = extra.get("cache_creation"), extra.get("server_tool_use")
    return (
        extra.get("speed") in (None, "standard")
        and extra.get("inference_geo") in (None, "global", "not_available")
        and not (isinstance(tools, dict) and any(tools.values()))
        and not (isinstance(written, dict) and written.get("ephemeral_1h_input_tokens"))
    )


@cache
def catalogue() -> Catalogue:
    """Read what the plugin knows of models."""
    return Catalogue.load("ipfs_accel_claude")


def read_model(item: Any) -> ModelInfo:
    """Read one model."""
    name = field(item, "id", str)
    told = optional(item, "capabilities", dict) or {}
    features = {
        ours: Support("yes" if told[theirs].get("supported") else "no", "server")
        for ours, theirs in _FEATURES.items()
        if isinstance(told.get(theirs), dict)
    }
    inputs = {kind for feature, kind in _INPUTS.items() if feature in features and features[feature].value == "yes"}
    created = seconds(item.get("created_at"))
    return ModelInfo(
        id=name,
        description=optional(item, "display_name", str),
        owned_by=optional(item, "owned_by", str) or ("anthropic" if name.startswith("claude-") else None),
        created=None if created is None else int(created),
        context_window=optional(item, "max_input_tokens", int),
        max_output_tokens=optional(item, "max_tokens", int),
        input_modalities=frozenset({"text"} | inputs) if told else None,
        output_modalities=frozenset({"text"}) if told else None,
        features=features,
        retired=(optional(item, "retires_at", str) or "")[:10] or None,
        raw=item,
    )
