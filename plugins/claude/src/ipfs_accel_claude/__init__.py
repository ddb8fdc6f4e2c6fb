"""The `claude` backend: Anthropic's Claude, and servers that speak its messages dialect."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import attrs
from ipfs_accel import BackendInfo, KeyHeader, hookimpl, plans
from ipfs_accel.hookspecs import TokenRules
from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse, HttpStream, Plan, StreamPlan, segment
from ipfs_accel.types import ChatRequest, ChatResponse, Health, ModelInfo, TokenCount
from ipfs_accel.wire.assembler import chat_assembler
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.late import late
from ipfs_accel.wire.raw import RawRequests
from ipfs_accel.wire.sse import SSEDecoder

from . import _answers as answers
from . import _limits as limits
from . import _requests as requests
from ._errors import read_error
from ._models import catalogue, described, prices_hold, read_model
from ._pages import ask, listed, placed, post
from ._requests import block
from ._rules import Rules, is_hosted, is_ollamas, rules_of

__all__ = ["Claude", "Options", "backend", "block"]

COUNT = "/v1/messages/count_tokens"
LONG = 21_333
"""Tokens that the API is expected to need ten minutes for, by its vendor's own rule."""


if TYPE_CHECKING:
    from ipfs_accel.types import Batch, BatchRequest, BatchSummary, FileInfo, RelayRequest, Transfer, UploadRequest
    from ipfs_accel.wire import windows

    from . import _batches as batches
    from . import _files as files
    from . import _relays as relays
    from . import _schemas as schemas
else:  # chats need none of them
    batches, files, relays, schemas = late(__name__, "_batches", "_files", "_relays", "_schemas")
    (windows,) = late("ipfs_accel.wire", "windows")


@attrs.frozen(kw_only=True)
class Options:
    """Settings of a Claude endpoint.

    Attributes:
        max_tokens: The limit of an answer where the caller gives none; the API requires one, and thinking counts.
        beta: Names of beta features to switch on, separated by commas; those of one call go into its `extra`, as
            `betas`.
        workspace: Id of the workspace to bill.
        user_profile: Id of the profile of the user on whose behalf calls are made.
        key_header: Where the key goes: as a bearer token, which all of Anthropic's keys and tokens can be, or in one
            of the headers that some other servers want.
    """

    max_tokens: int = attrs.field(default=16_384, validator=attrs.validators.ge(1))
    beta: str | None = None
    workspace: str | None = None
    user_profile: str | None = None
    key_header: Literal["authorization", "x-api-key", "api-key"] = "authorization"


def _headers(options: Options) -> dict[str, str]:
    named = {
        "anthropic-beta": options.beta,
        "anthropic-workspace-id": options.workspace,
        "anthropic-user-profile-id": options.user_profile,
    }
    return {name: value for name, value in named.items() if value}


def _key_header(options: Options) -> KeyHeader:
    is_bearer = options.key_header == "authorization"
    return KeyHeader() if is_bearer else KeyHeader(name=options.key_header, prefix="")


def _token_rules(endpoint: Endpoint, model: str) -> TokenRules:
    from . import _tokens  # noqa: PLC0415 - few callers count

    return _tokens.rules(endpoint, model)


class Claude(RawRequests):
    """Messages, token counts, models, batches, files, and any other request."""

    api_version = 1

    @hookimpl
    def describe(self) -> BackendInfo:
        """Say where the API is and how it wants its key."""
        return BackendInfo(
            name="claude",
            title="Anthropic Claude",
            base_url="https://api.anthropic.com",
            base_url_env=("ANTHROPIC_BASE_URL",),
            key_env=("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"),
            key_header=_key_header,
            needs_key=True,
            options=Options,
            headers=_headers,
            read_error=read_error,
            catalogue=catalogue,
            describe_model=described,
            prices_hold=prices_hold,
            token_rules=_token_rules,
            request_id_headers=("request-id", "x-request-id"),
            documentation="https://docs.claude.com/en/api/messages",
        )

    def placed(self, endpoint: Endpoint, send: HttpRequest) -> HttpRequest:
        """Return a request below /v1, with the version that every one has to name."""
        return placed(endpoint, send)

    @hookimpl
    def chat(self, endpoint: Endpoint, request: ChatRequest) -> Plan[ChatResponse]:
        """Plan POST /v1/messages; a long answer is streamed, since a silent connection would not last until its end."""
        if _is_certain(request) and schemas.is_open(endpoint, request):
            return plans.Flow(steps=lambda: schemas.steps(endpoint, request, partial(_whole, endpoint)))
        return _whole(endpoint, request)

    @hookimpl
    def stream(self, endpoint: Endpoint, request: ChatRequest) -> StreamPlan[ChatResponse]:
        """Plan the same as a stream; only `message_stop` completes it."""
        if _is_certain(request) and schemas.is_open(endpoint, request):
            return plans.StreamFlow(steps=lambda: schemas.steps(endpoint, request, partial(_stream, endpoint)))
        return _stream(endpoint, request)

    @hookimpl
    def count_tokens(self, endpoint: Endpoint, request: ChatRequest) -> Plan[TokenCount]:
        """Plan POST /v1/messages/count_tokens, which is free; the provider calls its answer an estimate."""
        if request.tool_choice is not None and schemas.is_open(endpoint, request):
            return plans.Flow(steps=lambda: schemas.count_steps(endpoint, request, partial(_count, endpoint)))
        return _count(endpoint, request)

    @hookimpl
    def relay(self, endpoint: Endpoint, request: RelayRequest) -> plans.Relay | None:
        """Pass messages and counts on to a Claude in the words in which they came."""
        return relays.relayed(endpoint, request)

    @hookimpl
    def list_models(self, endpoint: Endpoint) -> Plan[tuple[ModelInfo, ...]]:
        """Plan GET /v1/models, page by page."""
        return listed(endpoint, "/v1/models", lambda item: described(endpoint, read_model(item)))

    @hookimpl
    def calls(self) -> Mapping[str, Callable[..., Plan[Any]]]:
        """Name what the API has beyond the operations."""
        return {"models": _models}

    @hookimpl
    def show_model(self, endpoint: Endpoint, model: str) -> Plan[ModelInfo]:
        """Plan GET /v1/models/{id}; servers that have no such route, such as vLLM, list the model."""
        plan = Http(
            send=ask(endpoint, f"/v1/models/{segment(model)}"),
            parse=lambda response: described(endpoint, read_model(response.json())),
        )
        if is_hosted(endpoint):
            return plan
        from ipfs_accel.wire.shown import shown  # noqa: PLC0415 - chats do not need it

        return plans.Flow(steps=lambda: shown(plan, model, ask(endpoint, "/v1/models")))

    @hookimpl
    def healthcheck(self, endpoint: Endpoint) -> Plan[Health]:
        """Plan GET /v1/models, which is free and needs the key."""

        def read(response: HttpResponse) -> Health:
            count = len(field(response.json(), "data", list))
            return Health(status="ok", server=response.headers.get("server"), detail=f"it lists {count} models or more")

        return Http(send=ask(endpoint, "/v1/models"), parse=read)

    @hookimpl
    def upload_file(self, endpoint: Endpoint, request: UploadRequest) -> Plan[FileInfo]:
        """Plan POST /v1/files."""
        return files.upload(endpoint, request)

    @hookimpl
    def list_files(self, endpoint: Endpoint, limit: int | None) -> Plan[tuple[FileInfo, ...]]:
        """Plan GET /v1/files."""
        return files.every(endpoint, limit)

    @hookimpl
    def get_file(self, endpoint: Endpoint, file: str) -> Plan[FileInfo]:
        """Plan GET /v1/files/{id}."""
        return files.one(endpoint, file)

    @hookimpl
    def download_file(self, endpoint: Endpoint, file: str) -> StreamPlan[Transfer]:
        """Plan GET /v1/files/{id}/content."""
        return files.download(endpoint, file)

    @hookimpl
    def delete_file(self, endpoint: Endpoint, file: str) -> Plan[None]:
        """Plan DELETE /v1/files/{id}."""
        return files.delete(endpoint, file)

    @hookimpl
    def create_batch(self, endpoint: Endpoint, request: BatchRequest) -> Plan[Batch]:
        """Plan POST /v1/messages/batches."""
        return batches.create(endpoint, request)

    @hookimpl
    def list_batches(self, endpoint: Endpoint, limit: int | None) -> Plan[tuple[Batch, ...]]:
        """Plan GET /v1/messages/batches."""
        return batches.every(endpoint, limit)

    @hookimpl
    def get_batch(self, endpoint: Endpoint, batch: str) -> Plan[Batch]:
        """Plan GET /v1/messages/batches/{id}."""
        return batches.one(endpoint, batch)

    @hookimpl
    def batch_results(self, endpoint: Endpoint, batch: str) -> StreamPlan[BatchSummary]:
        """Plan GET /v1/messages/batches/{id}/results."""
        return batches.results(endpoint, batch)

    @hookimpl
    def cancel_batch(self, endpoint: Endpoint, batch: str) -> Plan[Batch]:
        """Plan POST /v1/messages/batches/{id}/cancel."""
        return batches.cancel(endpoint, batch)

    @hookimpl
    def delete_batch(self, endpoint: Endpoint, batch: str) -> Plan[None]:
        """Plan DELETE /v1/messages/batches/{id}."""
        return batches.delete(endpoint, batch)


def _count(endpoint: Endpoint, request: ChatRequest) -> Http[TokenCount]:
    rules = rules_of(endpoint, request.model)
    body = requests.counted(request, rules)
    if is_hosted(endpoint):
        limits.check_chat(request, rules)

    def read(response: HttpResponse) -> TokenCount:
        answer = response.json()
        return TokenCount(input_tokens=field(answer, "input_tokens", int), exact=False, method="server", raw=answer)

    headers = requests.headers(body, rules, request.extra)
    return Http(send=limits.checked(endpoint, post(endpoint, COUNT, body, headers)), parse=read)


def _is_certain(request: ChatRequest) -> bool:
    """Whether an answer of a certain form, or a certain call, is wanted."""
    return request.response_format is not None or request.tool_choice is not None


def _whole(endpoint: Endpoint, request: ChatRequest, lost: tuple[str, ...] = ()) -> Http[ChatResponse]:
    rules = rules_of(endpoint, request.model)
    is_long = _limit(endpoint, request) > LONG
    return Http(
        send=_messages(endpoint, request, rules, stream=is_long),
        parse=answers.read_streamed if is_long else answers.read_chat,
        unsupported=(*requests.unsupported(request, rules), *lost),
        kept_back=requests.kept_back(request, rules),
        after=None if is_hosted(endpoint) else partial(_after, endpoint),
    )


def _after(endpoint: Endpoint, answer: ChatResponse) -> Generator[Any, Any, Any] | None:
    """Return what looks at an answer of a server that may be Ollama, which cuts prompts here without a word."""
    return windows.looked_at(endpoint, answer) if is_ollamas(answer) else None


def _stream(endpoint: Endpoint, request: ChatRequest, lost: tuple[str, ...] = ()) -> HttpStream[ChatResponse]:
    rules = rules_of(endpoint, request.model)
    return HttpStream(
        send=_messages(endpoint, request, rules, stream=True),
        frames=SSEDecoder,
        decoder=answers.StreamDecoder,
        assembler=lambda: chat_assembler(eof_after_finish=False),
        unsupported=(*requests.unsupported(request, rules), *lost),
        kept_back=requests.kept_back(request, rules),
        after=None if is_hosted(endpoint) else partial(_after, endpoint),
    )


def _messages(endpoint: Endpoint, request: ChatRequest, rules: Rules, *, stream: bool) -> HttpRequest:
    if is_hosted(endpoint):
        limits.check_chat(request, rules)
    body = requests.body(request, rules, max_tokens=endpoint.options.max_tokens, stream=stream)
    headers = requests.headers(body, rules, request.extra)
    return limits.checked(endpoint, post(endpoint, "/v1/messages", body, headers))


def _limit(endpoint: Endpoint, request: ChatRequest) -> int:
    given = request.extra.get("max_tokens")
    return given if isinstance(given, int) else request.max_tokens or int(endpoint.options.max_tokens)


def _models(
    endpoint: Endpoint, *, lifecycle: Sequence[str] = (), limit: int | None = None
) -> Plan[tuple[ModelInfo, ...]]:
    """List the models whose lifecycle is active, deprecated or retired."""
    query = tuple([("lifecycle[]", each) for each in lifecycle])
    return listed(endpoint, "/v1/models", lambda item: described(endpoint, read_model(item)), limit, query)


backend = Claude()
