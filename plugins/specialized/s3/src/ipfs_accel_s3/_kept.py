"""Whether a store keeps what was sent to it with one request, by the ETag that it answers with.

Of such an object the ETag is the MD5 on nearly all stores. Where it is another one, the object is read back, and what
comes decides: there are stores whose ETags are something else, and others that have kept the framing of the upload,
nothing at all, or other bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ipfs_accel.errors import APIStatusError, InvalidResponseError
from ipfs_accel.plans import Endpoint

from ._checks import same_etag
from ._errors import translated
from ._options import options_of
from ._verify import PIECE, etag_as_md5, new_md5

__all__ = ["FramedError", "check_kept", "wants_md5"]

# The first chunk of an upload with a trailer or with signed chunks: its size in hexadecimal.
_FRAMING = re.compile(rb"[0-9a-fA-F]+(;chunk-signature=[0-9a-f]+)?\r\n")


class FramedError(InvalidResponseError):
    """The store kept the framing of an upload with trailing checksums as content."""


def wants_md5(endpoint: Endpoint, bucket: str) -> bool:
    """Whether the MD5 of what is stored is to be known."""
    return options_of(endpoint).verify_etag and ("opaque ETags", bucket) not in endpoint.memo and new_md5() is not None


def check_kept(
    endpoint: Endpoint, client: Any, given: Mapping[str, Any], answer: Mapping[str, Any], *, md5: str, size: int
) -> None:
    """Compare the ETag of what was just stored with the MD5 of what was sent.

    Raises:
        FramedError: The object is not what was sent; without checksums it would be.
        InvalidResponseError: The object is not what was sent.
    """
    etag = etag_as_md5(answer, given)
    if etag is None or etag == md5 or "WriteOffsetBytes" in given:
        return
    about = {name: given[name] for name in ("Bucket", "Key", "ExpectedBucketOwner", "RequestPayer") if name in given}
    if answer.get("VersionId"):
        about["VersionId"] = answer["VersionId"]
    where = f"{given['Bucket']}/{given['Key']}"
    try:
        with translated():
            kept = client.get_object(**about)
            if not same_etag(kept.get("ETag") or answer["ETag"], answer["ETag"]):
                return  # somebody else's by now
            head, found, length = _read(kept["Body"], size)
    except APIStatusError as error:
        raise InvalidResponseError(
            f"the store's ETag says that {where} is not what was sent, and it cannot be read back: {error.message}",
            hint="if the store's ETags are no MD5, set the option verify_etag = false",
        ) from None
    if found == md5:
        endpoint.memo["opaque ETags", given["Bucket"]] = True
        return
    if _FRAMING.match(head) and length > size:
        raise FramedError(
            f"the store kept the framing of the upload in {where}, as content",
            hint='set checksums = "when_required" and store it again',
        )
    raise InvalidResponseError(
        f"the store keeps {length} bytes in {where} that are not the {size} bytes that were sent",
        hint="it may not keep objects of this name or encoding, or something on the way changes them",
    )


def _read(body: Any, size: int) -> tuple[bytes, str, int]:
    """Return the beginning, the MD5 and the length of content, which is read a little further than it should go."""
    digest, head, length = new_md5(), b"", 0
    try:
        while length <= 2 * size + PIECE and (piece := body.read(PIECE)):
            head = head or piece[:256]
            length += len(piece)
            if digest is not None:
                digest.update(piece)
    finally:
        body.close()
    return head, "" if digest is None else digest.hexdigest(), length
