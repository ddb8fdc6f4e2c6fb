"""Storing objects: small ones with one request, others in parts, several at once.

Limits are those of the S3 user guide: parts of 5 MiB to 5 GiB, at most 10,000 of them.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, islice
from typing import IO, Any, TypeAlias
from urllib.parse import urlencode

from ipfs_accel.errors import AccelError, APIConnectionError, APIError, APIStatusError, InvalidRequestError
from ipfs_accel.plans import Endpoint, Flow, Job, Local, Plan, Ready
from ipfs_accel.types import ObjectInfo, PutObjectRequest, Upload

from ._answers import allowed, conditions, note_request, object_info, parameters
from ._body import Tally, Window, hash_of, in_parallel, opener, regroup
from ._clients import connect
from ._conditions import need
from ._errors import translated
from ._found import checksums_of, does_not_take_checksums, find_checksums, gives_up_checksums
from ._kept import FramedError, check_kept, wants_md5
from ._options import MIB, options_of
from ._verify import SHA256, new_md5

__all__ = ["Multipart", "put"]

MAX_PARTS = 10_000
GROUP = 16
"""Parts that are sent, and if need be sent again, together; those of pieces are in memory meanwhile."""


def put(endpoint: Endpoint, request: PutObjectRequest) -> Plan[ObjectInfo]:
    """Plan the storing of an object: by one PutObject, or by an upload in parts if it is larger than one."""
    part_size = options_of(endpoint).part_size
    source = request.source
    if isinstance(source, Upload):
        if (source.size or 0) <= part_size:
            return Local(run=lambda job: _put_whole(endpoint, request, opener(source), source.size or 0, job))
        return Flow(steps=lambda: _put_parts(endpoint, request, _windows(source, part_size), source.size or 0))
    return Flow(steps=lambda: _put_pieces(endpoint, request, part_size))


def _put_pieces(endpoint: Endpoint, request: PutObjectRequest, part_size: int) -> Generator[Any, Any, Plan[ObjectInfo]]:
    """Read pieces until it is clear whether they are more than one part."""
    parts = regroup(request.source, part_size)  # type: ignore[arg-type]
    head: list[bytes] = yield Local(run=lambda _job: _read(parts, 2))
    if len(head) > 1:
        windows = (_window(opener(part), 0, len(part)) for part in chain(head, parts))
        return Flow(steps=lambda: _put_parts(endpoint, request, windows, 0))
    data = b"".join(head)
    return Local(run=lambda job: _put_whole(endpoint, request, opener(data), len(data), job))


def _read(parts: Iterator[bytes], number: int) -> list[bytes]:
    with translated():
        return list(islice(parts, number))


MakeWindow: TypeAlias = Callable[[Tally], Window]
Task: TypeAlias = Callable[[int, Tally], int]
"""Does the part of that number and returns its size."""


def _window(open_source: Callable[[], IO[bytes]], start: int, size: int) -> MakeWindow:
    return lambda tally: Window(open_source, start, size, tally)


def _windows(source: Upload, part_size: int) -> Iterator[MakeWindow]:
    """Cut a source of known size into at most 10,000 parts of one size, as some stores insist."""
    total = source.size or 0
    fitting = -(-total // MAX_PARTS)
    size = max(part_size, -(-fitting // MIB) * MIB)
    open_source = opener(source)
    return (_window(open_source, start, min(size, total - start)) for start in range(0, total, size))


def _put_whole(
    endpoint: Endpoint, request: PutObjectRequest, open_source: Callable[[], IO[bytes]], size: int, job: Job
) -> ObjectInfo:
    with translated():
        client = connect(endpoint, job)
        need(endpoint, client, request.bucket, "create" if request.if_none_match else None)
        need(endpoint, client, request.bucket, "replace" if request.if_match else None)
        md5 = new_md5() if wants_md5(endpoint, request.bucket) else None
        given = _parameters(endpoint, request, open_source, job, md5) | parameters(**conditions(request))
        answer = _send_whole(endpoint, request, given, job, source=open_source, size=size, md5=md5)
        note_request(job, answer)
        return object_info(
            request.bucket,
            request.key,
            answer,
            size=size,
            metadata=given.get("Metadata", {}),
            content_type=given.get("ContentType"),
        )


def _send_whole(
    endpoint: Endpoint,
    request: PutObjectRequest,
    given: dict[str, Any],
    job: Job,
    *,
    source: Callable[[], IO[bytes]],
    size: int,
    md5: Any,
) -> dict[str, Any]:
    """Send an object, and once more without checksums if it shows only now that the store does not understand them."""

    def send() -> dict[str, Any]:
        client = connect(endpoint, job)
        with Window(source, 0, size, Tally(job, size)) as body, _once_if_conditional(request):
            answer: dict[str, Any] = client.put_object(**given, Body=body)
        if md5 is not None:
            check_kept(endpoint, client, given, answer, md5=md5.hexdigest(), size=size)
        return answer

    try:
        return send()
    except FramedError:
        # Under a condition, what is there now would be in the way, or is not what the condition was about.
        if not gives_up_checksums(endpoint) or request.if_match or request.if_none_match:
            raise
        return send()
    except APIStatusError as error:
        if not does_not_take_checksums(endpoint, error):
            raise
        return send()


@contextmanager
def _once_if_conditional(request: Any) -> Iterator[None]:
    """Mark a write under a condition as not to be repeated once it may have happened.

    Repeated, it would find its own success and report it as somebody else's.
    """
    try:
        with translated():
            yield
    except APIConnectionError as broken:
        if broken.sent and (request.if_match or request.if_none_match):
            broken.retryable = False
            broken.hint = "it may have happened: look with head_object before trying again"
        raise


def _parameters(
    endpoint: Endpoint,
    request: PutObjectRequest,
    open_source: Callable[[], IO[bytes]] | None,
    job: Job,
    md5: Any = None,
) -> dict[str, Any]:
    """Return what is said of an object; its MD5, if that is wanted, is made on the way."""
    metadata = dict(request.metadata)
    sha256 = hashlib.sha256() if options_of(endpoint).hash_uploads and SHA256 not in metadata else None
    digests = [digest for digest in (sha256, md5) if digest is not None]
    if open_source is not None and digests:
        hash_of(open_source, job.check, *digests)
        if sha256 is not None:
            metadata[SHA256] = sha256.hexdigest()
    upload = request.source if isinstance(request.source, Upload) else None
    return parameters(
        Bucket=request.bucket,
        Key=request.key,
        ContentType=request.content_type or (upload.media_type if upload else None),
        Metadata=metadata,
        Tagging=urlencode(request.tags),
        ChecksumAlgorithm=request.checksum.upper() if request.checksum else None,
        extra=dict(request.extra),
    )


def _put_parts(
    endpoint: Endpoint, request: PutObjectRequest, windows: Iterator[MakeWindow], size: int
) -> Generator[Any, Any, Plan[ObjectInfo]]:
    """Begin an upload, send its parts group by group, and complete it; each step may be tried again by the core."""
    upload = Multipart(endpoint, request, size)
    tasks = ((lambda number, tally, make=make: upload.send(number, make, tally)) for make in windows)
    return (yield from upload.steps(lambda job: upload.begin(_begin_parameters(endpoint, request, job), job), tasks))


def _begin_parameters(endpoint: Endpoint, request: PutObjectRequest, job: Job) -> dict[str, Any]:
    with translated():
        upload = request.source
        return _parameters(endpoint, request, opener(upload) if isinstance(upload, Upload) else None, job)


class Multipart:
    """An upload in parts while it is under way.

    Args:
        endpoint: Where.
        request: A `PutObjectRequest` or `CopyObjectRequest`.
        size: Bytes; 0 if nobody knows.
    """

    def __init__(self, endpoint: Endpoint, request: Any, size: int) -> None:
        self._endpoint = endpoint
        self._request = request
        self._size = size
        self._client: Any = None
        self._about: dict[str, Any] = {}
        self._given: dict[str, Any] = {}
        self._open: dict[int, Task] = {}
        self._parts: dict[int, dict[str, Any]] = {}
        self._sizes: dict[int, int] = {}
        self._is_busy = False
        self._is_over = True

    def steps(
        self, begin: Callable[[Job], None], tasks: Iterator[Task], check: Callable[[Job], None] | None = None
    ) -> Generator[Any, Any, Plan[ObjectInfo]]:
        """Do all of it; whatever ends it early aborts it, so that no parts stay behind that cost money.

        `check` raises if no object shall be made of the parts after all.
        """
        try:
            yield Local(run=begin)
            while (yield Local(run=lambda job: self._advance(tasks, job))):
                pass
            if check is not None:
                yield Local(run=check)
            info = yield Local(run=self.complete)
        except AccelError:
            yield Local(run=lambda _job: self.abort())
            raise
        except GeneratorExit:
            # Nobody waits any more. What is at work aborts it itself; otherwise it must not block who cancelled.
            if not self._is_over and not self._is_busy:
                threading.Thread(target=self.abort, name="ipfs-accel-s3-abort").start()
            raise
        return Ready(value=info)

    def begin(self, given: dict[str, Any], job: Job) -> None:
        """Begin it, unless a condition that is to hold is one that the store ignores."""
        request = self._request
        with translated():
            is_upload = isinstance(request, PutObjectRequest)
            if is_upload:
                find_checksums(
                    self._endpoint, lambda which: connect(self._endpoint, job, checksums=which), request.bucket
                )
            self._client = client = connect(self._endpoint, job)
            need(self._endpoint, client, request.bucket, "create" if request.if_none_match else None)
            need(self._endpoint, client, request.bucket, "replace" if request.if_match else None)
            # Parts of another object the store makes itself, and not every one has right checksums of these.
            if is_upload and "ChecksumAlgorithm" not in given and checksums_of(self._endpoint) == "when_supported":
                given["ChecksumAlgorithm"] = "CRC32"
            self._given = given
            answer = client.create_multipart_upload(**allowed(client, "CreateMultipartUpload", given))
            note_request(job, answer)
            self._about = {"Bucket": request.bucket, "Key": request.key, "UploadId": answer["UploadId"]}
            self._is_over = False
            if job.is_abandoned:
                self.abort()

    def _advance(self, tasks: Iterator[Task], job: Job) -> bool:
        """Do the next group of parts, or what is left of one whose last attempt failed; return False at the end."""
        self._is_busy = True
        try:
            with translated():
                if not self._open:
                    self._open = dict(enumerate(islice(tasks, GROUP), len(self._parts) + 1))
                if not self._open:
                    return False
                if max(self._open) > MAX_PARTS:
                    raise InvalidRequestError(f"source: it has more than {MAX_PARTS} parts; set a larger part_size")
                tally = Tally(job, self._size, sum(self._sizes.values()))
                work = [lambda number=number: self._one(number, tally) for number in list(self._open)]
                in_parallel(work, options_of(self._endpoint).threads, tally)
                return True
        except BaseException as error:
            if not isinstance(error, Exception):
                self.abort()
            raise
        finally:
            self._is_busy = False
            if job.is_abandoned:
                self.abort()

    def _one(self, number: int, tally: Tally) -> None:
        self._sizes[number] = self._open[number](number, tally)
        del self._open[number]

    def send(self, number: int, make: MakeWindow, tally: Tally) -> int:
        """Send one part; return its size."""
        with make(tally) as body:
            given = allowed(self._client, "UploadPart", self._given)
            answer = self._client.upload_part(**{**given, **self._about}, PartNumber=number, Body=body)
            self._done(number, answer)
            return body.size

    def copy_part(self, number: int, **given: Any) -> None:
        """Let the store make one part of another object."""
        more = allowed(self._client, "UploadPartCopy", self._given)
        answer = self._client.upload_part_copy(**{**more, **self._about}, PartNumber=number, **given)
        self._done(number, answer["CopyPartResult"])

    def _done(self, number: int, answer: dict[str, Any]) -> None:
        """Keep what completing the upload needs to know of a part."""
        kept = {name: value for name, value in answer.items() if name == "ETag" or name.startswith("Checksum")}
        kept.pop("ChecksumType", None)
        self._parts[number] = {"PartNumber": number, **kept}

    def complete(self, job: Job) -> ObjectInfo:
        """Make an object of the parts."""
        request = self._request
        parts = [self._parts[number] for number in sorted(self._parts)]
        given = allowed(self._client, "CompleteMultipartUpload", self._given) | parameters(**conditions(request))
        # What these say of the whole object, the store works out of the parts.
        given = {name: value for name, value in given.items() if not name.startswith("Checksum")}
        with _once_if_conditional(request):
            answer = self._client.complete_multipart_upload(
                **{**given, **self._about}, MultipartUpload={"Parts": parts}
            )
        self._is_over = True
        note_request(job, answer)
        return object_info(
            request.bucket,
            request.key,
            answer,
            size=sum(self._sizes.values()),
            metadata=self._given.get("Metadata", {}),
            content_type=self._given.get("ContentType"),
        )

    def abort(self) -> None:
        """Let the store forget the parts; what fails here must not hide why."""
        if not self._is_over:
            self._is_over = True
            with suppress(APIError), translated():
                self._client.abort_multipart_upload(**self._about)
