"""Reading objects: as a stream, or into a file by several ranges at once, which goes on where it broke off.

A file appears under its name when it is complete, verified and on the disk. Until then its bytes are in a file beside
it whose name holds a digest of what they are a copy of, and a second file tells which of its ranges are there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from ipfs_accel.errors import ConflictError, InvalidRequestError, InvalidResponseError, PreconditionFailedError
from ipfs_accel.plans import Endpoint, Job, Local, LocalStream, Plan, StreamFlow, StreamPlan
from ipfs_accel.types import DataDelta, DownloadObjectRequest, GetObjectRequest, ObjectInfo
from ipfs_accel.wire.collector import Collector

from ._answers import note_request, object_info, parameters
from ._body import Tally, in_parallel
from ._clients import checksums_of, connect
from ._errors import translated
from ._options import options_of
from ._upload import SHA256
from ._verify import verified, verify_file

__all__ = ["download", "head", "stream"]

CHUNK = 512 * 1024


def _parameters(request: GetObjectRequest) -> dict[str, Any]:
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


def _with_checksums(endpoint: Endpoint, given: dict[str, Any]) -> dict[str, Any]:
    """Ask for the checksum of a whole object; an answer to a range has none that can be verified."""
    if checksums_of(endpoint) == "when_supported" and "Range" not in given:
        return {"ChecksumMode": "ENABLED", **given}
    return given


def head(endpoint: Endpoint, request: GetObjectRequest) -> Plan[ObjectInfo]:
    """Plan a HeadObject."""

    def run(job: Job) -> ObjectInfo:
        with translated():
            answer = connect(endpoint, job).head_object(**_with_checksums(endpoint, _parameters(request)))
        note_request(job, answer)
        return object_info(request.bucket, request.key, answer, size=_whole_size(answer))

    return Local(run=run)


def _whole_size(answer: dict[str, Any]) -> int | None:
    """Return the size of the object, also of one of which only a range was asked for."""
    total = str(answer.get("ContentRange", "")).rpartition("/")[2]
    return int(total) if total.isdigit() else answer.get("ContentLength")


def stream(endpoint: Endpoint, request: GetObjectRequest) -> StreamPlan[ObjectInfo]:
    """Plan a GetObject whose content is handed on while it comes."""

    def open_it(job: Job) -> dict[str, Any]:
        given = _with_checksums(endpoint, _parameters(request))
        with translated():
            answer: dict[str, Any] = connect(endpoint, job).get_object(**given)
        note_request(job, answer)
        if job.is_abandoned:
            answer["Body"].close()
        return answer

    def steps() -> Generator[Any, Any, StreamPlan[ObjectInfo]]:
        answer = yield Local(run=open_it)
        return LocalStream(
            run=lambda out, job: _read(request, answer, out, job),
            assembler=lambda: Collector(lambda out: out.kept[0]),
        )

    return StreamFlow(steps=steps)


def _read(request: GetObjectRequest, answer: dict[str, Any], out: Collector[ObjectInfo], job: Job) -> Iterator[None]:
    info = object_info(request.bucket, request.key, answer, size=_whole_size(answer))
    digest = hashlib.sha256() if SHA256 in info.metadata and "ContentRange" not in answer else None
    body = answer["Body"]
    with translated():
        try:
            while chunk := body.read(CHUNK):
                job.check()
                if digest is not None:
                    digest.update(chunk)
                out.emit(DataDelta(chunk))
                yield
        finally:
            # An unread body would keep its connection from everybody else.
            body.close()
    out.kept.append(attrs.evolve(info, verified=verified(info, digest, body)))
    out.done()


def download(endpoint: Endpoint, request: DownloadObjectRequest) -> Plan[ObjectInfo]:
    """Plan a HeadObject and as many ranged GetObjects as it takes."""
    return Local(run=lambda job: _Download(endpoint, request, job).run())


class _Download:
    """One attempt; what an earlier one left is used."""

    def __init__(self, endpoint: Endpoint, request: DownloadObjectRequest, job: Job) -> None:
        self._endpoint = endpoint
        self._request = request
        self._job = job
        self._part_size = options_of(endpoint).part_size

    def run(self) -> ObjectInfo:
        """Fetch what is missing, verify all of it, and put it where it belongs."""
        request = self._request
        with translated():
            self._client = connect(self._endpoint, self._job)
            given = _parameters(attrs.evolve(request, offset=0, length=None))
            answer = self._client.head_object(**_with_checksums(self._endpoint, given))
            note_request(self._job, answer)
            info = object_info(request.bucket, request.key, answer)
            start, stop = self._span(info.size or 0)
            part = _Part(request.to, self._identity(info, start, stop))
            if not request.resume:
                part.discard()
            with part.opened(stop - start):
                self._fetch(info, part, start, stop)
                is_whole = (start, stop) == (0, info.size)
                proof = self._verify(info, part) if is_whole else None
                part.publish()
        return attrs.evolve(info, verified=proof)

    def _span(self, size: int) -> tuple[int, int]:
        offset, length = self._request.offset, self._request.length
        start = max(0, size + offset) if offset < 0 else offset
        if start > size or (start == size and start > 0):
            raise InvalidRequestError(f"offset: {offset} is beyond the object's {size} bytes")
        return start, size if length is None else min(size, start + length)

    def _identity(self, info: ObjectInfo, start: int, stop: int) -> str:
        """Return what makes two downloads the same, be it at another endpoint of one store."""
        what = (info.bucket, info.key, info.etag, info.version, info.size, info.metadata.get(SHA256), start, stop)
        return hashlib.sha256(repr((*what, self._part_size)).encode()).hexdigest()[:16]

    def _fetch(self, info: ObjectInfo, part: _Part, start: int, stop: int) -> None:
        offsets = range(start, stop, self._part_size)
        done = part.done()
        there = sum(min(self._part_size, stop - offset) for number, offset in enumerate(offsets) if number in done)
        tally = Tally(self._job, stop - start, there)
        tally.add(0)

        def one(number: int, offset: int) -> None:
            length = min(self._part_size, stop - offset)
            self._fetch_range(info, part, offset, length, tally, part_offset=offset - start)
            part.note(number)

        work = [
            lambda number=number, offset=offset: one(number, offset)
            for number, offset in enumerate(offsets)
            if number not in done
        ]
        in_parallel(work, options_of(self._endpoint).threads, tally)

    def _fetch_range(
        self, info: ObjectInfo, part: _Part, offset: int, length: int, tally: Tally, *, part_offset: int
    ) -> None:
        """Fetch one range, of the very object that was looked at first."""
        request = self._request
        only = GetObjectRequest(
            bucket=request.bucket,
            key=request.key,
            offset=offset,
            length=length,
            version=request.version,
            if_match=info.etag,
            extra=request.extra,
        )
        counted = 0
        try:
            with translated(), part.path.open("r+b") as file:
                file.seek(part_offset)
                body = self._client.get_object(**_parameters(only))["Body"]
                try:
                    while chunk := body.read(CHUNK):
                        file.write(chunk)
                        counted += len(chunk)
                        tally.add(len(chunk))
                finally:
                    body.close()
                if counted != length:
                    raise InvalidResponseError(f"the store sent {counted} bytes for a range of {length}")
                file.flush()
                os.fsync(file.fileno())
        except PreconditionFailedError:
            changed = ConflictError("the object changed while it was fetched", status=412, code="PreconditionFailed")
            changed.retryable = True
            raise changed from None

    def _verify(self, info: ObjectInfo, part: _Part) -> str | None:
        try:
            return verify_file(info, part.path, self._job.check)
        except InvalidResponseError:
            part.discard()
            raise


class _Part:
    """The unfinished file, beside its place, with the list of ranges that it has."""

    def __init__(self, to: Path, identity: str) -> None:
        self._to = to
        self.path = to.with_name(f".{to.name}.{identity}.part")
        self._ranges = self.path.with_suffix(".ranges")

    @contextmanager
    def opened(self, size: int) -> Iterator[None]:
        """Make the files unless they are there; hold them against other downloads of the same object to the same place.

        Files that nothing was added to, and those of a size that does not fit, are not kept.
        """
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        handle = os.open(self.path, flags, 0o666)
        try:
            _lock(handle, self._to)
            if os.fstat(handle).st_size != size:
                self._ranges.unlink(missing_ok=True)
                os.ftruncate(handle, size)
            try:
                yield
            except BaseException:
                if not self.done():
                    self.discard()
                raise
        finally:
            os.close(handle)

    def done(self) -> set[int]:
        """Return the numbers of the ranges that are there."""
        try:
            lines = self._ranges.read_text("ascii").splitlines()
        except FileNotFoundError:
            return set()
        return {int(line) for line in lines if line.isdigit()}

    def note(self, number: int) -> None:
        """Note that a range is there; its bytes are on the disk already."""
        with self._ranges.open("a", encoding="ascii") as file:
            file.write(f"{number}\n")

    def publish(self) -> None:
        """Put the file where it belongs."""
        self.path.replace(self._to)
        self._ranges.unlink(missing_ok=True)
        _sync_folder(self._to.parent)

    def discard(self) -> None:
        """Forget what is there."""
        self.path.unlink(missing_ok=True)
        self._ranges.unlink(missing_ok=True)


def _lock(handle: int, to: Path) -> None:
    try:
        import fcntl  # noqa: PLC0415 - not everywhere
    except ImportError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InvalidRequestError(f"to: the same object is being fetched to {to} already") from None


def _sync_folder(folder: Path) -> None:
    """Make sure that the new name outlives a power cut, where the system lets folders be synced."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
