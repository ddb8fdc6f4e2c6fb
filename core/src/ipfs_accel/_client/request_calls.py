"""The clients' calls for any request of a provider's API, in both worlds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipfs_accel._calls import operations as ops
from ipfs_accel._calls.reader import Reader
from ipfs_accel._calls.streams import AsyncStream, Opening, Stream

from .base import AsyncBase, SyncBase
from .file_calls import replacing
from .object_calls import unhurried

if TYPE_CHECKING:
    from typing import Unpack

    from ipfs_accel.types import (
        Capabilities,
        DataDelta,
        Model,
        RawOptions,
        RawResponse,
        RelayRequest,
        ServerEvent,
        StreamRawOptions,
        Transfer,
    )

__all__ = ["AsyncRequestCalls", "RequestCalls"]


class RequestCalls(SyncBase):
    """Requests that no operation stands for."""

    def request(self, endpoint: str, method: str, path: str, **options: Unpack[RawOptions]) -> RawResponse:
        """Send any request of a provider's API, with the endpoint's key, limits, time limits and records.

        GET and HEAD are repeated as other calls are; the rest only where the server cannot have acted on it, or if the
        request is said to be idempotent. Nothing falls back and nothing is kept in the cache.

        Args:
            endpoint: Where.
            method: GET, POST, …
            path: As the provider's documentation has it, such as /containers; the backend's page says what is before
                it. It cannot lead to another place than the endpoint's.
            options: See `RawOptions`.
        """
        return self._run(self._core.whole(ops.REQUEST, endpoint, (method, path), dict(options)))

    def stream_request(
        self, endpoint: str, method: str, path: str, **options: Unpack[StreamRawOptions]
    ) -> Stream[ServerEvent | DataDelta, Transfer]:
        """Send any request and read the answer while it comes; arguments as for `request`.

        Events of a stream of events, and the lines of a stream of JSON lines, come as `ServerEvent`, all else as
        `DataDelta`. The answer counts their bytes and has the headers.
        """
        return Stream(self._core.opening(ops.STREAM_REQUEST, endpoint, (method, path), dict(options)), self._world)

    def request_to_file(
        self, endpoint: str, method: str, path: str, to: str | Path, **options: Unpack[RawOptions]
    ) -> Transfer:
        """Send any request and write the answer's body to a file of any size, which appears when it is complete.

        Args:
            endpoint: Where.
            method: GET, POST, …
            path: As for `request`.
            to: The file.
            options: See `RawOptions`; without `timeout`, it may take as long as it takes.
        """
        given: Any = {**unhurried(options), "as_bytes": True}
        with replacing(to) as out, self.stream_request(endpoint, method, path, **given) as stream:
            for event in stream:
                out.write(event.data)  # type: ignore[arg-type]
        return stream.response


class AsyncRequestCalls(AsyncBase):
    """The same, awaited."""

    async def request(self, endpoint: str, method: str, path: str, **options: Unpack[RawOptions]) -> RawResponse:
        """As `Client.request`."""
        return await self._run(self._core.whole(ops.REQUEST, endpoint, (method, path), dict(options)))

    def stream_request(
        self, endpoint: str, method: str, path: str, **options: Unpack[StreamRawOptions]
    ) -> AsyncStream[ServerEvent | DataDelta, Transfer]:
        """As `Client.stream_request`; not awaited itself."""
        steps = self._core.opening(ops.STREAM_REQUEST, endpoint, (method, path), dict(options))
        return AsyncStream(steps, self._world)

    async def request_to_file(
        self, endpoint: str, method: str, path: str, to: str | Path, **options: Unpack[RawOptions]
    ) -> Transfer:
        """As `Client.request_to_file`."""
        given: Any = {**unhurried(options), "as_bytes": True}
        with replacing(to) as out:
            async with self.stream_request(endpoint, method, path, **given) as stream:
                async for event in stream:
                    out.write(event.data)  # type: ignore[arg-type]
        return stream.response

    async def relay(
        self,
        model: Model,
        request: RelayRequest,
        typed: Callable[[], tuple[Any, dict[str, Any]]],
        suits: Callable[[Capabilities], str | None] | None = None,
    ) -> Any:
        """Pass on a request that somebody else wrote, in their words where the target speaks them; for gateways.

        Args:
            model: `endpoint/model`, an alias or a route; a list is a fallback chain.
            request: As it came.
            typed: Returns the main argument and the options of its operation, such as those of `chat`; asked once,
                where a target does not speak the dialect, or middleware or the cache is to see what is said.
            suits: Given what the hooks, the catalogue and the user say of a target, returns why it cannot do what is
                asked, None if it can. Of a route's targets only these are asked, unless none can.

        Returns:
            A `Relayed` where the words were passed on; else an `AsyncStream` or the answer.
        """
        from ipfs_accel._calls.relays import relaying  # noqa: PLC0415 - gateways alone relay

        answer = await self._run(relaying(self._core, model, request, typed, suits))
        return AsyncStream(_given(answer), self._world) if isinstance(answer, Reader) else answer


def _given(reader: Reader[Any]) -> Opening:
    """Return the steps that open a stream which is open already."""
    yield from ()
    return reader
