"""What a host may be called, in `OLLAMA_HOST` and in a base URL. Source: Ollama's settings and their tests."""

from __future__ import annotations

import re
import warnings
from urllib.parse import urlsplit

__all__ = ["CLOUD", "is_cloud", "read_host"]

CLOUD = "https://ollama.com"
PORT = "11434"

_USUAL = {"http": "80", "https": "443"}
_HIGHEST_PORT = 65_535
_HOST_AND_PORT = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]]*):(?P<port>[^:\[\]]*)")
# A server binds these to be reached from everywhere; a client cannot connect to them.
_ANYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - nothing is bound here


def read_host(text: str) -> str:
    """Return the base URL that a host means.

    Without a scheme it is http and port 11434; with one, the port is that scheme's own. A path is kept. A port alone,
    or an address that stands for all, means this machine. A port that is none becomes the usual one, with a warning,
    since that is what the server itself does.
    """
    text = text.strip().strip("\"'")
    scheme, separator, rest = text.rpartition("://")
    if not separator:
        if text == "ollama.com":
            return CLOUD
        scheme, rest = "http", text
    address, slash, path = rest.partition("/")
    if "@" in rest:
        return f"{scheme}://{rest}"  # refused where addresses are, without being shown
    usual = _USUAL.get(scheme, PORT) if separator else PORT
    match = _HOST_AND_PORT.fullmatch(address)
    host, port = (match["host"], match["port"]) if match else (address, usual)
    if not (port.isascii() and port.isdecimal()) or int(port) > _HIGHEST_PORT:
        warnings.warn(f"the port {port!r} of the host {text!r} is none; port {usual} is used instead", stacklevel=2)
        port = usual
    host = host.strip("[]")
    host = _ANYWHERE.get(host, f"[{host}]" if ":" in host else host)
    where = host if port == _USUAL.get(scheme) else f"{host}:{port}"
    return f"{scheme}://{where}{slash}{path}".rstrip("/")


def is_cloud(base_url: str) -> bool:
    """Whether a base URL leads to Ollama's own service."""
    return urlsplit(base_url).hostname in {"ollama.com", "www.ollama.com"}
