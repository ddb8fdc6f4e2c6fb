"""JSON as the wire has it: compact, UTF-8, and nothing that the standard does not know.

Both directions use orjson when it is installed (the extra `fast`), wherever it cannot change a value. The standard
library is the reference, and both are held to one table: it reads integers beyond 64 bits, of which orjson makes
floats, and whatever orjson refuses; it writes them too, and refuses NaN, of which orjson makes null. Of what JSON has
no form for, orjson alone writes UUIDs and the values of enums.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

__all__ = ["dumps", "dumps_finite", "loads", "loads_vectors"]


def _reject(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON value")


_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_decode = json.JSONDecoder(parse_constant=_reject).decode
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), check_circular=True).encode


def _std_dumps(value: Any) -> bytes:
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
    return _decode(text if isinstance(text, str) else text.decode("utf-8-sig"))


def _reading(quick: Callable[[bytes | str], Any]) -> Callable[[bytes | str], Any]:
    """Return a parser that asks `quick` first and leaves to the reference what that one would change or refuses."""

    def loads(text: bytes | str) -> Any:
        try:
            # A text that UTF-8 cannot hold is a ValueError here, too.
            if not _has_long_integer(text.encode() if isinstance(text, str) else text):
                return quick(text)
        except ValueError:
            pass
        return _std_loads(text)

    return loads


def _reading_vectors(quick: Callable[[bytes | str], Any]) -> Callable[[bytes | str], Any]:
    """Return the same for vectors, whose text is too long to be looked through, and their values too many."""

    def loads(text: bytes | str) -> Any:
        try:
            value = quick(text)
        except ValueError:
            return _std_loads(text)
        return _std_loads(text) if _has_large_float(value) else value

    return loads


def _has_large_float(value: Any) -> bool:
    """Whether there is a float, outside of lists that begin with one, that may have been an integer beyond 64 bits."""
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, dict):
            todo.extend(each.values())
        elif isinstance(each, list):
            if each and type(each[0]) is not float:
                todo.extend(each)
        elif type(each) is float and not -_LARGE < each < _LARGE:
            return True
    return False


_LARGE = float(2**63)
_LONG = b"0" * 19
_DIGITS = re.compile(rb"0+")
_BEFORE_INTEGER = re.compile(rb"(?:^|[\s:,\[])-?\Z")
_PIECE = 64 * 1024


def _has_long_integer(text: bytes) -> bool:
    """Whether there may be an integer of 19 digits or more, which may need more than the 64 bits that orjson has."""
    # Looking for digits among zeros is how each byte is looked at once, and in no Python; in pieces that stay in the
    # processor's cache. What stands before a run tells integers from fractions, of which long vectors have many.
    for first in range(0, len(text), _PIECE):
        zeros = text[first : first + _PIECE + len(_LONG) - 1].translate(_ZEROS)
        end = 0
        while (start := zeros.find(_LONG, end)) >= 0:
            place = first + start
            if _BEFORE_INTEGER.search(text[max(0, place - 2) : place]):
                return True
            run = _DIGITS.match(zeros, start)
            end = len(zeros) if run is None else run.end()
    return False


def _writing(quick: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Return a writer that asks `quick` first and leaves to the reference what that one would change or refuses."""

    def dumps(value: Any) -> bytes:
        try:
            written = quick(value)
        except TypeError:  # integers beyond 64 bits, lone surrogates, keys that are no text, and what JSON has not
            return _std_dumps(value)
        return _std_dumps(value) if b"null" in written else written  # NaN becomes null, too

    return dumps


def _writing_finite(quick: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """Return the same for values whose floats are numbers."""

    def dumps(value: Any) -> bytes:
        try:
            return quick(value)
        except TypeError:  # as above
            return _std_dumps(value)

    return dumps


dumps: Callable[[Any], bytes] = _std_dumps
dumps_finite: Callable[[Any], bytes] = _std_dumps
"""As `dumps`; for values of which the caller knows that no float in them is NaN or infinite."""
loads: Callable[[bytes | str], Any] = _std_loads
loads_vectors: Callable[[bytes | str], Any] = _std_loads
"""As `loads`; digits that a float does not have are lost in lists that begin with a float."""
with suppress(ImportError):  # the extra is optional
    import orjson

    _OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
    loads = _reading(orjson.loads)
    loads_vectors = _reading_vectors(orjson.loads)
    _quick = functools.partial(orjson.dumps, option=_OPTIONS)
    dumps = _writing(_quick)
    dumps_finite = _writing_finite(_quick)
