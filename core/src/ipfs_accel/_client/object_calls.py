"""The clients' calls for objects in stores such as S3, in both worlds.

Addresses are `endpoint/bucket/key`, or `store/bucket/key` for several endpoints under one name (see `StoreConfig`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from ipfs_accel._calls import operations as ops
from ipfs_accel._calls.streams import AsyncStream, Stream
from ipfs_accel._config.paths import safe_join
from ipfs_accel._lazy import late
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Timeout

from .base import AsyncBase, SyncBase

if TYPE_CHECKING:
    from typing import Unpack

    from ipfs_accel._calls import stores
    from ipfs_accel.types import (
        CallOptions,
        CopyOptions,
        DataDelta,
        DeletedObjects,
        ObjectEvent,
        ObjectInfo,
        ObjectListing,
        ObjectOptions,
        ObjectSource,
        PresignedRequest,
        PresignOptions,
        PutOptions,
    )
else:  # few programs have stores
    (stores,) = late("ipfs_accel._calls", "stores")

__all__ = ["AsyncObjectCalls", "ObjectCalls", "unhurried"]

Watch = Callable[[int, int], None]

_NO_TOTAL = Timeout(total=None)
"""How long a transfer takes depends on its size; what is slow is limited, not what is long."""


class ObjectCalls(SyncBase):
    """Objects in stores."""

    def put_object(self, address: str, source: ObjectSource, **options: Unpack[PutOptions]) -> ObjectInfo:
        """Store an object; a large one goes in parts, several at once.

        Args:
            address: `endpoint/bucket/key`.
            source: A path, bytes, a media part, an open binary file or any pieces of bytes.
            options: See `PutOptions`; without `timeout`, the whole transfer may take as long as it takes.
        """
        return self._run(stores.write(self._core, ops.PUT_OBJECT, address, source, unhurried(options)))

    def get_object(self, address: str, **options: Unpack[ObjectOptions]) -> ObjectInfo:
        """Read an object, or a range of it, into memory; the answer has it as `data`."""
        with self.stream_object(address, **options) as stream:
            data = b"".join([event.data for event in stream])
        return attrs.evolve(stream.response, data=data)

    def stream_object(self, address: str, **options: Unpack[ObjectOptions]) -> Stream[DataDelta, ObjectInfo]:
        """Read an object, or a range of it, while it comes, as `DataDelta` events."""
        return Stream(stores.opening(self._core, ops.GET_OBJECT, address, None, unhurried(options)), self._world)

    def download_object(
        self,
        address: str,
        to: str | Path,
        *,
        resume: bool = True,
        on_progress: Watch | None = None,
        **options: Unpack[ObjectOptions],
    ) -> ObjectInfo:
        """Write an object to a file, which appears when it is complete and verified.

        Args:
            address: `endpoint/bucket/key`.
            to: The file.
            resume: Whether to go on where an earlier download of the same object broke off.
            on_progress: Called with the bytes that are there and their total, from whichever thread got them.
            options: See `ObjectOptions`; without `timeout`, it may take as long as it takes.
        """
        given = {**unhurried(options), "resume": resume, "on_upload": on_progress}
        return self._run(stores.read(self._core, ops.DOWNLOAD_OBJECT, address, to, given))

    def download_objects(
        self,
        address: str,
        to: str | Path,
        *,
        skip_unnameable: bool = False,
        on_progress: Watch | None = None,
        **options: Unpack[CallOptions],
    ) -> tuple[ObjectInfo, ...]:
        """Write all objects whose keys begin like `address` to files below a folder; one `/` in a key is one folder.

        Args:
            address: `endpoint/bucket/prefix`.
            to: The folder.
            skip_unnameable: Whether to leave out keys that no file below the folder can have as its name; otherwise
                one of them is refused before anything is fetched. What is not in the answer was left out.
            on_progress: As for `download_object`.
            options: See `CallOptions`.
        """
        found = _files(self.list_objects(address, **options), address, to, skips=skip_unnameable)
        return tuple(
            [
                self.download_object(_address(address, info), path, on_progress=on_progress, **options)
                for info, path in found
            ]
        )

    def head_object(self, address: str, **options: Unpack[ObjectOptions]) -> ObjectInfo:
        """Tell what the store knows of an object."""
        return self._run(stores.read(self._core, ops.HEAD_OBJECT, address, None, dict(options)))

    def list_objects(
        self,
        address: str,
        *,
        delimiter: str | None = None,
        start_after: str | None = None,
        limit: int | None = None,
        **options: Unpack[CallOptions],
    ) -> Stream[ObjectEvent, ObjectListing]:
        """Look into a store; pages are fetched as the objects are read.

        Args:
            address: `endpoint/bucket/prefix`; `endpoint` alone gives the buckets.
            delimiter: With "/", what is below a folder comes as one `ObjectPrefix`.
            start_after: The key after which to begin.
            limit: How many objects and prefixes at most.
            options: See `CallOptions`.
        """
        given = {"delimiter": delimiter, "start_after": start_after, "limit": limit, **unhurried(options)}
        return Stream(stores.opening(self._core, ops.LIST_OBJECTS, address, None, given), self._world)

    def copy_object(self, source: str, to: str, **options: Unpack[CopyOptions]) -> ObjectInfo:
        """Copy an object within one store, whatever its size; the bytes do not come here.

        Args:
            source: Address of the original.
            to: Address of the copy, at the same endpoint.
            options: See `CopyOptions`.
        """
        original = _same_endpoint(source, to)
        return self._run(stores.write(self._core, ops.COPY_OBJECT, to, original, unhurried(options)))

    def delete_object(
        self, address: str, *, version: str | None = None, if_match: str | None = None, **options: Unpack[CallOptions]
    ) -> None:
        """Delete an object, or one version of it; one that is not there counts as deleted."""
        given = {"version": version, "if_match": if_match, **options}
        self._run(stores.write(self._core, ops.DELETE_OBJECT, address, None, given))

    def delete_objects(self, bucket: str, keys: Iterable[str], **options: Unpack[CallOptions]) -> DeletedObjects:
        """Delete many objects of one bucket (`endpoint/bucket`); the answer tells which of them failed."""
        return self._run(stores.write(self._core, ops.DELETE_OBJECTS, bucket, keys, dict(options)))

    def presign_object(self, address: str, **options: Unpack[PresignOptions]) -> PresignedRequest:
        """Make a request that somebody else can send without credentials; see `PresignOptions`."""
        return self._run(stores.read(self._core, ops.PRESIGN_OBJECT, address, None, dict(options)))


class AsyncObjectCalls(AsyncBase):
    """The same, awaited; a call that is cancelled stops its transfer."""

    async def put_object(self, address: str, source: ObjectSource, **options: Unpack[PutOptions]) -> ObjectInfo:
        """As `Client.put_object`; the source is read in a thread."""
        return await self._run(stores.write(self._core, ops.PUT_OBJECT, address, source, unhurried(options)))

    async def get_object(self, address: str, **options: Unpack[ObjectOptions]) -> ObjectInfo:
        """As `Client.get_object`."""
        async with self.stream_object(address, **options) as stream:
            data = b"".join([event.data async for event in stream])
        return attrs.evolve(stream.response, data=data)

    def stream_object(self, address: str, **options: Unpack[ObjectOptions]) -> AsyncStream[DataDelta, ObjectInfo]:
        """As `Client.stream_object`; not awaited itself."""
        return AsyncStream(stores.opening(self._core, ops.GET_OBJECT, address, None, unhurried(options)), self._world)

    async def download_object(
        self,
        address: str,
        to: str | Path,
        *,
        resume: bool = True,
        on_progress: Watch | None = None,
        **options: Unpack[ObjectOptions],
    ) -> ObjectInfo:
        """As `Client.download_object`."""
        given = {**unhurried(options), "resume": resume, "on_upload": on_progress}
        return await self._run(stores.read(self._core, ops.DOWNLOAD_OBJECT, address, to, given))

    async def download_objects(
        self,
        address: str,
        to: str | Path,
        *,
        skip_unnameable: bool = False,
        on_progress: Watch | None = None,
        **options: Unpack[CallOptions],
    ) -> tuple[ObjectInfo, ...]:
        """As `Client.download_objects`."""
        async with self.list_objects(address, **options) as stream:
            events = [event async for event in stream]
        return tuple(
            [
                await self.download_object(_address(address, info), path, on_progress=on_progress, **options)
                for info, path in _files(events, address, to, skips=skip_unnameable)
            ]
        )

    async def head_object(self, address: str, **options: Unpack[ObjectOptions]) -> ObjectInfo:
        """As `Client.head_object`."""
        return await self._run(stores.read(self._core, ops.HEAD_OBJECT, address, None, dict(options)))

    def list_objects(
        self,
        address: str,
        *,
        delimiter: str | None = None,
        start_after: str | None = None,
        limit: int | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncStream[ObjectEvent, ObjectListing]:
        """As `Client.list_objects`; not awaited itself."""
        given = {"delimiter": delimiter, "start_after": start_after, "limit": limit, **unhurried(options)}
        return AsyncStream(stores.opening(self._core, ops.LIST_OBJECTS, address, None, given), self._world)

    async def copy_object(self, source: str, to: str, **options: Unpack[CopyOptions]) -> ObjectInfo:
        """As `Client.copy_object`."""
        original = _same_endpoint(source, to)
        return await self._run(stores.write(self._core, ops.COPY_OBJECT, to, original, unhurried(options)))

    async def delete_object(
        self, address: str, *, version: str | None = None, if_match: str | None = None, **options: Unpack[CallOptions]
    ) -> None:
        """As `Client.delete_object`."""
        given = {"version": version, "if_match": if_match, **options}
        await self._run(stores.write(self._core, ops.DELETE_OBJECT, address, None, given))

    async def delete_objects(self, bucket: str, keys: Iterable[str], **options: Unpack[CallOptions]) -> DeletedObjects:
        """As `Client.delete_objects`."""
        return await self._run(stores.write(self._core, ops.DELETE_OBJECTS, bucket, keys, dict(options)))

    async def presign_object(self, address: str, **options: Unpack[PresignOptions]) -> PresignedRequest:
        """As `Client.presign_object`."""
        return await self._run(stores.read(self._core, ops.PRESIGN_OBJECT, address, None, dict(options)))


def unhurried(options: Any) -> dict[str, Any]:
    """Return the options of a transfer, which may take as long as it takes unless they say how long."""
    given = dict(options)
    if given.get("timeout") is None:
        given["timeout"] = _NO_TOTAL
    return given


def _same_endpoint(source: str, to: str) -> str:
    endpoint, _slash, original = source.partition("/")
    if endpoint != to.partition("/")[0]:
        raise InvalidRequestError(
            f"source: {endpoint!r} is another endpoint than that of {to!r}, and a store copies only within itself",
            hint="download it and put it there",
        )
    return original


def _address(address: str, info: ObjectInfo) -> str:
    return f"{address.partition('/')[0]}/{info.bucket}/{info.key}"


def _files(events: Iterable[Any], address: str, to: str | Path, *, skips: bool) -> list[tuple[ObjectInfo, Path]]:
    """Return each object with its file below the folder; all names are checked before anything is written."""
    prefix = address.partition("/")[2].partition("/")[2]
    base = len(prefix.rpartition("/")[0]) + 1 if "/" in prefix else 0
    # What ends in a slash stands for a folder, unless it has content.
    objects = [event for event in events if event.size or not event.key.endswith("/")]
    folders = {event.key[:at] for event in objects for at, sign in enumerate(event.key) if sign == "/"}
    found = []
    for info in objects:
        try:
            if info.key in folders:
                raise InvalidRequestError(
                    f"{info.key!r} cannot be the name of a file below {to}: other keys make it a folder",
                    hint="fetch it alone, under a name of your own",
                )
            found.append((info, safe_join(Path(to), info.key[base:])))
        except InvalidRequestError:
            if not skips:
                raise
    for _info, path in found:
        path.parent.mkdir(parents=True, exist_ok=True)
    return found
