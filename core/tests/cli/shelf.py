"""A backend that keeps objects in a dict, for tests of the core: all its plans are `Local`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import attrs
from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.errors import NotFoundError
from ipfs_accel.plans import Endpoint, Job, Local, LocalStream, Plan, StreamPlan
from ipfs_accel.types import (
    CopyObjectRequest,
    DataDelta,
    DeletedObjects,
    DeleteObjectRequest,
    DeleteObjectsRequest,
    DownloadObjectRequest,
    GetObjectRequest,
    ListObjectsRequest,
    ObjectFailure,
    ObjectInfo,
    ObjectListing,
    ObjectPrefix,
    PresignedRequest,
    PresignObjectRequest,
    PutObjectRequest,
    Upload,
)
from ipfs_accel.wire.collector import Collector


class Shelf:
    """Has every operation on objects; `log` tells what it was asked, `failure` is what becomes of any call."""

    api_version = 1

    def __init__(self, name: str = "shelf") -> None:
        self.name = name
        self.failure: Exception | None = None
        self.objects: dict[tuple[str, str], bytes] = {}
        self.log: list[Any] = []
        self.hangs = threading.Event()
        self.stopped = threading.Event()

    @hookimpl
    def describe(self) -> BackendInfo:
        return BackendInfo(name=self.name, key_env=("SHELF_ID:SHELF_SECRET",))

    @hookimpl
    def put_object(self, endpoint: Endpoint, request: PutObjectRequest) -> Plan[ObjectInfo]:
        def run(job: Job) -> ObjectInfo:
            self._check()
            self.log.append(request)
            key = job.key()
            self.log.append(key and key.reveal())
            source = request.source
            data = source.read() if isinstance(source, Upload) else b"".join(source)
            if request.key == "slow":
                self._hang(job)
            job.report(len(data), len(data))
            job.request_id = "r-1"
            self.objects[request.bucket, request.key] = data
            return ObjectInfo(bucket=request.bucket, key=request.key, size=len(data))

        return Local(run=run)

    def _hang(self, job: Job) -> None:
        self.hangs.set()
        try:
            while not threading.Event().wait(0.001):
                job.check()
        finally:
            self.stopped.set()

    @hookimpl
    def get_object(self, endpoint: Endpoint, request: GetObjectRequest) -> StreamPlan[ObjectInfo]:
        def run(out: Collector[ObjectInfo], job: Job) -> Iterator[None]:
            data = self._find(request.bucket, request.key)
            job.request_id = "r-2"
            for start in range(0, len(data), 2):
                out.emit(DataDelta(data[start : start + 2]))
                yield
            out.done()

        info = ObjectInfo(bucket=request.bucket, key=request.key)
        return LocalStream(run=run, assembler=lambda: Collector(lambda _out: info))

    @hookimpl
    def download_object(self, endpoint: Endpoint, request: DownloadObjectRequest) -> Plan[ObjectInfo]:
        def run(job: Job) -> ObjectInfo:
            data = self._find(request.bucket, request.key)
            request.to.write_bytes(data)
            job.report(len(data), len(data))
            return ObjectInfo(bucket=request.bucket, key=request.key, size=len(data), verified="sha256")

        return Local(run=run)

    @hookimpl
    def head_object(self, endpoint: Endpoint, request: GetObjectRequest) -> Plan[ObjectInfo]:
        def run(_job: Job) -> ObjectInfo:
            data = self._find(request.bucket, request.key)
            return ObjectInfo(bucket=request.bucket, key=request.key, size=len(data), modified=0.0)

        return Local(run=run)

    @hookimpl
    def list_objects(self, endpoint: Endpoint, request: ListObjectsRequest) -> StreamPlan[ObjectListing]:
        def run(out: Collector[ObjectListing], _job: Job) -> Iterator[None]:
            found = sorted(
                key for bucket, key in self.objects if bucket == request.bucket and key.startswith(request.prefix)
            )
            if not request.bucket:
                out.emit(ObjectPrefix(bucket="b"))
            for key in found[: request.limit]:
                out.size += 1
                out.emit(ObjectInfo(bucket=request.bucket, key=key, size=len(self.objects[request.bucket, key])))
                yield
            out.kept.append(len(found) <= out.size)
            out.done()
            yield

        def build(out: Collector[ObjectListing]) -> ObjectListing:
            return ObjectListing(count=out.size, size=0, complete=out.kept[0])

        return LocalStream(run=run, assembler=lambda: Collector(build))

    @hookimpl
    def copy_object(self, endpoint: Endpoint, request: CopyObjectRequest) -> Plan[ObjectInfo]:
        def run(_job: Job) -> ObjectInfo:
            self.objects[request.bucket, request.key] = self._find(request.source_bucket, request.source_key)
            return ObjectInfo(bucket=request.bucket, key=request.key)

        return Local(run=run)

    @hookimpl
    def delete_object(self, endpoint: Endpoint, request: DeleteObjectRequest) -> Plan[None]:
        def run(_job: Job) -> None:
            self._check()
            self.objects.pop((request.bucket, request.key), None)

        return Local(run=run)

    @hookimpl
    def delete_objects(self, endpoint: Endpoint, request: DeleteObjectsRequest) -> Plan[DeletedObjects]:
        def run(_job: Job) -> DeletedObjects:
            failed = [ObjectFailure(key=key, message="it is locked") for key in request.keys if "locked" in key]
            gone = tuple(key for key in request.keys if "locked" not in key)
            for key in gone:
                self.objects.pop((request.bucket, key), None)
            return DeletedObjects(deleted=gone, failed=tuple(failed))

        return Local(run=run)

    @hookimpl
    def presign_object(self, endpoint: Endpoint, request: PresignObjectRequest) -> Plan[PresignedRequest]:
        def run(_job: Job) -> PresignedRequest:
            url = f"http://shelf.example/{request.bucket}/{request.key}?signature=s3cret"
            return PresignedRequest(method=request.method.upper(), url=url, expires=float(request.expires_in))

        return Local(run=run)

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _find(self, bucket: str, key: str) -> bytes:
        self._check()
        self.log.append(key)
        if (bucket, key) not in self.objects:
            raise NotFoundError("there is no such object", status=404, code="NoSuchKey")
        return self.objects[bucket, key]


def seen(request: Any) -> dict[str, Any]:
    """Return what of a request is not as it is when nothing is said."""
    return {name: value for name, value in attrs.asdict(request, recurse=False).items() if value not in (None, {}, "")}
