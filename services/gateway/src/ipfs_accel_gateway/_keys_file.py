"""The file with the keys of callers: read as a whole, changed a table at a time, so that comments stay."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ipfs_accel.errors import ConfigError

__all__ = ["add", "remove", "table_of"]

_HEADER = re.compile(r"[ \t]*\[([^\]]*)\][ \t]*(?:#.*)?")


def table_of(name: str, settings: Mapping[str, Any]) -> str:
    """Return the lines of a table; settings that are None are left out."""
    lines = [f"{each} = {_written(value)}\n" for each, value in settings.items() if value is not None]
    return f"[{name}]\n{''.join(lines)}"


def add(path: Path, name: str, settings: Mapping[str, Any]) -> None:
    """Write a further key into a file, which is made if it is not there.

    Raises:
        ConfigError: There is a key of this name, or the file cannot be read or written.
    """
    with _changing(path) as (text, tables, write):
        if name in tables:
            raise ConfigError(f"{path}: there is a key of the name {name!r} already", hint="name another by --name")
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        write(f"{text}{gap}{table_of(name, settings)}")


def remove(path: Path, name: str) -> None:
    """Take a key out of a file.

    Raises:
        ConfigError: There is none of this name, or it stands in a form that only people can change.
    """
    with _changing(path) as (text, tables, write):
        if name not in tables:
            known = ", ".join(tables) or "none"
            raise ConfigError(f"{path}: there is no key of the name {name!r}", hint=f"there are: {known}")
        rest = _without(text, name)
        del tables[name]
        if not _says(rest, tables):
            raise ConfigError(
                f"{path}: {name} does not stand in a table [{name}] of its own", hint="take it out by hand"
            )
        write(rest)


def _without(text: str, name: str) -> str:
    """Return a text without the table of that name: from its header up to what belongs to the next."""
    kept: list[str] = []
    is_inside = False
    for line in text.splitlines(keepends=True):
        header = _HEADER.fullmatch(line.rstrip("\r\n"))
        if header is not None:
            is_inside = header[1].strip().strip("\"'") == name
        elif is_inside and line.lstrip().startswith("#"):
            is_inside = False  # it speaks of what follows
        if not is_inside:
            kept.append(line)
    return "".join(kept)


@contextlib.contextmanager
def _changing(path: Path) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Give the text of a file, what it says, and what writes it anew; one process after the other."""
    path = path.resolve()  # what a link leads to is exchanged, and not the link
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path.parent):
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            yield text, _parsed(text), lambda new: _write(path, new)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot change the file of keys: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        import fcntl  # noqa: PLC0415 - Windows has none, and nobody there to make two keys at once
    except ImportError:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _says(text: str, tables: dict[str, Any]) -> bool:
    try:
        return _parsed(text) == tables
    except tomllib.TOMLDecodeError:
        return False


def _parsed(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def _written(value: Any) -> str:
    """Return a value as TOML has it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, str):  # of what JSON writes in a string TOML reads all but the delete character
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return f"{value:g}" if isinstance(value, float) else str(value)
