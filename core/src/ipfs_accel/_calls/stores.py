"""Several stores of objects under one name: which of them a call goes to, and what if it fails there.

A store is a list of endpoints that hold the same data. One call stays at one endpoint from its beginning to its end, as
the ids of uploads and the places in listings mean nothing elsewhere; another endpoint begins anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from ipfs_accel._fork import renewed_after_fork
from ipfs_accel._resilience.places import Place
from ipfs_accel._values import define
from ipfs_accel.errors import APIConnectionError, APIError, ConfigError, InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from ipfs_accel._resilience.optional import StoreConfig
    from ipfs_accel._worlds.effects import Steps

    from .core import Core
    from .operations import Operation
    from .streams import Opening

__all__ = ["opening", "read", "write"]

T = TypeVar("T")

_WEIGHT = 0.2
"""Of the newest call in the moving average of how long calls take."""


@define(eq=False)
class _Load:
    calls: set[int] = attrs.field(factory=set)
    seconds: float = 0.0


class Store:
    """What is known of a store's endpoints while a client lives; shared by its threads."""

    def __init__(self, config: StoreConfig) -> None:
        self.config = config
        self._turn = 0
        self.after_fork()
        renewed_after_fork(self)

    def after_fork(self) -> None:
        """Forget all calls: in a forked child they are the parent's."""
        self._lock = threading.Lock()
        self._loads = {name: _Load() for name in self.config.endpoints}

    def order(self, place: Place) -> list[str]:
        """Return the endpoints, the one to be tried first at the beginning, where the call takes its place at once."""
        names = list(self.config.endpoints)
        with self._lock:
            if self.config.policy == "round_robin":
                turn = self._turn % len(names)
                self._turn += 1
                names = names[turn:] + names[:turn]
            elif self.config.policy == "least_busy":
                names.sort(key=lambda name: (len(self._loads[name].calls), self._loads[name].seconds))
            place.take(self._loads[names[0]].calls)
        return names

    def begin(self, name: str, place: Place) -> None:
        """Note where a call is."""
        place.take(self._loads[name].calls)

    def took(self, name: str, seconds: float) -> None:
        """Note how long a call took that succeeded."""
        with self._lock:
            load = self._loads[name]
            load.seconds += (seconds - load.seconds) * (_WEIGHT if load.seconds else 1.0)


def read(core: Core, operation: Operation[T], address: str, value: Any, options: dict[str, Any]) -> Steps[T]:
    """Return the steps of a call that changes nothing."""
    store, rest = _find(core, address)
    if store is None:
        return core.whole(operation, address, value, options)
    return _spread(store, store.order, lambda name: core.whole(operation, f"{name}/{rest}", value, {**options}))


def opening(core: Core, operation: Operation[Any], address: str, value: Any, options: dict[str, Any]) -> Opening:
    """Return the steps that open a stream; once it is open, it stays where it is."""
    store, rest = _find(core, address)
    if store is None:
        return core.opening(operation, address, value, options)
    hearer = core.hearer()

    def at(name: str) -> Opening:
        return core.opening(operation, f"{name}/{rest}", value, {**options}, hearer)

    return _spread(store, store.order, at)


def write(core: Core, operation: Operation[T], address: str, value: Any, options: dict[str, Any]) -> Steps[T]:
    """Return the steps of a call that changes something."""
    store, rest = _find(core, address)
    if store is None:
        return core.whole(operation, address, value, options)

    def at(name: str) -> Steps[T]:
        return core.whole(operation, f"{name}/{rest}", value, {**options})

    names = list(store.config.endpoints)
    is_any = store.config.writes == "any"
    repeatable = not hasattr(value, "read") and not hasattr(value, "__next__")
    if store.config.writes == "all":
        if not repeatable:
            raise InvalidRequestError("source: it can be read only once, and each endpoint of the store needs it")
        return _everywhere(store, names, at)
    is_conditional = bool(options.get("if_match") or options.get("if_none_match"))

    def tries(place: Place) -> list[str]:
        ordered = store.order(place) if is_any else names
        return ordered if repeatable and is_any else ordered[:1]

    return _spread(store, tries, at, only_unsent=is_conditional)


def _find(core: Core, address: str) -> tuple[Store | None, str]:
    name, _slash, rest = core.config.aliases.get(address, address).partition("/")
    config = core.config.stores.get(name)
    if config is None:
        return None, rest
    if name in core.config.endpoints:
        raise ConfigError(f"{name!r} is the name of both a store and an endpoint")
    return core.stores.setdefault(name, Store(config)), rest


def _spread(
    store: Store, order: Callable[[Place], list[str]], at: Callable[[str], Steps[T]], *, only_unsent: bool = False
) -> Steps[T]:
    """Try the endpoints in turn, until one serves or a failure is not the endpoint's.

    Their order is asked for when the call begins: those that wait to begin would all have the same.
    """
    failed: list[str] = []
    place = Place()
    try:
        names = order(place)
        for name in names:
            try:
                return (yield from _timed(store, name, place, at))
            except APIError as error:
                failed.append(f"{name}: {error.message}")
                seeks = store.config.seek_missing and isinstance(error, NotFoundError)
                if name == names[-1] or not (seeks or _may_go_elsewhere(error, only_unsent=only_unsent)):
                    if len(failed) > 1:
                        error.add_note(f"tried before: {'; '.join(failed[:-1])}")
                    raise
        raise AssertionError(names)  # a store has endpoints
    finally:
        place.leave()


def _everywhere(store: Store, names: list[str], at: Callable[[str], Steps[T]]) -> Steps[T]:
    """Do it at all endpoints; return the first one's answer."""
    answers: list[T] = []
    place = Place()
    try:
        for index, name in enumerate(names):
            try:
                answers.append((yield from _timed(store, name, place, at)))
            except APIError as error:
                done, left = ", ".join(names[:index]) or "none", ", ".join(names[index:])
                error.hint = f"done at: {done}; not done at: {left}{f'; {error.hint}' if error.hint else ''}"
                raise
    finally:
        place.leave()
    return answers[0]


def _timed(store: Store, name: str, place: Place, at: Callable[[str], Steps[T]]) -> Steps[T]:
    started = time.perf_counter()
    store.begin(name, place)
    answer = yield from at(name)
    store.took(name, time.perf_counter() - started)
    return answer


def _may_go_elsewhere(error: APIError, *, only_unsent: bool) -> bool:
    """Whether a failure says something of the endpoint rather than of the request."""
    if only_unsent and error.sent:
        return False  # it may have happened, and would find itself in its own way
    if error.status is None:
        return error.phase != "total" and (isinstance(error, APIConnectionError) or not error.sent)
    return error.status in {500, 502, 503, 504}
