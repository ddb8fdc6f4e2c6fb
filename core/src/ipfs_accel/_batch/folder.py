"""The folder of a run, beside its output: the plan, the manifest, a journal for each shard that is under way.

    answers.jsonl.run/
        plan.json       what there is to do, written once
        manifest        what is finished: a line for each shard, and when processes began and ended
        lock            held by the process that works on it
        000007.journal  what became of the rows of a shard that is under way
        000006.done     the lines of a finished shard

A shard is finished by writing its lines to a file that is then given its name, noting it in the manifest, and deleting
its journal, in this order, each on the disk before the next begins. A crash in between leaves what is known already.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from ipfs_accel.errors import InvalidRequestError

from .journal import Journal
from .logs import Log, sync_folder, written
from .plan import Plan, Shard
from .totals import OK, Outcome, Totals

__all__ = ["Finished", "Folder", "folder_of"]

_PIECE = 1 << 20


def folder_of(output: Path) -> Path:
    """Return the folder of the run whose output is there."""
    return output.with_name(output.name + ".run")


class Finished:
    """A finished shard.

    Attributes:
        size: Bytes of its lines; so far as they have a file of their own.
        sha256: Of them.
        totals: Of its rows.
    """

    __slots__ = ("sha256", "size", "totals")

    def __init__(self, size: int, sha256: str, totals: Totals) -> None:
        self.size = size
        self.sha256 = sha256
        self.totals = totals


class Folder:
    """The files of one run; held by one process at a time, but for those who only look.

    Attributes:
        path: Where it is.
        output: Where the lines go in the end.
        finished: Shards that need nothing any more, by their numbers.
        lost: Rows that may have been paid for and asked for again, as a process ended while they were under way.
        is_complete: Whether the output is there.
        under_way: Rows that a process had asked for, which did not note its end; None if all did.
        carried: What rows had used and cost of shards that are under way a second time.
        checkpoint: Of an output in the order of the answers: its size, and how far each journal is in it.
    """

    def __init__(self, output: Path, *, reads_only: bool = False) -> None:
        self.output = output
        self.path = folder_of(output)
        self.finished: dict[int, Finished] = {}
        self.lost = 0
        self.is_complete = False
        self.under_way: int | None = None
        self.checkpoint: tuple[int, dict[int, int]] = (0, {})
        self.carried: dict[int, Totals] = {}
        self._reads_only = reads_only
        self._manifest: Log | None = None
        self._lock: int | None = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def open(self) -> None:
        """Hold it, and read its manifest.

        Raises:
            InvalidRequestError: Another process holds it, or there is none to look at.
        """
        try:
            if not self._reads_only:
                self.path.mkdir(parents=True, exist_ok=True)
                self._lock = _locked(self.path / "lock")
            self._manifest = Log(self.path / "manifest", reads_only=self._reads_only)
            self._read(self._manifest)
        except FileNotFoundError:
            self.close()
            raise InvalidRequestError(f"{self.path}: there is no run", hint="begin one: ipfs-accel batch run") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let another process have it."""
        if self._manifest is not None:
            self._manifest.close()
            self._manifest = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def is_held(self) -> bool:
        """Whether a process works on it."""
        try:
            os.close(_locked(self.path / "lock"))
        except InvalidRequestError:
            return True
        return False

    # the manifest

    def _read(self, manifest: Log) -> None:
        for _, payload in manifest.entries():
            self._take(json.loads(payload))

    def _take(self, entry: dict[str, Any]) -> None:
        match entry["what"]:
            case "finished":
                totals = Totals.of(entry["totals"])
                self.finished[entry["shard"]] = Finished(entry["size"], entry["sha256"], totals)
                self.carried.pop(entry["shard"], None)
                self.checkpoint = (entry["end"], {int(each): place for each, place in entry["emitted"].items()})
            case "reopened":
                self.finished.pop(entry["shard"], None)
                self.carried[entry["shard"]] = Totals.of(entry["carried"]).spent()
                self.is_complete = False
            case "began":
                self.lost, self.under_way = entry["lost"], entry["concurrency"]
            case "ended":
                self.lost, self.under_way = entry["lost"], None
            case "complete":
                self.is_complete = True

    def note(self, what: str, **known: Any) -> None:
        """Add a line to the manifest, which is on the disk when this returns."""
        if self._manifest is None:
            raise RuntimeError("the folder is not open")
        entry = {"what": what, **known}
        self._manifest.append(json.dumps(entry).encode())
        self._manifest.sync()
        self._take(entry)

    # shards

    def journal(self, shard: Shard, *, retry_failed: bool = False) -> Journal:
        """Open the journal of a shard that is under way, or begin it."""
        path = self._path(shard, "journal")
        return Journal(path, shard.rows, retry_failed=retry_failed, reads_only=self._reads_only)

    def open_shards(self, plan: Plan) -> list[Shard]:
        """Return the shards that have a journal; that of one that is finished goes."""
        found = []
        for shard in plan.shards:
            path = self._path(shard, "journal")
            if path.exists():
                if shard.number not in self.finished:
                    found.append(shard)
                elif not self._reads_only:
                    path.unlink()
        return found

    def _path(self, shard: Shard, kind: str) -> Path:
        return self.path / f"{shard.number:06d}.{kind}"

    def finish(self, shard: Shard, journal: Journal) -> None:
        """Make the lines of a shard, all of whose rows have an end, one file, and note it."""
        part, done = self._path(shard, "part"), self._path(shard, "done")
        size, sha256 = _write(part, journal.lines())
        part.replace(done)
        sync_folder(self.path)
        self._note_finished(shard, journal, size=size, sha256=sha256)

    def finish_emitted(self, shard: Shard, journal: Journal, end: int, emitted: dict[int, int]) -> None:
        """Note a shard whose lines are all in the output, which is on the disk up to `end`."""
        self._note_finished(shard, journal, end=end, emitted=emitted)

    def _note_finished(
        self, shard: Shard, journal: Journal, *, size: int = 0, sha256: str = "", end: int = 0, emitted: Any = None
    ) -> None:
        totals = Totals()
        totals.merge(journal.totals)
        if shard.number in self.carried:
            totals.merge(self.carried[shard.number])
        self.note(
            "finished",
            shard=shard.number,
            size=size,
            sha256=sha256,
            totals=totals.document(),
            end=end,
            emitted=emitted or {},
        )
        journal.close()
        self._path(shard, "journal").unlink(missing_ok=True)

    def reopen(self, plan: Plan) -> None:
        """Have the rows that failed in finished shards asked for again.

        Raises:
            InvalidRequestError: The output, or a shard's file, is not what was written.
        """
        if self.is_complete:
            self._take_apart(plan)
        for shard in plan.shards:
            done = self.finished.get(shard.number)
            if done is not None and done.totals.failed:
                self._reopen(shard, done)

    def _take_apart(self, plan: Plan) -> None:
        """Make the files of the shards of the output again."""
        with _opened(self.output) as file:
            for shard in plan.shards:
                done = self.finished[shard.number]
                path = self._path(shard, "done")
                pieces = (file.read(min(_PIECE, done.size - start)) for start in range(0, done.size, _PIECE))
                if _write(path, pieces)[1] != done.sha256:
                    raise InvalidRequestError(f"{self.output}: it is not what the run wrote")

    def _reopen(self, shard: Shard, done: Finished) -> None:
        part = self._path(shard, "part")
        part.unlink(missing_ok=True)
        journal = Journal(part, shard.rows)
        with _opened(self._path(shard, "done")) as file:
            for row, line in enumerate(file):
                if "error" not in json.loads(line):
                    # What it used and cost is among what is carried.
                    journal.add(row, Outcome(OK, 1, cost=0.0), line.removesuffix(b"\n"))
        journal.sync()
        journal.close()
        part.replace(self._path(shard, "journal"))
        sync_folder(self.path)
        self.note("reopened", shard=shard.number, carried=done.totals.document())
        self._path(shard, "done").unlink()

    # the output

    def assemble(self, plan: Plan) -> None:
        """Make the output of the finished shards: it is there as a whole or not at all.

        Raises:
            InvalidRequestError: A file of a shard is not what was written.
        """
        part = self.path / "output.part"
        _write(part, self._all_lines(plan))
        part.replace(self.output)
        sync_folder(self.output.parent)
        self.note("complete")
        self.clean(plan)

    def clean(self, plan: Plan) -> None:
        """Delete the files of shards that are in the output."""
        for shard in plan.shards:
            self._path(shard, "done").unlink(missing_ok=True)

    def _all_lines(self, plan: Plan) -> Iterator[bytes]:
        for shard in plan.shards:
            seen = hashlib.sha256()
            with self._path(shard, "done").open("rb") as file:
                while piece := file.read(_PIECE):
                    seen.update(piece)
                    yield piece
            if seen.hexdigest() != self.finished[shard.number].sha256:
                raise InvalidRequestError(f"{self._path(shard, 'done')}: it is not what was written")


def _write(path: Path, pieces: Iterator[bytes]) -> tuple[int, str]:
    """Write a file that is on the disk when this returns; return its size and hash."""
    size, seen = 0, hashlib.sha256()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o644)
    try:
        waiting = bytearray()
        for piece in pieces:
            seen.update(piece)
            size += len(piece)
            waiting += piece
            if len(waiting) >= _PIECE:
                written(fd, bytes(waiting), path)
                waiting.clear()
        written(fd, bytes(waiting), path)
        os.fsync(fd)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        os.close(fd)
    return size, seen.hexdigest()


def _opened(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise InvalidRequestError(f"{path}: {error.strerror}", hint="begin another run with another output") from None


def _locked(path: Path) -> int:
    """Hold a file as long as this process lives, or until it is closed.

    Raises:
        InvalidRequestError: Another process holds it.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if os.name == "nt":
            import msvcrt  # noqa: PLC0415 - each system has its own

            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl  # noqa: PLC0415 - as above

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        with contextlib.suppress(OSError):
            os.close(fd)
        raise InvalidRequestError(
            f"{path.parent}: another process works on this run",
            hint="wait for its end, or look: ipfs-accel batch status",
        ) from None
    return fd
