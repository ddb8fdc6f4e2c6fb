"""Ids that stand twice among any number of rows, found with little memory: what is much is sorted on the disk."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

__all__ = ["Duplicates"]

_DIGEST = 16
_ENTRY = _DIGEST + 8
_KEPT = 1 << 22
"""Bytes that are kept in memory before they go into files."""


class Duplicates:
    """Notes ids, and tells which are not the first of their kind.

    The first byte of an id's hash says into which of 256 parts it goes, and each part is looked through by itself, so
    that a hundred million rows take some ten megabytes.

    Args:
        folder: Where the files may be; they go with the block.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: defaultdict[int, bytearray] = defaultdict(bytearray)
        self._files: dict[int, IO[bytes]] = {}
        self._size = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for part, file in self._files.items():
            file.close()
            self._path(part).unlink(missing_ok=True)

    def _path(self, part: int) -> Path:
        return self._folder / f"ids-{part:02x}"

    def note(self, name: str, number: int) -> None:
        """Note the id of the row with this number."""
        digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()
        part = self._parts[digest[0]]
        part += digest
        part += number.to_bytes(8, "big")
        self._size += _ENTRY
        if self._size >= _KEPT:
            self._spill()

    def _spill(self) -> None:
        for part, entries in self._parts.items():
            if part not in self._files:
                self._files[part] = self._path(part).open("w+b", buffering=0)
            self._files[part].write(entries)
        self._parts.clear()
        self._size = 0

    def found(self) -> Iterator[tuple[int, int]]:
        """Yield the numbers of each row whose id another has, and of the first row that has it."""
        for part in sorted({*self._parts, *self._files}):
            entries = bytes(self._parts.get(part, b""))
            if part in self._files:
                self._files[part].seek(0)
                entries = self._files[part].read() + entries
            firsts: dict[bytes, int] = {}
            for place in range(0, len(entries), _ENTRY):
                digest = entries[place : place + _DIGEST]
                number = int.from_bytes(entries[place + _DIGEST : place + _ENTRY], "big")
                first = firsts.setdefault(digest, number)
                if first != number:
                    yield number, first
