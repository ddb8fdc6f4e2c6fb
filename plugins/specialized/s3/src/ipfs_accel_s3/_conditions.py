"""Whether a store honours conditions on writes.

Stores that do not know them answer with success and overwrite. So one that is not known for it is tried out, once for
each kind of write, with an object of our own that is deleted again; a condition that it would ignore is refused before
anything is written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, Literal, TypeAlias
from uuid import uuid4

from ipfs_accel.errors import (
    APIStatusError,
    NotSupportedByServerError,
    PermissionDeniedError,
    PreconditionFailedError,
)
from ipfs_accel.plans import Endpoint

from ._errors import translated
from ._options import PROBE, store_of

__all__ = ["Write", "honours", "need"]

Write: TypeAlias = Literal["create", "replace", "copy", "delete"]

_OTHER = '"00000000000000000000000000000000"'
_LOCK = threading.Lock()

_BYTES, _OTHERS = b"probe", b"the other one"

# Each of these has to fail, the object being there with another ETag and other content; `other` is one to copy from.
_TRIALS: dict[Write, Callable[[Any, str, str, str], Any]] = {
    "create": lambda client, bucket, key, _: client.put_object(Bucket=bucket, Key=key, Body=_OTHERS, IfNoneMatch="*"),
    "replace": lambda client, bucket, key, _: client.put_object(Bucket=bucket, Key=key, Body=_OTHERS, IfMatch=_OTHER),
    "copy": lambda client, bucket, key, other: client.copy_object(
        Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": other}, IfNoneMatch="*"
    ),
    "delete": lambda client, bucket, key, _: client.delete_object(Bucket=bucket, Key=key, IfMatch=_OTHER),
}


def need(endpoint: Endpoint, client: Any, bucket: str, write: Write | None) -> None:
    """Make sure that the store honours a condition on a kind of write; None needs nothing.

    Raises:
        NotSupportedByServerError: It ignores or refuses such conditions; nothing was changed.
    """
    if write is not None and not honours(endpoint, client, bucket, write):
        raise NotSupportedByServerError(
            f"this store does not honour conditions ({write}): it would write regardless",
            status=501,
            hint="leave out if_match and if_none_match, and do not rely on them for locks",
        )


def honours(endpoint: Endpoint, client: Any, bucket: str, write: Write) -> bool:
    """Return whether the store honours a condition on a kind of write; asks it once."""
    if store_of(endpoint).conditions:
        return True
    name = f"conditions of {write}"
    with _LOCK:
        if name not in endpoint.memo:
            endpoint.memo[name] = _try_out(client, bucket, write)
    return bool(endpoint.memo[name])


def _try_out(client: Any, bucket: str, write: Write) -> bool:
    key, other = f"{PROBE}{uuid4()}", f"{PROBE}{uuid4()}"
    objects = {key: _BYTES, **({other: _OTHERS} if write == "copy" else {})}
    try:
        with translated():
            for name, content in objects.items():
                client.put_object(Bucket=bucket, Key=name, Body=content)
        return _is_refused(client, bucket, key, lambda: _TRIALS[write](client, bucket, key, other))
    finally:
        for name in objects:
            with suppress(APIStatusError), translated():
                client.delete_object(Bucket=bucket, Key=name)


def _is_refused(client: Any, bucket: str, key: str, write: Callable[[], Any]) -> bool:
    """Whether a write is refused, and has left alone what it was refused for: not every refusal does."""
    try:
        with translated():
            write()
    except PreconditionFailedError:
        pass
    except APIStatusError as error:
        if error.status is not None and error.status >= 500 and error.retryable:  # noqa: PLR2004 - says nothing
            raise
        return False
    else:
        return False
    try:
        with translated():
            body = client.get_object(Bucket=bucket, Key=key)["Body"]
            with closing(body):
                return bool(body.read() == _BYTES)
    except PermissionDeniedError:
        return True  # who may not look has nothing but the refusal
    except APIStatusError:
        return False
