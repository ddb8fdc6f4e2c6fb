"""What a transfer reads from and counts, over all the threads that work for it."""

from __future__ import annotations

import io
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, TypeVar

from ipfs_accel.errors import AccelError, APITimeoutError, InvalidRequestError
from ipfs_accel.plans import Job
from ipfs_accel.types import Upload

__all__ = ["Tally", "Window", "hash_of", "in_parallel", "opener", "regroup"]

T = TypeVar("T")

PIECE = 1024 * 1024


class Tally:
    """How much of a transfer is done, and whether it has to stop; shared by its threads.

    Args:
        job: The call that it is for.
        total: Bytes; 0 if nobody knows.
        done: Bytes that an earlier attempt has done.
    """

    def __init__(self, job: Job, total: int, done: int = 0) -> None:
        self._job = job
        self._total = total
        self._done = done
        self._lock = threading.Lock()
        self.failure: BaseException | None = None

    def check(self) -> None:
        """Raise if nobody waits any more, or another thread has failed."""
        self._job.check()
        if self.failure is not None:
            raise APITimeoutError("another part of the transfer failed", phase="abandoned")

    def add(self, count: int) -> None:
        """Count bytes, or take them back; tells the caller."""
        self.check()
        with self._lock:
            self._done += count
            self._job.report(self._done, self._total)


class Window(io.RawIOBase):
    """A part of a source, as boto3 wants to read and reread it; counts what is read once it is really being sent.

    Attributes:
        size: In bytes.
    """

    def __init__(self, open_source: Callable[[], IO[bytes]], start: int, size: int, tally: Tally) -> None:
        super().__init__()
        self._file = open_source()
        self._start = start
        self.size = size
        self._tally = tally
        self._counted: int | None = None
        self._position = 0
        self._file.seek(start)

    def begin(self) -> None:
        """Count from now on."""
        self._counted = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be sent again."""
        return True

    def tell(self) -> int:
        """Return how far it is read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go elsewhere within the part; what was counted was in vain then."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position if whence == io.SEEK_CUR else 0, io.SEEK_END: self.size}
        self._position = max(0, min(self.size, base[whence] + offset))
        self._file.seek(self._start + self._position)
        if self._counted:
            self._tally.add(-self._counted)
        self._counted = None
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes.

        Raises:
            APIError: The transfer has to stop.
            InvalidRequestError: The file has become shorter.
        """
        self._tally.check()
        left = self.size - self._position
        wanted = left if size is None or size < 0 else min(size, left)
        data = self._file.read(wanted)
        if len(data) < wanted:
            raise InvalidRequestError("source: the file became shorter while it was read")
        self._position += len(data)
        if self._counted is not None and data:
            self._counted += len(data)
            self._tally.add(len(data))
        return data

    def close(self) -> None:
        """Close its file."""
        self._file.close()
        super().close()


def opener(source: Upload | bytes) -> Callable[[], IO[bytes]]:
    """Return what opens the source anew, for each thread its own."""
    if isinstance(source, bytes):
        return lambda: io.BytesIO(source)
    if source.data is not None:
        data = source.data
        return lambda: io.BytesIO(data)
    path = source.path or Path()
    return lambda: path.open("rb")


def hash_of(open_source: Callable[[], IO[bytes]], check: Callable[[], None], *digests: Any) -> None:
    """Give all of a source to hashes, which are those of `hashlib`."""
    with open_source() as file:
        while piece := file.read(PIECE):
            check()
            for digest in digests:
                digest.update(piece)


def regroup(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Return the same bytes in parts of exactly that size, but the last."""
    held = bytearray()
    for piece in _guarded(pieces):
        held += piece
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)


def _guarded(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Say of a failure of the source that it is the source's."""
    try:
        for piece in pieces:
            if not isinstance(piece, bytes | bytearray | memoryview):
                raise InvalidRequestError(f"source: expected pieces of bytes, got {type(piece).__name__}")
            yield piece
    except AccelError:
        raise
    except Exception as error:
        raise InvalidRequestError(f"source: it failed with {type(error).__name__}: {error}") from error


def in_parallel(work: Iterable[Callable[[], T]], threads: int, tally: Tally) -> list[T]:
    """Do the work with several threads, at most twice as much of it ahead as there are; return the results in order.

    The first failure stops all of it and is raised once no thread is at work any more.
    """

    def guarded(task: Callable[[], T]) -> T:
        try:
            tally.check()
            return task()
        except BaseException as error:
            tally.failure = tally.failure or error
            raise

    results: list[T] = []
    pending: deque[Future[Any]] = deque()
    with ThreadPoolExecutor(threads, "ipfs-accel-s3") as pool:
        try:
            for task in work:
                tally.check()
                pending.append(pool.submit(guarded, task))
                if len(pending) >= 2 * threads:
                    results.append(pending.popleft().result())
            while pending:
                results.append(pending.popleft().result())
        except BaseException as error:  # noqa: BLE001 - also an interrupt has to stop the threads
            first = tally.failure = tally.failure or error
            for each in pending:
                each.cancel()
            raise first from None
    return results
