"""JSON as the wire has it: compact, UTF-8, and nothing that the standard does not know.

Parsing uses orjson when it is installed (the extra `fast`). The standard library is the reference, and both are held
to one table; only integers beyond 64 bits differ, which orjson makes floats. Writing always uses the standard library:
orjson would turn NaN into null without a word.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

__all__ = ["dumps", "loads"]


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


_decode = json.JSONDecoder(parse_constant=_reject).decode
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=True).encode


def dumps(value: Any) -> bytes:
    """Write JSON.

    Raises:
        ValueError: NaN, Infinity, a lone surrogate, or a reference cycle in it.
        TypeError: Something that JSON has no form for.
    """
    return _encode(value).encode("utf-8")


def _std_loads(text: bytes | str) -> Any:
    """Parse JSON; bytes have to be UTF-8 and may begin with a byte order mark.

    Raises:
        ValueError: Not JSON, not UTF-8, or NaN or Infinity in it.
        RecursionError: Nested too deeply.
    """
    if not isinstance(text, str):
        text = text.decode("utf-8-sig")
    return _decode(text)


def _with_reference(quick: Callable[[bytes | str], Any]) -> Callable[[bytes | str], Any]:
    """Return a parser that asks `quick` first and lets the reference say what is wrong with the rest."""

    def loads(text: bytes | str) -> Any:
        try:
            return quick(text)
        except ValueError:
            return _std_loads(text)

    return loads


loads: Callable[[bytes | str], Any] = _std_loads
with suppress(ImportError):  # the extra is optional
    from orjson import loads as _orjson_loads

    loads = _with_reference(_orjson_loads)
