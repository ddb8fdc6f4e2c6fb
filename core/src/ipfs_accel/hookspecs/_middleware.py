"""The hooks for middleware, which stands between callers and all backends; part of `hookspecs`."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import pluggy

if TYPE_CHECKING:
    from ipfs_accel.middleware import Ask, CallContext
    from ipfs_accel.types import CallRecord

    Asking: TypeAlias = Generator[Ask, Any, Any]

__all__ = ["MIDDLEWARE_HOOKS", "call_finished", "end_stream", "rewrite_answer", "rewrite_event", "rewrite_request"]

hookspec = pluggy.HookspecMarker("ipfs_accel")

MIDDLEWARE_HOOKS: tuple[str, ...] = (
    "rewrite_request",
    "rewrite_event",
    "rewrite_answer",
    "end_stream",
    "call_finished",
)
"""In the order in which they are called."""


@hookspec(firstresult=True)
def rewrite_request(call: CallContext, request: Any) -> Any | Asking | None:
    """See, replace or refuse what a caller asks, before anything else is done with it.

    Called once per call, outside of the cache, fallbacks, retries and joined embeddings: what it returns is what is
    looked up, kept, repeated and sent. None leaves the request as it is; an `AccelError` that it raises goes to the
    caller. `request` is the operation's request, or a mapping of the arguments where an operation (or one of a
    backend's own calls) has no request. Another request has to be of the same type and for the same model.

    As a generator it may ask other endpoints: it yields `Ask`s, is sent their answers, and returns the request.
    """


@hookspec(firstresult=True)
def rewrite_answer(call: CallContext, answer: Any) -> Any | Asking | None:
    """See, replace or refuse an answer, one from the cache included; that of a stream when it is complete.

    Called innermost middleware first. None leaves it as it is; another answer has to be of the same type. May be a
    generator, as `rewrite_request`.
    """


@hookspec(firstresult=True)
def rewrite_event(call: CallContext, event: Any) -> Iterable[Any] | Asking | None:
    """See, replace, hold back or refuse what a stream yields: return the events to hand on instead of this one.

    None leaves it as it is, an empty list holds it back. May be a generator, as `rewrite_request`.
    """


@hookspec(firstresult=True)
def end_stream(call: CallContext) -> Iterable[Any] | Asking | None:
    """Return the events of a stream that were held back until its end, if there are any.

    Called once, after the last event, and after `rewrite_answer` has accepted the whole: whoever may let nothing out
    before that holds everything back until here. May be a generator, as `rewrite_request`.
    """


@hookspec
def call_finished(record: CallRecord) -> None:
    """Hear how a call to one endpoint ended: with an answer, an error, or because nobody waited for it any more.

    Called in the caller's thread, or in its event loop: whoever has much to do with it does that elsewhere.
    """
