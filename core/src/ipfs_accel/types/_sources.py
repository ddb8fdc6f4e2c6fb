"""What paths, bytes and open files hold, where a part of a message or a file to send may be given as one."""

from __future__ import annotations

import inspect
from os import PathLike
from pathlib import Path, PurePath
from typing import Any

from ipfs_accel._invalid import InvalidValueError

__all__ = ["SUFFIXES", "holds", "is_source", "opened", "type_by_name"]

SUFFIXES: dict[str, str] = {
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".mp4": "audio/mp4",
    ".mpeg": "audio/mpeg",
    ".mpga": "audio/mpeg",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".webm": "audio/webm",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".pdf": "application/pdf",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".csv": "text/csv",
}
_FILMS = frozenset({".mp4", ".mpeg", ".webm"})
"""They may be films, which nobody who transcribes minds, and which is another thing to a model that is asked."""


def is_source(value: object) -> bool:
    """Whether a value is a path, bytes or an open file; a string is none, as it may be a text."""
    return isinstance(value, PathLike | bytes | bytearray | memoryview) or is_file(value)


def is_file(value: object) -> bool:
    """Whether a value is an open file, or reads like one."""
    return callable(getattr(value, "read", None)) and not isinstance(value, type)


def holds(source: Any, field: str) -> tuple[bytes, str | None]:
    """Return the bytes of a source, read now, and the file's name if it has one.

    Raises:
        InvalidValueError: It cannot be read, or gives no bytes.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source), None
    if is_file(source):
        return opened(source, field)
    try:
        path = Path(source)
        return path.read_bytes(), path.name
    except OSError as error:
        raise InvalidValueError(f"{field}: cannot read {source}: {error.strerror}") from None
    except ValueError:  # a null byte, or half a character
        raise InvalidValueError(f"{field}: {str(source)!a} is no path of a file") from None


def opened(file: Any, field: str) -> tuple[bytes, str | None]:
    """Return what an open file gives from where it stands to its end, and its name.

    Raises:
        InvalidValueError: It gives text, or has to be awaited.
    """
    if inspect.iscoroutinefunction(file.read):
        raise InvalidValueError(f"{field}: the file is read by await", hint="pass what it gives: await file.read()")
    try:
        data = file.read()
    except (OSError, ValueError) as error:  # it is closed, or open for writing
        raise InvalidValueError(f"{field}: the file cannot be read: {error}") from None
    if not isinstance(data, bytes | bytearray | memoryview):
        given = "text" if isinstance(data, str) else type(data).__name__
        raise InvalidValueError(
            f"{field}: the file gives {given}, not bytes", hint='open it in binary mode: open(…, "rb")'
        )
    name = getattr(file, "name", None)
    return bytes(data), PurePath(name).name if isinstance(name, str) else None


def type_by_name(name: str | None) -> str | None:
    """Return the media type that a file's name tells, where it tells one and no other."""
    suffix = PurePath(name or "").suffix.lower()
    return None if suffix in _FILMS else SUFFIXES.get(suffix)
