"""What Anthropic takes of pictures, files and requests, checked before anything is sent.

The numbers are those of its API reference, 2026.
"""

from __future__ import annotations

from collections.abc import Iterator

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Endpoint, HttpRequest
from ipfs_accel.types import BatchRequest, ChatRequest, Image, ToolResult, UploadRequest
from ipfs_accel.wire.pictures import size_of

from ._rules import Rules, is_hosted

__all__ = ["BATCH", "check_batch", "check_chat", "check_upload", "checked"]

MEGABYTE = 1 << 20
REQUEST, BATCH, FILE = 32 * MEGABYTE, 256 * MEGABYTE, 500 * MEGABYTE
_REQUESTS = 100_000
_SIDE, _SIDE_OF_MANY, _MANY = 8000, 2000, 20


def check_chat(request: ChatRequest, rules: Rules) -> None:
    """Check the pictures of a conversation."""
    found = list(_pictures(request))
    if len(found) > rules.pictures:
        raise InvalidRequestError(f"messages: they have {len(found)} pictures, and Claude takes up to {rules.pictures}")
    most = _SIDE if len(found) <= _MANY else _SIDE_OF_MANY
    for index, picture in found:
        width, height = (size_of(picture.data) if picture.data is not None else None) or (0, 0)
        if max(width, height) > most:
            raise InvalidRequestError(
                f"messages[{index}]: a picture has {width} by {height} pixels, and Claude takes up to {most} a side",
                hint=f"with more than {_MANY} pictures each may have {_SIDE_OF_MANY}" if most < _SIDE else None,
            )


def _pictures(request: ChatRequest) -> Iterator[tuple[int, Image]]:
    for index, message in enumerate(request.messages):
        for part in message.content:
            for each in part.content if isinstance(part, ToolResult) else (part,):
                if isinstance(each, Image):
                    yield index, each


def checked(endpoint: Endpoint, send: HttpRequest, most: int = REQUEST) -> HttpRequest:
    """Return a request, unless Anthropic would refuse it for its size."""
    size = len(send.content) if isinstance(send.content, bytes) else 0
    if size > most and is_hosted(endpoint):
        raise InvalidRequestError(
            f"the request has {size / MEGABYTE:.0f} MiB, and Claude takes up to {most // MEGABYTE}",
            hint="upload large files and name them: Document(file_id=…), Image(file_id=…)",
        )
    return send


def check_batch(request: BatchRequest) -> None:
    """Check how many requests a batch has."""
    if len(request.items) > _REQUESTS:
        raise InvalidRequestError(f"items: Claude takes up to {_REQUESTS} a batch, these are {len(request.items)}")


def check_upload(request: UploadRequest) -> None:
    """Check a file for Anthropic to keep."""
    size = request.file.size or 0
    if size > FILE:
        raise InvalidRequestError(f"file: it has {size / MEGABYTE:.0f} MiB, and Claude takes up to {FILE // MEGABYTE}")
