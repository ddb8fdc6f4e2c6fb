"""Files that are too large for POST /files: sent in parts. The facts are those of OpenAI's API reference, 2026."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs
from ipfs_accel import plans
from ipfs_accel.errors import AccelError
from ipfs_accel.plans import Http, HttpRequest, HttpResponse, post_json, segment
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.multipart import post_multipart
from ipfs_accel.wire.openai_errors import checked
from ipfs_accel.wire.openai_files import file_of

if TYPE_CHECKING:
    from ipfs_accel.plans import Plan
    from ipfs_accel.types import FileInfo, Upload, UploadRequest

__all__ = ["in_parts"]

_PART = 64 << 20


def in_parts(request: UploadRequest, path: Callable[[str], str]) -> Plan[FileInfo]:
    """Plan POST /uploads, one POST for each part, and the end of it; a part that fails ends the upload."""
    file = request.file

    def steps() -> Generator[Any, Any, Plan[FileInfo]]:
        upload = yield Http(send=post_json(path("/uploads"), _begin(request)), parse=_id)
        place = f"/uploads/{segment(upload)}"
        try:
            parts = []
            for start in range(0, file.size or 0, _PART):
                send = post_multipart(path(f"{place}/parts"), (), [("data", _cut(file, start))])
                parts.append((yield Http(send=send, parse=_id)))
        except AccelError:
            headers = (("accept", "application/json"),)
            with suppress(AccelError):  # the failure counts, not that of tidying up after it
                yield Http(send=HttpRequest(method="POST", path=path(f"{place}/cancel"), headers=headers), parse=_id)
            raise
        return Http(send=post_json(path(f"{place}/complete"), {"part_ids": parts}), parse=_made)

    return plans.Flow(steps=steps)


def _begin(request: UploadRequest) -> dict[str, Any]:
    file = request.file
    body: dict[str, Any] = {
        "filename": file.name,
        "bytes": file.size,
        "mime_type": file.media_type or "application/octet-stream",
        "purpose": request.purpose or "user_data",
    }
    if request.expires_after is not None:
        body["expires_after"] = {"anchor": "created_at", "seconds": request.expires_after}
    return {**body, **request.extra}


def _cut(file: Upload, start: int) -> Upload:
    size = min(_PART, (file.size or 0) - start)
    data = None if file.data is None else file.data[start : start + size]
    return attrs.evolve(file, data=data, offset=file.offset + start, size=size)


def _id(response: HttpResponse) -> str:
    return field(checked(response.json()), "id", str)


def _made(response: HttpResponse) -> FileInfo:
    return file_of(field(checked(response.json()), "file", dict))
