"""Reading objects into files, by several ranges at once, which goes on where it broke off.

A file appears under its name when it is complete, verified and on the disk. Until then its bytes are in a file beside
it whose name holds a digest of what they are a copy of, and a second file tells which of its ranges are there.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

import attrs
from ipfs_accel.errors import ConflictError, InvalidRequestError, InvalidResponseError, PreconditionFailedError
from ipfs_accel.plans import Endpoint, Job, Local, Plan
from ipfs_accel.types import DownloadObjectRequest, GetObjectRequest, ObjectInfo

from ._answers import note_request, object_info
from ._body import Tally, in_parallel
from ._checks import asked_of, check_object, size_of, span_of
from ._clients import connect
from ._errors import translated
from ._looking import looked_at
from ._options import options_of
from ._part import Part
from ._reading import CHUNK, read_parameters, with_checksums
from ._verify import SHA256, kept_so, prove_file

__all__ = ["download"]


def download(endpoint: Endpoint, request: DownloadObjectRequest) -> Plan[ObjectInfo]:
    """Plan a HeadObject and as many ranged GetObjects as it takes."""
    wrong: set[str] = set()
    return Local(run=lambda job: _Download(endpoint, request, job, wrong).run())


class _Download:
    """One attempt; what an earlier one left is used.

    Args:
        endpoint: Where.
        request: What.
        job: The call.
        wrong: What earlier attempts found, said as they said it.
    """

    def __init__(self, endpoint: Endpoint, request: DownloadObjectRequest, job: Job, wrong: set[str]) -> None:
        self._endpoint = endpoint
        self._request = request
        self._job = job
        self._wrong = wrong
        self._part_size = options_of(endpoint).part_size

    def run(self) -> ObjectInfo:
        """Fetch what is missing, verify all of it, and put it where it belongs."""
        request = self._request
        with translated():
            self._client = connect(self._endpoint, self._job)
            given = read_parameters(attrs.evolve(request, offset=0, length=None))
            answer = looked_at(self._endpoint, self._client, with_checksums(self._endpoint, given))
            note_request(self._job, answer)
            info = object_info(request.bucket, request.key, answer)
            start, stop = self._span(info.size or 0)
            part = Part(request.to, self._identity(info, start, stop))
            if not request.resume or (info.etag or info.modified) is None:
                part.discard()
            with part.opened(stop - start):
                self._fetch(info, part, start, stop)
                is_whole = (start, stop) == (0, info.size)
                proof = self._verify(info, part) if is_whole and options_of(self._endpoint).verify else None
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
        # Its time is another one at each endpoint, and counts only where nothing else names the content.
        name = info.etag or info.modified
        what = (info.bucket, info.key, name, info.version, info.size, info.metadata.get(SHA256), start, stop)
        return hashlib.sha256(repr((*what, self._part_size)).encode()).hexdigest()[:16]

    def _fetch(self, info: ObjectInfo, part: Part, start: int, stop: int) -> None:
        # Of an empty object all is read as well: that it is empty has only been said by an answer without content.
        offsets = range(start, stop, self._part_size) if info.size else [0]
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
        self, info: ObjectInfo, part: Part, offset: int, length: int, tally: Tally, *, part_offset: int
    ) -> None:
        """Fetch one range, of the very object that was looked at first."""
        request = self._request
        only = GetObjectRequest(
            bucket=request.bucket,
            key=request.key,
            offset=offset,
            length=length or None,
            version=request.version,
            if_match=info.etag,
            extra=request.extra,
        )
        counted = 0
        try:
            with translated(), part.path.open("r+b") as file:
                file.seek(part_offset)
                given = read_parameters(only)
                answer = self._client.get_object(**given)
                body = answer["Body"]
                try:
                    _check_range(info, given, answer)
                    while chunk := body.read(CHUNK):
                        counted += len(chunk)
                        if counted > length:
                            break
                        file.write(chunk)
                        tally.add(len(chunk))
                finally:
                    body.close()
                if counted != length:
                    raise InvalidResponseError(f"the store sent {counted} bytes or more for a range of {length}")
                file.flush()
                os.fsync(file.fileno())
        except PreconditionFailedError:
            raise _changed() from None

    def _verify(self, info: ObjectInfo, part: Part) -> str | None:
        try:
            return prove_file(info, part.path, self._job.check)
        except InvalidResponseError as wrong:
            part.discard()
            if wrong.message in self._wrong:
                raise kept_so(wrong) from None
            self._wrong.add(wrong.message)
            raise


def _check_range(info: ObjectInfo, given: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
    """Make sure that an answer has the range that was asked for, of the object that was looked at.

    Raises:
        ConflictError: It is of another one; the store may ignore the condition that would have refused it.
        InvalidResponseError: It is another range, or of nobody knows what.
    """
    check_object(given, answer)
    span_of(answer)  # refuses a part that does not say which
    total, told = size_of(answer), object_info(info.bucket, info.key, answer)
    is_named = bool(info.etag and told.etag)
    if (info.version and told.version not in {None, info.version}) or (not is_named and info.modified != told.modified):
        raise _changed()
    if total not in {None, info.size}:
        if not is_named:
            raise _changed()
        raise InvalidResponseError(f"the store tells two sizes of one object: {info.size} bytes, and {total}")
    if info.etag and not told.etag and told.modified is None:
        raise InvalidResponseError("the store does not say of which object the range is that it sent")
    asked_of(given, answer, info.size)


def _changed() -> ConflictError:
    changed = ConflictError("the object changed while it was fetched", status=412, code="PreconditionFailed")
    changed.retryable = True
    return changed
