"""Bodies of requests: what they were before they were compressed, their JSON, and where in it the model stands."""

from __future__ import annotations

import re
import sys
import zlib
from itertools import islice
from typing import Any

from ipfs_accel import strict_json

from ._reader import Bad

__all__ = ["around_model", "members", "plain"]

_KEY = b'"model"'
_VALUE = re.compile(rb'\s*:\s*("(?:[^"\\]|\\.)*")')
_ESCAPED = b"\\u00"
# The name in all its spellings, before a colon; the first quote may be one within a string, which ends behind the name.
_SPELT = re.compile(rb'"(?:m|\\u006[dD])(?:o|\\u006[fF])(?:d|\\u0064)(?:e|\\u0065)(?:l|\\u006[cC])"(?=\s*:)')
_NAME = re.compile(rb'"model"(?=\s*:)')
_WINDOW = 256 * 1024
"""Bytes of a body that are taken apart at once."""


def plain(body: bytes, coding: str, limit: int) -> bytes:
    """Return a body as it was before it was compressed.

    Raises:
        Bad: It is compressed in another way, is broken, or has more than `limit` bytes.
    """
    if coding in {"", "identity"}:
        return body
    try:
        if coding in {"gzip", "x-gzip"}:
            return _inflated(zlib.decompressobj(wbits=31), body, limit)
        if coding == "zstd":
            return _unpacked(body, limit)
    except (zlib.error, EOFError):
        raise Bad(400, f"the body is no whole {coding}") from None
    raise Bad(415, f"content-encoding: {coding!r} is not known here; gzip and zstd are")


def _unpacked(body: bytes, limit: int) -> bytes:
    if sys.version_info >= (3, 14):  # few bodies are compressed so
        from compression import zstd  # noqa: PLC0415
    else:
        from backports import zstd  # noqa: PLC0415
    try:
        return _inflated(zstd.ZstdDecompressor(), body, limit)
    except zstd.ZstdError:
        raise EOFError from None


def _inflated(decoder: Any, body: bytes, limit: int) -> bytes:
    found: bytes = decoder.decompress(body, limit + 1)
    if len(found) > limit:
        raise Bad(413, f"the body has more than {limit} bytes once it is unpacked")
    if not decoder.eof or decoder.unused_data:
        raise EOFError
    return found


def members(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body.

    Raises:
        Bad: It is something else.
    """
    try:
        value = strict_json.loads(body)
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise Bad(400, f"the body is no JSON: {why}") from None
    if not isinstance(value, dict):
        raise Bad(400, f"the body has to be a JSON object, not {type(value).__name__}")
    return value


def around_model(body: bytes) -> tuple[bytes, bytes]:
    """Return the bytes before and after the value of the member `model` of a body that has one and is valid JSON.

    Raises:
        Bad: It has two of them, of which the server might take the other.
    """
    # An escape could spell the name, and the same name may stand further inside.
    at = body.find(_KEY)
    if at >= 0 and _ESCAPED not in body and body.find(_KEY, at + 1) < 0:
        value = _VALUE.match(body, at + len(_KEY))
        if value is not None:
            return body[: value.start(1)], body[value.end(1) :]
    # Going through all of it takes a hundred times as long, and texts with escapes are what many clients send.
    spelt = [name.end() for name in islice(_SPELT.finditer(body), 2)]
    value = _VALUE.match(body, spelt[0]) if len(spelt) == 1 else None
    if value is not None:
        return body[: value.start(1)], body[value.end(1) :]
    found = _outermost(body)
    if len(found) != 1:
        raise Bad(400, "model: the body says it more than once")
    start, end = found[0]
    return body[:start], body[end:]


def _outermost(body: bytes) -> list[tuple[int, int]]:
    """Return where the values of all outermost members `model` begin and end.

    What stands between two of that name is taken apart at its quotes, so that no string costs a step by itself.
    """
    # Of the same length, and each quote that is left is one end of a string.
    text = body.replace(rb"\\", b"__").replace(rb"\"", b"__") if b"\\" in body else body
    found, depth, at = [], 0, 0
    for name in (_SPELT if _ESCAPED in text else _NAME).finditer(text):
        depth += _deeper(text, at, name.start())
        at = name.start()
        if depth == 1:
            value = _VALUE.match(body, name.end())
            if value is None:
                raise Bad(400, "model: expected a string")
            found.append(value.span(1))
    return found


def _deeper(text: bytes, start: int, end: int) -> int:
    """Return how much deeper a text of JSON is at one place than before at another, both outside of strings."""
    depth, is_within = 0, 0
    for at in range(start, end, _WINDOW):
        parts = text[at : min(at + _WINDOW, end)].split(b'"')
        outside = b"".join(parts[is_within::2])
        depth += outside.count(b"{") + outside.count(b"[") - outside.count(b"}") - outside.count(b"]")
        is_within ^= ~len(parts) & 1
    return depth
