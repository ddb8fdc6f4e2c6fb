"""The `tgi` backend: Text Generation Inference, self-hosted or as a dedicated endpoint.

The facts are those of TGI's documentation and of its sources at version 3.3.7, the last but for maintenance.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs
from ipfs_accel import BackendInfo, hookimpl
from ipfs_accel.errors import APIStatusError, InvalidResponseError
from ipfs_accel.plans import (
    Endpoint,
    Flow,
    Held,
    Http,
    HttpRequest,
    HttpResponse,
    HttpStream,
    Plan,
    Ready,
    StreamPlan,
    get,
    post_json,
    side_by_side,
)
from ipfs_accel.types import (
    ChatRequest,
    ChatResponse,
    CompletionRequest,
    CompletionResponse,
    TokenCount,
    TokenizeRequest,
    TokenizeResponse,
)
from ipfs_accel.wire.assembler import build_chat, build_completion
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.late import late
from ipfs_accel.wire.openai import OpenAICompatible
from ipfs_accel.wire.openai_errors import checked
from ipfs_accel.wire.several import joined
from ipfs_accel.wire.sse import SSEDecoder

from . import _generation as generation
from . import _tgi_dialect as dialect
from ._errors import read_error
from ._places import placed, root
from ._server import OneModel
from ._stops import StoppedAssembler
from ._tgi_calls import CALLS
from ._tgi_info import read_info, read_version

if TYPE_CHECKING:
    from ipfs_accel.wire import schemas
else:  # few chats have one
    (schemas,) = late("ipfs_accel.wire", "schemas")

__all__ = ["TGI", "Options", "backend"]


@attrs.frozen(kw_only=True)
class Options:
    """Settings of a TGI endpoint.

    Attributes:
        completions: How texts are continued: by /generate, which has every parameter, or by /v1/completions, which
            has OpenAI's form and fewer of them. Streams of several prompts are always made by the latter.
        parallel: How many prompts of one call are under way at once.
    """

    completions: Literal["generate", "openai"] = "generate"
    parallel: int = attrs.field(default=8, validator=attrs.validators.ge(1))


class TGI(OneModel, OpenAICompatible):
    """Chats and completions in OpenAI's form with TGI's own turns, and generation in TGI's own form."""

    api_version = 1
    embed = None  # type: ignore[assignment]
    reasoning_field = ""  # its messages have no such member
    info = BackendInfo(
        name="tgi",
        title="Text Generation Inference",
        base_url="http://localhost:3000",
        base_url_env=("TGI_BASE_URL",),
        is_own=True,
        key_env=("TGI_API_KEY",),
        options=Options,
        read_error=read_error,
        documentation="https://huggingface.co/docs/text-generation-inference",
    )

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:
        """Plan POST /v1/chat/completions."""
        plan = Http(
            send=post_json(self.path(endpoint, "/chat/completions"), self.chat_body(endpoint, request, stream=False)),
            parse=lambda response: dialect.read_chat(response, request),
            unsupported=self.unsupported(endpoint, request),
            kept_back=self.kept_back(endpoint, request),
        )
        held: Held[ChatResponse] = Held(plan=plan, doubt=lambda answer: dialect.doubt(answer, request.max_tokens))
        return held if request.response_format is None else schemas.held(held, request, "TGI")

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:
        """Plan the same as a stream; it ends with [DONE], also after an error."""
        plan = HttpStream(
            send=post_json(self.path(endpoint, "/chat/completions"), self.chat_body(endpoint, request, stream=True)),
            frames=SSEDecoder,
            decoder=lambda: dialect.ChatEvents(request),
            assembler=lambda: StoppedAssembler(build_chat, request.stop, merge=True),
            unsupported=self.unsupported(endpoint, request),
            kept_back=self.kept_back(endpoint, request),
        )
        return plan if request.response_format is None else schemas.held(plan, request, "TGI")

    @hookimpl
    def complete(self, endpoint: Endpoint, request: CompletionRequest) -> Plan[CompletionResponse]:
        """Plan POST /generate, once per prompt, or POST /v1/completions."""
        prompts = generation.prompts(request)
        if endpoint.options.completions == "openai":
            plan = Http(
                send=post_json(
                    self.path(endpoint, "/completions"), self.completion_body(endpoint, request, stream=False)
                ),
                parse=lambda response: dialect.read_completion(response, request.stop),
                unsupported=self.unsupported(endpoint, request),
            )
            return Held(plan=plan, doubt=lambda answer: dialect.doubt_of_texts(answer, request.max_tokens))
        parameters = generation.parameters(request, stream=False)
        plans = [
            Http(
                send=post_json("/generate", {"inputs": prompt, "parameters": parameters}, base_url=root(endpoint)),
                parse=lambda response: generation.read_generation(response, request),
                unsupported=generation.unsupported(request, stream=False),
            )
            for prompt in prompts
        ]
        return plans[0] if len(plans) == 1 else Flow(steps=lambda: _all(endpoint, plans))

    @hookimpl
    def stream_complete(self, endpoint: Endpoint, request: CompletionRequest) -> StreamPlan[CompletionResponse]:
        """Plan POST /generate_stream, or POST /v1/completions for several prompts or where the options say so."""
        prompts = generation.prompts(request)
        if endpoint.options.completions == "openai" or len(prompts) > 1:
            return HttpStream(
                send=post_json(
                    self.path(endpoint, "/completions"), self.completion_body(endpoint, request, stream=True)
                ),
                frames=SSEDecoder,
                decoder=lambda: dialect.CompletionEvents(request, endpoint.memo),
                assembler=lambda: StoppedAssembler(build_completion, request.stop),
                unsupported=self.unsupported(endpoint, request),
            )
        body = {"inputs": prompts[0], "parameters": generation.parameters(request, stream=True)}
        return HttpStream(
            send=post_json("/generate_stream", body, base_url=root(endpoint)),
            frames=SSEDecoder,
            decoder=lambda: generation.EventDecoder(request),
            assembler=lambda: StoppedAssembler(build_completion, request.stop),
            unsupported=generation.unsupported(request, stream=True),
        )

    @hookimpl
    def tokenize(self, endpoint: Endpoint, request: TokenizeRequest) -> Plan[TokenizeResponse]:
        """Plan POST /tokenize.

        The server always adds its special tokens. They cover no text, which is how they are left out if they are not
        wanted; a server with a slow tokenizer tells no positions, and then nothing can be left out.
        """
        body = {"inputs": request.text, "parameters": {}, **request.extra}
        return Http(
            send=post_json("/tokenize", body, base_url=root(endpoint)),
            parse=lambda response: dialect.read_tokens(response, add_special=request.add_special),
        )

    @hookimpl
    def count_tokens(self, endpoint: Endpoint, request: ChatRequest) -> Plan[TokenCount]:
        """Plan POST /chat_tokenize, which applies the chat template."""

        def read(response: HttpResponse) -> TokenCount:
            body = checked(response.json())
            return TokenCount(
                input_tokens=len(field(body, "tokenize_response", list)), exact=True, method="server", raw=body
            )

        body = self.chat_body(endpoint, request, stream=False)
        return Http(send=post_json("/chat_tokenize", body, base_url=root(endpoint)), parse=read)

    @hookimpl
    def calls(self) -> Mapping[str, Callable[..., Plan[Any]]]:
        """Name what only TGI has."""
        return CALLS

    # what differs

    def path(self, endpoint: Endpoint, route: str) -> str:
        """Return where an OpenAI route is; the base URL may already say /v1."""
        return route if endpoint.base_url.endswith("/v1") else f"/v1{route}"

    def placed(self, endpoint: Endpoint, send: HttpRequest) -> HttpRequest:
        """Return a request below the root, since there are routes beside /v1."""
        return placed(endpoint, send)

    def refused(self, _endpoint: Endpoint, request: Any) -> tuple[str, ...]:
        """Return what the OpenAI routes ignore."""
        return dialect.refused(request)

    def chat_body(self, endpoint: Endpoint, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """Return the JSON body of a chat."""
        dialect.check(request)
        return dialect.chat_body(super().chat_body(endpoint, request, stream=stream), request)

    def completion_body(self, endpoint: Endpoint, request: CompletionRequest, *, stream: bool) -> dict[str, Any]:
        """Return the JSON body of a text completion; the server reads no `stream_options` there."""
        body = dialect.without_defaults(super().completion_body(endpoint, request, stream=stream), request)
        if "stream_options" not in request.extra:
            body.pop("stream_options", None)
        return body


def _all(endpoint: Endpoint, plans: list[Http[CompletionResponse]]) -> Generator[Any, Any, Plan[CompletionResponse]]:
    """Generate for several prompts, no more of them at once than the server has permits for, which it tells."""
    memo = endpoint.memo
    if _PERMITS not in memo:
        try:
            memo[_PERMITS] = yield Http(send=get("/info", base_url=root(endpoint)), parse=_permits)
        except (APIStatusError, InvalidResponseError):
            memo[_PERMITS] = endpoint.options.parallel
    parallel = max(1, min(endpoint.options.parallel, memo[_PERMITS]))
    return Ready(value=joined((yield from side_by_side(plans, parallel))))


def _permits(response: HttpResponse) -> int:
    return field(response.json(), "max_concurrent_requests", int)


_PERMITS = "requests at once"
"""In an endpoint's memo: how many the server takes."""


backend = TGI(read_info, read_version)
