"""Files that only grow, by lines with a checksum each, so that whatever a crash cut short is known and left out."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Log", "sync_folder", "written"]

_HEAD = 9  # eight digits of the checksum, and a space


def written(fd: int, data: bytes, path: Path) -> None:
    """Write all of it.

    Raises:
        OSError: It cannot be, with the name of the file.
    """
    try:
        while data:
            # A disk that is nearly full takes a part.
            data = data[os.write(fd, data) :]
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def sync_folder(path: Path) -> None:
    """Have the names in a folder on the disk, where the system can do that."""
    if os.name == "nt":  # it opens no folders
        return
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Log:
    """One such file.

    Attributes:
        path: Where it is.
        end: Its size in bytes: all that is whole.
        dropped: Bytes behind the last whole line that were there when it was opened, and are not any more.
    """

    __slots__ = ("_fd", "_reads_only", "dropped", "end", "path")

    def __init__(self, path: Path, *, reads_only: bool = False) -> None:
        self.path = path
        flags = os.O_RDONLY if reads_only else os.O_RDWR | os.O_CREAT
        self._fd = os.open(path, flags | getattr(os, "O_BINARY", 0), 0o600)
        self._reads_only = reads_only
        self.end = self.dropped = 0

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """Yield what each whole line says, with where that begins in the file; cut off what is not whole.

        A file that is only read stays as it is: another process may be writing the rest of its last line.

        It has to be read to its end before anything is appended.
        """
        with self.path.open("rb") as file:
            for line in file:
                payload = line[_HEAD:-1]
                if not line.endswith(b"\n") or line[:_HEAD] != b"%08x " % zlib.crc32(payload):
                    break
                yield self.end + _HEAD, payload
                self.end += len(line)
            self.dropped = os.fstat(self._fd).st_size - self.end
        if self._reads_only:
            return
        if self.dropped:
            os.ftruncate(self._fd, self.end)
        os.lseek(self._fd, self.end, os.SEEK_SET)

    def append(self, payload: bytes) -> int:
        """Add a line, which is in the system's hands when this returns; return where what it says begins."""
        line = b"%08x %s\n" % (zlib.crc32(payload), payload)
        try:
            written(self._fd, line, self.path)
        except OSError:
            os.ftruncate(self._fd, self.end)
            os.lseek(self._fd, self.end, os.SEEK_SET)
            raise
        begins = self.end + _HEAD
        self.end += len(line)
        return begins

    def sync(self) -> None:
        """Have it on the disk.

        Raises:
            OSError: It cannot be, with the name of the file.
        """
        try:
            getattr(os, "fdatasync", os.fsync)(self._fd)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from None

    @property
    def is_open(self) -> bool:
        """Whether it is not closed."""
        return self._fd >= 0

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
