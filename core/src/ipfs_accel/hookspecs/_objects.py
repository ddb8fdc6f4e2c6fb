"""The hooks for objects in stores such as S3; part of `hookspecs`, which says what a hook is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from ipfs_accel.plans import Endpoint, Plan, StreamPlan
    from ipfs_accel.types import (
        CopyObjectRequest,
        DeletedObjects,
        DeleteObjectRequest,
        DeleteObjectsRequest,
        DownloadObjectRequest,
        GetObjectRequest,
        ListObjectsRequest,
        ObjectInfo,
        ObjectListing,
        PresignedRequest,
        PresignObjectRequest,
        PutObjectRequest,
    )

__all__ = [
    "OBJECT_OPERATIONS",
    "copy_object",
    "delete_object",
    "delete_objects",
    "download_object",
    "get_object",
    "head_object",
    "list_objects",
    "presign_object",
    "put_object",
]

hookspec = pluggy.HookspecMarker("ipfs_accel")

OBJECT_OPERATIONS: tuple[str, ...] = (
    "put_object",
    "get_object",
    "download_object",
    "head_object",
    "list_objects",
    "copy_object",
    "delete_object",
    "delete_objects",
    "presign_object",
)
"""In the order in which they are shown."""


@hookspec(firstresult=True)
def put_object(endpoint: Endpoint, request: PutObjectRequest) -> Plan[ObjectInfo]:  # type: ignore[empty-body]
    """Plan the storing of an object of any size."""


@hookspec(firstresult=True)
def get_object(endpoint: Endpoint, request: GetObjectRequest) -> StreamPlan[ObjectInfo]:  # type: ignore[empty-body]
    """Plan an object's content, as `DataDelta` events."""


@hookspec(firstresult=True)
def download_object(endpoint: Endpoint, request: DownloadObjectRequest) -> Plan[ObjectInfo]:  # type: ignore[empty-body]
    """Plan the writing of an object to a file, which appears when it is complete."""


@hookspec(firstresult=True)
def head_object(endpoint: Endpoint, request: GetObjectRequest) -> Plan[ObjectInfo]:  # type: ignore[empty-body]
    """Plan what is known of an object."""


@hookspec(firstresult=True)
def list_objects(endpoint: Endpoint, request: ListObjectsRequest) -> StreamPlan[ObjectListing]:  # type: ignore[empty-body]
    """Plan a look into a store, as `ObjectInfo` and `ObjectPrefix` events, page by page as they are read."""


@hookspec(firstresult=True)
def copy_object(endpoint: Endpoint, request: CopyObjectRequest) -> Plan[ObjectInfo]:  # type: ignore[empty-body]
    """Plan a copy within the store."""


@hookspec(firstresult=True)
def delete_object(endpoint: Endpoint, request: DeleteObjectRequest) -> Plan[None]:  # type: ignore[empty-body]
    """Plan an object's end."""


@hookspec(firstresult=True)
def delete_objects(endpoint: Endpoint, request: DeleteObjectsRequest) -> Plan[DeletedObjects]:  # type: ignore[empty-body]
    """Plan the end of many, with what became of each."""


@hookspec(firstresult=True)
def presign_object(endpoint: Endpoint, request: PresignObjectRequest) -> Plan[PresignedRequest]:  # type: ignore[empty-body]
    """Plan a request that somebody else can make without credentials."""
