"""What the head of a GGUF file says, read without a library. The format is ggml's gguf.md, version 2 and 3."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["context_length", "metadata"]

# Value types by their number in the file, as struct formats.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MAX_TEXT = 16 * 1024 * 1024


def context_length(path: Path) -> int | None:
    """Return the context that the model was trained with, in tokens, if the file says it."""
    try:
        values = metadata(path)
    except (OSError, ValueError, struct.error):
        return None
    value = values.get(f"{values.get('general.architecture')}.context_length")
    return value if isinstance(value, int) else None


def metadata(path: Path) -> dict[str, Any]:
    """Return the file's scalar and text metadata; arrays, which hold the vocabulary, are skipped.

    Raises:
        ValueError: It is no GGUF file.
    """
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ValueError(f"{path} is not a GGUF file")
        _version, _tensors, count = struct.unpack("<IQQ", file.read(20))
        found: dict[str, Any] = {}
        for _ in range(count):
            name = _text(file)
            (kind,) = struct.unpack("<I", file.read(4))
            value = _value(file, kind)
            if value is not None:
                found[name] = value
        return found


def _text(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > _MAX_TEXT:
        raise ValueError("a text in the file's head is too long")
    return file.read(length).decode("utf-8", "replace")


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _text(file)
    if kind != _ARRAY:
        if kind not in _SCALARS:
            raise ValueError(f"unknown type {kind} in the file's head")
        form = "<" + _SCALARS[kind]
        return struct.unpack(form, file.read(struct.calcsize(form)))[0]
    inner, count = struct.unpack("<IQ", file.read(12))
    if inner in _SCALARS:
        file.seek(count * struct.calcsize("<" + _SCALARS[inner]), 1)
        return None
    for _ in range(count):
        _value(file, inner)
    return None
