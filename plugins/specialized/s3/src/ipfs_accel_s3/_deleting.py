"""Deleting objects, one or many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ipfs_accel.errors import APIStatusError, NotSupportedByServerError
from ipfs_accel.plans import Endpoint, Job, Local, Plan
from ipfs_accel.types import DeletedObjects, DeleteObjectRequest, DeleteObjectsRequest, ObjectFailure

from ._answers import allowed, note_request, parameters
from ._body import Tally, in_parallel
from ._clients import connect
from ._conditions import need
from ._errors import code_of, translated
from ._options import options_of, store_of

__all__ = ["delete", "delete_many"]

MAX_TOGETHER = 1000
"""Keys of one DeleteObjects."""


def delete(endpoint: Endpoint, request: DeleteObjectRequest) -> Plan[None]:
    """Plan a DeleteObject, which succeeds for what is not there too."""

    def run(job: Job) -> None:
        given = parameters(
            Bucket=request.bucket,
            Key=request.key,
            VersionId=request.version,
            IfMatch=request.if_match,
            extra=dict(request.extra),
        )
        with translated():
            client = connect(endpoint, job)
            need(endpoint, client, request.bucket, "delete" if request.if_match else None)
            note_request(job, client.delete_object(**given))

    return Local(run=run)


def delete_many(endpoint: Endpoint, request: DeleteObjectsRequest) -> Plan[DeletedObjects]:
    """Plan DeleteObjects by the thousand, or single deletes where the store does not have that."""
    wanted = list(dict.fromkeys(request.keys))  # a store may answer for one of two that are the same, or for neither

    def run(job: Job) -> DeletedObjects:
        deleted: list[str] = []
        failed: list[ObjectFailure] = []
        with translated():
            client = connect(endpoint, job)
            for start in range(0, len(wanted), MAX_TOGETHER):
                keys = wanted[start : start + MAX_TOGETHER]
                job.report(start, len(wanted))
                gone, not_gone = _delete(endpoint, client, request, keys, job)
                deleted += gone
                failed += not_gone
        job.report(len(wanted), len(wanted))
        return DeletedObjects(deleted=tuple(deleted), failed=tuple(failed))

    return Local(run=run)


Deleted = tuple[list[str], list[ObjectFailure]]
_CANNOT = {"MissingContentMD5", "InvalidDigest", "MissingContentLength", "BadDigest"}


def _delete(endpoint: Endpoint, client: Any, request: DeleteObjectsRequest, keys: Sequence[str], job: Job) -> Deleted:
    if store_of(endpoint).deletes_many and not endpoint.memo.get("deletes one by one"):
        try:
            with translated():
                return _delete_together(client, request, keys, job)
        except APIStatusError as error:
            if not _cannot(error):
                raise
            endpoint.memo["deletes one by one"] = True
    return _delete_each(endpoint, client, request, keys, job)


def _cannot(error: APIStatusError) -> bool:
    """Whether a store does not have the request, or wants a sum of it that it did not understand or cannot be given."""
    if isinstance(error, NotSupportedByServerError) or code_of(error) in _CANNOT:
        return True
    words = f"{error.message} {error.body}".lower()
    return error.status in {400, 411} and any(word in words for word in ("md5", "checksum"))


def _delete_together(client: Any, request: DeleteObjectsRequest, keys: Sequence[str], job: Job) -> Deleted:
    answer = client.delete_objects(
        **parameters(Bucket=request.bucket, extra=dict(request.extra)),
        Delete={"Objects": [{"Key": key} for key in keys]},
    )
    note_request(job, answer)
    return _reconciled(keys, answer)


def _reconciled(keys: Sequence[str], answer: Mapping[str, Any]) -> Deleted:
    """Compare what a store says with what it was asked: what it does not speak of, nobody knows to be gone."""
    errors = {each.get("Key"): each for each in answer.get("Errors", ())}
    gone = {each.get("Key") for each in answer.get("Deleted", ())} - set(errors)
    others = sorted({str(key) for key in {*gone, *errors} - {None, *keys}})
    failed = []
    for key in keys:
        if key in errors:
            told = errors[key]
            failed.append(ObjectFailure(key=key, code=told.get("Code"), message=told.get("Message")))
        elif key not in gone:
            spoken = f", and does of {', '.join(map(repr, others[:3]))}" if others else ""
            failed.append(ObjectFailure(key=key, message=f"the store's answer does not speak of it{spoken}"))
    return [key for key in keys if key in gone], failed


def _delete_each(
    endpoint: Endpoint, client: Any, request: DeleteObjectsRequest, keys: Sequence[str], job: Job
) -> Deleted:
    given = allowed(client, "DeleteObject", request.extra)

    def one(key: str) -> ObjectFailure | None:
        try:
            with translated():
                client.delete_object(**given, Bucket=request.bucket, Key=key)
        except APIStatusError as error:
            return ObjectFailure(key=key, code=error.code, message=error.message)
        return None

    tally = Tally(job, len(keys))
    results = in_parallel([partial(one, key) for key in keys], options_of(endpoint).threads, tally)
    failed = [each for each in results if each is not None]
    return [key for key, failure in zip(keys, results, strict=True) if failure is None], failed
