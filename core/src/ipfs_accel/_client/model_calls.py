"""The clients' calls for the models that a server keeps on its own disk, in both worlds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipfs_accel._calls import operations as ops
from ipfs_accel._calls.streams import AsyncStream, Stream
from ipfs_accel._lazy import late

from .base import AsyncBase, SyncBase

if TYPE_CHECKING:
    from typing import Unpack

    from ipfs_accel._calls.core import Core
    from ipfs_accel._convert import models
    from ipfs_accel._worlds.effects import Steps
    from ipfs_accel.types import CallOptions, CreateModelOptions, ModelResult, Progress, RunningModel
else:  # chats do not need it
    (models,) = late("ipfs_accel._convert", "models")

__all__ = ["AsyncModelCalls", "ModelCalls"]


def _copy(core: Core, model: str, to: str) -> Steps[None]:
    endpoint, source = core.split(model)
    return core.named("copy_model", endpoint, source=models.named(source), destination=models.named(to, "to"))


def _delete(core: Core, model: str) -> Steps[None]:
    endpoint, model_id = core.split(model)
    return core.named("delete_model", endpoint, model=models.named(model_id))


class ModelCalls(SyncBase):
    """Getting, making, copying, deleting and loading models."""

    def pull_model(self, model: str, **options: Unpack[CallOptions]) -> ModelResult:
        """Have the server fetch a model from where it gets its models; without `timeout` it may take its time."""
        return self.stream_pull_model(model, **options).read()

    def stream_pull_model(self, model: str, **options: Unpack[CallOptions]) -> Stream[Progress, ModelResult]:
        """Do the same and see how far it is, as `Progress` events in bytes."""
        return Stream(self._core.opening(ops.PULL_MODEL, model, None, dict(options)), self._world)

    def push_model(self, model: str, **options: Unpack[CallOptions]) -> ModelResult:
        """Have the server publish a model."""
        return self.stream_push_model(model, **options).read()

    def stream_push_model(self, model: str, **options: Unpack[CallOptions]) -> Stream[Progress, ModelResult]:
        """Do the same and see how far it is, as `Progress` events in bytes."""
        return Stream(self._core.opening(ops.PUSH_MODEL, model, None, dict(options)), self._world)

    def create_model(self, model: str, **options: Unpack[CreateModelOptions]) -> ModelResult:
        """Make a model from another one or from files, which are sent first unless the server has them.

        Args:
            model: `endpoint/model`, the new one.
            options: See `CreateModelOptions`; `base` or `files` there is what to begin with, and `on_upload` tells how
                far each file is.
        """
        return self.stream_create_model(model, **options).read()

    def stream_create_model(self, model: str, **options: Unpack[CreateModelOptions]) -> Stream[Progress, ModelResult]:
        """Do the same and see how far it is, as `Progress` events; arguments as for `create_model`."""
        return Stream(self._core.opening(ops.CREATE_MODEL, model, None, dict(options)), self._world)

    def copy_model(self, model: str, to: str) -> None:
        """Give a model a second name, `to`, at the same endpoint."""
        self._run(_copy(self._core, model, to))

    def delete_model(self, model: str) -> None:
        """Delete a model from the server's disk."""
        self._run(_delete(self._core, model))

    def load_model(self, model: str, **options: Unpack[CallOptions]) -> None:
        """Load a model into memory, so that the next call need not wait for that."""
        self._run(self._core.whole(ops.LOAD_MODEL, model, None, dict(options)))

    def unload_model(self, model: str, **options: Unpack[CallOptions]) -> None:
        """Take a model out of memory."""
        self._run(self._core.whole(ops.UNLOAD_MODEL, model, None, dict(options)))

    def running_models(self, endpoint: str) -> tuple[RunningModel, ...]:
        """List the models that are loaded now."""
        return self._run(self._core.named("running_models", endpoint))


class AsyncModelCalls(AsyncBase):
    """The same, awaited."""

    async def pull_model(self, model: str, **options: Unpack[CallOptions]) -> ModelResult:
        """As `Client.pull_model`."""
        return await self.stream_pull_model(model, **options).read()

    def stream_pull_model(self, model: str, **options: Unpack[CallOptions]) -> AsyncStream[Progress, ModelResult]:
        """As `Client.stream_pull_model`; not awaited itself."""
        return AsyncStream(self._core.opening(ops.PULL_MODEL, model, None, dict(options)), self._world)

    async def push_model(self, model: str, **options: Unpack[CallOptions]) -> ModelResult:
        """As `Client.push_model`."""
        return await self.stream_push_model(model, **options).read()

    def stream_push_model(self, model: str, **options: Unpack[CallOptions]) -> AsyncStream[Progress, ModelResult]:
        """As `Client.stream_push_model`; not awaited itself."""
        return AsyncStream(self._core.opening(ops.PUSH_MODEL, model, None, dict(options)), self._world)

    async def create_model(self, model: str, **options: Unpack[CreateModelOptions]) -> ModelResult:
        """As `Client.create_model`."""
        return await self.stream_create_model(model, **options).read()

    def stream_create_model(
        self, model: str, **options: Unpack[CreateModelOptions]
    ) -> AsyncStream[Progress, ModelResult]:
        """As `Client.stream_create_model`; not awaited itself."""
        return AsyncStream(self._core.opening(ops.CREATE_MODEL, model, None, dict(options)), self._world)

    async def copy_model(self, model: str, to: str) -> None:
        """As `Client.copy_model`."""
        await self._run(_copy(self._core, model, to))

    async def delete_model(self, model: str) -> None:
        """As `Client.delete_model`."""
        await self._run(_delete(self._core, model))

    async def load_model(self, model: str, **options: Unpack[CallOptions]) -> None:
        """As `Client.load_model`."""
        await self._run(self._core.whole(ops.LOAD_MODEL, model, None, dict(options)))

    async def unload_model(self, model: str, **options: Unpack[CallOptions]) -> None:
        """As `Client.unload_model`."""
        await self._run(self._core.whole(ops.UNLOAD_MODEL, model, None, dict(options)))

    async def running_models(self, endpoint: str) -> tuple[RunningModel, ...]:
        """As `Client.running_models`."""
        return await self._run(self._core.named("running_models", endpoint))
