"""OpenAI's dialect, the Responses API as another way to chat.

class Acme(OpenAIResponses): ...
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from ipfs_accel.hookspecs import hookimpl
from ipfs_accel.plans import Endpoint, Http, HttpStream, post_json

from . import openai_responses_requests as requests
from .late import late
from .openai import OpenAICompatible
from .openai_requests import given
from .returned import kept_back
from .sse import SSEDecoder

if TYPE_CHECKING:
    from ipfs_accel.plans import Plan, Relay, StreamPlan
    from ipfs_accel.types import ChatRequest, ChatResponse, RelayRequest

    from . import openai_relays as relaying
    from . import openai_responses_answers as answers
else:  # few chats are made by this API, and gateways alone pass on
    answers, relaying = late(__package__, "openai_responses_answers", "openai_relays")

__all__ = ["OpenAIResponses"]


class OpenAIResponses(OpenAICompatible):
    """Chats by chat completions or, where `speaks_responses` says so, by the Responses API."""

    opaque_name: ClassVar[str] = "openai"
    """Who understands the opaque parts of this server's answers."""
    stores_responses: ClassVar[bool] = True
    """Whether the server can store answers."""
    responses_api: bool = False
    """Whether the server has POST /responses as it is published, so that requests for it may be passed on."""

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:
        """Plan POST /chat/completions, or POST /responses where that is needed."""
        if not self.speaks_responses(endpoint, request):
            return super().chat(endpoint, request)
        return Http(
            send=post_json(self.path(endpoint, "/responses"), self.responses_body(endpoint, request, stream=False)),
            parse=partial(answers.read_response, backend=self.opaque_name, limit=self.limit_unsaid(endpoint, request)),
            unsupported=self._lost(endpoint, request),
            kept_back=self.kept_back_by_responses(request),
        )

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:
        """Plan the same as a stream."""
        if not self.speaks_responses(endpoint, request):
            return super().stream(endpoint, request)
        limit = self.limit_unsaid(endpoint, request)
        return HttpStream(
            send=post_json(self.path(endpoint, "/responses"), self.responses_body(endpoint, request, stream=True)),
            frames=SSEDecoder,
            decoder=partial(answers.ResponseDecoder, self.opaque_name, limit),
            assembler=partial(answers.assembler, self.opaque_name, limit),
            unsupported=self._lost(endpoint, request),
            kept_back=self.kept_back_by_responses(request),
        )

    @hookimpl
    def relay(self, endpoint: Endpoint, request: RelayRequest) -> Relay | None:
        """Pass on what was written for either API, where the server has it."""
        if request.dialect.startswith("openai.responses"):
            has_it = self.has_responses(endpoint) or (
                request.dialect == "openai.responses" and self.fact(endpoint, "responses_api")
            )
            return relaying.relayed_responses(self, endpoint, request) if has_it else None
        return super().relay(endpoint, request)

    # what may differ

    def has_responses(self, _endpoint: Endpoint) -> bool:
        """Whether the server has all routes of the Responses API, which few have beside OpenAI's own."""
        return False

    def speaks_responses(self, _endpoint: Endpoint, _request: ChatRequest) -> bool:
        """Whether a chat is made by the Responses API."""
        return True

    def limit_unsaid(self, _endpoint: Endpoint, _request: ChatRequest) -> int | None:
        """Return the limit of an answer if the server may not say that it ended it."""
        return None

    def responses_body(self, endpoint: Endpoint, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """Return the JSON body of a chat by the Responses API."""
        if request.response_format is not None:
            request = self.in_form(endpoint, request)
        body = requests.body(request, stream=stream, backend=self.opaque_name, stores=self.stores_responses)
        refused = self.refused(endpoint, request)
        for name in refused:
            if name not in request.extra:
                body.pop(name, None)
        if "logprobs" in refused and "include" not in request.extra:
            kept = [name for name in body.pop("include", ()) if name != requests.LOGPROBS]
            body |= {"include": kept} if kept else {}
        return body

    def kept_back_by_responses(self, request: ChatRequest) -> tuple[str, ...]:
        """Return what models said before that no item of this API holds."""
        return kept_back(request.messages, partial(requests.is_in_an_item, self.opaque_name), extra=False)

    def _lost(self, endpoint: Endpoint, request: ChatRequest) -> tuple[str, ...]:
        lost = (*given(request, requests.NOT_THERE), *self.unsupported(endpoint, request))
        return tuple(dict.fromkeys(lost))
