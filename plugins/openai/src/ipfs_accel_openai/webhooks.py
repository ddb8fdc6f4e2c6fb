"""Webhooks: whether OpenAI sent what came, by the Standard Webhooks scheme (https://www.standardwebhooks.com).

    from ipfs_accel_openai.webhooks import unwrap

    event = unwrap(body, headers, secret)  # in the handler of a web server; the body as bytes, as it came

The header `webhook-signature` has one or more signatures with a space between them, each `v1,` and the base64 of
HMAC-SHA256 of `webhook-id.webhook-timestamp.body`. The secret is the `whsec_…` that OpenAI shows once.
"""

from __future__ import annotations

import binascii
import hmac
import time
from base64 import b64decode
from collections.abc import Iterable, Mapping
from typing import Any

from ipfs_accel import strict_json
from ipfs_accel.errors import AccelError, ConfigError

__all__ = ["WebhookError", "unwrap", "verify"]

_PREFIX = "whsec_"
_VERSION = "v1,"


class WebhookError(AccelError):
    """What came is not what OpenAI sent, or was sent too long ago; answer with status 400 and do nothing."""


def unwrap(
    body: bytes | str,
    headers: Mapping[str, str],
    secret: str | Iterable[str],
    *,
    tolerance: float = 300.0,
    now: float | None = None,
) -> dict[str, Any]:
    """Return the event in a request, a JSON object with `type` and `data`, once it is known to be OpenAI's.

    Arguments and errors are those of `verify`.
    """
    verify(body, headers, secret, tolerance=tolerance, now=now)
    try:
        event = strict_json.loads(body)
    except (ValueError, RecursionError) as error:
        raise WebhookError(f"the webhook's body is not valid JSON: {error}") from None
    if not isinstance(event, dict):
        raise WebhookError(f"the webhook's body is a JSON {type(event).__name__} instead of an object")
    return event


def verify(
    body: bytes | str,
    headers: Mapping[str, str],
    secret: str | Iterable[str],
    *,
    tolerance: float = 300.0,
    now: float | None = None,
) -> None:
    """Raise unless OpenAI sent this.

    Args:
        body: Of the request, as it came: one byte more or less makes it another.
        headers: Of the request, in upper or lower case.
        secret: The webhook's, or several while one is exchanged for another.
        tolerance: Seconds that the request may be old, or ahead of this machine's clock.
        now: Seconds since 1970; None asks the clock.

    Raises:
        WebhookError: It is not signed by this secret, or not now; says why, and never what would be right.
        ConfigError: The secret is none.
    """
    given = {name.lower(): value for name, value in headers.items()}
    identity, said, signatures = (_header(given, name) for name in ("id", "timestamp", "signature"))
    if not (said.isascii() and said.isdigit()):
        raise WebhookError(f"webhook-timestamp: {said[:20]!r} is no number of seconds")
    age = (time.time() if now is None else now) - int(said)
    if age > tolerance:
        raise WebhookError(f"the webhook is {age:.0f} s old, and {tolerance:g} s are allowed")
    if age < -tolerance:
        raise WebhookError(
            f"the webhook is {-age:.0f} s ahead of this machine's clock, and {tolerance:g} s are allowed",
            hint="set the clock",
        )
    content = body.encode() if isinstance(body, str) else body
    signed = b".".join([identity.encode(), said.encode(), content])
    wanted = [hmac.digest(key, signed, "sha256") for key in _keys(secret)]
    found = [_signature(each) for each in signatures.split()]
    # All are compared, so that the time tells nothing of which one was near.
    matches = [hmac.compare_digest(one, other) for one in wanted for other in found]
    if not any(matches):
        raise WebhookError("webhook-signature: none of it is made with this secret", hint="is it this endpoint's?")


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(f"webhook-{name}", "")
    if not value:
        raise WebhookError(f"the request has no header webhook-{name}", hint="is it one of OpenAI's webhooks?")
    return value


def _keys(secret: str | Iterable[str]) -> list[bytes]:
    secrets = [secret] if isinstance(secret, str) else list(secret)
    if not secrets or not all(secrets):
        raise ConfigError("the webhook's secret is empty", hint="it is the whsec_… that OpenAI showed for the endpoint")
    return [_key(each) for each in secrets]


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ConfigError(f"the webhook's secret is not base64 behind {_PREFIX}", hint="copy it once more") from None


def _signature(text: str) -> bytes:
    """Return a signature; nothing for one of another version, or that is none."""
    try:
        return b64decode(text.removeprefix(_VERSION), validate=True) if text.startswith(_VERSION) else b""
    except binascii.Error:
        return b""
