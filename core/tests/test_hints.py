from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime

import pytest
from ipfs_accel import Client, hints
from ipfs_accel._headers import Headers
from ipfs_accel.hints import rate_limits, retry_after
from ipfs_accel.types import RateLimit
from pytest_httpserver import HTTPServer

from .acme import Acme

DATE = ("date", "Tue, 24 Nov 2026 16:00:00 GMT")


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("1h2m3s", 3723.0),
        ("59.993s", 59.993),
        ("12ms", 0.012),
        ("9µs", 9e-6),
        ("7", 7.0),
        ("2026-11-24T16:00:30Z", 30.0),
        ("2026-11-24T15:00:00Z", 0.0),
        ("1795536030", 30.0),  # seconds since 1970
        ("1795536030.5", 30.5),
        ("1795536030000", 30.0),  # milliseconds
        ("1795536030s", None),
        ("1795535000", 0.0),
        ("2035-11-24T15:00:00Z", None),
        ("1_0", None),
        ("soon", None),
        ("1s later", None),
        ("-1", None),
        ("nan", None),
        ("", None),
    ],
)
def test_when_a_limit_is_whole_again(reset: str, seconds: float | None) -> None:
    found = rate_limits(Headers([DATE, ("x-ratelimit-reset-tokens", reset)]))["tokens"][2]
    assert found == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Tue, 24 Nov 2026 16:00:09 GMT"}, 9.0),
        ({"retry-after": "Tue, 24 Nov 2026 15:00:00 GMT"}, None),
        ({"retry-after": "9", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "9", "retry-after-ms": "soon"}, 9.0),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "1_0"}, None),
        ({"retry-after": "Tue Nov 24 16:00:09 2026"}, 9.0),  # asctime's form, which recipients have to take
        ({"retry-after": "Tuesday, 24-Nov-26 16:00:09 GMT"}, 9.0),
        ({"retry-after": "Tue, 24 Nov 2026 16:00:09 -0000"}, 9.0),
        ({"retry-after": "Tue, 24 Nov 2026 16:00:09"}, 9.0),
        ({"retry-after": "Tue, 24 Nov 2026 17:00:09 +0100"}, 9.0),
        ({"retry-after": "Tue, 99 Nov 2026 16:00:09 GMT"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(Headers([DATE, *headers.items()])) == seconds


NOW = 1795536000.0  # the time of DATE


@pytest.mark.parametrize("date", [None, "soon", ""])
def test_the_own_clock_counts_where_a_server_tells_no_time(date: str | None) -> None:
    when = [] if date is None else [("date", date)]
    waits = Headers([*when, ("retry-after", "Tue, 24 Nov 2026 16:00:09 GMT")])
    resets = Headers([*when, ("x-ratelimit-reset-tokens", "1795536030")])

    assert (retry_after(waits), rate_limits(resets)["tokens"][2]) == (None, None)
    assert (retry_after(waits, NOW), rate_limits(resets, NOW)["tokens"][2]) == (9.0, 30.0)
    assert retry_after(waits, NOW + 9) is None


def test_both_ways_of_naming_limits_are_read() -> None:
    headers = Headers(
        [
            DATE,
            ("X-RateLimit-Limit-Requests", "100"),
            ("x-ratelimit-remaining-requests", "99"),
            ("x-ratelimit-remaining-tokens_usage_based", "-1"),
            ("anthropic-ratelimit-input-tokens-remaining", "5"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-11-24T16:01:00Z"),
            ("x-ratelimit-nonsense", "1"),
        ]
    )
    assert rate_limits(headers) == {
        "requests": (100.0, 99.0, None),
        "tokens_usage_based": (None, None, None),
        "input-tokens": (None, 5.0, 60.0),
    }


def test_an_answer_tells_what_is_left(httpserver: HTTPServer) -> None:
    headers = {
        "x-ratelimit-limit-tokens": "500",
        "x-ratelimit-remaining-tokens": "400",
        "x-ratelimit-reset-tokens": "2s",
    }
    httpserver.expect_request("/chat").respond_with_json({"answer": "a", "used": 1}, headers=headers)
    with Client(plugins=[Acme(httpserver.url_for(""))]) as client:
        reply = client.chat("acme/m", "q")
    assert reply.call is not None
    assert reply.call.rate_limits == {"tokens": RateLimit(limit=500, remaining=400, reset=2)}


@pytest.mark.parametrize(
    "date",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
        " sun,  6 nov 1994 08:49:37 gmt ",
        "06 Nov 2094 08:49:37 UTC",
        "06-Nov-68 08:49:37 GMT",
        "06-Nov-69 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +0130",
        "Sun, 06 Nov 1994 08:49:37 -0800",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49 GMT",
    ],
)
def test_dates_are_read_as_the_library_reads_those_of_mails(date: str) -> None:
    found = parsedate_to_datetime(date)
    assert hints._moment(date) == (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


@pytest.mark.parametrize(
    "date",
    [
        "Sun, 31 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 25:49:37 GMT",
        "Sun, 06 Nvo 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +2500",
        "Sun, 06 Nov 1994 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT and more",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT",
    ],
)
def test_what_is_no_date_is_no_hint(date: str) -> None:
    assert hints._moment(date) is None
