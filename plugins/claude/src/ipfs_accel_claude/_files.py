"""Files that the provider keeps, to be used as `Image(file_id=…)` and `Document(file_id=…)`."""

from __future__ import annotations

from typing import Any

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Endpoint, Http, HttpResponse, Plan, StreamPlan, segment
from ipfs_accel.types import FileInfo, Transfer, UploadRequest
from ipfs_accel.wire.collector import download as plan_download
from ipfs_accel.wire.fields import field, optional, seconds
from ipfs_accel.wire.multipart import post_multipart

from . import _limits as limits
from ._pages import ask, listed, nothing, root
from ._requests import NEWEST
from ._rules import is_hosted

__all__ = ["delete", "download", "every", "one", "upload"]

PATH = "/v1/files"


def upload(endpoint: Endpoint, request: UploadRequest) -> Plan[FileInfo]:
    """Plan POST /v1/files."""
    if is_hosted(endpoint):
        limits.check_upload(request)
    fields: list[tuple[str, str]] = []
    if request.expires_after is not None:
        fields.append(("expires_in_seconds", str(request.expires_after)))
    for name, value in request.extra.items():
        if not isinstance(value, str | int | float):
            raise InvalidRequestError(f"extra[{name!r}]: a form takes text and numbers, not {type(value).__name__}")
        fields.append((name, str(value)))
    headers = (("anthropic-version", NEWEST),)
    send = post_multipart(PATH, fields, [("file", request.file)], headers=headers, base_url=root(endpoint))
    return Http(send=send, parse=_read, unsupported=() if request.purpose is None else ("purpose",))


def every(endpoint: Endpoint, limit: int | None) -> Plan[tuple[FileInfo, ...]]:
    """Plan GET /v1/files, page by page."""
    return listed(endpoint, PATH, _file, limit)


def one(endpoint: Endpoint, file: str) -> Plan[FileInfo]:
    """Plan GET /v1/files/{id}."""
    return Http(send=ask(endpoint, f"{PATH}/{segment(file)}"), parse=_read)


def download(endpoint: Endpoint, file: str) -> StreamPlan[Transfer]:
    """Plan GET /v1/files/{id}/content; only what tools made can be had back."""
    return plan_download(ask(endpoint, f"{PATH}/{segment(file)}/content", accept="application/binary"))


def delete(endpoint: Endpoint, file: str) -> Plan[None]:
    """Plan DELETE /v1/files/{id}."""
    return Http(send=ask(endpoint, f"{PATH}/{segment(file)}", method="DELETE"), parse=nothing)


def _read(response: HttpResponse) -> FileInfo:
    return _file(response.json())


def _file(item: Any) -> FileInfo:
    return FileInfo(
        id=field(item, "id", str),
        name=optional(item, "filename", str),
        size=optional(item, "size_bytes", int),
        media_type=optional(item, "mime_type", str),
        created=seconds(item.get("created_at")),
        expires=seconds(item.get("expires_at")),
        raw=item,
    )
