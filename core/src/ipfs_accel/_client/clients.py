"""`Client` and `AsyncClient`: two thin faces of one core, with the same names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ipfs_accel._calls import operations as ops
from ipfs_accel._calls.streams import AsyncStream, Stream
from ipfs_accel._lazy import late

from .chat_calls import AsyncChatCalls, ChatCalls
from .file_calls import AsyncFileCalls, FileCalls
from .media_calls import AsyncMediaCalls, MediaCalls
from .model_calls import AsyncModelCalls, ModelCalls
from .object_calls import AsyncObjectCalls, ObjectCalls
from .request_calls import AsyncRequestCalls, RequestCalls

if TYPE_CHECKING:
    from typing import Unpack

    from ipfs_accel._calls import switches
    from ipfs_accel.capabilities import Support
    from ipfs_accel.types import (
        CallOptions,
        Capabilities,
        ChatOptions,
        CompleteOptions,
        CompletionResponse,
        DetokenizeResponse,
        EmbedOptions,
        EmbedResponse,
        Estimate,
        Found,
        Health,
        Messages,
        Model,
        ModelInfo,
        PredictOptions,
        PredictResponse,
        RerankResponse,
        StreamEvent,
        Tensor,
        TensorSource,
        TokenCount,
        TokenizeResponse,
    )
    from ipfs_accel.types._requests import TokenInput

    from . import find
    from .find import QueryOptions
else:  # few programs ask what there is, or set something by hand
    (find,) = late(__package__, "find")
    (switches,) = late("ipfs_accel._calls", "switches")

__all__ = ["AsyncClient", "Client"]


class Client(ChatCalls, MediaCalls, FileCalls, ModelCalls, ObjectCalls, RequestCalls):
    """Calls backends and waits for their answers. Safe to share between threads; use it in a `with` block.

    Models are named `endpoint/model`; only the first slash counts. Every call takes the options `timeout`,
    `on_unsupported` and `extra` beside its own (see `ipfs_accel.types`) and raises subclasses of `AccelError`.
    """

    def complete(
        self, model: Model, prompt: TokenInput | Sequence[TokenInput], **options: Unpack[CompleteOptions]
    ) -> CompletionResponse:
        """Continue a text.

        Args:
            model: `endpoint/model`, an alias or a route; a list is a fallback chain; None means the configured default.
            prompt: A text or token ids, or several of them.
            options: See `CompleteOptions`.
        """
        return self._run(self._core.whole(ops.COMPLETE, model, prompt, dict(options)))

    def stream_complete(
        self, model: Model, prompt: TokenInput | Sequence[TokenInput], **options: Unpack[CompleteOptions]
    ) -> Stream[StreamEvent, CompletionResponse]:
        """Continue a text and read it while it comes; arguments as for `complete`."""
        steps = self._core.opening(ops.STREAM_COMPLETE, model, prompt, dict(options))
        return Stream(steps, self._world)

    def embed(
        self, model: Model, inputs: TokenInput | Sequence[TokenInput], **options: Unpack[EmbedOptions]
    ) -> EmbedResponse:
        """Turn texts into vectors.

        Args:
            model: `endpoint/model`, an alias or a route; a list is a fallback chain; None means the configured default.
            inputs: A text or token ids, or several of them; one vector each, in order.
            options: See `EmbedOptions`.
        """
        return self._run(self._core.whole(ops.EMBED, model, inputs, dict(options)))

    def rerank(
        self,
        model: Model,
        query: str,
        documents: Sequence[str],
        *,
        top_n: int | None = None,
        **options: Unpack[CallOptions],
    ) -> RerankResponse:
        """Order documents by their relevance to a query.

        Args:
            model: `endpoint/model`, an alias or a route; a list is a fallback chain; None means the configured default.
            query: What is looked for.
            documents: The candidates.
            top_n: How many to return; None means all.
            options: See `CallOptions`.
        """
        value = (query, documents, top_n)
        return self._run(self._core.whole(ops.RERANK, model, value, dict(options)))

    def tokenize(
        self, model: Model, text: str, *, add_special: bool = False, **options: Unpack[CallOptions]
    ) -> TokenizeResponse:
        """Split a text into the model's token ids, with its begin and end tokens if `add_special`."""
        value = (text, add_special)
        return self._run(self._core.whole(ops.TOKENIZE, model, value, dict(options)))

    def detokenize(self, model: Model, tokens: Sequence[int], **options: Unpack[CallOptions]) -> DetokenizeResponse:
        """Turn token ids into text."""
        return self._run(self._core.whole(ops.DETOKENIZE, model, tokens, dict(options)))

    def count_tokens(
        self, model: Model, messages: Messages, *, offline: bool = False, **options: Unpack[ChatOptions]
    ) -> TokenCount:
        """Count the input tokens that a `chat` with the same arguments would have.

        Args:
            model: `endpoint/model`, an alias or a route; a list is a fallback chain; None means the configured default.
            messages: As for `chat`.
            offline: Whether to ask no server: the model's public tokenizer counts the texts if it is at hand, else the
                number lies between `low` and `high`, and `method` says which. None is `exact`, and none needs a key.
            options: As for `chat`.

        Raises:
            InvalidRequestError: Offline: a picture, sound or document of which no rule is published.
        """
        if offline:
            return self._run(self._core.counted_offline(model, messages, dict(options)))
        return self._run(self._core.whole(ops.COUNT_TOKENS, model, messages, dict(options)))

    def estimate(self, model: Model, messages: Messages, **options: Unpack[ChatOptions]) -> Estimate:
        """Tell what a `chat` with the same arguments will take and cost, between bounds; no server is asked for it.

        Args:
            model: `endpoint/model`, an alias, or a route or list, of which any target may answer.
            messages: As for `chat`; middleware does not see them.
            options: As for `chat`: `max_tokens` bounds the answer, `tools` and `response_format` are part of the input.
                What `extra` adds nobody here knows, so that there is no upper bound with it.

        Returns:
            Bounds of tokens and of US dollars, each with how it was found. What nobody knows is None.
        """
        return self._run(self._core.estimated(model, messages, dict(options)))

    def predict(
        self,
        model: Model,
        inputs: Mapping[str, TensorSource] | Sequence[Tensor] | TensorSource,
        **options: Unpack[PredictOptions],
    ) -> PredictResponse:
        """Let a model make tensors of tensors.

        Args:
            model: `endpoint/model`, an alias or a route; a list is a fallback chain; None means the configured default.
            inputs: Name to tensor, array, buffer or nested list; `Tensor`s with names; or the model's only input.
            options: See `PredictOptions`.
        """
        return self._run(self._core.whole(ops.PREDICT, model, inputs, dict(options)))

    def list_models(self, endpoint: str) -> tuple[ModelInfo, ...]:
        """List the models that an endpoint serves."""
        return self._run(self._core.list_models(endpoint))

    def show_model(self, model: str, *, offline: bool = False) -> ModelInfo:
        """Tell all that the server and the catalogue know of one model; offline the catalogue alone, without a key.

        Raises:
            InvalidRequestError: The catalogue does not know it.
            UnsupportedOperationError: There is no catalogue.
        """
        return self._run(self._core.show_model(*self._core.split(model), offline=offline))

    def healthcheck(self, endpoint: str) -> Health:
        """Check whether an endpoint can serve; what is wrong with it is the answer, not an error."""
        return self._run(find.healthcheck(self._core, endpoint))

    def healthcheck_all(self, endpoints: Iterable[str] | None = None) -> dict[str, Health]:
        """Check several endpoints side by side; None means all."""
        return self._run(find.healthcheck_all(self._core, endpoints))

    def capabilities(self, name: str, *, offline: bool = False) -> Capabilities:
        """Tell what an endpoint can do, or `endpoint/model`; only the latter may ask the server, unless offline."""
        return self._run(find.capabilities(self._core, name, offline=offline))

    def supports(self, name: str, what: str, *, offline: bool = False) -> Support:
        """Tell whether an endpoint or `endpoint/model` has an operation or feature: yes, no or unknown."""
        return self.capabilities(name, offline=offline).supports(what)

    def find(
        self, endpoints: Iterable[str] | None = None, *, offline: bool = False, **query: Unpack[QueryOptions]
    ) -> Found:
        """Find models over all endpoints, those that certainly fit first.

        Args:
            endpoints: Where to look; None means everywhere.
            offline: Whether to look into the plugins' dated catalogues and the configuration alone, which needs neither
                keys nor servers; `source` and `catalogue_date` of each model say which.
            query: What the model has to have; see `QueryOptions`.
        """
        return self._run(find.find(self._core, find.query(query), endpoints, offline=offline))

    def isolate(self, name: str) -> None:
        """Let no call through to an endpoint, or to `endpoint/model`, until `restore`; chains pass it over."""
        self._run(switches.isolate(self._core, name))

    def restore(self, name: str) -> None:
        """Let calls through again to an endpoint and all its models, or to `endpoint/model`."""
        self._run(switches.restore(self._core, name))

    def reload_keys(self, endpoint: str) -> None:
        """Take in again the keys of an endpoint that were refused or are at their limit."""
        self._run(switches.reload_keys(self._core, endpoint))

    def call(self, endpoint: str, name: str, /, **arguments: Any) -> Any:
        """Perform one of the backend's own calls; `capabilities(endpoint).calls` has their names."""
        return self._run(self._core.own_call(endpoint, name, arguments))

    def stream_call(self, endpoint: str, name: str, /, **arguments: Any) -> Stream[Any, Any]:
        """Perform one of the backend's own calls that come as a stream, such as a transfer with `Progress` events."""
        return Stream(self._core.own_opening(endpoint, name, arguments), self._world)


class AsyncClient(
    AsyncChatCalls, AsyncMediaCalls, AsyncFileCalls, AsyncModelCalls, AsyncObjectCalls, AsyncRequestCalls
):
    """The same as `Client`, awaited; on asyncio and trio. Belongs to the event loop of its first call."""

    async def complete(
        self, model: Model, prompt: TokenInput | Sequence[TokenInput], **options: Unpack[CompleteOptions]
    ) -> CompletionResponse:
        """As `Client.complete`."""
        return await self._run(self._core.whole(ops.COMPLETE, model, prompt, dict(options)))

    def stream_complete(
        self, model: Model, prompt: TokenInput | Sequence[TokenInput], **options: Unpack[CompleteOptions]
    ) -> AsyncStream[StreamEvent, CompletionResponse]:
        """As `Client.stream_complete`; not awaited itself."""
        steps = self._core.opening(ops.STREAM_COMPLETE, model, prompt, dict(options))
        return AsyncStream(steps, self._world)

    async def embed(
        self, model: Model, inputs: TokenInput | Sequence[TokenInput], **options: Unpack[EmbedOptions]
    ) -> EmbedResponse:
        """As `Client.embed`."""
        return await self._run(self._core.whole(ops.EMBED, model, inputs, dict(options)))

    async def rerank(
        self,
        model: Model,
        query: str,
        documents: Sequence[str],
        *,
        top_n: int | None = None,
        **options: Unpack[CallOptions],
    ) -> RerankResponse:
        """As `Client.rerank`."""
        value = (query, documents, top_n)
        return await self._run(self._core.whole(ops.RERANK, model, value, dict(options)))

    async def tokenize(
        self, model: Model, text: str, *, add_special: bool = False, **options: Unpack[CallOptions]
    ) -> TokenizeResponse:
        """As `Client.tokenize`."""
        value = (text, add_special)
        return await self._run(self._core.whole(ops.TOKENIZE, model, value, dict(options)))

    async def detokenize(
        self, model: Model, tokens: Sequence[int], **options: Unpack[CallOptions]
    ) -> DetokenizeResponse:
        """As `Client.detokenize`."""
        return await self._run(self._core.whole(ops.DETOKENIZE, model, tokens, dict(options)))

    async def count_tokens(
        self, model: Model, messages: Messages, *, offline: bool = False, **options: Unpack[ChatOptions]
    ) -> TokenCount:
        """As `Client.count_tokens`."""
        if offline:
            return await self._run(self._core.counted_offline(model, messages, dict(options)))
        return await self._run(self._core.whole(ops.COUNT_TOKENS, model, messages, dict(options)))

    async def estimate(self, model: Model, messages: Messages, **options: Unpack[ChatOptions]) -> Estimate:
        """As `Client.estimate`; awaited, as a plugin may have to be loaded and an encoding to be read."""
        return await self._run(self._core.estimated(model, messages, dict(options)))

    async def predict(
        self,
        model: Model,
        inputs: Mapping[str, TensorSource] | Sequence[Tensor] | TensorSource,
        **options: Unpack[PredictOptions],
    ) -> PredictResponse:
        """As `Client.predict`."""
        return await self._run(self._core.whole(ops.PREDICT, model, inputs, dict(options)))

    async def list_models(self, endpoint: str) -> tuple[ModelInfo, ...]:
        """As `Client.list_models`."""
        return await self._run(self._core.list_models(endpoint))

    async def show_model(self, model: str, *, offline: bool = False) -> ModelInfo:
        """As `Client.show_model`."""
        return await self._run(self._core.show_model(*self._core.split(model), offline=offline))

    async def healthcheck(self, endpoint: str) -> Health:
        """As `Client.healthcheck`."""
        return await self._run(find.healthcheck(self._core, endpoint))

    async def healthcheck_all(self, endpoints: Iterable[str] | None = None) -> dict[str, Health]:
        """As `Client.healthcheck_all`."""
        return await self._run(find.healthcheck_all(self._core, endpoints))

    async def capabilities(self, name: str, *, offline: bool = False) -> Capabilities:
        """As `Client.capabilities`."""
        return await self._run(find.capabilities(self._core, name, offline=offline))

    async def supports(self, name: str, what: str, *, offline: bool = False) -> Support:
        """As `Client.supports`."""
        return (await self.capabilities(name, offline=offline)).supports(what)

    async def find(
        self, endpoints: Iterable[str] | None = None, *, offline: bool = False, **query: Unpack[QueryOptions]
    ) -> Found:
        """As `Client.find`."""
        return await self._run(find.find(self._core, find.query(query), endpoints, offline=offline))

    async def isolate(self, name: str) -> None:
        """As `Client.isolate`."""
        await self._run(switches.isolate(self._core, name))

    async def restore(self, name: str) -> None:
        """As `Client.restore`."""
        await self._run(switches.restore(self._core, name))

    async def reload_keys(self, endpoint: str) -> None:
        """As `Client.reload_keys`."""
        await self._run(switches.reload_keys(self._core, endpoint))

    async def call(self, endpoint: str, name: str, /, **arguments: Any) -> Any:
        """As `Client.call`."""
        return await self._run(self._core.own_call(endpoint, name, arguments))

    def stream_call(self, endpoint: str, name: str, /, **arguments: Any) -> AsyncStream[Any, Any]:
        """As `Client.stream_call`; not awaited itself."""
        return AsyncStream(self._core.own_opening(endpoint, name, arguments), self._world)
