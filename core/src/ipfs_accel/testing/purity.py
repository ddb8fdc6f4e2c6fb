"""Finds I/O where there may be none: in hooks, parsers and decoders, which only map values to values."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import attrs

from ipfs_accel._plugins.registry import Backend
from ipfs_accel.plans import Flow, Held, Http, HttpStream, StreamFlow

__all__ = ["ImpurityError", "no_io", "pure_hooks"]

_FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "time.sleep", "open")
_guarded = threading.local()
_installed = threading.Event()


class ImpurityError(AssertionError):
    """Code that must not do I/O did some; the message says which."""


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    where = getattr(_guarded, "where", None)
    if where is not None and event.startswith(_FORBIDDEN):
        _guarded.where = None  # telling it may do I/O of its own
        raise ImpurityError(f"{where} did I/O: {event} {arguments!r:.100}")


@contextmanager
def no_io(where: str) -> Iterator[None]:
    """Raise `ImpurityError` if the block opens a file, uses a socket, starts a process or, from Python 3.13 on, sleeps.

    An audit hook watches; it cannot be taken out of the interpreter again and does nothing outside of such blocks.
    """
    if not _installed.is_set():
        sys.addaudithook(_audit)
        _installed.set()
    _guarded.where = where
    try:
        yield
    finally:
        _guarded.where = None


@contextmanager
def pure_hooks(seen: list[Any]) -> Iterator[None]:
    """Watch every hook that is called in the block, and what its plan calls later; the plans are put into `seen`.

    Run the same calls once before: what is imported at the first use is read from files.
    """
    plan_as_usual = Backend.plan

    def plan(self: Backend, operation: str, **arguments: Any) -> Any:
        with no_io(f"the hook {operation!r}"):
            made = plan_as_usual(self, operation, **arguments)
        seen.append(made)
        return _watched(made, operation)

    Backend.plan = plan  # type: ignore[method-assign]
    try:
        yield
    finally:
        Backend.plan = plan_as_usual  # type: ignore[method-assign]


def _watched(plan: Any, operation: str) -> Any:
    if isinstance(plan, list):
        return [_watched(each, operation) for each in plan]
    if isinstance(plan, Http):
        parse = _guard(plan.parse, f"the parser of {operation!r}")
        return attrs.evolve(plan, parse=parse, instead=plan.instead and _other(plan.instead, operation))
    if isinstance(plan, HttpStream):
        where = f"the decoder of {operation!r}"
        return attrs.evolve(plan, decoder=lambda: _guard(plan.decoder(), where))
    if isinstance(plan, Held):
        return attrs.evolve(plan, plan=_watched(plan.plan, operation))
    if isinstance(plan, Flow | StreamFlow):
        return type(plan)(steps=lambda: _steps(plan.steps(), operation))
    return plan


def _other(instead: Callable[..., Any], operation: str) -> Callable[..., Any]:
    guarded = _guard(instead, f"what is asked instead in {operation!r}")
    return lambda error: _watched(guarded(error), operation)


def _guard(function: Callable[..., Any], where: str) -> Callable[..., Any]:
    def guarded(*arguments: Any) -> Any:
        with no_io(where):
            return function(*arguments)

    return guarded


def _steps(steps: Generator[Any, Any, Any], operation: str) -> Generator[Any, Any, Any]:
    """Run a flow under guard; its plans are watched like those of hooks, also where it yields several at once."""
    guarded_send = _guard(steps.send, f"the flow of {operation!r}")
    guarded_throw = _guard(steps.throw, f"the flow of {operation!r}")
    try:
        plan = guarded_send(None)
        while True:
            try:
                result = yield _watched(plan, operation)
            except Exception as error:  # noqa: BLE001 - whatever the core throws in is the flow's
                plan = guarded_throw(error)
            else:
                plan = guarded_send(result)
    except StopIteration as end:
        return _watched(end.value, operation)
    finally:
        steps.close()
