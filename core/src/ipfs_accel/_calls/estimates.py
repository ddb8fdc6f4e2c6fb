"""What a chat will take and cost, between bounds, before anybody is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import attrs

from ipfs_accel._telemetry.pricing import MILLION, is_usual_tier
from ipfs_accel._worlds.effects import Run, Steps
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Bounds, Estimate, TokenCount

from .counting import Counted, bounds_of, rules_of, token_count
from .offline import known_model

if TYPE_CHECKING:
    from ipfs_accel._endpoints.target import Target
    from ipfs_accel.types import ChatRequest, ModelInfo

    from .context import Context

__all__ = ["counted", "estimated"]


def counted(core: Context, targets: Sequence[tuple[str, str]], request: ChatRequest) -> Steps[TokenCount]:
    """Count the input of a chat without a server, as the first target would.

    Raises:
        InvalidRequestError: A part cannot be counted without one.
    """
    endpoint, model = targets[0]
    target = yield from core.target(endpoint)
    rules = rules_of(target, model)
    found: Counted = yield Run(partial(bounds_of, request, rules))
    count = yield Run(partial(token_count, request, rules, found))
    if count is None:
        raise InvalidRequestError(
            f"{found.unknown[0]}: nobody here knows how many tokens it is",
            hint="leave out offline, to ask the server; estimate tells what the rest takes at least",
            endpoint=endpoint,
            model=model or None,
        )
    return count  # type: ignore[no-any-return]


def estimated(core: Context, targets: Sequence[tuple[str, str]], request: ChatRequest) -> Steps[Estimate]:
    """Tell what a chat takes and costs, whichever of its targets answers."""
    found = []
    for endpoint, model in dict.fromkeys(targets):
        target = yield from core.target(endpoint)
        rules = rules_of(target, model)
        count = yield Run(partial(bounds_of, request, rules))
        found.append(_estimate(target, model, request, count))
    return found[0] if len(found) == 1 else _whichever(found)


def _estimate(target: Target, model: str, request: ChatRequest, count: Counted) -> Estimate:
    info = known_model(target, model)
    catalogue = target.backend.info.catalogue
    answer, bounded_by = _answer(info, request, count)
    cost = None if info is None else _cost(info, request, count, answer)
    said = target.models.get(model)
    by_user = said is not None and said.input_price is not None
    return Estimate(
        targets=(f"{target.endpoint.name}/{model}" if model else target.endpoint.name,),
        input_tokens=Bounds(low=count.low, high=count.high),
        output_tokens=answer,
        cost=cost,
        method=count.method,
        output_method=bounded_by,
        prices=None if cost is None else "configuration" if by_user else "catalogue",
        catalogue_date=None if catalogue is None else catalogue().date,
        unknown=count.unknown,
    )


def _answer(
    info: ModelInfo | None, request: ChatRequest, count: Counted
) -> tuple[Bounds, Literal["max_tokens", "model"] | None]:
    """Return how long the answer may be, and what bounds it."""
    limits: list[int] = []
    if info is not None:
        limits += [info.max_output_tokens] if info.max_output_tokens is not None else []
        limits += [max(0, info.context_window - count.low)] if info.context_window is not None else []
    asked = request.max_tokens
    if asked is None and not limits:
        return Bounds(low=0), None
    most: int = min([*limits, *([] if asked is None else [asked])])
    return Bounds(low=0, high=most * (request.n or 1)), "max_tokens" if most == asked else "model"


def _cost(info: ModelInfo, request: ChatRequest, count: Counted, answer: Bounds) -> Bounds | None:
    """Return US dollars: at least, if all of the prompt is cached; at most, if none is and all of it is written."""
    if info.input_price is None or info.output_price is None or not is_usual_tier(request.extra.get("service_tier")):
        return None
    holds_to = info.prices_hold_to
    if holds_to is not None and count.low > holds_to:
        return None
    into = _known(info.input_price, info.cache_write_price, info.audio_input_price, info.image_input_price)
    out = _known(info.output_price, info.audio_output_price, info.image_output_price)
    least = count.low * min(_known(info.input_price, info.cached_input_price))
    if count.high is None or answer.high is None or (holds_to is not None and count.high > holds_to):
        return Bounds(low=least / MILLION)
    return Bounds(low=least / MILLION, high=(count.high * max(into) + answer.high * max(out)) / MILLION)


def _known(*prices: float | None) -> list[float]:
    return [price for price in prices if price is not None]


def _whichever(found: Sequence[Estimate]) -> Estimate:
    """Return bounds that hold for all of several estimates."""
    costs = [each.cost for each in found]
    methods, bounds = {each.method for each in found}, {each.output_method for each in found}
    prices, dates = {each.prices for each in found}, [each.catalogue_date for each in found if each.catalogue_date]
    return attrs.evolve(
        found[0],
        targets=tuple([name for each in found for name in each.targets]),
        input_tokens=_around([each.input_tokens for each in found]),
        output_tokens=_around([each.output_tokens for each in found]),
        cost=None if None in costs else _around([cost for cost in costs if cost is not None]),
        method=", ".join(sorted(methods)),
        output_method=_one(bounds, "model"),
        prices=None if None in costs else _one(prices, "catalogue"),
        catalogue_date=min(dates, default=None),
        unknown=tuple(dict.fromkeys([part for each in found for part in each.unknown])),
    )


def _one(values: set[Any], several: str) -> Any:
    """Return the one value that all have; of several, None if that is among them."""
    return next(iter(values)) if len(values) == 1 else None if None in values else several


def _around(bounds: Iterable[Bounds]) -> Bounds:
    known = list(bounds)
    highs = [each.high for each in known if each.high is not None]
    return Bounds(low=min([each.low for each in known]), high=max(highs) if len(highs) == len(known) else None)
