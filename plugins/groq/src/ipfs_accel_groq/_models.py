"""Groq's models: what the dated catalogue knows of them, what the server says, and what follows before a call."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import attrs
from ipfs_accel.capabilities import UNKNOWN, Support
from ipfs_accel.catalogue import Catalogue
from ipfs_accel.errors import InvalidRequestError, ModelNotFoundError
from ipfs_accel.plans import Endpoint
from ipfs_accel.types import ModelInfo

__all__ = ["about_missing", "catalogue", "check", "described", "holds", "prices_hold"]

_SERVED = "groq: models that the server named"
_PRICES = ("input_price", "second_price", "character_price")
# What depends on the model, and how an error says that it is not there.
_CANNOT = {
    "chat": "does not chat",
    "stream": "does not chat",
    "vision": "takes no pictures",
    "tools": "takes no tools",
    "embed": "makes no vectors",
    "transcribe": "does not transcribe",
    "translate": "does not translate",
    "speak": "does not speak",
    "stream_speak": "does not speak",
    "moderate": "does not judge",
    "classify": "gives no scores",
}


@cache
def catalogue() -> Catalogue:
    """Read what the plugin knows of models."""
    return Catalogue.load("ipfs_accel_groq")


def holds(endpoint: Endpoint) -> bool:
    """Whether the catalogue speaks of this endpoint's models: by itself only of those of Groq's own service."""
    said = endpoint.options.catalogue
    host = urlsplit(endpoint.base_url).hostname or ""
    return said == "on" or (said == "auto" and (host == "groq.com" or host.endswith(".groq.com")))


def prices_hold(extra: Mapping[str, Any]) -> bool:
    """Whether an answer costs what the catalogue says: not if tools of the server or other models worked on it."""
    return not any(extra.get(name) for name in ("executed_tools", "server_tools", "usage_breakdown"))


def described(endpoint: Endpoint, model: ModelInfo) -> ModelInfo:
    """Add what the server tells in fields of its own, then what the catalogue knows; an unknown model is marked so."""
    told = model.raw if isinstance(model.raw, dict) else None
    if told is not None:
        model = _as_told(model, told)
        endpoint.memo.setdefault(_SERVED, {})[model.id] = told.get("active") is not False
    if not holds(endpoint):
        return model
    if model.id not in catalogue().models:
        return attrs.evolve(model, features={**dict.fromkeys(_CANNOT, UNKNOWN), **model.features})
    found = catalogue().describe(model)
    # What the server has is there, whatever was announced: some contracts keep a model for longer.
    return attrs.evolve(found, retired=None) if _is_served(endpoint, model.id) and _is_over(found.retired) else found


def _as_told(model: ModelInfo, told: dict[str, Any]) -> ModelInfo:
    features = dict.fromkeys(_CANNOT, Support("no", "server")) if told.get("active") is False else {}
    return attrs.evolve(
        model,
        context_window=told.get("context_window"),
        max_output_tokens=told.get("max_completion_tokens"),
        features={**model.features, **features},
    )


def _is_over(retired: str | None) -> bool:
    # Measured by the catalogue's own date: what is only announced in it is for the server to say.
    return retired is not None and retired <= catalogue().date


def _is_served(endpoint: Endpoint, model: str) -> bool:
    return bool(endpoint.memo.get(_SERVED, {}).get(model))


def check(endpoint: Endpoint, model: str, *features: str) -> None:
    """Refuse a model that is known to be retired or to lack one of these features; others are the server's business.

    Raises:
        ModelNotFoundError: It is retired, and the server has not listed it.
        InvalidRequestError: It is of another category, or none is named.
    """
    if not model:
        raise InvalidRequestError("model: Groq wants one", hint="models are named endpoint/model")
    known = catalogue().models.get(model) if holds(endpoint) else None
    if known is None:
        return
    if _is_over(known.get("retired")) and not _is_served(endpoint, model):
        hint = "a contract that keeps it is seen by list_models(), or said by the endpoint's option catalogue = 'off'"
        raise ModelNotFoundError(
            f"Groq retired the model {model!r} by {known['retired']}; nothing was sent",
            model=model,
            hint=f"use {known['replacement']!r}; {hint}",
            sent=False,
        )
    for feature in features:
        if known.get("features", {}).get(feature) == "no":
            near = _nearest(model, *features)
            raise InvalidRequestError(
                f"model: {model!r} is of the category {known['category']} and {_CANNOT[feature]}",
                model=model,
                hint=f"nearest models that can: {', '.join(near)}" if near else "no model that Groq sells can",
            )


def about_missing(model: str) -> str:
    """Return the hint for a model that the server does not have."""
    known = catalogue().models.get(model, {})
    if known.get("retired"):
        return f"Groq retired it by {known['retired']}; use {known['replacement']!r}"
    near = [each for each in _nearest(model) if each != model]
    return f"nearest models: {', '.join(near)}; list_models() tells which ones your key may use"


def _nearest(name: str, *features: str) -> list[str]:
    """Return up to three models that are sold and have all these features, those of the most similar names first."""
    import difflib  # noqa: PLC0415 - only errors pay for it

    # A guard also chats, but only who wants a guard should get one.
    guards = not features or not {"moderate", "classify"}.isdisjoint(features)
    fit = [
        model
        for model, known in catalogue().models.items()
        if any(price in known for price in _PRICES)
        and all(known["features"].get(feature) == "yes" for feature in features)
        and (guards or known["category"] != "guard")
    ]
    return difflib.get_close_matches(name, fit, 3, 0.0)
