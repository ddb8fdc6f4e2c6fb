"""What a client knows of its endpoints from the calls so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

from ipfs_accel._values import frozen

if TYPE_CHECKING:
    from ipfs_accel._endpoints.target import Target
    from ipfs_accel._resilience.gate import QueueState
    from ipfs_accel._resilience.keypool import KeyState

    from .usage import UsageTotal

__all__ = ["BreakerState", "EndpointState", "states"]


@frozen(kw_only=True)
class BreakerState:
    """What the breaker of one model knows.

    Attributes:
        state: closed (all well), open (counts as down), half_open (one call may probe) or isolated (by hand).
        calls: In the time that is looked back on.
        failure_rate: Share of those that failed, 0 to 1.
        slow_rate: Share of those that were slow.
        retry_after: Seconds until a probe may go; None if nothing is to be waited for.
    """

    state: Literal["closed", "open", "half_open", "isolated"]
    calls: int
    failure_rate: float
    slow_rate: float
    retry_after: float | None


@frozen(kw_only=True)
class EndpointState:
    """What a client knows of one endpoint.

    Attributes:
        active: Attempts under way, streams until their end.
        is_isolated: Whether all its models are, by hand.
        breakers: Model id to its breaker, for the models that were called.
        keys: Its keys, if it has several.
        queue: What goes on at its limits; None if it has none.
        retry_tokens: What is left of the budget for retries.
        usage: What its calls came to so far, by model: answered, failed, cached, tokens, costs.
        is_set_up: Whether somebody has configured it; otherwise it is there because its plugin is installed.
        lacks_key: Whether it needs a key and none is set, so that every call to it fails.
    """

    active: int
    is_isolated: bool
    breakers: dict[str, BreakerState]
    keys: tuple[KeyState, ...]
    queue: QueueState | None
    retry_tokens: int
    usage: tuple[UsageTotal, ...]
    is_set_up: bool = True
    lacks_key: bool = False


def states(
    targets: Mapping[str, Target], totals: tuple[UsageTotal, ...], is_set_up: Callable[[str], bool]
) -> dict[str, EndpointState]:
    """Return what is known of the endpoints that were used, in the order of their names."""
    return {
        name: _state(target, tuple([total for total in totals if total.endpoint == name]), is_set_up=is_set_up(name))
        for name, target in sorted(targets.items())
    }


def _state(target: Target, usage: tuple[UsageTotal, ...], *, is_set_up: bool) -> EndpointState:
    guard = target.guard
    now = guard.clock.now()
    breakers = {}
    for model, breaker in guard.breakers().items():
        calls, failed, slow = breaker.rates(now)
        breakers[model] = BreakerState(
            state=breaker.state(now),
            calls=calls,
            failure_rate=failed,
            slow_rate=slow,
            retry_after=breaker.retry_after(now),
        )
    return EndpointState(
        active=len(guard.under_way),
        is_isolated=guard.is_isolated,
        breakers=breakers,
        keys=() if guard.pool is None else guard.pool.states(),
        queue=None if guard.gate is None else guard.gate.state(),
        retry_tokens=guard.budget.tokens,
        usage=usage,
        is_set_up=is_set_up,
        lacks_key=target.lacks_key,
    )
