"""Calls of S3's own beyond the operations; a user reaches them with `client.call("s3", name, …)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, get_args

from ipfs_accel.errors import InvalidRequestError, did_you_mean
from ipfs_accel.plans import Endpoint, Job, Local, Plan

from ._clients import connect
from ._conditions import Write, honours
from ._errors import translated
from ._found import addressing_of, checksums_of, find_checksums
from ._pages import upload_pages

__all__ = ["CALLS"]

Call: TypeAlias = Callable[..., Plan[Any]]


def request(endpoint: Endpoint, *, operation: str, **parameters: Any) -> Plan[Any]:
    """Any request of S3 by boto3's name for it, such as `list_parts`, with boto3's parameters; gives its answer."""

    def run(client: Any) -> Any:
        known = client.meta.method_to_api_mapping
        if operation not in known:
            hint = did_you_mean(operation, known)
            raise InvalidRequestError(f"operation: {operation!r} is no request of S3", hint=hint)
        shape = client.meta.service_model.operation_model(known[operation]).output_shape
        if shape is not None and (shape.serialization.get("payload") or "").lower() == "body":
            raise InvalidRequestError(f"operation: {operation!r} has content for an answer", hint="use get_object")
        return getattr(client, operation)(**parameters)

    return _with_client(endpoint, run)


def create_bucket(endpoint: Endpoint, *, bucket: str) -> Plan[Any]:
    """Make a bucket in the endpoint's region."""

    def run(client: Any) -> Any:
        region = client.meta.region_name
        # Everywhere but in us-east-1, where it must not be named, AWS wants the region once more.
        on_aws_elsewhere = not endpoint.base_url and region not in {"us-east-1", "aws-global"}
        where = {"CreateBucketConfiguration": {"LocationConstraint": region}} if on_aws_elsewhere else {}
        return client.create_bucket(Bucket=bucket, **where)

    return _with_client(endpoint, run)


def delete_bucket(endpoint: Endpoint, *, bucket: str) -> Plan[Any]:
    """Delete a bucket, which has to be empty."""
    return _with_client(endpoint, lambda client: client.delete_bucket(Bucket=bucket))


def get_tags(endpoint: Endpoint, *, bucket: str, key: str) -> Plan[dict[str, str]]:
    """The tags of an object."""

    def run(client: Any) -> dict[str, str]:
        answer = client.get_object_tagging(Bucket=bucket, Key=key)
        return {each["Key"]: each["Value"] for each in answer["TagSet"]}

    return _with_client(endpoint, run)


def set_tags(endpoint: Endpoint, *, bucket: str, key: str, tags: Mapping[str, str]) -> Plan[Any]:
    """Replace the tags of an object; none deletes them."""

    def run(client: Any) -> Any:
        tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
        if not tag_set:
            return client.delete_object_tagging(Bucket=bucket, Key=key)
        return client.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": tag_set})

    return _with_client(endpoint, run)


def list_uploads(endpoint: Endpoint, *, bucket: str, prefix: str = "") -> Plan[list[dict[str, Any]]]:
    """Uploads in parts that were begun and neither completed nor aborted; their parts cost money."""
    return _with_client(endpoint, lambda client: _uploads(client, bucket, prefix))


def abort_uploads(endpoint: Endpoint, *, bucket: str, prefix: str = "", older_than: float = 86_400.0) -> Plan[int]:
    """Abort those that began more than `older_than` seconds ago; gives how many these were."""

    def run(client: Any) -> int:
        from datetime import UTC, datetime, timedelta  # noqa: PLC0415 - few callers tidy up

        until = datetime.now(UTC) - timedelta(seconds=older_than)
        stale = [each for each in _uploads(client, bucket, prefix) if each["Initiated"] <= until]
        for each in stale:
            client.abort_multipart_upload(Bucket=bucket, Key=each["Key"], UploadId=each["UploadId"])
        return len(stale)

    return _with_client(endpoint, run)


def _uploads(client: Any, bucket: str, prefix: str) -> list[dict[str, Any]]:
    pages = upload_pages(client, {"Bucket": bucket, "Prefix": prefix})
    return [upload for page in pages for upload in page.get("Uploads", ())]


def honours_conditions(endpoint: Endpoint, *, bucket: str, write: Write = "create") -> Plan[bool]:
    """Whether the store honours conditions on a kind of write: create, replace, copy or delete.

    A store that is not known for it is tried out with an object of our own in the bucket. Yes means that it refuses
    such a write, not that of several at once only one succeeds: not every store is exact there.
    """
    if write not in {"create", "replace", "copy", "delete"}:
        raise InvalidRequestError(f"write: expected create, replace, copy or delete, got {write!r}")
    return _with_client(endpoint, lambda client: honours(endpoint, client, bucket, write))


def find_out(endpoint: Endpoint, *, bucket: str) -> Plan[dict[str, Any]]:
    """What a store is taken to be: {"server": …, "checksums": …, "addressing": …, "conditions": {kind of write: …}}.

    What is not known is tried out with objects of our own in the bucket, which are deleted again.
    """

    def run(job: Job) -> dict[str, Any]:
        with translated():
            find_checksums(endpoint, lambda which: connect(endpoint, job, checksums=which), bucket)
            client = connect(endpoint, job)
            about = client.head_bucket(Bucket=bucket)["ResponseMetadata"]
            return {
                "server": about.get("HTTPHeaders", {}).get("server"),
                "checksums": checksums_of(endpoint),
                "addressing": addressing_of(endpoint),
                "conditions": {write: honours(endpoint, client, bucket, write) for write in get_args(Write)},
            }

    return Local(run=run)


def _with_client(endpoint: Endpoint, run: Callable[[Any], Any]) -> Plan[Any]:
    def work(job: Job) -> Any:
        with translated():
            return run(connect(endpoint, job))

    return Local(run=work)


CALLS: Mapping[str, Call] = {
    "abort_uploads": abort_uploads,
    "create_bucket": create_bucket,
    "delete_bucket": delete_bucket,
    "find_out": find_out,
    "get_tags": get_tags,
    "honours_conditions": honours_conditions,
    "list_uploads": list_uploads,
    "request": request,
    "set_tags": set_tags,
}
