"""Clients of boto3: one for each endpoint and key, made at its first use.

boto3 signs, addresses buckets and speaks the protocol. It does not repeat requests: that is the core's business, once
for all backends.
"""

from __future__ import annotations

import os
import threading
from typing import Any, Literal, TypeAlias

from ipfs_accel import Secret
from ipfs_accel.errors import ConfigError, MissingKeyError
from ipfs_accel.plans import Endpoint, Job

from ._found import addressing_of, checksums_of, listen
from ._options import AWS, Checksums, Options, options_of, store_of

__all__ = ["Use", "connect"]

Use: TypeAlias = Literal["calls", "public"]
"""calls: for requests of our own; public: for presigned ones, which may name another address."""

_LOCK = threading.Lock()


def connect(endpoint: Endpoint, job: Job, use: Use = "calls", checksums: Checksums | None = None) -> Any:
    """Return the client of an endpoint.

    Args:
        endpoint: Where.
        job: The call.
        use: What for.
        checksums: Other ones than those that are right for the endpoint as far as that is known.

    Raises:
        ConfigError: Key, profile or region is wrong.
        MissingKeyError: There are no credentials.
    """
    key = job.key()
    name = (use, key, checksums or checksums_of(endpoint), endpoint.memo.get("addressing"))
    found = endpoint.memo.get(name)
    if found is None:
        with _LOCK:  # sessions of boto3 cannot be shared by threads, clients can
            found = endpoint.memo.get(name)
            if found is None:
                found = endpoint.memo[name] = _make(endpoint, job, use, key, name[2])
    return found


def _make(endpoint: Endpoint, job: Job, use: Use, secret: Secret | None, checksums: Checksums) -> Any:
    from boto3.session import Session  # noqa: PLC0415 - takes 0.2 s
    from botocore.session import get_session  # noqa: PLC0415 - as above

    options = options_of(endpoint)
    key = None if secret is None else secret.reveal()
    below = get_session()
    if options.profile is not None:  # before anything else, since the chain of credentials is made for one profile
        below.set_config_variable("profile", options.profile)
    if store_of(endpoint) is not AWS:
        # Off AWS there is no instance that could have credentials, and asking for them costs a connection's time-out.
        below.get_component("credential_provider").remove("iam-role")
    session = Session(botocore_session=below)
    if key is None and not options.anonymous and session.get_credentials() is None:
        raise MissingKeyError(
            f"endpoint {endpoint.name!r} needs credentials and boto3 finds none",
            endpoint=endpoint.name,
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or S3_ACCESS_KEY and S3_SECRET_KEY), or name a "
            f"profile, or run: ipfs-accel keys set {endpoint.name} (as ID:SECRET); anonymous = true sends none",
        )
    client = session.client(
        "s3",
        endpoint_url=(options.public_url if use == "public" else None) or endpoint.base_url or None,
        region_name=_region(endpoint, session),
        verify=options.ca_file or job.ca_file,
        config=_config(endpoint, job, use, checksums),
        **_credentials(endpoint, key),
    )
    client.meta.events.register("before-send.s3", _begin_sending)
    listen(endpoint, client)
    return client


def _config(endpoint: Endpoint, job: Job, use: Use, checksums: Checksums) -> Any:
    from botocore import UNSIGNED  # noqa: PLC0415 - as boto3
    from botocore.config import Config  # noqa: PLC0415 - as boto3

    options, proxy = options_of(endpoint), job.proxy
    if proxy is not None and proxy.startswith("socks"):
        raise ConfigError(
            f"endpoint {endpoint.name!r} cannot go through a SOCKS proxy: boto3 speaks to HTTP proxies alone",
            endpoint=endpoint.name,
            hint="set proxy to an http:// or https:// one",
        )

    return Config(
        connect_timeout=options.connect_timeout,
        read_timeout=options.read_timeout,
        # Never None, which lets boto3 look into the environment.
        proxies={} if proxy is None else {"http": proxy, "https": proxy},
        max_pool_connections=32 + options.threads,
        retries={"mode": "standard", "total_max_attempts": 1},
        # Not the default: boto3 presigns with the old version 2 in us-east-1 unless it is told otherwise.
        signature_version=UNSIGNED if options.anonymous else "s3v4",
        s3={"addressing_style": _addressing(endpoint, options, use)},
        request_checksum_calculation=checksums,
        # Asked for by name where it can hold: the answer to a range has no checksum of its own.
        response_checksum_validation="when_required",
        # Where the endpoint is, the core decides; only a profile may know better.
        ignore_configured_endpoint_urls=options.profile is None,
        user_agent_extra="ipfs-accel",
    )


def _addressing(endpoint: Endpoint, options: Options, use: Use) -> str:
    # Left alone, boto3 presigns for AWS's global address, which redirects where the bucket is new.
    if use == "public" and options.addressing == "auto" and store_of(endpoint) is AWS:
        return "virtual"
    return addressing_of(endpoint)


def _region(endpoint: Endpoint, session: Any) -> str | None:
    region = options_of(endpoint).region or store_of(endpoint).region
    # boto3 does not read AWS_REGION, though every other tool does.
    return region or session.region_name or os.environ.get("AWS_REGION") or None


def _credentials(endpoint: Endpoint, key: str | None) -> dict[str, Any]:
    if key is None:
        return {}
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    parts = key.split(":", 2)
    if len(parts) == 1 or not all(parts):
        raise ConfigError(
            f"the key of endpoint {endpoint.name!r} is not of the form ID:SECRET or ID:SECRET:TOKEN",
            endpoint=endpoint.name,
            hint=f"run: ipfs-accel keys set {endpoint.name}, or name both variables: key_env = "
            '"AWS_ACCESS_KEY_ID:AWS_SECRET_ACCESS_KEY"',
        )
    return dict(zip(names, parts, strict=False))


def _begin_sending(request: Any, **_about: Any) -> None:
    """Tell an upload that it is read for good from now on: before, it is read for its checksum and signature."""
    body = getattr(request.body, "_raw", request.body)
    begin = getattr(body, "begin", None)
    if begin is not None:
        begin()
