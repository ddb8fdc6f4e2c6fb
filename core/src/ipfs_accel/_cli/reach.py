"""Asking whether the servers of endpoints can be reached: one request each, without a key, as calls would connect."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import attrs

from ipfs_accel._config.config import Config
from ipfs_accel._http import Exchange, Timeouts, Transport, TransportOptions
from ipfs_accel._url import is_here, masked_url
from ipfs_accel._values import frozen
from ipfs_accel.errors import AccelError

__all__ = ["Reach", "Tls", "reach"]

MOST_SKEW = 60.0
"""Seconds that a clock may be off before signed requests and tokens are in danger."""
_LIMITS = Timeouts(connect=5.0, read=10.0, write=5.0, total=15.0)
_DAY = 86400.0
_GATEWAY = {502, 503, 504}
_PROXY_AUTHENTICATION = 407
_MOST_THREADS = 16


@frozen(kw_only=True)
class Tls:
    """The TLS of a connection; that there is one means that the certificate was verified.

    Attributes:
        version: Of the protocol, such as TLSv1.3.
        issuer: Who signed the server's certificate.
        expires: When that ends, in seconds since 1970.
        days_left: Until then.
    """

    version: str | None
    issuer: str
    expires: float
    days_left: float


@frozen(kw_only=True)
class Reach:
    """What became of the question.

    Attributes:
        url: Where it went.
        reached: Whether the server answered; which status does not matter, since no key was sent.
        status: Of the answer.
        seconds: Until its head was there.
        server: What it calls itself.
        tls: None without TLS, and if there was no connection.
        clock_skew: Seconds that this machine's clock is ahead of the server's, to a second; None if it told no time.
        proxy: Through which the request went.
        problem: What is wrong.
        hint: What to do about that.
    """

    url: str
    reached: bool = False
    status: int | None = None
    seconds: float
    server: str | None = None
    tls: Tls | None = None
    clock_skew: float | None = None
    proxy: str | None = None
    problem: str | None = None
    hint: str | None = None


def reach(urls: Iterable[str], config: Config, clock: Callable[[], float] = time.time) -> dict[str, Reach]:
    """Ask each URL, side by side.

    Args:
        urls: Base URLs of endpoints.
        config: Which proxy and certificate authorities calls use.
        clock: The time in seconds since 1970.
    """
    wanted = list(dict.fromkeys(urls))
    transport = Transport(TransportOptions(verify=config.ca_file or True, proxy=config.proxy))
    proxy = masked_url(config.proxy) if config.proxy else None

    def ask(url: str) -> Reach:
        started = time.perf_counter()
        try:
            with transport.send("GET", url, headers=[("accept", "*/*")], body=None, timeouts=_LIMITS) as exchange:
                found = _read(url, exchange, time.perf_counter() - started, clock())
        except AccelError as error:
            seconds = time.perf_counter() - started
            found = Reach(url=url, seconds=seconds, problem=error.message, hint=_hint(error, url, config))
        return found if is_here(url) else attrs.evolve(found, proxy=proxy)

    try:
        with ThreadPoolExecutor(min(len(wanted), _MOST_THREADS) or 1) as pool:
            return dict(zip(wanted, pool.map(ask, wanted), strict=True))
    finally:
        transport.close()


def _read(url: str, exchange: Exchange, seconds: float, now: float) -> Reach:
    found = Reach(
        url=url,
        reached=True,
        status=exchange.status,
        seconds=seconds,
        server=exchange.headers.get("server"),
        tls=_tls(exchange, now),
        # The answer was made half a way before it came.
        clock_skew=_skew(exchange.headers, now - seconds / 2),
    )
    problem, hint = _problem(found)
    return attrs.evolve(found, problem=problem, hint=hint)


def _tls(exchange: Exchange, now: float) -> Tls | None:
    connection = exchange.tls
    certificate: Any = (connection.getpeercert() if connection else None) or {}
    if connection is None or "notAfter" not in certificate:
        return None
    names = {name: value for group in certificate.get("issuer", ()) for name, value in group}
    parts = dict.fromkeys([names[name] for name in ("organizationName", "commonName") if name in names])
    expires = float(ssl.cert_time_to_seconds(certificate["notAfter"]))
    return Tls(
        version=connection.version(),
        issuer=", ".join(parts),
        expires=expires,
        days_left=round((expires - now) / _DAY, 1),
    )


def _skew(headers: Any, now: float) -> float | None:
    try:
        told = parsedate_to_datetime(headers.get("date", "")).timestamp()
        told += float(headers.get("age", "0"))  # a cache answers with the date of when it asked
    except (ValueError, OverflowError):
        return None
    return float(int(now - told))  # a date has whole seconds only


def _problem(found: Reach) -> tuple[str | None, str | None]:
    if found.status == _PROXY_AUTHENTICATION:
        return "the proxy wants a user name and password", "set proxy to http://user:password@host:port"
    if found.status in _GATEWAY:
        return f"it answers HTTP {found.status}", "the server, or one behind it, is down or overloaded"
    if found.clock_skew is not None and abs(found.clock_skew) > MOST_SKEW:
        where = "ahead of" if found.clock_skew > 0 else "behind"
        return (
            f"this machine's clock is {abs(found.clock_skew):.0f} s {where} the server's",
            "set the clock, best by NTP; signed requests and tokens are refused when it is wrong",
        )
    if found.tls is not None and found.tls.days_left < 1:
        return f"its certificate ends in {found.tls.days_left * 24:.0f} h", "who runs the server has to renew it"
    return None, None


def _hint(error: AccelError, url: str, config: Config) -> str:
    if "certificate" in error.message:
        return "set ca_file in the configuration to the PEM file of the authority that signed the server's certificate"
    if error.hint:
        return error.hint
    if is_here(url):
        return "check that the server runs and the endpoint's base_url"
    unused = [name for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy") if config.environ.get(name)]
    if unused and not config.proxy:
        return f"{unused[0]} is set but not used: set proxy in the configuration, or IPFS_ACCEL_PROXY"
    if config.proxy:
        return "check that the server runs, the endpoint's base_url, and the proxy"
    return "check that the server runs and the endpoint's base_url"
