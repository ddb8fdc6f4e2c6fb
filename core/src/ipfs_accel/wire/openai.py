"""OpenAI's dialect as a plugin class.

    class Acme(OpenAICompatible):
        api_version = 1
        info = BackendInfo(name="acme", base_url="https://api.acme.example/v1", key_env=("ACME_API_KEY",))

    backend = Acme()

A server that lacks an operation sets it to None (`embed = None`). One that differs sets `stream_usage`, `refuses` or
their like, or overrides one of the small methods below the hooks; they are all that the hooks are made of. Options that
inherit `openai_facts.DialectOptions` let a user say the same of one endpoint.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from ipfs_accel import types
from ipfs_accel.hookspecs import BackendInfo, hookimpl
from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse, HttpStream, get, post_json, segment

from . import openai_answers as answers
from . import openai_requests as requests
from . import openai_streams as streams
from .late import late
from .openai_errors import read_error
from .openai_routes import Routes
from .raw import RawRequests
from .returned import kept_back
from .sse import SSEDecoder

if TYPE_CHECKING:
    from ipfs_accel.plans import Plan, Relay, StreamPlan
    from ipfs_accel.types import (
        ChatRequest,
        ChatResponse,
        CompletionRequest,
        CompletionResponse,
        EmbedRequest,
        EmbedResponse,
        Health,
        ModelInfo,
        RelayRequest,
        Request,
    )
    from ipfs_accel.wire.schema_forms import SchemaForm

    from . import assembler
    from . import openai_relays as relaying
    from . import openai_vectors as vectors
else:  # whole answers do not need the first, chats not the second, and gateways alone the third
    assembler, vectors, relaying = late(__package__, "assembler", "openai_vectors", "openai_relays")

__all__ = ["OpenAICompatible"]


class OpenAICompatible(Routes, RawRequests):
    """Chat, completions, embeddings, models and any other request. Subclasses state `api_version` and `info`."""

    info: ClassVar[BackendInfo]
    max_tokens_field: ClassVar[str] = "max_tokens"
    """Under which name the server takes the limit of a chat's answer."""
    base64_vectors: ClassVar[bool] = True
    """Whether it can send vectors in base64."""
    stream_usage: ClassVar[bool] = True
    """Whether the server knows `stream_options`; older ones refuse what they do not know."""
    reasoning_field: ClassVar[str | None] = None
    """Where the server takes back what it thought: a member of the message, `content`, or empty if nowhere.

    None means where it said it. An option of the same name, or overriding `reasoning_place`, tells of an endpoint.
    """
    replays_extra: ClassVar[bool] = True
    """Whether it takes back what else it said in messages and of calls; some refuse what their schema lacks."""
    chat_decoder: ClassVar[type[streams.ChatDecoder]] = streams.ChatDecoder
    """Reads the chunks of a streamed chat."""
    own_parts: ClassVar[str | None] = None
    """Backend whose opaque parts of messages the server takes."""

    # hooks

    @hookimpl
    def describe(self) -> BackendInfo:
        """Return `info`, with this dialect's reading of errors and models unless it has its own."""
        return attrs.evolve(
            self.info,
            read_error=self.info.read_error or read_error,
            describe_model=self.info.describe_model or self.described,
        )

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:
        """Plan POST /chat/completions."""
        return Http(
            send=post_json(
                self.model_path(endpoint, "/chat/completions", request.model),
                self.chat_body(endpoint, request, stream=False),
            ),
            parse=self.read_chat,
            unsupported=self.unsupported(endpoint, request),
            kept_back=self.kept_back(endpoint, request),
        )

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:
        """Plan the same as a stream."""
        return HttpStream(
            send=post_json(
                self.model_path(endpoint, "/chat/completions", request.model),
                self.chat_body(endpoint, request, stream=True),
            ),
            frames=SSEDecoder,
            decoder=self.chat_decoder,
            # A whole answer of this dialect has one text, one reasoning and then the tool calls.
            assembler=partial(assembler.chat_assembler, merge=True),
            unsupported=self.unsupported(endpoint, request),
            kept_back=self.kept_back(endpoint, request),
        )

    @hookimpl
    def complete(self, endpoint: Endpoint, request: CompletionRequest) -> Plan[CompletionResponse]:
        """Plan POST /completions."""
        return Http(
            send=post_json(
                self.model_path(endpoint, "/completions", request.model),
                self.completion_body(endpoint, request, stream=False),
            ),
            parse=answers.read_completion,
            unsupported=self.unsupported(endpoint, request),
        )

    @hookimpl
    def stream_complete(self, endpoint: Endpoint, request: CompletionRequest) -> StreamPlan[CompletionResponse]:
        """Plan the same as a stream."""
        return HttpStream(
            send=post_json(
                self.model_path(endpoint, "/completions", request.model),
                self.completion_body(endpoint, request, stream=True),
            ),
            frames=SSEDecoder,
            decoder=lambda: streams.decode_completion,
            assembler=assembler.completion_assembler,
            unsupported=self.unsupported(endpoint, request),
        )

    @hookimpl
    def embed(self, endpoint: Endpoint, request: EmbedRequest) -> Plan[EmbedResponse]:
        """Plan POST /embeddings."""
        return vectors.embedding(
            endpoint,
            request,
            self.embed_body(endpoint, request),
            partial(self._post, endpoint, "/embeddings", request),
            unsupported=self.unsupported(endpoint, request),
        )

    @hookimpl
    def list_models(self, endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
        """Plan GET /models."""

        def read(response: HttpResponse) -> tuple[ModelInfo, ...]:
            return tuple([self.described(endpoint, model) for model in answers.read_models(response)])

        return Http(send=get(self.path(endpoint, "/models")), parse=read)

    @hookimpl
    def show_model(self, endpoint: Endpoint, model: str) -> Plan[ModelInfo]:
        """Plan GET /models/{id}."""

        def read(response: HttpResponse) -> ModelInfo:
            return self.described(endpoint, answers.read_model(response))

        return Http(send=get(self.path(endpoint, f"/models/{segment(model)}")), parse=read)

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Plan[Health]:
        """Plan GET /models, which is free and needs the key."""

        def read(response: HttpResponse) -> Health:
            count = len(answers.read_models(response))
            return types.Health(status="ok", server=response.headers.get("server"), detail=f"it lists {count} models")

        return Http(send=get(self.path(endpoint, "/models")), parse=read)

    @hookimpl
    def relay(self, endpoint: Endpoint, request: RelayRequest) -> Relay | None:
        """Pass on what was written for this dialect, where the server has the route."""
        return relaying.relayed(self, endpoint, request)

    # what may differ

    def described(self, _endpoint: Endpoint, model: ModelInfo) -> ModelInfo:
        """Add to what the server told of a model, for example from a `Catalogue`."""
        return model

    def read_chat(self, response: HttpResponse) -> ChatResponse:
        """Read the answer to a chat."""
        return answers.read_chat(response)

    def chat_body(self, endpoint: Endpoint, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """Return the JSON body of a chat."""
        if request.response_format is not None:
            request = self.in_form(endpoint, request)
        refused = self.refused(endpoint, request)
        body = requests.chat_body(
            request,
            stream=stream,
            leave_out=refused,
            place=partial(self.reasoning_place, endpoint),
            extra=_is_opening(request) or self.takes_extra(endpoint),
            own=self.own_parts,
        )
        if "tools" not in body and "parallel_tool_calls" not in request.extra:
            # It says nothing without tools, and OpenAI answers 400 to it.
            body.pop("parallel_tool_calls", None)
        if "max_tokens" in body and "max_tokens" not in request.extra:
            limit = self.limit_name(endpoint)
            if limit != "max_tokens":
                body.setdefault(limit, body.pop("max_tokens"))
        return self._streamed(endpoint, body, request)

    def schema_form(self, _endpoint: Endpoint, _model: str) -> SchemaForm | None:
        """Return in which form of JSON Schema answers are enforced; None sends schemas as they are."""
        return None

    def in_form(self, endpoint: Endpoint, request: ChatRequest) -> ChatRequest:
        """Return a chat with its schema in that form, if it is one that adapts."""
        form = self.schema_form(endpoint, request.model) if getattr(request.response_format, "adapts", False) else None
        if form is None:
            return request
        from .schema_forms import in_form  # noqa: PLC0415 - few calls ask for a type

        return in_form(request, form)

    def limit_name(self, endpoint: Endpoint) -> str:
        """Return under which name the limit of a chat's answer goes."""
        return str(self.fact(endpoint, "max_tokens_field"))

    def reasoning_place(self, endpoint: Endpoint, said: str | None) -> str:
        """Return where reasoning goes back to, given where it was said, if a server said it; empty for nowhere."""
        chosen: str | None = self.fact(endpoint, "reasoning_field")
        return requests.replay_in(said) if chosen is None else chosen

    def takes_extra(self, endpoint: Endpoint) -> bool:
        """Whether what else was said in messages and of calls goes back."""
        return bool(self.fact(endpoint, "replays_extra"))

    def takes_back(self, endpoint: Endpoint, part: Any) -> bool:
        """Whether a thought, or a picture, sound or file, of a model's turn goes back."""
        return not isinstance(part, types.Reasoning) or bool(self.reasoning_place(endpoint, part.field))

    def kept_back(self, endpoint: Endpoint, request: ChatRequest) -> tuple[str, ...]:
        """Return what models said before and the server does not take."""
        if _is_opening(request):
            return ()
        extra = self.takes_extra(endpoint)
        return kept_back(request.messages, lambda _message, part: self.takes_back(endpoint, part), extra=extra)

    def completion_body(self, endpoint: Endpoint, request: CompletionRequest, *, stream: bool) -> dict[str, Any]:
        """Return the JSON body of a text completion."""
        body = requests.completion_body(request, stream=stream, leave_out=self.refused(endpoint, request))
        return self._streamed(endpoint, body, request)

    def embed_body(self, endpoint: Endpoint, request: EmbedRequest) -> dict[str, Any]:
        """Return the JSON body of a request for vectors."""
        body = requests.embed_body(request)
        left_out = self.refused(endpoint, request)
        for name in left_out if self.fact(endpoint, "base64_vectors") else (*left_out, "encoding_format"):
            if name not in request.extra:
                body.pop(name, None)
        return body

    def _post(self, endpoint: Endpoint, route: str, request: Request, body: dict[str, Any]) -> HttpRequest:
        return post_json(self.model_path(endpoint, route, request.model), body)

    def _streamed(self, endpoint: Endpoint, body: dict[str, Any], request: Request) -> dict[str, Any]:
        is_added = "stream_options" in body and "stream_options" not in request.extra
        if is_added and not self.fact(endpoint, "stream_usage"):
            del body["stream_options"]
        return body


def _is_opening(request: ChatRequest) -> bool:
    """Whether a chat is one message that no model has said, as most are."""
    messages = request.messages
    return len(messages) == 1 and messages[0].role != "assistant"
