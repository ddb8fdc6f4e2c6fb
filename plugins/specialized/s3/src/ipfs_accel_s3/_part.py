"""An unfinished download: the file beside its place, and the list of the ranges that it has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ipfs_accel.errors import InvalidRequestError

__all__ = ["Part"]


class Part:
    """The unfinished file, beside its place, with the list of ranges that it has."""

    def __init__(self, to: Path, identity: str) -> None:
        self._to = to
        self.path = to.with_name(f".{to.name}.{identity}.part")
        self._ranges = self.path.with_suffix(".ranges")

    @contextmanager
    def opened(self, size: int) -> Iterator[None]:
        """Make the files unless they are there; hold them against other downloads of the same object to the same place.

        Files that nothing was added to, and those of a size that does not fit, are not kept.
        """
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        handle = os.open(self.path, flags, 0o666)
        try:
            _lock(handle, self._to)
            if os.fstat(handle).st_size != size:
                self._ranges.unlink(missing_ok=True)
                os.ftruncate(handle, size)
            try:
                yield
            except BaseException:
                if not self.done():
                    self.discard()
                raise
        finally:
            os.close(handle)

    def done(self) -> set[int]:
        """Return the numbers of the ranges that are there."""
        try:
            lines = self._ranges.read_text("ascii").splitlines()
        except FileNotFoundError:
            return set()
        return {int(line) for line in lines if line.isdigit()}

    def note(self, number: int) -> None:
        """Note that a range is there; its bytes are on the disk already."""
        with self._ranges.open("a", encoding="ascii") as file:
            file.write(f"{number}\n")

    def publish(self) -> None:
        """Put the file where it belongs."""
        self.path.replace(self._to)
        self._ranges.unlink(missing_ok=True)
        _sync_folder(self._to.parent)

    def discard(self) -> None:
        """Forget what is there."""
        self.path.unlink(missing_ok=True)
        self._ranges.unlink(missing_ok=True)


def _lock(handle: int, to: Path) -> None:
    try:
        import fcntl  # noqa: PLC0415 - not everywhere
    except ImportError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InvalidRequestError(f"to: the same object is being fetched to {to} already") from None


def _sync_folder(folder: Path) -> None:
    """Make sure that the new name outlives a power cut, where the system lets folders be synced."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
