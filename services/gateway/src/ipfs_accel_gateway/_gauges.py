"""How a gateway is now, for Prometheus: put together when somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from ._exposition import Family, Sample, labels, number
from ._metrics import PREFIX

if TYPE_CHECKING:
    from ipfs_accel import EndpointState

__all__ = ["gauges"]

_BREAKERS = ("closed", "open", "half_open", "isolated")


def gauges(states: Mapping[str, EndpointState], active: Mapping[str, int], connections: int) -> Iterator[Family]:
    """Return how it is.

    Args:
        states: Of the endpoints that were asked.
        active: Key to its requests under way.
        connections: Those of clients that are open.
    """
    yield Family(f"{PREFIX}build", "info", "What runs.", [("_info", labels({"version": _version()}), "1")])
    in_flight = [("", labels({"key": key}), str(count)) for key, count in active.items()]
    yield _gauge("in_flight_requests", "Requests under way.", in_flight)
    yield _gauge("connections", "Connections of clients.", [("", "", str(connections))])
    yield _gauge("breakers", "Breakers, one for each model that was asked for, by their state.", _breakers(states))
    yield _gauge("upstream_attempts", "Attempts under way at an endpoint.", _each(states, lambda each: each.active))
    yield _gauge("upstream_waiting", "Calls that wait for the limits of an endpoint.", _each(states, _waiting))
    yield _gauge("upstream_retry_tokens", "What is left for retries.", _each(states, lambda each: each.retry_tokens))
    yield Family(
        f"{PREFIX}upstream_calls",
        "counter",
        "Calls to an endpoint; several for one request where there are fallbacks.",
        [
            ("_total", labels({"endpoint": name, "outcome": outcome}), str(count))
            for name, state in states.items()
            for outcome, count in _outcomes(state).items()
        ],
    )


def _gauge(name: str, said: str, samples: list[Sample]) -> Family:
    return Family(f"{PREFIX}{name}", "gauge", said, samples)


def _each(states: Mapping[str, EndpointState], value: Callable[[EndpointState], float]) -> list[Sample]:
    return [("", labels({"endpoint": name}), number(value(state))) for name, state in states.items()]


def _breakers(states: Mapping[str, EndpointState]) -> list[Sample]:
    found: list[Sample] = []
    for name, state in states.items():
        counts = Counter[str]([each.state for each in state.breakers.values()])
        found += [("", labels({"endpoint": name, "state": each}), str(counts[each])) for each in _BREAKERS]
    return found


def _waiting(state: EndpointState) -> int:
    return 0 if state.queue is None else sum(state.queue.waiting.values())


def _outcomes(state: EndpointState) -> dict[str, int]:
    return {
        "answered": sum([each.calls for each in state.usage]),
        "failed": sum([each.failed for each in state.usage]),
        "cached": sum([each.cached for each in state.usage]),
    }


@cache
def _version() -> str:
    from importlib.metadata import version  # noqa: PLC0415 - it takes longer to load than all of this

    return version("ipfs-accel-gateway")
