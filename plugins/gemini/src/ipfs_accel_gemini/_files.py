"""Files that the provider keeps for two days, to be used as `Image(file_id=…)`, `Audio(file_id=…)` and so on."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ipfs_accel.errors import InvalidRequestError, InvalidResponseError
from ipfs_accel.plans import Endpoint, Flow, Http, HttpRequest, HttpResponse, Plan, StreamPlan
from ipfs_accel.types import FileInfo, Transfer, Upload, UploadRequest
from ipfs_accel.wire.collector import download as plan_download
from ipfs_accel.wire.fields import field, optional, seconds
from ipfs_accel.wire.multipart import content_of

from ._fields import number
from ._routes import ask, checked, listed, nothing, path_of, post, root, version

__all__ = ["delete", "download", "every", "one", "upload"]

MAX_BYTES = 2 * 1024**3
MAX_PAGE = 100
_UNKNOWN = "application/octet-stream"


def upload(endpoint: Endpoint, request: UploadRequest) -> Plan[FileInfo]:
    """Plan POST /upload/{version}/files, and the bytes to where its answer says."""
    file = request.file
    size = file.size or 0
    if not 0 < size <= MAX_BYTES:
        raise InvalidRequestError(f"file: {file.name} has {size} bytes, and Gemini takes 1 to {MAX_BYTES}")
    unsupported = tuple([name for name in ("purpose", "expires_after") if getattr(request, name) is not None])

    def steps() -> Generator[Plan[Any], Any, Plan[FileInfo]]:
        where: str = yield Http(send=_start(endpoint, file, request), parse=_where, unsupported=unsupported)
        return Http(send=_content(endpoint, file, where), parse=_finished)

    return Flow(steps=steps)


def _start(endpoint: Endpoint, file: Upload, request: UploadRequest) -> HttpRequest:
    kind = file.media_type or _UNKNOWN
    about = {"displayName": file.name, "mimeType": kind, "sizeBytes": file.size, **request.extra}
    name = about.get("name")
    if name is not None:
        about["name"] = _name(str(name))
    headers = (
        ("x-goog-upload-protocol", "resumable"),
        ("x-goog-upload-command", "start"),
        ("x-goog-upload-header-content-length", str(file.size)),
        ("x-goog-upload-header-content-type", kind),
    )
    return post(endpoint, f"/upload/{version(endpoint)}/files", {"file": about}, headers=headers)


def _where(response: HttpResponse) -> str:
    url = response.headers.get("x-goog-upload-url")
    if not url or not urlsplit(url).path.startswith("/"):
        raise InvalidResponseError("the server did not say where to send the file to (x-goog-upload-url)")
    return url


def _content(endpoint: Endpoint, file: Upload, where: str) -> HttpRequest:
    """Send all bytes at once, always to the endpoint's own host: what stands before it is not the server's business."""
    parts = urlsplit(where)
    above = urlsplit(root(endpoint))
    return HttpRequest(
        method="POST",
        path=parts.path,
        query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
        headers=(("x-goog-upload-command", "upload, finalize"), ("x-goog-upload-offset", "0")),
        content=content_of(file),
        base_url=f"{above.scheme}://{above.netloc}",
    )


def _finished(response: HttpResponse) -> FileInfo:
    status = response.headers.get("x-goog-upload-status")
    if status != "final":
        raise InvalidResponseError(f"the server did not finish the upload: x-goog-upload-status is {status!r}")
    return _file(field(checked(response), "file", dict))


def every(endpoint: Endpoint, limit: int | None) -> Plan[tuple[FileInfo, ...]]:
    """Plan GET /files, page by page."""
    return listed(endpoint, path_of(endpoint, "files"), "files", _file, limit=limit, most=MAX_PAGE)


def one(endpoint: Endpoint, file: str) -> Plan[FileInfo]:
    """Plan GET /files/{id}; a file can be used as soon as its status is ACTIVE."""
    send = ask(endpoint, path_of(endpoint, _name(file)))
    return Http(send=send, parse=_read)


def _read(response: HttpResponse) -> FileInfo:
    """Read a file; one that could not be processed has an error, which is its own and not that of the request."""
    body = response.json()
    return _file(body if isinstance(body, dict) and "name" in body else checked(response))


def download(endpoint: Endpoint, file: str) -> StreamPlan[Transfer]:
    """Plan GET /files/{id}:download; only what models made can be had back."""
    path = path_of(endpoint, _name(file), "download")
    return plan_download(ask(endpoint, path, query=(("alt", "media"),), accept="*/*"))


def delete(endpoint: Endpoint, file: str) -> Plan[None]:
    """Plan DELETE /files/{id}."""
    return Http(send=ask(endpoint, path_of(endpoint, _name(file)), method="DELETE"), parse=nothing)


def _name(file: str) -> str:
    """Return a file's name, from its name, its id or its URI."""
    return f"files/{file.rpartition('files/')[2]}"


def _file(item: Any) -> FileInfo:
    return FileInfo(
        id=field(item, "name", str),
        name=optional(item, "displayName", str),
        size=number(item, "sizeBytes"),
        media_type=optional(item, "mimeType", str),
        status=optional(item, "state", str),
        created=seconds(item.get("createTime")),
        expires=seconds(item.get("expirationTime")),
        url=optional(item, "uri", str),
        raw=item,
    )
