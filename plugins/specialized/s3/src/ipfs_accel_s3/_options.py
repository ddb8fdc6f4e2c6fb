"""The settings of an S3 endpoint, and what is known of the stores that speak this protocol."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import attrs
from ipfs_accel.errors import ConfigError
from ipfs_accel.plans import Endpoint

__all__ = ["AWS", "MIB", "PROBE", "Addressing", "Checksums", "Options", "Store", "options_of", "store_of"]

Checksums: TypeAlias = Literal["when_supported", "when_required"]
Addressing: TypeAlias = Literal["auto", "path", "virtual"]

MIB = 1024 * 1024
PROBE = ".ipfs-accel-probe-"
"""How the keys begin under which stores are tried out."""
_LEAST_PART = 5 * MIB


def _part_size(_instance: object, _attribute: object, value: int) -> None:
    if value < _LEAST_PART:
        raise ConfigError(f"part_size: S3 takes no parts below {_LEAST_PART} bytes (but the last), got {value}")


def _positive(_instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if value <= 0:
        raise ConfigError(f"{attribute.name}: expected a number above 0, got {value!r}")


@attrs.frozen(kw_only=True)
class Options:
    """Settings of one endpoint.

    Attributes:
        region: Part of every signature; None means the store's usual one, for AWS that of the environment.
        store: Which store it is, where its address does not tell: aws, minio, ceph, r2, garage, versitygw, seaweedfs,
            gcs, b2, oss, cos, tos, obs, or other.
        bucket: Which one a health check looks at.
        models: `bucket/prefix` under which the models are that `list_models` tells of.
        profile: Of boto3's configuration files, for credentials.
        anonymous: Whether requests go unsigned, for public buckets.
        addressing: Whether the bucket is in the host or in the path; auto is what the store wants, and the path where
            neither its address nor its answers say so.
        checksums: Whether uploads carry a checksum that the store verifies: when_supported, when_required (only what
            the protocol insists on), or auto: the former for AWS and stores that are known to understand it, by their
            address or the name that they answer with; others are tried out once, before the first upload in parts.
        hash_uploads: Whether uploads of known content carry its SHA-256 as metadata, which downloads verify.
        verify: Whether content that was read is compared with that hash, or with a checksum of the store.
        verify_etag: Whether the ETag of what was stored with one request is compared with its MD5, where it can be
            one; costs that hash. What a store spoils is told at once, not when it is read.
        public_url: Base URL that presigned requests name, where others reach the store under another one.
        part_size: Bytes of a part, for everything larger.
        threads: Parts under way at once in one transfer.
        connect_timeout: Seconds until a connection stands.
        read_timeout: Seconds of silence from the store.
        ca_file: PEM file of the certificate authorities to trust.
    """

    region: str | None = None
    store: str | None = None
    bucket: str | None = None
    models: str | None = None
    profile: str | None = None
    anonymous: bool = False
    addressing: Addressing = "auto"
    checksums: Literal["auto", "when_supported", "when_required"] = "auto"
    hash_uploads: bool = True
    verify: bool = True
    verify_etag: bool = True
    public_url: str | None = None
    part_size: int = attrs.field(default=8 * MIB, validator=_part_size)
    threads: int = attrs.field(default=4, validator=_positive)
    connect_timeout: float = attrs.field(default=5.0, validator=_positive)
    read_timeout: float = attrs.field(default=60.0, validator=_positive)
    ca_file: str | None = None


@attrs.frozen(kw_only=True)
class Store:
    """What is known of a kind of store.

    Attributes:
        region: What it takes for its region if nobody says; None leaves it to boto3.
        checksums: Which checksums it is safe to send.
        conditions: Whether it is known to honour conditions on writes; otherwise it is asked once.
        deletes_many: Whether it has the request that deletes many objects.
        varies: Whether it depends on the store's version which checksums are safe, so that they are tried out.
        addressing: Where it wants the bucket; auto leaves it to boto3.
    """

    region: str | None = "us-east-1"
    checksums: Checksums = "when_required"
    conditions: bool = False
    deletes_many: bool = True
    varies: bool = False
    addressing: Addressing = "auto"


# Of AWS by its own documentation, of R2 by Cloudflare's S3 compatibility page, of Google Cloud Storage by its
# "Migrating from Amazon S3" page (no DeleteObjects), of Garage by its reference manual. The last four refuse buckets in
# the path: Huawei's OBS by its list of errors, Alibaba's OSS, Tencent's COS and Volcengine's TOS by what users report
# (treeverse/lakeFS#3490, gobackup/gobackup#268, apache/opendal#6549).
AWS = Store(region=None, checksums="when_supported", conditions=True)
_STORES: dict[str, Store] = {
    "aws": AWS,
    "r2": Store(region="auto", conditions=True),
    "garage": Store(region="garage"),
    "gcs": Store(region="auto", deletes_many=False),
    "minio": Store(varies=True),
    "ceph": Store(region="default", varies=True),
    "versitygw": Store(checksums="when_supported"),
    "seaweedfs": Store(varies=True),
    "b2": Store(),
    "oss": Store(addressing="virtual"),
    "cos": Store(addressing="virtual"),
    "tos": Store(addressing="virtual"),
    "obs": Store(addressing="virtual"),
    "other": Store(varies=True),
}
_HOSTS: dict[str, str] = {
    "amazonaws.com": "aws",
    "amazonaws.com.cn": "aws",
    "r2.cloudflarestorage.com": "r2",
    "storage.googleapis.com": "gcs",
    "backblazeb2.com": "b2",
    "aliyuncs.com": "oss",
    "myqcloud.com": "cos",
    "volces.com": "tos",
    "myhuaweicloud.com": "obs",
}


def options_of(endpoint: Endpoint) -> Options:
    """Return the endpoint's settings."""
    return endpoint.options if isinstance(endpoint.options, Options) else Options()


def store_of(endpoint: Endpoint) -> Store:
    """Return what is known of the endpoint's store.

    Raises:
        ConfigError: The option `store` names none.
    """
    said = options_of(endpoint).store
    if said is not None:
        if said not in _STORES:
            raise ConfigError(f"store: {said!r} is none of {', '.join(_STORES)}", endpoint=endpoint.name)
        return _STORES[said]
    if not endpoint.base_url:
        return AWS
    host = urlsplit(endpoint.base_url).hostname or ""
    name = next((name for suffix, name in _HOSTS.items() if host == suffix or host.endswith(f".{suffix}")), "other")
    return _STORES[name]
