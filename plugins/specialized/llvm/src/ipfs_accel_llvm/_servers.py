"""Which server answers, and where the dialects of servers differ.

Everything is asked with GET requests, which are free and change nothing. What was learnt stays in the endpoint's memo.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, TypeVar

import attrs
from ipfs_accel import strict_json
from ipfs_accel.errors import (
    APIError,
    APIStatusError,
    AuthenticationError,
    InternalServerError,
    InvalidResponseError,
    OverloadedError,
    PermissionDeniedError,
    UnsupportedOperationError,
)
from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse, HttpStream, get
from ipfs_accel.types import ChatRequest, Reasoning
from ipfs_accel.wire import returned
from ipfs_accel.wire.openai_requests import Place, given, replay_in

__all__ = [
    "HAS",
    "Answering",
    "adapt",
    "adapt_completion",
    "detect",
    "kept_back",
    "lost",
    "place_of",
    "refused",
    "root_of",
]

P = TypeVar("P", bound="Http[Any] | HttpStream[Any]")

_CHATS = frozenset({"chat", "stream", "complete", "stream_complete", "embed"})
_TOKENS = frozenset({"tokenize", "detokenize"})
HAS: Mapping[str, frozenset[str]] = {
    "llama.cpp": _CHATS | _TOKENS | {"rerank", "count_tokens", "transcribe"},
    "vllm": _CHATS | _TOKENS | {"rerank", "count_tokens", "transcribe", "translate", "classify"},
    "mlc": _CHATS,
    "llama-cpp-python": _CHATS | _TOKENS,
    "other": _CHATS | {"rerank", "transcribe", "translate"},
    "infer": frozenset({"chat", "complete", "embed", "predict"}),
    "shortfin": frozenset({"complete", "stream_complete"}),
}
"""Operations by kind of server, those that all have left out."""

_OLLAMA = "product"
"""In an endpoint's memo: that Ollama answers, which says so of models that have no other owner."""
_OWNERS = {"llamacpp": "llama.cpp", "vllm": "vllm", "MLC-LLM": "mlc", "me": "llama-cpp-python"}

# What vLLM named so until 2025 and now ignores without a word, so that nothing would be enforced.
_GUIDED = {
    "guided_json": "json",
    "guided_regex": "regex",
    "guided_choice": "choice",
    "guided_grammar": "grammar",
    "guided_whitespace_pattern": "whitespace_pattern",
}


@attrs.frozen(kw_only=True)
class Answering:
    """A server that answers: what it is, where, and how it wants to be asked beside the endpoint's own key.

    Attributes:
        kind: llama.cpp, vllm, mlc, llama-cpp-python, infer, shortfin or other.
        root: Its base URL without /v1.
        headers: For the embedded engine, its own key.
        refusal: Why the server did not tell what it is: for want of a key.
    """

    kind: str
    root: str
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    refusal: AuthenticationError | PermissionDeniedError | None = attrs.field(default=None, eq=False, repr=False)

    def send(self, request: HttpRequest) -> HttpRequest:
        """Return a request as it goes to this server."""
        return attrs.evolve(request, base_url=self.root, headers=request.headers + self.headers)

    def name(self, endpoint: Endpoint) -> str | None:
        """Return the product's name, where it is one of which more is known than its kind."""
        return "llama.cpp" if self.kind == "llama.cpp" else endpoint.memo.get(_OLLAMA)

    def check(self, operation: str) -> None:
        """Raise unless servers of this kind have an operation."""
        self.need(operation, *[kind for kind, operations in HAS.items() if operation in operations])

    def need(self, what: str, *kinds: str) -> None:
        """Raise unless the server is one of these kinds."""
        if self.kind not in kinds and self.refusal is not None:
            raise self.refusal
        if self.kind not in kinds:
            raise UnsupportedOperationError(
                f"the server at {self.root} is {self.kind}, which has no {what}",
                hint=f"{what} needs {' or '.join(kinds)}",
            )


def root_of(endpoint: Endpoint) -> str:
    """Return the base URL without the /v1 that users often copy along; `infer` has none of its own."""
    return endpoint.base_url if endpoint.options.server == "infer" else endpoint.base_url.removesuffix("/v1")


def detect(endpoint: Endpoint) -> Generator[Any, Any, Answering]:
    """Find out which server answers.

    Raises:
        UnsupportedOperationError: It speaks no dialect that this plugin knows.
        APIConnectionError: None answers.
    """
    kind, root = endpoint.options.server, root_of(endpoint)
    if kind == "auto":
        kind = endpoint.memo.get("server")
    if kind is not None:
        return Answering(kind=kind, root=root)
    try:
        return Answering(kind=(yield from _ask(endpoint, root)), root=root)
    except (AuthenticationError, PermissionDeniedError) as error:
        # A chat will say that the key is missing. vLLM has routes that want none.
        return Answering(kind="vllm" if endpoint.backend == "vllm" else "other", root=root, refusal=error)


def _ask(endpoint: Endpoint, root: str) -> Generator[Any, Any, str]:
    try:
        models = yield Http(send=get("/v1/models", base_url=root), parse=HttpResponse.json)
    except (AuthenticationError, PermissionDeniedError):
        raise
    except OverloadedError as error:
        if error.code == "unavailable_error":
            return _remember(endpoint, "llama.cpp")  # it says so while it loads
        raise
    except (APIStatusError, InvalidResponseError) as error:
        if isinstance(error, InternalServerError):
            raise  # it has the route, and is not well
        return _remember(endpoint, (yield from _ask_further(root, error)))
    items = models.get("data") if isinstance(models, dict) else models
    first = items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}
    if first.get("owned_by") == "library":
        endpoint.memo[_OLLAMA] = "Ollama"
    return _remember(endpoint, _OWNERS.get(first.get("owned_by", ""), "other"))


def _ask_further(root: str, first: APIError) -> Generator[Any, Any, str]:
    """Say what a server without /v1/models is."""
    said = [f"GET /v1/models: {first.message}"]
    for path, test, kind in (("/openapi.json", _has_generate, "shortfin"), ("/models", _has_models, "infer")):
        try:
            found = yield Http(send=get(path, base_url=root), parse=HttpResponse.json)
        except APIError as error:
            said.append(f"GET {path}: {error.message}")
            continue
        if kind == "infer" and isinstance(found, dict) and found.get("object") == "list":
            raise UnsupportedOperationError(
                f"the server at {root} speaks OpenAI's dialect without /v1, where this plugin looks for it",
                hint="give the same base URL to an endpoint of the backend openai",
            )
        if test(found):
            return kind
        said.append(f"GET {path}: nothing that names a dialect")
    raise UnsupportedOperationError(
        f"the server at {root} is none of models that this plugin knows ({'; '.join(said)})",
        hint="name its kind in the endpoint's option server if it is one",
    )


def _has_generate(document: Any) -> bool:
    return isinstance(document, dict) and "/generate" in document.get("paths", {})


def _has_models(document: Any) -> bool:
    return isinstance(document, list) or (
        isinstance(document, dict) and any(isinstance(document.get(name), list) for name in ("models", "data"))
    )


def _remember(endpoint: Endpoint, kind: str) -> str:
    endpoint.memo["server"] = kind
    return kind


# MLC's and llama-cpp-python's types of messages have no thoughts, so that these are dropped in silence; vLLM reads
# `reasoning` alone, and drops `reasoning_content` likewise (its issue 38488).
_THOUGHTS = {"vllm": "reasoning", "mlc": "", "llama-cpp-python": ""}


def place_of(kind: str) -> Place:
    """Return where a server takes back what its model thought; see `openai_requests.Place`."""
    chosen = _THOUGHTS.get(kind)
    return replay_in if chosen is None else lambda _said: chosen


def kept_back(kind: str, request: ChatRequest) -> tuple[str, ...]:
    """Return what models said before and the server does not take."""
    if len(request.messages) == 1 or _THOUGHTS.get(kind) != "":
        return ()
    return returned.kept_back(request.messages, lambda _message, part: not isinstance(part, Reasoning), extra=True)


def refused(kind: str) -> tuple[str, ...]:
    """Return the options that a server does not have.

    MLC takes `user` for its internal request id, so that two calls of one user would collide.
    """
    return ("user", "top_k", "parallel_tool_calls", "reasoning_effort") if kind == "mlc" else ()


def lost(kind: str, request: Any) -> tuple[str, ...]:
    """Return the options that the caller gave and the server does not have; MLC cannot be made to call some tool."""
    names = given(request, refused(kind))
    return (*names, "tool_choice") if kind == "mlc" and getattr(request, "tool_choice", None) == "required" else names


def adapt(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """Write a body as the server wants it."""
    if kind == "vllm":
        return _without_guided(body)
    return _for_mlc(body) if kind == "mlc" else body


def adapt_completion(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """Write the body of a text completion likewise; llama.cpp's route ignores OpenAI's field for a schema."""
    given = body.get("response_format")
    if kind != "llama.cpp" or not isinstance(given, Mapping):
        return adapt(kind, body)
    wrapped = given.get("json_schema")
    schema = wrapped.get("schema") if isinstance(wrapped, Mapping) else given.get("schema")
    kept = {name: value for name, value in body.items() if name != "response_format"}
    if isinstance(schema, Mapping):
        return {"json_schema": schema, **kept}
    return {"json_schema": {"type": "object"}, **kept} if given.get("type") == "json_object" else kept


def _for_mlc(body: dict[str, Any]) -> dict[str, Any]:
    if body.get("tool_choice") == "required":
        body = {name: value for name, value in body.items() if name != "tool_choice"}
    schema = body["response_format"].get("json_schema") if isinstance(body.get("response_format"), Mapping) else None
    if isinstance(schema, Mapping):
        text = strict_json.dumps(schema.get("schema", {})).decode()
        return {**body, "response_format": {"type": "json_object", "json_schema": text}}
    return body


def _without_guided(body: dict[str, Any]) -> dict[str, Any]:
    found = {new: body[old] for old, new in _GUIDED.items() if old in body}
    if not found:
        return body
    kept = {name: value for name, value in body.items() if name not in _GUIDED and name != "guided_decoding_backend"}
    return {**kept, "structured_outputs": {**body.get("structured_outputs", {}), **found}}
