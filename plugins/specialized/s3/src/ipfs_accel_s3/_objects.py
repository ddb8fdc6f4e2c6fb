"""Listing, copying and presigning objects."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from functools import partial
from itertools import chain
from typing import Any

from ipfs_accel.errors import ConflictError, InvalidRequestError
from ipfs_accel.plans import Endpoint, Flow, Job, Local, LocalStream, Plan, StreamFlow, StreamPlan
from ipfs_accel.types import (
    CopyObjectRequest,
    ListObjectsRequest,
    ObjectInfo,
    ObjectListing,
    ObjectPrefix,
    PresignedRequest,
    PresignObjectRequest,
)
from ipfs_accel.wire.collector import Collector

from ._answers import conditions, note_request, object_info, parameters
from ._body import Tally
from ._clients import connect
from ._conditions import need
from ._errors import translated
from ._looking import looked_at
from ._options import MIB, options_of
from ._pages import bucket_pages, object_pages
from ._upload import MAX_PARTS, Multipart

__all__ = ["copy", "list_objects", "presign"]

MAX_PAGE = 1000
MAX_COPY = 5 * 1024 * MIB
"""The largest object that one CopyObject copies, by the S3 user guide; larger ones are copied in parts."""
COPY_PART = 256 * MIB
MAX_EXPIRY = 7 * 24 * 3600
"""Seconds that a request with signature version 4 can be good for."""


def list_objects(endpoint: Endpoint, request: ListObjectsRequest) -> StreamPlan[ObjectListing]:
    """Plan as many ListObjectsV2 as are read, or one ListBuckets if no bucket is named."""

    def open_it(job: Job) -> Iterator[Page]:
        with translated():
            client = connect(endpoint, job)
            pages = _objects(client, request, job) if request.bucket else _buckets(client, request, job)
            return chain([next(pages)], pages)

    def steps() -> Generator[Any, Any, StreamPlan[ObjectListing]]:
        pages = yield Local(run=open_it)
        return LocalStream(run=lambda out, job: _tell(pages, request.limit, out, job), assembler=_listing)

    return StreamFlow(steps=steps)


def _listing() -> Collector[ObjectListing]:
    out = Collector(lambda out: ObjectListing(count=out.kept[0], size=out.size, complete=out.kept[1]))
    out.kept = [0, True]
    return out


def _tell(pages: Iterator[Page], limit: int | None, out: Collector[ObjectListing], job: Job) -> Iterator[None]:
    with translated():
        for page in pages:
            job.check()
            for event in page:
                if out.kept[0] == limit:
                    out.kept[1] = False
                    out.done()
                    return
                out.kept[0] += 1
                out.size += getattr(event, "size", 0) or 0
                out.emit(event)
            yield
    out.done()


Page = list[ObjectInfo | ObjectPrefix]


def _objects(client: Any, request: ListObjectsRequest, job: Job) -> Iterator[Page]:
    given = parameters(
        Bucket=request.bucket,
        Prefix=request.prefix,
        Delimiter=request.delimiter,
        StartAfter=request.start_after,
        # One more than wanted tells whether there are more. Where any number will do, none is named: there are stores
        # that fail if one is.
        MaxKeys=request.limit + 1 if request.limit is not None and request.limit < MAX_PAGE else None,
        extra=dict(request.extra),
    )
    for answer in object_pages(client, given):
        note_request(job, answer)
        objects = [object_info(request.bucket, each["Key"], each) for each in answer.get("Contents", ())]
        prefixes = [ObjectPrefix(bucket=request.bucket, prefix=p["Prefix"]) for p in answer.get("CommonPrefixes", ())]
        yield sorted([*objects, *prefixes], key=lambda each: each.key if isinstance(each, ObjectInfo) else each.prefix)


def _buckets(client: Any, request: ListObjectsRequest, job: Job) -> Iterator[Page]:
    for answer in bucket_pages(client, dict(request.extra)):
        note_request(job, answer)
        yield [ObjectPrefix(bucket=each["Name"]) for each in answer.get("Buckets", ())]


def copy(endpoint: Endpoint, request: CopyObjectRequest) -> Plan[ObjectInfo]:
    """Plan a HeadObject of the original, and one CopyObject or a copy in parts."""

    def steps() -> Generator[Any, Any, Plan[ObjectInfo]]:
        original: ObjectInfo = yield Local(run=lambda job: _original(endpoint, request, job))
        size = original.size or 0
        if size <= MAX_COPY:
            return Local(run=lambda job: _copy_whole(endpoint, request, original, job))
        upload = Multipart(endpoint, request, size)
        part_size = max(COPY_PART, -(-size // MAX_PARTS))
        tasks = (_copier(upload, request, original, start, part_size) for start in range(0, size, part_size))
        given = _copy_parameters(request, original, in_parts=True)
        same = partial(_still, endpoint, request, original)
        return (yield from upload.steps(lambda job: upload.begin(given, job), tasks, same))

    return Flow(steps=steps)


def _original(endpoint: Endpoint, request: CopyObjectRequest, job: Job) -> ObjectInfo:
    given = parameters(
        Bucket=request.source_bucket,
        Key=request.source_key,
        VersionId=request.source_version,
        IfMatch=request.if_source_matches,
    )
    with translated():
        answer = looked_at(endpoint, connect(endpoint, job), given)
    return object_info(request.source_bucket, request.source_key, answer)


def _still(endpoint: Endpoint, request: CopyObjectRequest, original: ObjectInfo, job: Job) -> None:
    """Make sure that all parts are of one original: there are stores that copy past the condition of a part."""
    now = _original(endpoint, request, job)
    if (now.etag, now.size, now.version) != (original.etag, original.size, original.version):
        raise ConflictError("the original changed while it was copied", status=412, code="PreconditionFailed")


def _source(request: CopyObjectRequest) -> dict[str, Any]:
    return parameters(Bucket=request.source_bucket, Key=request.source_key, VersionId=request.source_version)


def _copy_parameters(request: CopyObjectRequest, original: ObjectInfo, *, in_parts: bool) -> dict[str, Any]:
    """Return what the copy is to be; a store replaces all that is said of an object, or nothing of it."""
    replaces = in_parts or request.metadata is not None or request.content_type is not None
    said = {
        "Metadata": dict(original.metadata if request.metadata is None else request.metadata),
        "ContentType": request.content_type or original.content_type,
        "MetadataDirective": None if in_parts else "REPLACE",
    }
    return parameters(Bucket=request.bucket, Key=request.key, extra=dict(request.extra), **(said if replaces else {}))


def _copy_whole(endpoint: Endpoint, request: CopyObjectRequest, original: ObjectInfo, job: Job) -> ObjectInfo:
    with translated():
        client = connect(endpoint, job)
        wanted = request.if_match or request.if_none_match
        need(endpoint, client, request.bucket, "copy" if wanted else None)
        given = _copy_parameters(request, original, in_parts=False)
        given |= parameters(CopySourceIfMatch=request.if_source_matches, **conditions(request))
        answer = client.copy_object(**given, CopySource=_source(request))
        note_request(job, answer)
    job.report(original.size or 0, original.size or 0)
    told = {**answer, **answer.get("CopyObjectResult", {})}
    metadata = given.get("Metadata", original.metadata)
    return object_info(request.bucket, request.key, told, size=original.size, metadata=metadata)


def _copier(upload: Multipart, request: CopyObjectRequest, original: ObjectInfo, start: int, part_size: int) -> Any:
    stop = min(start + part_size, original.size or 0)

    def one(number: int, tally: Tally) -> int:
        upload.copy_part(
            number,
            CopySource=_source(request),
            CopySourceRange=f"bytes={start}-{stop - 1}",
            **parameters(CopySourceIfMatch=original.etag),
        )
        tally.add(stop - start)
        return stop - start

    return one


def presign(endpoint: Endpoint, request: PresignObjectRequest) -> Plan[PresignedRequest]:
    """Plan a signature; nothing is sent."""
    if options_of(endpoint).anonymous:
        raise InvalidRequestError("an anonymous endpoint has nothing to sign with")
    if request.expires_in > MAX_EXPIRY:
        raise InvalidRequestError(f"expires_in: at most {MAX_EXPIRY} seconds, got {request.expires_in}")
    if request.max_size is not None and request.method != "post":
        raise InvalidRequestError("max_size: only a post can be limited", hint="use method='post'")

    def run(job: Job) -> PresignedRequest:
        with translated():
            client = connect(endpoint, job, "public")
            expires = time.time() + request.expires_in
            if request.method == "post":
                return _presigned_post(client, request, expires)
            return _presigned_url(client, request, expires)

    return Local(run=run)


def _presigned_url(client: Any, request: PresignObjectRequest, expires: float) -> PresignedRequest:
    given = parameters(
        Bucket=request.bucket,
        Key=request.key,
        VersionId=request.version,
        ContentType=request.content_type,
        extra=dict(request.extra),
    )
    method = f"{request.method}_object"
    url = client.generate_presigned_url(method, Params=given, ExpiresIn=request.expires_in)
    given_type = request.content_type or request.extra.get("ContentType")
    # Without one, a client may send its own, such as that of a form, which there are stores that read the body as.
    headers = {"Content-Type": given_type or "application/octet-stream"} if request.method == "put" else {}
    headers |= {"Content-Type": request.content_type} if request.content_type else {}
    headers |= {f"x-amz-meta-{name}": value for name, value in request.extra.get("Metadata", {}).items()}
    return PresignedRequest(method=request.method.upper(), url=url, headers=headers, expires=expires)


def _presigned_post(client: Any, request: PresignObjectRequest, expires: float) -> PresignedRequest:
    fields, rules = dict(request.extra.get("Fields", {})), list(request.extra.get("Conditions", ()))
    if request.content_type is not None:
        fields["Content-Type"] = request.content_type
        rules.append({"Content-Type": request.content_type})
    if request.max_size is not None:
        rules.append(["content-length-range", 0, request.max_size])
    made = client.generate_presigned_post(
        request.bucket, request.key, Fields=fields or None, Conditions=rules or None, ExpiresIn=request.expires_in
    )
    return PresignedRequest(method="POST", url=made["url"], fields=made["fields"], expires=expires)
