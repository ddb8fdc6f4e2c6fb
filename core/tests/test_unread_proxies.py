"""Proxies that only the environment names: not used, and hinted at where a connection fails."""

from __future__ import annotations

import pytest
from ipfs_accel._endpoints.proxies import unread_proxy

PROXY = "http://me:canary@proxy.test:3128"


@pytest.mark.parametrize(
    ("url", "environ", "named"),
    [
        ("https://a.test/v1", {"HTTPS_PROXY": PROXY}, "HTTPS_PROXY"),
        ("https://a.test/v1", {"https_proxy": PROXY, "all_proxy": PROXY}, "https_proxy"),
        ("https://a.test/v1", {"HTTP_PROXY": PROXY}, None),
        ("http://a.test/v1", {"HTTP_PROXY": PROXY}, "HTTP_PROXY"),
        ("http://a.test/v1", {"ALL_PROXY": PROXY, "HTTPS_PROXY": PROXY}, "ALL_PROXY"),
        ("https://a.test/v1", {"HTTPS_PROXY": ""}, None),
        ("https://a.test/v1", {"HTTPS_PROXY": PROXY, "NO_PROXY": "b.test, .test"}, None),
        ("https://a.test/v1", {"HTTPS_PROXY": PROXY, "no_proxy": "*"}, None),
        ("https://a.test/v1", {"HTTPS_PROXY": PROXY, "no_proxy": "b.test,t"}, "HTTPS_PROXY"),
    ],
)
def test_the_variable_is_named_and_its_value_is_not(url: str, environ: dict[str, str], named: str | None) -> None:
    hint = unread_proxy(environ, url)
    if named is None:
        assert hint is None
    else:
        assert hint is not None
        assert hint.startswith(f"{named} is set, and is not read: for a proxy set proxy = ")
        assert "canary" not in hint
