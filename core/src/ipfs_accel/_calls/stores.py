"""Several stores of objects under one name: which of them a call goes to, and what if it fails there.

A store is a list of endpoints that hold the same data. One call stays at one endpoint from its beginning to its end, as
the ids of uploads and the places in listings mean nothing elsewhere; another endpoint begins anew.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

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
    busy: int = 0
    seconds: float = 0.0


class Store:
    """What is known of a store's endpoints while a client lives; shared by its threads."""

    def __init__(self, config: StoreConfig) -> None:
        self.config = config
        self._lock = threading.Lock()
        self._turn = 0
        self._loads = {name: _Load() for name in config.endpoints}

    def order(self) -> list[str]:
        """Return the endpoints, the one to be tried first at the beginning."""
        names = list(self.config.endpoints)
        with self._lock:
            if self.config.policy == "round_robin":
                turn = self._turn % len(names)
                self._turn += 1
                return names[turn:] + names[:turn]
            if self.config.policy == "least_busy":
                names.sort(key=lambda name: (self._loads[name].busy, self._loads[name].seconds))
        return names

    def begin(self, name: str) -> None:
        """Note a call."""
        with self._lock:
            self._loads[name].busy += 1

    def end(self, name: str, seconds: float | None) -> None:
        """Note its end; `seconds` that it took, if it succeeded."""
        with self._lock:
            load = self._loads[name]
            load.busy -= 1
            if seconds is not None:
                load.seconds += (seconds - load.seconds) * (_WEIGHT if load.seconds else 1.0)


def read(core: Core, operation: Operation[T], address: str, value: Any, options: dict[str, Any]) -> Steps[T]:
    """Return the steps of a call that changes nothing."""
    store, rest = _find(core, address)
    if store is None:
        return core.whole(operation, address, value, options)
    return _spread(store, store.order(), lambda name: core.whole(operation, f"{name}/{rest}", value, {**options}))


def opening(core: Core, operation: Operation[Any], address: str, value: Any, options: dict[str, Any]) -> Opening:
    """Return the steps that open a stream; once it is open, it stays where it is."""
    store, rest = _find(core, address)
    if store is None:
        return core.opening(operation, address, value, options)
    return _spread(store, store.order(), lambda name: core.opening(operation, f"{name}/{rest}", value, {**options}))


def write(core: Core, operation: Operation[T], address: str, value: Any, options: dict[str, Any]) -> Steps[T]:
    """Return the steps of a call that changes something."""
    store, rest = _find(core, address)
    if store is None:
        return core.whole(operation, address, value, options)

    def at(name: str) -> Steps[T]:
        return core.whole(operation, f"{name}/{rest}", value, {**options})

    names = list(store.config.endpoints)
    repeatable = not hasattr(value, "read") and not hasattr(value, "__next__")
    if store.config.writes == "all":
        if not repeatable:
            raise InvalidRequestError("source: it can be read only once, and each endpoint of the store needs it")
        return _everywhere(store, names, at)
    if store.config.writes == "any":
        names = store.order()
    is_conditional = bool(options.get("if_match") or options.get("if_none_match"))
    tries = names if repeatable and store.config.writes == "any" else names[:1]
    return _spread(store, tries, at, only_unsent=is_conditional)


def _find(core: Core, address: str) -> tuple[Store | None, str]:
    name, _slash, rest = core.config.aliases.get(address, address).partition("/")
    config = core.config.stores.get(name)
    if config is None:
        return None, rest
    if name in core.config.endpoints:
        raise ConfigError(f"{name!r} is the name of both a store and an endpoint")
    return core.stores.setdefault(name, Store(config)), rest


def _spread(store: Store, names: list[str], at: Callable[[str], Steps[T]], *, only_unsent: bool = False) -> Steps[T]:
    """Try the endpoints in turn, until one serves or a failure is not the endpoint's."""
    failed: list[str] = []
    for name in names:
        try:
            return (yield from _timed(store, name, at))
        except APIError as error:
            failed.append(f"{name}: {error.message}")
            seeks = store.config.seek_missing and isinstance(error, NotFoundError)
            if name == names[-1] or not (seeks or _may_go_elsewhere(error, only_unsent=only_unsent)):
                if len(failed) > 1:
                    error.add_note(f"tried before: {'; '.join(failed[:-1])}")
                raise
    raise AssertionError(names)  # a store has endpoints


def _everywhere(store: Store, names: list[str], at: Callable[[str], Steps[T]]) -> Steps[T]:
    """Do it at all endpoints; return the first one's answer."""
    answers: list[T] = []
    for index, name in enumerate(names):
        try:
            answers.append((yield from _timed(store, name, at)))
        except APIError as error:
            done, left = ", ".join(names[:index]) or "none", ", ".join(names[index:])
            error.hint = f"done at: {done}; not done at: {left}{f'; {error.hint}' if error.hint else ''}"
            raise
    return answers[0]


def _timed(store: Store, name: str, at: Callable[[str], Steps[T]]) -> Steps[T]:
    started = time.perf_counter()
    seconds: float | None = None
    store.begin(name)
    try:
        answer = yield from at(name)
        seconds = time.perf_counter() - started
        return answer
    finally:
        store.end(name, seconds)


def _may_go_elsewhere(error: APIError, *, only_unsent: bool) -> bool:
    """Whether a failure says something of the endpoint rather than of the request."""
    if only_unsent and error.sent:
        return False  # it may have happened, and would find itself in its own way
    if error.status is None:
        return error.phase != "total" and (isinstance(error, APIConnectionError) or not error.sent)
    return error.status in {500, 502, 503, 504}
