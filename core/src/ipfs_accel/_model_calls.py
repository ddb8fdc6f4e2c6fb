"""The clients' calls for the models that a server keeps on its own disk, in both worlds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import _operations as ops
from ._convert_models import named
from ._streams import AsyncStream, Stream
from ._worlds import AsyncBase, SyncBase

if TYPE_CHECKING:
    from typing import Unpack

    from ._convert import Messages
    from ._core import Core
    from ._perform import Steps
    from .types import CallOptions, ModelResult, Progress, RunningModel, UploadSource

__all__ = ["AsyncModelCalls", "ModelCalls"]


def _copy(core: Core, model: str, to: str) -> Steps[None]:
    endpoint, source = core.split(model)
    return core.named("copy_model", endpoint, source=named(source), destination=named(to, "to"))


def _delete(core: Core, model: str) -> Steps[None]:
    endpoint, model_id = core.split(model)
    return core.named("delete_model", endpoint, model=named(model_id))


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

    def create_model(
        self,
        model: str,
        *,
        base: str | None = None,
        files: UploadSource | Sequence[UploadSource] = (),
        adapters: UploadSource | Sequence[UploadSource] = (),
        template: str | None = None,
        system: str | None = None,
        messages: Messages | None = None,
        parameters: Mapping[str, Any] | None = None,
        license: str | Sequence[str] = (),  # noqa: A002 - the field's own name
        quantize: str | None = None,
        **options: Unpack[CallOptions],
    ) -> ModelResult:
        """Make a model from another one or from files, which are sent first unless the server has them.

        Args:
            model: `endpoint/model`, the new one.
            base: Id of the model to begin with.
            files: Weights, such as GGUF or safetensors files; they are read while they are sent.
            adapters: LoRA adapters to put on top.
            template: Prompt template, in the server's language.
            system: System prompt of every chat.
            messages: Turns with which every chat begins.
            parameters: Defaults of sampling and loading, by the server's names.
            license: Texts to keep with the model.
            quantize: What to quantize the weights to, such as q4_K_M.
            options: See `CallOptions`; `on_upload` tells how far each file is.
        """
        return self.stream_create_model(
            model,
            base=base,
            files=files,
            adapters=adapters,
            template=template,
            system=system,
            messages=messages,
            parameters=parameters,
            license=license,
            quantize=quantize,
            **options,
        ).read()

    def stream_create_model(self, model: str, **options: Any) -> Stream[Progress, ModelResult]:
        """Do the same and see how far it is, as `Progress` events; arguments as for `create_model`."""
        return Stream(self._core.opening(ops.CREATE_MODEL, model, None, options), self._world)

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

    async def create_model(
        self,
        model: str,
        *,
        base: str | None = None,
        files: UploadSource | Sequence[UploadSource] = (),
        adapters: UploadSource | Sequence[UploadSource] = (),
        template: str | None = None,
        system: str | None = None,
        messages: Messages | None = None,
        parameters: Mapping[str, Any] | None = None,
        license: str | Sequence[str] = (),  # noqa: A002 - the field's own name
        quantize: str | None = None,
        **options: Unpack[CallOptions],
    ) -> ModelResult:
        """As `Client.create_model`."""
        return await self.stream_create_model(
            model,
            base=base,
            files=files,
            adapters=adapters,
            template=template,
            system=system,
            messages=messages,
            parameters=parameters,
            license=license,
            quantize=quantize,
            **options,
        ).read()

    def stream_create_model(self, model: str, **options: Any) -> AsyncStream[Progress, ModelResult]:
        """As `Client.stream_create_model`; not awaited itself."""
        return AsyncStream(self._core.opening(ops.CREATE_MODEL, model, None, options), self._world)

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
