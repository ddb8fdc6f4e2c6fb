"""What both worlds share: options, TLS, proxies and URLs."""

from __future__ import annotations

import re
import socket
import sys
from base64 import b64encode
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

import attrs

from ipfs_accel._url import is_here
from ipfs_accel._values import frozen
from ipfs_accel.errors import ConfigError

if TYPE_CHECKING:
    import ssl

    from typing_extensions import TypeIs

__all__ = [
    "SOCKET_OPTIONS",
    "Proxy",
    "Target",
    "TransportOptions",
    "find_os_error",
    "is_tls_error",
    "parse_proxy",
    "parse_url",
]

_MAX_CACHED_URLS = 256
_MAX_CONNECTIONS = 1000
_MAX_WRAPPINGS = 10
_MAX_LABEL = 63
_PORTS = {"http": 80, "https": 443}
_SOCKS_PORT = 1080


def _most_connections() -> int:
    """Return a thousand, or half of the files that this process may open if that is less: others want some too."""
    try:
        import resource  # noqa: PLC0415 - Windows has neither it nor such a limit on sockets
    except ImportError:
        return _MAX_CONNECTIONS
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return _MAX_CONNECTIONS if files == resource.RLIM_INFINITY else max(1, min(_MAX_CONNECTIONS, files // 2))


@frozen
class TransportOptions:
    """How a transport connects.

    Attributes:
        max_connections: Open at the same time, to all servers together.
        max_idle: Kept open without a request.
        keepalive_expiry: Seconds after which an idle connection is not used again.
        verify: True for the usual certificate authorities, False for none, a path of a file or directory, or a context.
        proxy: URL of an HTTP or SOCKS5 proxy; no environment variable is ever read for it, and what is on this machine
            is reached without it.
    """

    max_connections: int = attrs.field(factory=_most_connections)
    max_idle: int = 256
    keepalive_expiry: float = 30.0
    verify: bool | str | ssl.SSLContext = True
    proxy: str | None = attrs.field(default=None, repr=False)


# Connecting


def _socket_options() -> list[tuple[int, int, int]]:
    options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    idle = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"
    for name, value in ((idle, 60), ("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 5)):
        if hasattr(socket, name):
            options.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    return options


SOCKET_OPTIONS = _socket_options()


class Proxy:
    """Where requests go instead of to the server.

    Attributes:
        scheme: http and https are spoken here, socks5 by a library.
        hostname: Without the brackets of an address.
        port: Of the proxy.
        user: The name and the password that its URL holds.
    """

    __slots__ = ("hostname", "port", "scheme", "user")

    def __init__(
        self,
        scheme: Literal["http", "https", "socks5", "socks5h"],
        hostname: str,
        port: int,
        user: tuple[bytes, bytes] | None,
    ) -> None:
        self.scheme = scheme
        self.hostname = hostname
        self.port = port
        self.user = user

    @property
    def name(self) -> str:
        """As errors show it, with its port and without its user."""
        return f"[{self.hostname}]:{self.port}" if ":" in self.hostname else f"{self.hostname}:{self.port}"

    @property
    def is_secure(self) -> bool:
        """Whether it is reached over TLS."""
        return self.scheme == "https"

    @property
    def is_socks(self) -> bool:
        """Whether it needs the library that speaks to such proxies."""
        return self.scheme.startswith("socks5")

    @property
    def authorization(self) -> str | None:
        """The header value that the user's name and password make."""
        return None if self.user is None else "Basic " + b64encode(b":".join(self.user)).decode("ascii")


def parse_proxy(url: str) -> Proxy:
    """Split the URL of a proxy; its errors never show the URL, which may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError("the proxy's URL is malformed") from None
    scheme = parts.scheme
    if scheme not in {"http", "https", "socks5", "socks5h"} or not parts.hostname:
        raise ConfigError("a proxy's URL has to be http://host:port, https://host:port or socks5://host:port")
    if scheme.startswith("socks5"):
        _check_socks()
    user = None
    if parts.username is not None:
        user = (unquote(parts.username).encode(), unquote(parts.password or "").encode())
    return Proxy(scheme, _ascii_host(parts.hostname).decode(), port or _PORTS.get(scheme, _SOCKS_PORT), user)  # type: ignore[arg-type]


def _check_socks() -> None:
    from importlib.util import find_spec  # noqa: PLC0415 - few proxies speak it

    from ipfs_accel.installing import install_command  # noqa: PLC0415 - needed for hints alone

    if find_spec("socksio") is None:
        raise ConfigError("a SOCKS proxy needs the package socksio", hint=f"run: {install_command('socksio')}")


# URLs


class Target:
    """A URL, taken apart.

    Attributes:
        key: Of the origin, whose requests may share connections.
        name: As errors show the server, with its port.
        host: As the header of this name has it.
        hostname: As the network wants it, without the brackets of an address.
        port: Of the server.
        is_secure: Whether it is reached over TLS.
        is_here: Whether it is on this machine.
        path: With the query.
    """

    __slots__ = ("host", "hostname", "is_here", "is_secure", "key", "name", "path", "port")

    def __init__(
        self, *, key: str, name: str, host: str, hostname: str, port: int, is_secure: bool, is_here: bool, path: str
    ) -> None:
        self.key = key
        self.name = name
        self.host = host
        self.hostname = hostname
        self.port = port
        self.is_secure = is_secure
        self.is_here = is_here
        self.path = path


_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")

_targets: dict[str, Target] = {}


def parse_url(url: str) -> Target:
    """Take a URL apart, or find it in a small cache: a program uses few of them, over and over."""
    target = _targets.get(url)
    if target is None:
        target = _parse_url(url)
        if len(_targets) >= _MAX_CACHED_URLS:
            _targets.clear()
        _targets[url] = target
    return target


def _parse_url(url: str) -> Target:
    try:
        parts = urlsplit(url)
        host, port, scheme = parts.hostname, parts.port, parts.scheme
    except ValueError:
        raise ConfigError("a URL is malformed: its host or port cannot be read") from None
    if scheme not in {"http", "https"} or not host or "@" in parts.netloc:
        raise ConfigError("a URL has to be http://host/... or https://host/..., without a user name or password in it")
    default = _PORTS[scheme]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if _UNPRINTABLE.search(url) or not path.isascii():
        raise ConfigError(f"a URL of {host} has spaces, control or non-ASCII characters; they must be percent-encoded")
    raw_host = _ascii_host(host)
    shown = f"[{host}]" if ":" in host else raw_host.decode()
    port = port or default
    return Target(
        key=f"{scheme}://{shown}:{port}",
        name=f"{shown}:{port}",
        host=shown if port == default else f"{shown}:{port}",
        hostname=raw_host.decode(),
        port=port,
        is_secure=scheme == "https",
        is_here=is_here(url),
        path=path,
    )


def _ascii_host(host: str) -> bytes:
    try:
        raw = host.encode("ascii") if host.isascii() else host.encode("idna")
    except UnicodeError:
        raw = b""
    labels = raw.removesuffix(b".").split(b".")
    if b":" not in raw and not all(0 < len(label) <= _MAX_LABEL for label in labels):
        raise ConfigError(f"{host!r} is no valid host name")
    return raw


def find_os_error(error: BaseException | None) -> OSError | None:
    """Return what the operating system said, from under its wrappings."""
    for _ in range(_MAX_WRAPPINGS):
        if isinstance(error, OSError) and (error.errno is not None or is_tls_error(error)):
            return error
        if isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]  # one for each address of the host; the first is the preferred one
        elif error is not None:
            error = error.__cause__ or error.__context__
    return None


def is_tls_error(error: BaseException | None) -> TypeIs[ssl.SSLError]:
    """Whether an error is one of TLS; there is none as long as no server of this process has made it load that."""
    kind = getattr(sys.modules.get("ssl"), "SSLError", None)
    return kind is not None and isinstance(error, kind)
