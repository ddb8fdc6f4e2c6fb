"""JSON as the wire has it: compact, UTF-8, and nothing that the standard does not know.

Parsing uses orjson when it is installed (the extra `fast`). The standard library is the reference, and both are held
to one table; only integers beyond 64 bits differ, which orjson makes floats. Writing always uses the standard library:
orjson would turn NaN into null without a word.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

try:
    import orjson
except ImportError:  # the extra is optional
    _has_orjson = False
else:
    _has_orjson = True

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


def _fast_loads(text: bytes | str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return _std_loads(text)


loads = _fast_loads if _has_orjson else _std_loads
