"""Looking at objects: HeadObject, and what it alone does not tell.

An answer to HEAD has no body, so that an error in one has no code; there are stores whose 404 means that they do not
know the key id. Where that is all there is, the first byte is asked for, whose refusal says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ipfs_accel.errors import InvalidResponseError, NotFoundError
from ipfs_accel.plans import Endpoint

from ._checks import check_object, size_of
from ._errors import translate, translated
from ._options import AWS, store_of

__all__ = ["looked_at", "status_of", "told_size"]

_UNTOLD = {400, 403, 404}
_NOT_FOUND, _UNSATISFIABLE = 404, 416


def looked_at(endpoint: Endpoint, client: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what HeadObject tells, with the object's size as `ContentLength`.

    Raises:
        APIError: There is no such object, it does not meet the conditions, or the credentials are refused.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - who has a client has loaded it

    with translated():
        try:
            answer = dict(client.head_object(**given))
        except ClientError as error:
            answer = _otherwise(endpoint, client, given, error)
    check_object(given, answer)
    size = size_of(answer)
    answer["ContentLength"] = told_size(client, given) if size is None else size
    return answer


def told_size(client: Any, given: Mapping[str, Any]) -> int:
    """Return the size of an object whose own answer did not tell it, by one byte of it.

    Raises:
        InvalidResponseError: No answer tells.
    """
    with translated():
        size = size_of(_first_byte(client, given))
    if size is None:
        raise InvalidResponseError(f"the store does not tell how large {given['Bucket']}/{given['Key']} is")
    return size


def status_of(error: Any) -> int:
    """Return the status of one of boto3's `ClientError`s."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)


def _otherwise(endpoint: Endpoint, client: Any, given: Mapping[str, Any], untold: Any) -> dict[str, Any]:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

    status = status_of(untold)
    if status not in _UNTOLD or (status == _NOT_FOUND and store_of(endpoint) is AWS):
        raise untold
    try:
        return _first_byte(client, given)
    except ClientError as told:
        # Codes count, not statuses: a store may say 404 to a key id that it does not know.
        if isinstance(translate(told), NotFoundError) or status_of(told) == _UNSATISFIABLE:
            raise untold from None
        raise


def _first_byte(client: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    about = {name: value for name, value in given.items() if name not in {"ChecksumMode", "PartNumber"}}
    answer: dict[str, Any] = client.get_object(**{**about, "Range": "bytes=0-0"})
    answer.pop("Body").close()
    return answer
