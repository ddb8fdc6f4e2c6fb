"""The `s3` backend: objects and model artifacts in AWS S3, MinIO, Ceph, R2 and other stores of this protocol."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.plans import Endpoint, Plan, StreamPlan
from ipfs_accel.types import (
    CopyObjectRequest,
    DeletedObjects,
    DeleteObjectRequest,
    DeleteObjectsRequest,
    DownloadObjectRequest,
    GetObjectRequest,
    Health,
    ListObjectsRequest,
    ModelInfo,
    ObjectInfo,
    ObjectListing,
    PresignedRequest,
    PresignObjectRequest,
    PutObjectRequest,
)

from . import _deleting, _download, _models, _objects, _reading, _upload
from ._calls import CALLS
from ._options import Options

__all__ = ["S3", "Options", "backend"]


class S3:
    """One plugin object for all stores; boto3 is imported when the first of its plans runs."""

    api_version = 1

    @hookimpl
    def describe(self) -> BackendInfo:
        """Say where keys and addresses of stores usually are; a key is `ID:SECRET` or `ID:SECRET:TOKEN`."""
        return BackendInfo(
            name="s3",
            title="S3 stores",
            base_url_env=("S3_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
            key_env=("S3_ACCESS_KEY:S3_SECRET_KEY",),
            options=Options,
            documentation="https://docs.aws.amazon.com/AmazonS3/latest/API/",
        )

    @hookimpl
    def put_object(self, endpoint: Endpoint, request: PutObjectRequest) -> Plan[ObjectInfo]:
        """Plan PutObject, or an upload in parts."""
        return _upload.put(endpoint, request)

    @hookimpl
    def get_object(self, endpoint: Endpoint, request: GetObjectRequest) -> StreamPlan[ObjectInfo]:
        """Plan GetObject."""
        return _reading.stream(endpoint, request)

    @hookimpl
    def download_object(self, endpoint: Endpoint, request: DownloadObjectRequest) -> Plan[ObjectInfo]:
        """Plan HeadObject and ranges of GetObject into a file."""
        return _download.download(endpoint, request)

    @hookimpl
    def head_object(self, endpoint: Endpoint, request: GetObjectRequest) -> Plan[ObjectInfo]:
        """Plan HeadObject."""
        return _reading.head(endpoint, request)

    @hookimpl
    def list_objects(self, endpoint: Endpoint, request: ListObjectsRequest) -> StreamPlan[ObjectListing]:
        """Plan pages of ListObjectsV2, or ListBuckets."""
        return _objects.list_objects(endpoint, request)

    @hookimpl
    def copy_object(self, endpoint: Endpoint, request: CopyObjectRequest) -> Plan[ObjectInfo]:
        """Plan CopyObject, or a copy in parts."""
        return _objects.copy(endpoint, request)

    @hookimpl
    def delete_object(self, endpoint: Endpoint, request: DeleteObjectRequest) -> Plan[None]:
        """Plan DeleteObject."""
        return _deleting.delete(endpoint, request)

    @hookimpl
    def delete_objects(self, endpoint: Endpoint, request: DeleteObjectsRequest) -> Plan[DeletedObjects]:
        """Plan DeleteObjects by the thousand."""
        return _deleting.delete_many(endpoint, request)

    @hookimpl
    def presign_object(self, endpoint: Endpoint, request: PresignObjectRequest) -> Plan[PresignedRequest]:
        """Plan a signature."""
        return _objects.presign(endpoint, request)

    @hookimpl
    def list_models(self, endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
        """Plan a look for weights below the option `models`."""
        return _models.list_models(endpoint)

    @hookimpl
    def show_model(self, endpoint: Endpoint, model: str) -> Plan[ModelInfo]:
        """Plan a look at the weights of one model."""
        return _models.show_model(endpoint, model)

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Plan[Health]:
        """Plan HeadBucket."""
        return _models.healthcheck(endpoint)

    @hookimpl
    def calls(self) -> Mapping[str, Callable[..., Plan[Any]]]:
        """Name the calls of S3's own."""
        return CALLS


backend = S3()
