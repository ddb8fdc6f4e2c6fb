"""Plans: what a hook returns instead of doing I/O itself.

A hook turns a typed request into a plan, a plain value that says what to send and how to read the answer. The core
performs it, in the synchronous or the asynchronous world, and adds everything that is not the provider's business:
the key, connections, time limits, cancellation, errors, logs. A plan therefore never holds a key.

- `Http`: one request, one whole answer.
- `HttpStream`: one request, an answer that comes as frames.
- `Local`, `LocalStream`: a blocking function, for libraries that do their own I/O; runs in a bounded thread pool.
- `Ready`: an answer that needs no I/O.
- `Flow`, `StreamFlow`: a generator that yields plans, also several at once, and is sent their answers.
- `Relay`: somebody else's request, passed on as it is.
- `Held`: one of these for an answer that has to follow a schema, with what its server is known not to enforce.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipfs_accel._lazy import lazy

from ._http import Body, HttpRequest, HttpResponse, Pairs, get, json_bytes, post_json, segment
from ._plans import Collecting, Endpoint, ErrorDetail, FrameDecoder, Http, HttpStream, Job

if TYPE_CHECKING:
    from ._flows import Flow as Flow
    from ._flows import Plan as Plan
    from ._flows import Ready as Ready
    from ._flows import RelayFlow as RelayFlow
    from ._flows import StreamFlow as StreamFlow
    from ._flows import StreamPlan as StreamPlan
    from ._flows import side_by_side as side_by_side
    from ._held import Held as Held
    from ._local import Local as Local
    from ._local import LocalStream as LocalStream
    from ._paths import below_base as below_base
    from ._relay import Relay as Relay
    from ._relay import RelayFormat as RelayFormat
    from ._relay import Trim as Trim

__all__ = [
    "Body",
    "Collecting",
    "Endpoint",
    "ErrorDetail",
    "Flow",
    "FrameDecoder",
    "Held",
    "Http",
    "HttpRequest",
    "HttpResponse",
    "HttpStream",
    "Job",
    "Local",
    "LocalStream",
    "Pairs",
    "Plan",
    "Ready",
    "Relay",
    "RelayFlow",
    "RelayFormat",
    "StreamFlow",
    "StreamPlan",
    "Trim",
    "below_base",
    "get",
    "json_bytes",
    "post_json",
    "segment",
    "side_by_side",
]

# Most calls are one request, and need none of these.
__getattr__ = lazy(
    __name__,
    {
        "._flows": ("Flow", "Plan", "Ready", "RelayFlow", "StreamFlow", "StreamPlan", "side_by_side"),
        "._held": ("Held",),
        "._local": ("Local", "LocalStream"),
        "._paths": ("below_base",),
        "._relay": ("Relay", "RelayFormat", "Trim"),
    },
)


def __dir__() -> list[str]:
    return __all__
