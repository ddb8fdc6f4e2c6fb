"""Whether a store honours conditions on writes.

Stores that do not know them answer with success and overwrite. So one that is not known for it is tried out, once for
each kind of write, with an object of our own that is deleted again; a condition that it would ignore is refused before
anything is written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, TypeAlias
from uuid import uuid4

from ipfs_accel.errors import APIStatusError, NotSupportedByServerError, PreconditionFailedError
from ipfs_accel.plans import Endpoint

from ._errors import translated
from ._options import store_of

__all__ = ["Write", "honours", "need"]

Write: TypeAlias = Literal["create", "replace", "copy", "delete"]

PREFIX = ".ipfs-accel-probe-"
_OTHER = '"00000000000000000000000000000000"'
_LOCK = threading.Lock()

# Each of these has to fail, the object being there with another ETag.
_TRIALS: dict[Write, Callable[[Any, str, str], Any]] = {
    "create": lambda client, bucket, key: client.put_object(Bucket=bucket, Key=key, Body=b"", IfNoneMatch="*"),
    "replace": lambda client, bucket, key: client.put_object(Bucket=bucket, Key=key, Body=b"", IfMatch=_OTHER),
    "copy": lambda client, bucket, key: client.copy_object(
        Bucket=bucket, Key=key, CopySource={"Bucket": bucket, "Key": key}, MetadataDirective="REPLACE", IfNoneMatch="*"
    ),
    "delete": lambda client, bucket, key: client.delete_object(Bucket=bucket, Key=key, IfMatch=_OTHER),
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
    key = f"{PREFIX}{uuid4()}"
    with translated():
        client.put_object(Bucket=bucket, Key=key, Body=b"probe")
    try:
        with translated():
            _TRIALS[write](client, bucket, key)
    except PreconditionFailedError:
        return True
    except APIStatusError as error:
        if error.status is not None and error.status >= 500 and error.retryable:  # noqa: PLR2004 - says nothing
            raise
        return False
    finally:
        with suppress(APIStatusError), translated():
            client.delete_object(Bucket=bucket, Key=key)
    return False
