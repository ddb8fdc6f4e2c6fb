"""What a call cost: the answer's usage times what the catalogue, or the user, says of the model's prices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from ipfs_accel import types
from ipfs_accel.capabilities import Support
from ipfs_accel.types import Usage

if TYPE_CHECKING:
    from ipfs_accel._config.config import ModelOverride
    from ipfs_accel._endpoints.target import Target
    from ipfs_accel.types import ModelInfo

__all__ = ["MILLION", "cost_of", "is_usual_tier", "known_model", "merge_override"]

MILLION = 1_000_000
_SAID = ("context_window", "max_output_tokens", "input_price", "output_price", "cached_input_price")
# Tiers of service that cost what the price list says; others cost more or less.
_USUAL_TIERS = (None, "default", "standard", "on_demand", "auto")


def merge_override(model: ModelInfo, said: ModelOverride | None) -> ModelInfo:
    """Put the user's word on a model over what others say."""
    if said is None:
        return model
    changes: dict[str, Any] = {name: getattr(said, name) for name in _SAID if getattr(said, name) is not None}
    features = {name: Support(value, "configuration") for name, value in said.features.items()}
    return attrs.evolve(model, features={**model.features, **features}, **changes)


def is_usual_tier(tier: Any) -> bool:
    """Whether a tier of service costs what the price list says."""
    return tier in _USUAL_TIERS


def cost_of(target: Target, model: str, request: Any, answer: Any) -> float | None:
    """Return what an answer cost in US dollars, or None if any part of it is unknown."""
    info = known_model(target, model)
    extra = getattr(answer, "extra", None)
    holds = target.backend.info.prices_hold
    if extra and (not is_usual_tier(extra.get("service_tier")) or (holds is not None and not holds(extra))):
        return None
    usage = getattr(answer, "usage", None)
    if usage is not None and usage.input_tokens is not None:
        return _of_tokens(info, usage)
    return _of_quantity(info, request, answer)


def known_model(target: Target, model: str) -> ModelInfo:
    """Return what the plugin and the user say of a model, without asking the server; it is found out once."""
    info = target.known.get(model)
    if info is None:
        info = types.ModelInfo(id=model)
        describe = target.backend.info.describe_model
        if describe is not None:
            info = describe(target.endpoint, info)
        info = target.known[model] = merge_override(info, target.models.get(model))
    return info


def _of_tokens(info: ModelInfo, usage: Usage) -> float | None:
    told = usage.input_tokens or 0
    if info.input_price is None or (info.prices_hold_to is not None and told > info.prices_hold_to):
        return None
    if usage.output_tokens is None and info.output_price:
        return None
    parts = (
        (usage.cached_input_tokens, info.cached_input_price),
        (usage.cache_write_input_tokens, info.cache_write_price),
        (usage.audio_input_tokens, info.audio_input_price),
        (usage.image_input_tokens, info.image_input_price),
    )
    made = (
        (usage.audio_output_tokens, info.audio_output_price),
        (usage.image_output_tokens, info.image_output_price),
    )
    into = _sum(told, info.input_price, parts)
    out = _sum(usage.output_tokens or 0, info.output_price, made)
    return None if into is None or out is None else (into + out) / MILLION


def _sum(tokens: int, price: float | None, parts: tuple[tuple[int | None, float | None], ...]) -> float | None:
    """Return the sum of special parts and the plain rest, or None if a part that is there has no price."""
    total, rest = 0.0, tokens
    for count, special in parts:
        if count:
            if special is None:
                return None
            total += count * special
            rest -= count
    if rest <= 0:
        return total
    return None if price is None else total + rest * price


def _of_quantity(info: ModelInfo, request: Any, answer: Any) -> float | None:
    """For models that are paid by the second, the letter or the picture."""
    duration, images = getattr(answer, "duration", None), getattr(answer, "images", None)
    if duration is not None and info.second_price is not None:
        return max(float(duration), info.least_seconds or 0.0) * info.second_price
    if images and info.image_price is not None:
        return len(images) * info.image_price
    text = getattr(request, "text", None)
    if isinstance(text, str) and info.character_price is not None:
        return len(text) * info.character_price / MILLION
    return None
