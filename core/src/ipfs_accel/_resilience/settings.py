"""The settings of what every endpoint has, and how settings are checked; those of all else are in `optional`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, get_args

import attrs

from ipfs_accel._lazy import late
from ipfs_accel._suggest import did_you_mean
from ipfs_accel._values import frozen
from ipfs_accel.errors import ConfigError

__all__ = [
    "BreakerConfig",
    "FailureClass",
    "RetryConfig",
    "as_tuple",
    "is_a",
    "number",
    "one_of",
    "table_of",
]

FailureClass: TypeAlias = Literal[
    "connection",
    "timeout",
    "rate_limit",
    "quota",
    "server",
    "circuit_open",
    "queue_full",
    "authentication",
    "not_found",
    "invalid_response",
    "bad_request",
    "content_filter",
    "context_length",
]
"""Why a target failed, as far as another one may do better."""


USUAL_FALLBACKS: tuple[FailureClass, ...] = get_args(FailureClass)[:-3]


def number(
    low: float, high: float = math.inf, *, whole: bool = False, open_low: bool = False
) -> Callable[[Any, Any, Any], None]:
    """Return a validator for a number from `low` (not itself if `open_low`) to `high`; None is let through."""
    kinds: tuple[type[Any], ...] = (int,) if whole else (int, float)
    what = f"{'a whole number' if whole else 'a number'} {'above' if open_low else 'of at least'} {low:g}"
    if high < math.inf:
        what += f" and at most {high:g}"

    def check(_instance: Any, attribute: Any, value: Any) -> None:
        is_number = isinstance(value, kinds) and not isinstance(value, bool)
        if value is None or (is_number and (low < value if open_low else low <= value) and value <= high):
            return
        raise ConfigError(f"{attribute.name}: expected {what}, got {value!r}")

    return check


def one_of(*words: str) -> Callable[[Any, Any, Any], None]:
    """Return a validator for one, or a tuple, of some words."""

    def check(_instance: Any, attribute: Any, value: Any) -> None:
        for each in value if isinstance(value, tuple) else (value,):
            if each not in words:
                hint = did_you_mean(each, words) if isinstance(each, str) else None
                raise ConfigError(f"{attribute.name}: {each!r} is not one of {', '.join(words)}", hint=hint)

    return check


def is_a(*kinds: type[Any] | str) -> Callable[[Any, Any, Any], None]:
    """Return a validator for None or a value of these kinds; those of `optional` are named, and loaded for a value."""
    wanted = _named(kinds)

    def check(_instance: Any, attribute: Any, value: Any) -> None:
        if value is not None and not isinstance(value, _loaded(kinds)):
            raise ConfigError(f"{attribute.name}: expected {wanted}, got {type(value).__name__}")

    return check


def table_of(*kinds: type[Any] | str) -> Callable[[Any, Any, Any], None]:
    """Return a validator for a mapping of names to values of these kinds; no value is shown, as headers hold keys."""
    wanted = _named(kinds)

    def check(_instance: Any, attribute: Any, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{attribute.name}: expected a mapping of names, got {type(value).__name__}")
        for name, each in value.items():
            if not isinstance(name, str):
                raise ConfigError(f"{attribute.name}: the name {name!r} is not a string")
            if not isinstance(each, _loaded(kinds)):
                raise ConfigError(f"{attribute.name}.{name}: expected {wanted}, got {type(each).__name__}")

    return check


def _named(kinds: tuple[type[Any] | str, ...]) -> str:
    return " or ".join([kind if isinstance(kind, str) else _WORDS.get(kind, kind.__name__) for kind in kinds])


def _loaded(kinds: tuple[type[Any] | str, ...]) -> tuple[type[Any], ...]:
    return tuple([getattr(_optional, kind) if isinstance(kind, str) else kind for kind in kinds])


(_optional,) = late("ipfs_accel._resilience", "optional")
_WORDS: Mapping[type[Any], str] = {str: "a string", tuple: "a list of strings"}


def as_tuple(value: Any) -> Any:
    """Make a tuple of a list."""
    return tuple(value) if isinstance(value, list) else value


@frozen(kw_only=True)
class RetryConfig:
    """How failures are tried again; the default of every endpoint.

    Attributes:
        attempts: Most tries of one target, the first included; 1 switches retries off.
        base: Seconds that the first wait is below; doubles with every further one.
        throttle_base: The same after a rate limit.
        max_wait: Seconds that no single wait of our own choice is longer than.
        max_hint: Seconds that a server may ask to wait; if it asks for more, the failure is told at once.
        total_wait: Seconds that all waits of a call may have together.
        budget: Tokens that an endpoint has for retries. A retry costs `cost`, one after a rate limit
            `throttle_cost`; a success after retries gives its cost back, any other success one token. With too few
            left, failures are told at once: retries cannot multiply the load on a server that is down.
        cost: As said.
        throttle_cost: As said.
    """

    attempts: int = attrs.field(default=3, validator=number(1, 100, whole=True))
    base: float = attrs.field(default=0.25, validator=number(0))
    throttle_base: float = attrs.field(default=1.0, validator=number(0))
    max_wait: float = attrs.field(default=8.0, validator=number(0))
    max_hint: float = attrs.field(default=120.0, validator=number(0))
    total_wait: float = attrs.field(default=60.0, validator=number(0))
    budget: int = attrs.field(default=500, validator=number(0, whole=True))
    cost: int = attrs.field(default=14, validator=number(0, whole=True))
    throttle_cost: int = attrs.field(default=5, validator=number(0, whole=True))


@frozen(kw_only=True)
class BreakerConfig:
    """When a model of an endpoint counts as down, so that a chain or route passes it over at once.

    Attributes:
        enabled: Whether outcomes are watched at all.
        window: Seconds that are looked back on.
        min_calls: Fewer calls than this in the window say nothing.
        failure_rate: Share of failed calls, 0 to 1, from which on it counts as down.
        slow_rate: The same for slow calls.
        slow: Seconds from which on a call (or a stream's first event) is slow.
        open_for: Seconds until one call may probe; doubles with every failed probe.
        max_open_for: Most seconds of that.
        successes: Probes in a row that have to succeed.
        even_last: Whether to refuse a call that has no other target left; otherwise it is let through.
    """

    enabled: bool = True
    window: float = attrs.field(default=30.0, validator=number(1, 3600))
    min_calls: int = attrs.field(default=20, validator=number(1, whole=True))
    failure_rate: float = attrs.field(default=0.5, validator=number(0, 1, open_low=True))
    slow_rate: float = attrs.field(default=0.8, validator=number(0, 1, open_low=True))
    slow: float = attrs.field(default=60.0, validator=number(0, open_low=True))
    open_for: float = attrs.field(default=5.0, validator=number(0, open_low=True))
    max_open_for: float = attrs.field(default=300.0, validator=number(0, open_low=True))
    successes: int = attrs.field(default=2, validator=number(1, whole=True))
    even_last: bool = False
