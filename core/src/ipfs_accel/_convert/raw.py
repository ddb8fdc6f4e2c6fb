"""As `texts`, for any request of a provider's API."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ipfs_accel._suggest import did_you_mean, short
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import RawRequest, Upload

from .files import upload

__all__ = ["METHODS", "raw_request"]

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_OPTIONS = ("json", "data", "fields", "files", "params", "headers", "idempotent", "as_bytes")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# They say how a message is framed and where a connection leads, which the transport does.
_FRAMING = frozenset(
    {"connection", "content-length", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)


def raw_request(model: str, value: Any, options: dict[str, Any]) -> RawRequest:
    """Make the request of `request` and `stream_request` from (method, path)."""
    method, path = value
    given = {name: each for name, each in options.items() if each is not None}
    for name in given:
        if name not in _OPTIONS:
            raise InvalidRequestError(f"{name}: unknown option of a request", hint=did_you_mean(name, _OPTIONS))
    if not isinstance(path, str):
        raise InvalidRequestError(f"path: expected a string, got {short(path)}")
    fields, files = tuple(_pairs("fields", given.get("fields", ()))), tuple(_files(given.get("files", ())))
    data = given.get("data")
    form = ["fields" if fields else "files"] if fields or files else []
    bodies = [name for name in ("json", "data") if name in given] + form
    if len(bodies) > 1:
        raise InvalidRequestError(f"{bodies[1]}: a request has one body, and {bodies[0]} is given too")
    for name in ("idempotent", "as_bytes"):
        if not isinstance(given.get(name, False), bool):
            raise InvalidRequestError(f"{name}: expected True or False, got {short(given[name])}")
    return RawRequest(
        model=model,
        method=_method(method),
        path=path,
        query=tuple(_pairs("params", given.get("params", ()))),
        headers=tuple(_headers(given.get("headers", ()))),
        json=given.get("json"),
        data=None if data is None else upload(data, "data"),
        fields=fields,
        files=files,
        idempotent=given.get("idempotent", False),
        as_bytes=given.get("as_bytes", False),
    )


def _method(method: Any) -> str:
    found = method.upper() if isinstance(method, str) else ""
    if found not in METHODS:
        raise InvalidRequestError(f"method: expected one of {', '.join(METHODS)}, got {short(method)}")
    return found


def _named(field: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Give names and values, several of one name one by one."""
    pairs = value.items() if isinstance(value, Mapping) else value
    if isinstance(pairs, str | bytes) or not isinstance(pairs, Iterable):
        raise InvalidRequestError(f"{field}: expected a mapping, or pairs of names and values, got {short(value)}")
    for pair in pairs:
        if not isinstance(pair, tuple | list) or len(pair) != 2 or not isinstance(pair[0], str):  # noqa: PLR2004
            raise InvalidRequestError(f"{field}: expected names and values, got {short(pair)}")
        name, inner = pair
        for each in inner if isinstance(inner, list | tuple) else (inner,):
            yield name, each


def _pairs(field: str, value: Any) -> Iterator[tuple[str, str]]:
    for name, each in _named(field, value):
        if isinstance(each, bool):
            yield name, "true" if each else "false"
        elif isinstance(each, str | int | float):
            yield name, str(each)
        elif each is not None:
            raise InvalidRequestError(f"{field}[{name!r}]: expected a text or a number, got {short(each)}")


def _files(value: Any) -> Iterator[tuple[str, Upload]]:
    for name, each in _named("files", value):
        yield name, upload(each, f"files[{name!r}]")


def _headers(value: Any) -> Iterator[tuple[str, str]]:
    for name, text in _pairs("headers", value):
        if not _TOKEN.fullmatch(name) or not text.isascii() or not text.isprintable():
            raise InvalidRequestError(f"headers[{name!r}]: HTTP does not allow a name or value like this")
        if name.lower() in _FRAMING:
            raise InvalidRequestError(f"headers[{name!r}]: it is set by what is sent", hint="leave it out")
        yield name, text
