"""Objects in stores such as S3: what is asked for, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import attrs

from ipfs_accel._values import frozen

from ._answers import Answer
from ._files import Upload, UploadSource
from ._options import CallOptions
from ._requests import Request

ObjectSource: TypeAlias = "UploadSource | Iterable[bytes]"
"""A path, bytes or a media part; or pieces of bytes whose total nobody knows yet, such as an open file."""
PresignedMethod: TypeAlias = Literal["get", "head", "put", "post", "delete"]


class ObjectOptions(CallOptions, total=False):
    """Options of everything that reads one object; `GetObjectRequest` says what each means."""

    offset: int
    length: int
    version: str
    if_match: str
    if_none_match: str
    if_modified_since: float
    if_unmodified_since: float


class PutOptions(CallOptions, total=False):
    """Options of `put_object`; `PutObjectRequest` says what each means."""

    content_type: str
    metadata: Mapping[str, str]
    tags: Mapping[str, str]
    checksum: str
    if_match: str
    if_none_match: str


class CopyOptions(CallOptions, total=False):
    """Options of `copy_object`; `CopyObjectRequest` says what each means."""

    source_version: str
    content_type: str
    metadata: Mapping[str, str]
    if_source_matches: str
    if_match: str
    if_none_match: str


class PresignOptions(CallOptions, total=False):
    """Options of `presign_object`; `PresignObjectRequest` says what each means."""

    method: PresignedMethod
    expires_in: int
    content_type: str
    max_size: int
    version: str


@frozen(kw_only=True)
class ObjectRequest(Request):
    """What all requests about one object have.

    Attributes:
        bucket: Where it is.
        key: Its name there, exactly as it is: slashes and dots mean nothing to a store.
    """

    bucket: str
    key: str


@frozen(kw_only=True)
class GetObjectRequest(ObjectRequest):
    """An object to be read, or only looked at.

    Attributes:
        offset: The first byte wanted; a negative one counts from the end.
        length: How many bytes from there on; None means all.
        version: Which version; None means the newest.
        if_match: Only if its ETag is this one.
        if_none_match: Only if its ETag is another one.
        if_modified_since: Only if it is newer; seconds since 1970.
        if_unmodified_since: Only if it is not newer.
    """

    offset: int = 0
    length: int | None = None
    version: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: float | None = None
    if_unmodified_since: float | None = None


@frozen(kw_only=True)
class DownloadObjectRequest(GetObjectRequest):
    """An object to be written to a file, which appears when it is complete and verified.

    Attributes:
        to: The file.
        resume: Whether to go on where an earlier download of the same object broke off.
    """

    to: Path
    resume: bool = True


@frozen(kw_only=True)
class PutObjectRequest(ObjectRequest):
    """An object to be stored.

    Attributes:
        source: A file, or pieces of bytes; the latter can be read only once.
        content_type: None means what the source tells.
        metadata: ASCII names and values of the caller's own.
        tags: Names and values by which the store's rules can select it.
        checksum: Algorithm of a checksum that the store has to verify, such as crc32 or sha256.
        if_match: Only if the object that is there has this ETag.
        if_none_match: "*" means only if there is none.
    """

    source: Upload | Iterable[bytes]
    content_type: str | None = None
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    tags: Mapping[str, str] = attrs.field(factory=dict)
    checksum: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None


@frozen(kw_only=True)
class CopyObjectRequest(ObjectRequest):
    """A copy within one store.

    Attributes:
        source_bucket: Where the original is.
        source_key: Its name there.
        source_version: Which version of it; None means the newest.
        content_type: Another type than the original's.
        metadata: Other metadata than the original's; None keeps them.
        if_source_matches: Only if the original has this ETag.
        if_match: Only if the object that the copy replaces has this ETag.
        if_none_match: "*" means only if the copy replaces nothing.
    """

    source_bucket: str
    source_key: str
    source_version: str | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] | None = None
    if_source_matches: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None


@frozen(kw_only=True)
class DeleteObjectRequest(ObjectRequest):
    """An object to be deleted.

    Attributes:
        version: Which version; None means the newest.
        if_match: Only if its ETag is this one.
    """

    version: str | None = None
    if_match: str | None = None


@frozen(kw_only=True)
class DeleteObjectsRequest(Request):
    """Objects of one bucket to be deleted, any number of them.

    Attributes:
        bucket: The bucket.
        keys: Of the objects.
    """

    bucket: str
    keys: tuple[str, ...]


@frozen(kw_only=True)
class ListObjectsRequest(Request):
    """A look into a store.

    Attributes:
        bucket: Which bucket; empty means the list of buckets, as prefixes.
        prefix: How the keys begin.
        delimiter: What ends a folder's name; with one, each folder comes as one `ObjectPrefix`.
        start_after: The key after which to begin.
        limit: How many objects and prefixes at most.
    """

    bucket: str = ""
    prefix: str = ""
    delimiter: str | None = None
    start_after: str | None = None
    limit: int | None = None


@frozen(kw_only=True)
class PresignObjectRequest(ObjectRequest):
    """A request to be made by somebody else, without credentials.

    Attributes:
        method: What may be done; post is the upload from a form.
        expires_in: Seconds that it is good for.
        content_type: What has to be sent with put and post.
        max_size: Most bytes that post accepts.
        version: Of what is read.
    """

    method: PresignedMethod = "get"
    expires_in: int = 3600
    content_type: str | None = None
    max_size: int | None = None
    version: str | None = None


@frozen(kw_only=True)
class ObjectInfo(Answer):
    """What is known of an object; None where the store did not tell.

    Attributes:
        bucket: Where it is.
        key: Its name there.
        size: In bytes, all of it even if only a range was read.
        etag: Changes with the content; it is no hash of it.
        modified: Seconds since 1970.
        content_type: As it was stored.
        metadata: The names and values of whoever stored it.
        version: Of this object, where the store keeps versions.
        storage_class: Where the store has several.
        checksums: Algorithm to value (base64), as the store computed them.
        verified: The checksum by which the content that was read is proven to be whole; None if there was none.
        data: The content, from `get_object` alone.
    """

    bucket: str
    key: str
    size: int | None = None
    etag: str | None = None
    modified: float | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] = attrs.field(factory=dict)
    version: str | None = None
    storage_class: str | None = None
    checksums: Mapping[str, str] = attrs.field(factory=dict)
    verified: str | None = None
    data: bytes | None = attrs.field(default=None, repr=lambda data: "None" if data is None else f"<{len(data)} bytes>")


@frozen(kw_only=True)
class ObjectPrefix:
    """What several keys begin with, like a folder; for the list of buckets, a bucket.

    Attributes:
        bucket: The bucket.
        prefix: What the keys begin with, up to the delimiter.
    """

    bucket: str
    prefix: str = ""


@frozen(kw_only=True)
class ObjectListing(Answer):
    """A look into a store that is over; the objects came as events.

    Attributes:
        count: How many objects and prefixes came.
        size: Bytes of these objects.
        complete: Whether there are no more than these.
    """

    count: int
    size: int
    complete: bool


@frozen(kw_only=True)
class ObjectFailure:
    """Why one object of several was not deleted.

    Attributes:
        key: Of the object.
        code: The store's own error code.
        message: What it says.
    """

    key: str
    code: str | None = None
    message: str | None = None


@frozen(kw_only=True)
class DeletedObjects(Answer):
    """What became of the objects to be deleted.

    Attributes:
        deleted: Keys that are gone, those that never were included.
        failed: Those that are not.
    """

    deleted: tuple[str, ...]
    failed: tuple[ObjectFailure, ...] = ()


@frozen(kw_only=True)
class PresignedRequest(Answer):
    """A request that whoever has it can make until it expires: as secret as a key.

    Attributes:
        method: The HTTP method.
        url: Where to send it.
        headers: What has to be sent with it.
        fields: What a form has to send before its file.
        expires: When it stops to work; seconds since 1970.
    """

    method: str
    url: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    fields: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    expires: float


ObjectEvent: TypeAlias = ObjectInfo | ObjectPrefix
"""What a look into a store yields."""
