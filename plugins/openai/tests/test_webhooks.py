"""Webhooks: what is taken for OpenAI's, held to its own SDK."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipfs_accel import errors as e
from ipfs_accel_openai.webhooks import WebhookError, unwrap, verify

openai = pytest.importorskip("openai", reason="OpenAI's SDK is the oracle of these tests")

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"
BODY = json.dumps({"id": "evt_1", "type": "response.completed", "data": {"id": "resp_1"}}).encode()
NOW = int(time.time())


def signed(body: bytes = BODY, key: bytes = KEY, at: int | str = NOW, identity: str = "wh_1") -> dict[str, str]:
    text = b".".join([identity.encode(), str(at).encode(), body])
    signature = base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return {"webhook-id": identity, "webhook-timestamp": str(at), "webhook-signature": f"v1,{signature}"}


def is_taken(body: bytes, headers: dict[str, str], secret: str) -> bool:
    try:
        verify(body, headers, secret)
    except WebhookError:
        return False
    return True


def is_taken_by_sdk(body: bytes, headers: dict[str, str], secret: str) -> bool:
    with openai.OpenAI(api_key="k", webhook_secret=secret) as client:
        try:
            client.webhooks.verify_signature(body, headers)
        except (openai.InvalidWebhookSignatureError, ValueError):
            return False
    return True


GOOD = signed()
OTHER = signed(key=b"another key")["webhook-signature"]
TAKEN = {"good", "capitals", "several", "plain secret", "within"}
CASES = (
    *sorted(TAKEN),
    *("other body", "other id", "other time", "other secret", "too old", "too new", "no time"),
    *("empty signature", "no base64", "cut", *[f"without {name}" for name in GOOD]),
)


def case(name: str) -> tuple[bytes, dict[str, str], str]:
    """Return body, headers and secret; the SDK asks the clock, so that what is good is signed now."""
    now = int(time.time())
    good = signed(at=now)
    signature = good["webhook-signature"]
    cases: dict[str, tuple[bytes, dict[str, str], str]] = {
        "good": (BODY, good, SECRET),
        "capitals": (BODY, {each.title(): value for each, value in good.items()}, SECRET),
        "several": (BODY, {**good, "webhook-signature": f"{OTHER} {signature}"}, SECRET),
        "plain secret": (BODY, signed(key=b"plain", at=now), "plain"),
        "within": (BODY, signed(at=now - 60), SECRET),
        "other body": (BODY + b" ", good, SECRET),
        "other id": (BODY, {**good, "webhook-id": "wh_2"}, SECRET),
        "other time": (BODY, {**good, "webhook-timestamp": str(now - 1)}, SECRET),
        "other secret": (BODY, good, "whsec_" + base64.b64encode(b"another key").decode()),
        "too old": (BODY, signed(at=now - 4000), SECRET),
        "too new": (BODY, signed(at=now + 4000), SECRET),
        "no time": (BODY, signed(at="soon"), SECRET),
        "empty signature": (BODY, {**good, "webhook-signature": "v1,"}, SECRET),
        "no base64": (BODY, {**good, "webhook-signature": "v1,!!"}, SECRET),
        "cut": (BODY, {**good, "webhook-signature": signature[:-4]}, SECRET),
    }
    lost = name.removeprefix("without ")
    return cases.get(name) or (BODY, {each: value for each, value in good.items() if each != lost}, SECRET)


@pytest.mark.parametrize("name", CASES)
def test_it_is_taken_where_the_sdk_takes_it(name: str) -> None:
    assert is_taken(*case(name)) is is_taken_by_sdk(*case(name)) is (name in TAKEN)


@given(st.binary(), st.binary(min_size=1))
def test_any_body_and_key(body: bytes, key: bytes) -> None:
    secret = f"whsec_{base64.b64encode(key).decode()}"
    verify(body, signed(body, key), secret, now=NOW)
    with pytest.raises(WebhookError, match="none of it"):
        verify(body + b"x", signed(body, key), secret, now=NOW)


def test_the_event_comes_out() -> None:
    assert unwrap(BODY, GOOD, SECRET, now=NOW)["data"] == {"id": "resp_1"}
    assert unwrap(BODY.decode(), GOOD, ["whsec_bmV3", SECRET], now=NOW)["type"] == "response.completed"
    for body in (b"[1]", b"{", b""):
        with pytest.raises(WebhookError, match="the webhook's body is"):
            unwrap(body, signed(body), SECRET, now=NOW)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "no header webhook-id"),
        (signed(at="soon"), "webhook-timestamp: 'soon' is no number"),
        (signed(at=NOW - 1000), "1000 s old, and 300 s are allowed"),
        (signed(at=NOW + 1000), "1000 s ahead of this machine's clock"),
        ({**GOOD, "webhook-signature": OTHER}, "none of it is made with this secret"),
    ],
)
def test_errors_say_why(headers: dict[str, str], said: str) -> None:
    with pytest.raises(WebhookError, match=said) as caught:
        verify(BODY, headers, SECRET, now=NOW)
    expected = hmac.new(KEY, b"", hashlib.sha256).hexdigest()
    assert expected not in str(caught.value)
    assert isinstance(caught.value, e.AccelError)


@pytest.mark.parametrize("secret", ["", "whsec_!", [], ["whsec_bmV3", ""]])
def test_a_secret_that_is_none(secret: Any) -> None:
    with pytest.raises(e.ConfigError, match="the webhook's secret") as caught:
        verify(BODY, GOOD, secret, now=NOW)
    assert "bmV3" not in str(caught.value)
