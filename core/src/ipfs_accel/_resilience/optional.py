"""The settings of what is off unless it is configured, so that most processes never load them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

import attrs

from ipfs_accel._values import frozen
from ipfs_accel.errors import ConfigError

from .settings import FailureClass, as_tuple, is_a, number, one_of

__all__ = [
    "BatchingConfig",
    "CacheConfig",
    "LimitsConfig",
    "RouteConfig",
    "SemanticConfig",
    "StoreConfig",
    "TelemetryConfig",
]

RoutePolicy: TypeAlias = Literal["ordered", "round_robin", "least_busy", "random"]
StorePolicy: TypeAlias = Literal["ordered", "round_robin", "least_busy"]
StoreWrites: TypeAlias = Literal["any", "first", "all"]

MAX_HOPS = 5


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

    requests_per_minute: float | None = attrs.field(default=None, validator=number(0, open_low=True))
    tokens_per_minute: float | None = attrs.field(default=None, validator=number(0, open_low=True))
    max_concurrent: int | None = attrs.field(default=None, validator=number(1, whole=True))
    max_queue: int = attrs.field(default=1000, validator=number(0, whole=True))
    age: float = attrs.field(default=10.0, validator=number(0, open_low=True))
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

    max_wait: float = attrs.field(default=0.005, validator=number(0, 60))
    max_inputs: int = attrs.field(default=64, validator=number(2, whole=True))
    max_chars: int = attrs.field(default=64_000, validator=number(1, whole=True))


@frozen(kw_only=True)
class SemanticConfig:
    """Answers for questions that mean the same; only the text of a chat's last message may differ, not who says it.

    Attributes:
        embed: `endpoint/model` that turns questions into vectors.
        threshold: Cosine similarity from which on two questions count as the same.
        namespace: Separates what must not be mixed.
        max_entries: Questions that are compared with at most, the newest.
    """

    embed: str
    threshold: float = attrs.field(default=0.95, validator=number(0, 1, open_low=True))
    namespace: str = ""
    max_entries: int = attrs.field(default=500, validator=number(1, 100_000, whole=True))


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
    ttl: float = attrs.field(default=86_400.0, validator=number(0, open_low=True))
    max_bytes: int = attrs.field(default=256 * 1024 * 1024, validator=number(1, whole=True))
    sampled: bool = False
    namespace: str = ""
    semantic: SemanticConfig | None = attrs.field(default=None, validator=is_a(SemanticConfig))


@frozen(kw_only=True)
class TelemetryConfig:
    """Who is told of calls.

    Attributes:
        otel: Whether OpenTelemetry is, through the providers that the program has set up; needs the extra `otel`.
        propagate: Endpoints whose servers are told which trace a request belongs to, as `traceparent` and `tracestate`,
            such as servers of one's own; no other server is. It needs `otel`.
    """

    otel: bool = False
    propagate: tuple[str, ...] = attrs.field(default=(), converter=as_tuple, validator=is_a(tuple))


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
    max_hops: int = attrs.field(default=MAX_HOPS, validator=number(0, 100, whole=True))


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
