"""boto3's answers as typed values, and parameters for its requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Job
from ipfs_accel.types import ObjectInfo

__all__ = ["allowed", "conditions", "note_request", "object_info", "parameters"]

_CHECKSUM = "Checksum"


def parameters(**values: Any) -> dict[str, Any]:
    """Return those that are given; the caller's own, as `extra`, win nothing over them."""
    extra = values.pop("extra", {})
    given = {name: value for name, value in values.items() if value not in (None, "", {})}
    twice = sorted(set(given) & set(extra))
    if twice:
        raise InvalidRequestError(f"extra: {', '.join(twice)} is said by an argument of the call already")
    return {**extra, **given}


def allowed(client: Any, operation: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return of parameters those that an operation of S3 has, such as `UploadPart`."""
    known = client.meta.service_model.operation_model(operation).input_shape.members
    return {name: value for name, value in values.items() if name in known}


def conditions(request: Any) -> dict[str, Any]:
    """Return the conditions of a request to write."""
    return {"IfMatch": request.if_match, "IfNoneMatch": request.if_none_match}


def note_request(job: Job, answer: Mapping[str, Any]) -> None:
    """Keep the store's id of the request."""
    job.request_id = answer.get("ResponseMetadata", {}).get("RequestId") or job.request_id


def object_info(bucket: str, key: str, answer: Mapping[str, Any], **more: Any) -> ObjectInfo:
    """Read an answer about one object, to whatever request."""
    checksums = {
        name.removeprefix(_CHECKSUM).lower(): value
        for name, value in answer.items()
        if name.startswith(_CHECKSUM) and name not in {"ChecksumType", "ChecksumAlgorithm"}
    }
    modified = answer.get("LastModified")
    known: dict[str, Any] = {
        "size": answer.get("ContentLength", answer.get("Size")),
        "etag": answer.get("ETag"),
        "modified": modified.timestamp() if modified is not None else None,
        "content_type": answer.get("ContentType"),
        "metadata": answer.get("Metadata") or {},
        "version": answer.get("VersionId"),
        "storage_class": answer.get("StorageClass"),
        "checksums": checksums,
        "raw": {name: value for name, value in answer.items() if name != "Body"},
    }
    return ObjectInfo(bucket=bucket, key=key, **{**known, **more})
