"""Looking at objects, and reading them as a stream."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Mapping
from typing import Any

import attrs
from ipfs_accel.errors import APIConnectionError, InvalidResponseError
from ipfs_accel.plans import Endpoint, Job, Local, LocalStream, Plan, StreamFlow, StreamPlan
from ipfs_accel.types import DataDelta, GetObjectRequest, ObjectInfo
from ipfs_accel.wire.collector import Collector

from ._answers import note_request, object_info, parameters
from ._checks import asked_of, check_object, size_of
from ._clients import connect
from ._errors import translated
from ._found import checksums_of
from ._looking import looked_at, status_of
from ._options import options_of
from ._verify import MD5, SHA256, etag_as_md5, kept_so, new_md5, spoilt, whole_checksums

__all__ = ["CHUNK", "head", "read_parameters", "stream", "with_checksums"]

CHUNK = 512 * 1024
_UNSATISFIABLE = 416


def read_parameters(request: GetObjectRequest) -> dict[str, Any]:
    """Return boto3's parameters for a request to read."""
    return parameters(
        Bucket=request.bucket,
        Key=request.key,
        VersionId=request.version,
        IfMatch=request.if_match,
        IfNoneMatch=request.if_none_match,
        IfModifiedSince=request.if_modified_since,
        IfUnmodifiedSince=request.if_unmodified_since,
        Range=_range(request.offset, request.length),
        extra=dict(request.extra),
    )


def _range(offset: int, length: int | None) -> str | None:
    if offset < 0:
        return f"bytes={offset}"
    if length is not None:
        return f"bytes={offset}-{offset + length - 1}"
    return f"bytes={offset}-" if offset else None


def with_checksums(endpoint: Endpoint, given: dict[str, Any]) -> dict[str, Any]:
    """Ask for the checksum of a whole object; an answer to a range has none that can be verified."""
    if checksums_of(endpoint) == "when_supported" and options_of(endpoint).verify and "Range" not in given:
        return {"ChecksumMode": "ENABLED", **given}
    return given


def head(endpoint: Endpoint, request: GetObjectRequest) -> Plan[ObjectInfo]:
    """Plan a HeadObject."""

    def run(job: Job) -> ObjectInfo:
        with translated():
            answer = looked_at(endpoint, connect(endpoint, job), with_checksums(endpoint, read_parameters(request)))
        note_request(job, answer)
        return object_info(request.bucket, request.key, answer)

    return Local(run=run)


@attrs.frozen
class _Opened:
    """An answer whose content is still to be read."""

    client: Any
    given: Mapping[str, Any]
    answer: dict[str, Any]
    size: int | None
    length: int | None


def stream(endpoint: Endpoint, request: GetObjectRequest) -> StreamPlan[ObjectInfo]:
    """Plan a GetObject whose content is handed on while it comes."""

    def open_it(job: Job) -> _Opened:
        with translated():
            opened = _open(connect(endpoint, job), with_checksums(endpoint, read_parameters(request)))
        note_request(job, opened.answer)
        if job.is_abandoned:
            opened.answer["Body"].close()
        return opened

    def steps() -> Generator[Any, Any, StreamPlan[ObjectInfo]]:
        opened = yield Local(run=open_it)
        is_verified = options_of(endpoint).verify
        return LocalStream(
            run=lambda out, job: _read(request, opened, out, job, is_verified=is_verified),
            assembler=lambda: Collector(lambda out: out.kept[0]),
        )

    return StreamFlow(steps=steps)


def _open(client: Any, given: dict[str, Any]) -> _Opened:
    """Ask for content and make sure that the answer is about what was asked for.

    Raises:
        APIError: It is not, or the store refuses.
    """
    given, answer = _answered(client, given)
    try:
        check_object(given, answer)
        size = size_of(answer)
        if size is None:
            size = _size(client, given, answer)
        return _Opened(client, given, answer, size, asked_of(given, answer, size))
    except BaseException:
        answer["Body"].close()
        raise


def _size(client: Any, given: dict[str, Any], answer: dict[str, Any]) -> int | None:
    """Ask how large an object is whose content does not say it; None if nobody says it, but the end of it shows.

    Raises:
        InvalidResponseError: Nobody could tell whether the content is whole.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - who has a client has loaded it

    try:
        size = size_of(client.head_object(**{name: value for name, value in given.items() if name != "Range"}))
    except ClientError:
        size = None
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    if size is None and "transfer-encoding" not in headers and "ContentRange" not in answer:
        raise InvalidResponseError(f"the store does not tell how large {given['Bucket']}/{given['Key']} is")
    return size


def _answered(client: Any, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Send a request; where its range reaches beyond the object on the side that does not matter, send what does not.

    The bytes from the beginning, or up to the end, are all of them where there are fewer. Not every store sees it so.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - who has a client has loaded it

    try:
        return given, client.get_object(**given)
    except ClientError as error:
        wanted = str(given.get("Range", ""))
        if status_of(error) != _UNSATISFIABLE or not wanted.startswith(("bytes=-", "bytes=0-")):
            raise
        about = {name: value for name, value in given.items() if name != "Range"}
        looked = client.head_object(**about)
        size = looked.get("ContentLength")
        if size is None or (size and not wanted.startswith("bytes=-")):
            raise
        # Without a range, since an empty object has none.
        about = about if not size else {**about, "Range": f"bytes={max(0, size - int(wanted[7:]))}-{size - 1}"}
        return about, client.get_object(**about)


def _read(
    request: GetObjectRequest, opened: _Opened, out: Collector[ObjectInfo], job: Job, *, is_verified: bool
) -> Iterator[None]:
    answer, body = opened.answer, opened.answer["Body"]
    info = object_info(request.bucket, request.key, answer, size=opened.size)
    is_whole = "ContentRange" not in answer
    digest = hashlib.sha256() if is_verified and is_whole and SHA256 in info.metadata else None
    counted = 0
    with translated():
        try:
            while chunk := _piece(body):
                job.check()
                counted += len(chunk)
                if digest is not None:
                    digest.update(chunk)
                out.emit(DataDelta(chunk))
                yield
        finally:
            # An unread body would keep its connection from everybody else.
            body.close()
        _check_count(counted, opened.length)
        proof = _proof(info, digest, body) if is_verified and is_whole else None
        if isinstance(proof, InvalidResponseError):
            proof = _second_read(info, opened, proof, digest or body, job)
    out.kept.append(attrs.evolve(info, verified=proof))
    out.done()


def _piece(body: Any) -> bytes:
    """Return the next piece of content; boto3 verifies its checksum at the end, which `_proof` judges."""
    from botocore.exceptions import FlexibleChecksumError  # noqa: PLC0415 - who has a body has loaded it

    try:
        return body.read(CHUNK)  # type: ignore[no-any-return]
    except FlexibleChecksumError:
        return b""


def _check_count(counted: int, length: int | None) -> None:
    if length is not None and counted < length:
        raise APIConnectionError(f"the content ended early: {counted} bytes of {length}", phase="read")
    if length is not None and counted > length:
        raise InvalidResponseError(f"the store sent {counted} bytes where {length} were asked for")


def _proof(info: ObjectInfo, digest: Any, body: Any) -> str | InvalidResponseError | None:
    """Say by what content is proven, given its SHA-256 (or None) and boto3's body; an error if it is proven wrong."""
    if digest is not None:
        own = info.metadata[SHA256].lower()
        return SHA256 if own == digest.hexdigest() else spoilt(info, SHA256, own, digest.hexdigest())
    checksum = getattr(body, "checksum", None)  # of the kind that the store tells, over what was read
    if checksum is None:
        return None
    name = type(checksum).__name__.removeprefix("Crt").removesuffix("Checksum").lower()
    told = whole_checksums(info).get(name)
    if told is None:
        return None
    return name if told == checksum.b64digest() else spoilt(info, name, told, checksum.b64digest())


def _second_read(info: ObjectInfo, opened: _Opened, wrong: InvalidResponseError, read: Any, job: Job) -> str:
    """Read content that was proven wrong once more, and say by what it is right after all.

    Args:
        info: What is known of it.
        opened: The first reading.
        wrong: What that found.
        read: By what it found it: a hash, or boto3's body.
        job: The call.

    Raises:
        InvalidResponseError: It is not; if both readings agree, the store has it so, and no repetition helps.
    """
    about = {"IfMatch": info.etag, **opened.given} if info.etag else opened.given
    again = opened.client.get_object(**{**about, "ChecksumMode": "ENABLED"})["Body"]
    sha256, md5 = hashlib.sha256(), new_md5()
    try:
        while chunk := _piece(again):
            job.check()
            sha256.update(chunk)
            if md5 is not None:
                md5.update(chunk)
    finally:
        again.close()
    is_same = read.hexdigest() == sha256.hexdigest() if hasattr(read, "hexdigest") else _sum(read) == _sum(again)
    if not is_same:
        raise wrong
    by_store = _proof(attrs.evolve(info, metadata={}), None, again)
    if isinstance(by_store, str):
        return by_store
    if md5 is not None and md5.hexdigest() == etag_as_md5(info.raw):
        return MD5
    raise kept_so(wrong)


def _sum(body: Any) -> str | None:
    checksum = getattr(body, "checksum", None)
    return None if checksum is None else checksum.b64digest()
