"""Bodies as a file has them, to be read in a diff: JSON as JSON, text as text, all else as base64 or by its hash."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NoReturn

from ipfs_accel._suggest import short

__all__ = ["asked", "differences", "said_pieces", "told", "told_pieces", "written"]

_NUMBERS = re.compile(r"\[\n\s+(-?\d[^\[\]{}\"]*?)\n\s+\]")
_BOUNDARY = re.compile(r"boundary=\"?([^\";]+)")
_ABSENT = object()
_BEFORE = 16
"""Characters that are shown before the first that differs."""


def asked(body: bytes | None, content_type: str) -> dict[str, Any]:
    """Return the body of a request in the form in which it is compared and written down.

    What a form is cut by is chosen anew each time, and so written in one way. Of what is no text there is a hash.
    """
    if not body:
        return {}
    cut_by = _BOUNDARY.search(content_type) if content_type.startswith("multipart/") else None
    if cut_by is not None:
        body = body.replace(cut_by[1].encode(), b"boundary")
    form = _readable(body)
    return form or {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}


def told(body: bytes) -> dict[str, Any]:
    """Return the whole body of an answer as a file has it; JSON is the same value, in other white space perhaps."""
    if not body:
        return {}
    return _readable(body) or {"base64": base64.b64encode(body).decode()}


def told_pieces(pieces: list[bytes]) -> dict[str, Any]:
    """Return the pieces in which an answer came: as texts, or as base64 where a piece is none."""
    return {"pieces": [_piece(piece) for piece in pieces]}


def _piece(piece: bytes) -> Any:
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(piece).decode()}


def _readable(body: bytes) -> dict[str, Any] | None:
    """Return the form of a text, or None: what has a zero byte in it is none, though UTF-8 knows that too."""
    if b"\0" in body:
        return None
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    if text[0] not in "{[":
        return {"text": text}
    try:
        return {"json": _decoder.decode(text)}
    except (ValueError, RecursionError):
        return {"text": text}


def _float(text: str) -> float:
    value = float(text)
    if Decimal(text) != Decimal(repr(value)):
        raise ValueError(text)  # written again it would be another number
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a name is there twice")
    return value


def _constant(text: str) -> NoReturn:
    raise ValueError(text)


_decoder = json.JSONDecoder(parse_float=_float, object_pairs_hook=_object, parse_constant=_constant)


def said_pieces(answer: Mapping[str, Any]) -> list[bytes]:
    """Return the body of a recorded answer in the pieces in which it came."""
    if "json" in answer:
        return [json.dumps(answer["json"], ensure_ascii=False, separators=(",", ":")).encode()]
    if "pieces" in answer:
        return [
            base64.b64decode(each["base64"]) if isinstance(each, dict) else each.encode() for each in answer["pieces"]
        ]
    whole = answer["text"].encode() if "text" in answer else base64.b64decode(answer.get("base64", ""))
    return [whole] if whole else []


def written(value: Any) -> str:
    """Return the text of a file: indented, and a list of numbers in one line."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    return _NUMBERS.sub(lambda found: "[" + re.sub(r",\n\s+", ", ", found[1]) + "]", text) + "\n"


def differences(recorded: Any, now: Any, where: str = "") -> Iterator[str]:
    """Return in which places, and how, a request differs from a recorded one."""
    if recorded == now:
        return
    if isinstance(recorded, dict) and isinstance(now, dict):
        for name in [*recorded, *[each for each in now if each not in recorded]]:
            place = f"{where}.{name}" if where else name
            yield from differences(recorded.get(name, _ABSENT), now.get(name, _ABSENT), place)
    elif isinstance(recorded, list) and isinstance(now, list) and recorded and now:
        for index in range(max(len(recorded), len(now))):
            before, after = [each[index] if index < len(each) else _ABSENT for each in (recorded, now)]
            yield from differences(before, after, f"{where}[{index}]")
    else:
        if isinstance(recorded, str) and isinstance(now, str):
            alike = next((at for at, pair in enumerate(zip(recorded, now, strict=False)) if len(set(pair)) > 1), 0)
            start = max(0, alike - _BEFORE)
            recorded, now = [f"{'...' * (start > 0)}{each[start:]}" for each in (recorded, now)]
        yield f"{where} was {_shown(recorded)} and is {_shown(now)}"


def _shown(value: Any) -> str:
    return "absent" if value is _ABSENT else short(value)
