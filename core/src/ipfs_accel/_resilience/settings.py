"""The settings of everything here, as code and the configuration file have them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, get_args

import attrs

from ipfs_accel._suggest import did_you_mean
from ipfs_accel._values import frozen
from ipfs_accel.errors import ConfigError

__all__ = [
    "BatchingConfig",
    "BreakerConfig",
    "CacheConfig",
    "FailureClass",
    "LimitsConfig",
    "RetryConfig",
    "RouteConfig",
    "SemanticConfig",
    "StoreConfig",
    "TelemetryConfig",
    "as_tuple",
    "is_a",
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

RoutePolicy: TypeAlias = Literal["ordered", "round_robin", "least_busy", "random"]
StorePolicy: TypeAlias = Literal["ordered", "round_robin", "least_busy"]
StoreWrites: TypeAlias = Literal["any", "first", "all"]

USUAL_FALLBACKS: tuple[FailureClass, ...] = get_args(FailureClass)[:-3]
MAX_HOPS = 5


def _number(
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


def is_a(*kinds: type[Any]) -> Callable[[Any, Any, Any], None]:
    """Return a validator for None or a value of these kinds."""
    wanted = " or ".join([_WORDS.get(kind, kind.__name__) for kind in kinds])

    def check(_instance: Any, attribute: Any, value: Any) -> None:
        if value is not None and not isinstance(value, kinds):
            raise ConfigError(f"{attribute.name}: expected {wanted}, got {type(value).__name__}")

    return check


def table_of(*kinds: type[Any]) -> Callable[[Any, Any, Any], None]:
    """Return a validator for a mapping of names to values of these kinds; no value is shown, as headers hold keys."""
    wanted = " or ".join([_WORDS.get(kind, kind.__name__) for kind in kinds])

    def check(_instance: Any, attribute: Any, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise ConfigError(f"{attribute.name}: expected a mapping of names, got {type(value).__name__}")
        for name, each in value.items():
            if not isinstance(name, str):
                raise ConfigError(f"{attribute.name}: the name {name!r} is not a string")
            if not isinstance(each, kinds):
                raise ConfigError(f"{attribute.name}.{name}: expected {wanted}, got {type(each).__name__}")

    return check


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

    attempts: int = attrs.field(default=3, validator=_number(1, 100, whole=True))
    base: float = attrs.field(default=0.25, validator=_number(0))
    throttle_base: float = attrs.field(default=1.0, validator=_number(0))
    max_wait: float = attrs.field(default=8.0, validator=_number(0))
    max_hint: float = attrs.field(default=120.0, validator=_number(0))
    total_wait: float = attrs.field(default=60.0, validator=_number(0))
    budget: int = attrs.field(default=500, validator=_number(0, whole=True))
    cost: int = attrs.field(default=14, validator=_number(0, whole=True))
    throttle_cost: int = attrs.field(default=5, validator=_number(0, whole=True))


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
    window: float = attrs.field(default=30.0, validator=_number(1, 3600))
    min_calls: int = attrs.field(default=20, validator=_number(1, whole=True))
    failure_rate: float = attrs.field(default=0.5, validator=_number(0, 1, open_low=True))
    slow_rate: float = attrs.field(default=0.8, validator=_number(0, 1, open_low=True))
    slow: float = attrs.field(default=60.0, validator=_number(0, open_low=True))
    open_for: float = attrs.field(default=5.0, validator=_number(0, open_low=True))
    max_open_for: float = attrs.field(default=300.0, validator=_number(0, open_low=True))
    successes: int = attrs.field(default=2, validator=_number(1, whole=True))
    even_last: bool = False


@frozen(kw_only=True)
class LimitsConfig:
    """How much an endpoint is asked at most; nothing is limited that is not set.

    Attributes:
        requests_per_minute: Requests, spread over the minute.
        tokens_per_minute: Tokens, by estimate at first and by the real usage in the end.
        max_concurrent: Calls under way at once, streams until their end.
        max_queue: Calls that may wait; one more fails with `QueueFullError`.
        age: Seconds of waiting that lift a call by one priority, so that low ones are never left for good.
        from_headers: Whether to wait as well for what the rate-limit headers of the answers say is left, which is known
            by key and model and forgotten at its reset. None means only where a limit by the minute is set; True alone
            is enough.
    """

    requests_per_minute: float | None = attrs.field(default=None, validator=_number(0, open_low=True))
    tokens_per_minute: float | None = attrs.field(default=None, validator=_number(0, open_low=True))
    max_concurrent: int | None = attrs.field(default=None, validator=_number(1, whole=True))
    max_queue: int = attrs.field(default=1000, validator=_number(0, whole=True))
    age: float = attrs.field(default=10.0, validator=_number(0, open_low=True))
    from_headers: bool | None = attrs.field(default=None, validator=is_a(bool))

    @property
    def reads_headers(self) -> bool:
        """Whether rate-limit headers count."""
        if self.from_headers is not None:
            return self.from_headers
        return self.requests_per_minute is not None or self.tokens_per_minute is not None


@frozen(kw_only=True)
class BatchingConfig:
    """How small calls of `embed` that come at once are joined into one request.

    Attributes:
        max_wait: Seconds that a call waits for company.
        max_inputs: Most inputs of a joined request; a call with that many of its own goes alone.
        max_chars: Most characters of a joined request.
    """

    max_wait: float = attrs.field(default=0.005, validator=_number(0, 60))
    max_inputs: int = attrs.field(default=64, validator=_number(2, whole=True))
    max_chars: int = attrs.field(default=64_000, validator=_number(1, whole=True))


@frozen(kw_only=True)
class SemanticConfig:
    """Answers for questions that mean the same; only the last message of a chat may differ.

    Attributes:
        embed: `endpoint/model` that turns questions into vectors.
        threshold: Cosine similarity from which on two questions count as the same.
        namespace: Separates what must not be mixed.
        max_entries: Questions that are compared with at most, the newest.
    """

    embed: str
    threshold: float = attrs.field(default=0.95, validator=_number(0, 1, open_low=True))
    namespace: str = ""
    max_entries: int = attrs.field(default=500, validator=_number(1, 100_000, whole=True))


@frozen(kw_only=True)
class CacheConfig:
    """Answers that are kept, in a file that any number of processes may share.

    Attributes:
        path: The file; None means `answers.sqlite3` in the user's cache folder.
        ttl: Seconds that an answer is good for.
        max_bytes: Most bytes of answers; the oldest make room.
        sampled: Whether to keep chats and completions that another call would answer differently, which are those
            without `temperature=0` and without `seed`. A call that says `cache=True` is always kept.
        namespace: Separates what must not be mixed, such as tenants.
        semantic: Also find answers to questions that mean the same.
    """

    path: str | None = None
    ttl: float = attrs.field(default=86_400.0, validator=_number(0, open_low=True))
    max_bytes: int = attrs.field(default=256 * 1024 * 1024, validator=_number(1, whole=True))
    sampled: bool = False
    namespace: str = ""
    semantic: SemanticConfig | None = attrs.field(default=None, validator=is_a(SemanticConfig))


@frozen(kw_only=True)
class TelemetryConfig:
    """Who is told of calls.

    Attributes:
        otel: Whether OpenTelemetry is, through the providers that the program has set up; needs the extra `otel`.
    """

    otel: bool = False


def _several(what: str) -> Callable[[Any, Any, Any], None]:
    """Return a validator for at least one name, none of them twice."""

    def check(_instance: Any, attribute: Any, value: Any) -> None:
        if not isinstance(value, tuple) or not value:
            raise ConfigError(f"{attribute.name}: expected a list of {what}, got {value!r}")
        twice = [name for index, name in enumerate(value) if name in value[:index]]
        if twice:
            raise ConfigError(f"{attribute.name}: {twice[0]!r} is named twice")

    return check


@frozen(kw_only=True)
class RouteConfig:
    """Several targets under one name, used like a model.

    Attributes:
        targets: `endpoint/model` names (or aliases).
        policy: Which comes first: ordered (as listed), round_robin, least_busy (fewest calls under way) or random. The
            others are tried after it, in their order.
        fallback_on: Why another target is tried; None means everything but `bad_request`, `content_filter` and
            `context_length`, which another target would mostly answer likewise.
        max_hops: Most targets that are tried after the first.
    """

    targets: tuple[str, ...] = attrs.field(converter=as_tuple, validator=_several("endpoint/model names"))
    policy: RoutePolicy = attrs.field(default="ordered", validator=one_of(*get_args(RoutePolicy)))  # pyright: ignore[reportAssignmentType]
    fallback_on: tuple[FailureClass, ...] | None = attrs.field(
        default=None, converter=as_tuple, validator=attrs.validators.optional(one_of(*get_args(FailureClass)))
    )
    max_hops: int = attrs.field(default=MAX_HOPS, validator=_number(0, 100, whole=True))


@frozen(kw_only=True)
class StoreConfig:
    """Endpoints that hold the same objects, used like one: `store/bucket/key`.

    Attributes:
        endpoints: Their names.
        policy: Which comes first: ordered (as listed), round_robin, or least_busy (fewest calls under way; among
            these, the one that has been faster). The others are tried after it if it fails.
        writes: Where objects are written: any (the endpoints are ways to one store), first (the others copy from the
            first by themselves), or all (each gets its own copy; what fails at one fails, and says where it was done).
        seek_missing: Whether what one endpoint does not have is looked for at the others.
    """

    endpoints: tuple[str, ...] = attrs.field(converter=as_tuple, validator=_several("names of endpoints"))
    policy: StorePolicy = attrs.field(default="ordered", validator=one_of(*get_args(StorePolicy)))  # pyright: ignore[reportAssignmentType]
    writes: StoreWrites = attrs.field(default="any", validator=one_of(*get_args(StoreWrites)))  # pyright: ignore[reportAssignmentType]
    seek_missing: bool = False
