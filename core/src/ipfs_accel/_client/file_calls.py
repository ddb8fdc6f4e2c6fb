"""The clients' calls for files that a provider keeps and batches that it works off, in both worlds."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ipfs_accel._calls import operations as ops
from ipfs_accel._calls.streams import AsyncStream, Stream
from ipfs_accel._lazy import late
from ipfs_accel.errors import InvalidRequestError

from .base import AsyncBase, SyncBase

if TYPE_CHECKING:
    from typing import Unpack

    from ipfs_accel._convert.media import BatchSource
    from ipfs_accel.types import (
        Batch,
        BatchResult,
        BatchRunOptions,
        BatchSummary,
        CallOptions,
        ChatOptions,
        DataDelta,
        FileInfo,
        Transfer,
        UploadSource,
    )

    from . import batch_runs, batch_work
    from .batch_runs import AsyncBatchRun, BatchRun
else:  # few programs have that many rows
    batch_runs, batch_work = late(__package__, "batch_runs", "batch_work")

__all__ = ["AsyncFileCalls", "FileCalls", "replacing"]


class FileCalls(SyncBase):
    """Files and batches."""

    def upload_file(
        self,
        endpoint: str,
        file: UploadSource,
        *,
        name: str | None = None,
        purpose: str | None = None,
        expires_after: int | None = None,
        **options: Unpack[CallOptions],
    ) -> FileInfo:
        """Send a file for the provider to keep.

        Args:
            endpoint: Where.
            file: A path, bytes or a media part; files are read while they are sent.
            name: Another name than the file's own.
            purpose: What it is for, in the provider's words.
            expires_after: Seconds until it is deleted.
            options: See `CallOptions`.
        """
        given = {"purpose": purpose, "expires_after": expires_after, **options}
        return self._run(self._core.whole(ops.UPLOAD_FILE, endpoint, (file, name), given))

    def list_files(self, endpoint: str, *, limit: int | None = None) -> tuple[FileInfo, ...]:
        """List the files that the provider keeps, at most `limit` of them."""
        return self._run(self._core.named("list_files", endpoint, limit=limit))

    def get_file(self, endpoint: str, file: str) -> FileInfo:
        """Tell what the provider knows of the file with this id."""
        return self._run(self._core.named("get_file", endpoint, file=file))  # type: ignore[no-any-return]

    def stream_file(self, endpoint: str, file: str) -> Stream[DataDelta, Transfer]:
        """Read a file's content while it comes, as `DataDelta` events."""
        return Stream(self._core.named_opening("download_file", endpoint, file=file), self._world)

    def download_file(self, endpoint: str, file: str, to: str | Path) -> Transfer:
        """Write a file's content to a path, which appears when it is complete."""
        with replacing(to) as out, self.stream_file(endpoint, file) as stream:
            for event in stream:
                out.write(event.data)
        return stream.response

    def delete_file(self, endpoint: str, file: str) -> None:
        """Delete a file that the provider keeps."""
        self._run(self._core.named("delete_file", endpoint, file=file))

    def create_batch(
        self,
        model: str | None,
        items: BatchSource,
        *,
        completion_window: str | None = None,
        metadata: dict[str, str] | None = None,
        **options: Unpack[ChatOptions],
    ) -> Batch:
        """Hand in requests to be worked off later.

        Args:
            model: `endpoint/model`; for those that name none of their own.
            items: A mapping of ids to chats (as for `chat`) or requests, or `BatchItem`s.
            completion_window: How long it may take, in the provider's words.
            metadata: Notes to keep with the batch.
            options: Of the chats; see `ChatOptions`.
        """
        given = {**options, "completion_window": completion_window, "metadata": metadata}
        return self._run(self._core.whole(ops.CREATE_BATCH, model, items, given))

    def list_batches(self, endpoint: str, *, limit: int | None = None) -> tuple[Batch, ...]:
        """List the batches, at most `limit` of them."""
        return self._run(self._core.named("list_batches", endpoint, limit=limit))

    def get_batch(self, endpoint: str, batch: str) -> Batch:
        """Tell the state of the batch with this id."""
        return self._run(self._core.named("get_batch", endpoint, batch=batch))  # type: ignore[no-any-return]

    def batch_results(self, endpoint: str, batch: str) -> Stream[BatchResult, BatchSummary]:
        """Read a batch's results while they come, as `BatchResult` events in any order."""
        return Stream(self._core.named_opening("batch_results", endpoint, batch=batch), self._world)

    def cancel_batch(self, endpoint: str, batch: str) -> Batch:
        """End the work on a batch; what is done stays."""
        return self._run(self._core.named("cancel_batch", endpoint, batch=batch))  # type: ignore[no-any-return]

    def delete_batch(self, endpoint: str, batch: str) -> None:
        """Delete a batch that is over, where the provider can."""
        self._run(self._core.named("delete_batch", endpoint, batch=batch))

    def batch_run(
        self, model: str | None, source: str | Path, output: str | Path, **options: Unpack[BatchRunOptions]
    ) -> BatchRun:
        """Ask for each row of a file, and write a line for each, in this process: exactly one, whatever is cut short.

        What is done is noted beside the output, in a folder whose name ends in `.run`. The same call goes on where an
        earlier one ended, be it by a crash, and asks for nothing again that was answered.

        Args:
            model: `endpoint/model`, an alias or a route; an endpoint with a slash leaves the model to each row.
            source: The input, a path or `endpoint/bucket/key`: JSON lines in the form of OpenAI's batches, or with
                messages or a prompt or, by a template, any fields; or CSV or Parquet.
            output: Where the lines go, likewise: the id of each row with its answer or its error. What goes to a store
                is a file of that name in the working directory first.
            options: See `BatchRunOptions`.

        Returns:
            The run: iterate over it for each row's `BatchResult`, or call `complete` for its `BatchReport`.

        Raises:
            InvalidRequestError: The settings are wrong. What is wrong with the input is raised once it begins.
        """
        work = batch_work.Work.of(self._core, model, source, output, dict(options))
        return batch_runs.BatchRun(work, self._world)


class AsyncFileCalls(AsyncBase):
    """The same, awaited."""

    async def upload_file(
        self,
        endpoint: str,
        file: UploadSource,
        *,
        name: str | None = None,
        purpose: str | None = None,
        expires_after: int | None = None,
        **options: Unpack[CallOptions],
    ) -> FileInfo:
        """As `Client.upload_file`."""
        given = {"purpose": purpose, "expires_after": expires_after, **options}
        return await self._run(self._core.whole(ops.UPLOAD_FILE, endpoint, (file, name), given))

    async def list_files(self, endpoint: str, *, limit: int | None = None) -> tuple[FileInfo, ...]:
        """As `Client.list_files`."""
        return await self._run(self._core.named("list_files", endpoint, limit=limit))

    async def get_file(self, endpoint: str, file: str) -> FileInfo:
        """As `Client.get_file`."""
        return await self._run(self._core.named("get_file", endpoint, file=file))

    def stream_file(self, endpoint: str, file: str) -> AsyncStream[DataDelta, Transfer]:
        """As `Client.stream_file`; not awaited itself."""
        return AsyncStream(self._core.named_opening("download_file", endpoint, file=file), self._world)

    async def download_file(self, endpoint: str, file: str, to: str | Path) -> Transfer:
        """As `Client.download_file`."""
        with replacing(to) as out:
            async with self.stream_file(endpoint, file) as stream:
                async for event in stream:
                    out.write(event.data)
        return stream.response

    async def delete_file(self, endpoint: str, file: str) -> None:
        """As `Client.delete_file`."""
        await self._run(self._core.named("delete_file", endpoint, file=file))

    async def create_batch(
        self,
        model: str | None,
        items: BatchSource,
        *,
        completion_window: str | None = None,
        metadata: dict[str, str] | None = None,
        **options: Unpack[ChatOptions],
    ) -> Batch:
        """As `Client.create_batch`."""
        given = {**options, "completion_window": completion_window, "metadata": metadata}
        return await self._run(self._core.whole(ops.CREATE_BATCH, model, items, given))

    async def list_batches(self, endpoint: str, *, limit: int | None = None) -> tuple[Batch, ...]:
        """As `Client.list_batches`."""
        return await self._run(self._core.named("list_batches", endpoint, limit=limit))

    async def get_batch(self, endpoint: str, batch: str) -> Batch:
        """As `Client.get_batch`."""
        return await self._run(self._core.named("get_batch", endpoint, batch=batch))

    def batch_results(self, endpoint: str, batch: str) -> AsyncStream[BatchResult, BatchSummary]:
        """As `Client.batch_results`; not awaited itself."""
        return AsyncStream(self._core.named_opening("batch_results", endpoint, batch=batch), self._world)

    async def cancel_batch(self, endpoint: str, batch: str) -> Batch:
        """As `Client.cancel_batch`."""
        return await self._run(self._core.named("cancel_batch", endpoint, batch=batch))

    async def delete_batch(self, endpoint: str, batch: str) -> None:
        """As `Client.delete_batch`."""
        await self._run(self._core.named("delete_batch", endpoint, batch=batch))

    def batch_run(
        self, model: str | None, source: str | Path, output: str | Path, **options: Unpack[BatchRunOptions]
    ) -> AsyncBatchRun:
        """As `Client.batch_run`; not awaited itself."""
        work = batch_work.Work.of(self._core, model, source, output, dict(options))
        return batch_runs.AsyncBatchRun(work, self._world)


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[IO[bytes]]:
    """Write beside a path and put the result there at the end, so that nobody sees half of it."""
    target = Path(path)
    part = target.with_name(f".{target.name}.part")
    try:
        out = part.open("wb")
    except OSError as error:
        raise InvalidRequestError(f"to: cannot write {target}: {error.strerror}") from None
    try:
        with out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
