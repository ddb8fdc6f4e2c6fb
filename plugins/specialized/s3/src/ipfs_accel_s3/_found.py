"""What is found out about a store while it is used: which checksums it takes, how it wants buckets to be addressed.

First by the name that it answers with, where that says it; else by one trial, before the first upload in parts; else by
what it refuses. Nothing of it counts where a setting says otherwise.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import uuid4

from ipfs_accel.errors import APIStatusError
from ipfs_accel.plans import Endpoint

from ._errors import PATH_REFUSED, translated
from ._options import PROBE, Addressing, Checksums, options_of, store_of
from ._verify import PIECE, new_md5

__all__ = ["addressing_of", "checksums_of", "does_not_take_checksums", "find_checksums", "gives_up_checksums", "listen"]

# As they call themselves; both verify checksums in headers, in trailers and of parts, or refuse them.
_KNOWN = ("minio", "versitygw")
_BYTES = b"does this come back as it went?"
_BAD_REQUEST, _SERVER_ERROR = 400, 500
# What a store says of a wrong checksum or MD5: that it has read it.
_READ = {"BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch"}


def checksums_of(endpoint: Endpoint) -> Checksums:
    """Return whether to send and ask for checksums, as far as that is known."""
    said = options_of(endpoint).checksums
    if said != "auto":
        return said
    found: Checksums | None = endpoint.memo.get("checksums")
    return found or store_of(endpoint).checksums


def addressing_of(endpoint: Endpoint) -> Addressing:
    """Return where the bucket goes, as far as that is known."""
    said = options_of(endpoint).addressing
    if said != "auto":
        return said
    found: Addressing | None = endpoint.memo.get("addressing")
    return found or store_of(endpoint).addressing


def _may_find(endpoint: Endpoint) -> bool:
    return options_of(endpoint).checksums == "auto" and store_of(endpoint).varies and "checksums" not in endpoint.memo


def listen(endpoint: Endpoint, client: Any) -> None:
    """Have a client of boto3 note what the store's answers say of it."""
    events = client.meta.events
    if _may_find(endpoint):
        events.register("after-call.s3", lambda http_response, **_: _note_name(endpoint, http_response.headers))
    if options_of(endpoint).addressing == "auto" and store_of(endpoint).addressing == "auto":
        events.register("after-call.s3", lambda parsed, **_: _note_refusal(endpoint, parsed))
    events.register("before-call.s3", lambda model, params, **_: _add_md5(endpoint, model.name, params))
    events.register(
        "needs-retry.s3",
        lambda response, operation, request_dict, **_: _wants_md5(endpoint, operation.name, response, request_dict),
    )


def _note_name(endpoint: Endpoint, headers: Any) -> None:
    names = str(headers.get("server", "")).lower().split(",")  # of several, where a proxy adds its own
    if any(name.strip().startswith(_KNOWN) for name in names) and _may_find(endpoint):
        endpoint.memo["checksums"] = "when_supported"


def _note_refusal(endpoint: Endpoint, parsed: dict[str, Any]) -> None:
    if parsed.get("Error", {}).get("Code") in PATH_REFUSED:
        endpoint.memo["addressing"] = "virtual"


def does_not_take_checksums(endpoint: Endpoint, error: APIStatusError) -> bool:
    """Whether a store that was taken to understand checksums refuses them; from then on it is sent none."""
    words = f"{error.code} {error.message}".lower()
    is_refusal = error.code in {"XAmzContentSHA256Mismatch", "MissingContentLength", "NotImplemented"} or any(
        word in words for word in ("checksum", "aws-chunked", "trailer")
    )
    return is_refusal and error.code not in _READ and gives_up_checksums(endpoint)


def gives_up_checksums(endpoint: Endpoint) -> bool:
    """Send no checksums from now on, unless a setting says so; returns whether that is a change."""
    if options_of(endpoint).checksums != "auto" or checksums_of(endpoint) == "when_required":
        return False
    endpoint.memo["checksums"] = "when_required"
    return True


def find_checksums(endpoint: Endpoint, make: Callable[[Checksums], Any], bucket: str) -> None:
    """Find out which checksums a store takes, unless that is known: by its name, or with an object of our own."""
    if not _may_find(endpoint):
        return
    with suppress(APIStatusError), translated():
        make("when_required").head_bucket(Bucket=bucket)  # whose answer may have a name in it
    if _may_find(endpoint):
        endpoint.memo["checksums"] = "when_supported" if _keeps(make("when_supported"), bucket) else "when_required"


def _keeps(client: Any, bucket: str) -> bool:
    """Whether what is sent with checksums comes back as it went: at once with another encoding, and in a part."""
    about = {"Bucket": bucket, "Key": f"{PROBE}{uuid4()}"}
    with suppress(APIStatusError), translated():
        try:
            client.put_object(**about, Body=_BYTES, ContentEncoding="gzip")
            return _comes_back(client, about) and _keeps_part(client, about)
        finally:
            with suppress(APIStatusError), translated():
                client.delete_object(**about)
    return False


def _keeps_part(client: Any, about: dict[str, Any]) -> bool:
    begun = client.create_multipart_upload(**about, ChecksumAlgorithm="CRC32")
    part = {**about, "UploadId": begun["UploadId"]}
    try:
        sent = client.upload_part(**part, PartNumber=1, Body=_BYTES[::-1])
        kept = {name: value for name, value in sent.items() if name in {"ETag", "ChecksumCRC32"}}
        client.complete_multipart_upload(**part, MultipartUpload={"Parts": [{"PartNumber": 1, **kept}]})
    except BaseException:
        with suppress(APIStatusError), translated():
            client.abort_multipart_upload(**part)
        raise
    return _comes_back(client, about, _BYTES[::-1])


def _comes_back(client: Any, about: dict[str, Any], data: bytes = _BYTES) -> bool:
    body = client.get_object(**about)["Body"]
    try:
        return bool(body.read(2 * len(data) + 1) == data)
    finally:
        body.close()


def _add_md5(endpoint: Endpoint, operation: str, request: dict[str, Any]) -> None:
    """Give a request the header that the store wants of its kind."""
    if operation in endpoint.memo.get("md5", ()):
        _put_md5(request)


def _wants_md5(endpoint: Endpoint, operation: str, response: Any, request: dict[str, Any]) -> float | None:
    """Send a request once more, with an MD5, if the store says that it needs one; boto3 sends none any more."""
    parsed = {} if response is None else response[1]
    status = int(parsed.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)
    error = parsed.get("Error", {})
    if not _BAD_REQUEST <= status < _SERVER_ERROR or error.get("Code") in _READ:
        return None
    told = " ".join(str(value) for value in error.values()).lower().replace("-", "")
    if "contentmd5" not in told or not _put_md5(request):
        return None
    endpoint.memo.setdefault("md5", set()).add(operation)
    return 0.0


def _put_md5(request: dict[str, Any]) -> bool:
    """Add the header unless it is there, or cannot be made."""
    headers, digest = request["headers"], new_md5()
    body: Any = request.get("body")
    if digest is None or "Content-MD5" in headers or "aws-chunked" in headers.get("Content-Encoding", ""):
        return False
    if isinstance(body, bytes | bytearray):
        digest.update(body)
    elif hasattr(body, "seek"):
        body.seek(0)
        while piece := body.read(PIECE):
            digest.update(piece)
        body.seek(0)
    else:
        return False
    headers["Content-MD5"] = base64.b64encode(digest.digest()).decode("ascii")
    return True
