"""The dialect of servers with POST /models/{id}/infer, which take any JSON and give any JSON.

No public server speaks it; servers of one's own may. What content looks like is theirs to say: `Options.content` says
where in an answer it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from ipfs_accel import strict_json
from ipfs_accel.errors import ConfigError, InvalidRequestError, InvalidResponseError, InvalidValueError
from ipfs_accel.plans import Endpoint, Http, HttpResponse, get, post_json, segment
from ipfs_accel.types import (
    ChatRequest,
    ChatResponse,
    Choice,
    CompletionChoice,
    CompletionRequest,
    CompletionResponse,
    EmbedRequest,
    EmbedResponse,
    Message,
    ModelInfo,
    PredictRequest,
    PredictResponse,
    Tensor,
    nested,
)
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.openai_errors import checked
from ipfs_accel.wire.openai_requests import given, wire_messages
from ipfs_accel.wire.vectors import vectors

from ._servers import Answering

__all__ = ["chat", "complete", "embed", "models", "one_model", "place", "predict"]

T = TypeVar("T")

_PARAMETERS = (
    *("max_tokens", "temperature", "top_p", "top_k", "seed", "stop", "n", "frequency_penalty", "presence_penalty"),
    *("logit_bias", "user", "suffix", "echo", "logprobs", "top_logprobs", "reasoning_effort", "dimensions"),
)


def place(model: str, action: str = "") -> str:
    """Return the path of a model's route; ids may hold slashes, which are quoted."""
    if not model:
        raise InvalidRequestError("model: this server's paths need one", hint="endpoint/model")
    return f"/models/{segment(model)}{action}"


def chat(endpoint: Endpoint, server: Answering, request: ChatRequest) -> Http[ChatResponse]:
    """Plan a chat, if the server is known to take messages."""
    if not endpoint.options.chats:
        raise ConfigError(
            f"endpoint {endpoint.name!r}: what its models take is not known to be messages",
            hint="set the endpoint's option chats = true if it is; else use complete or predict",
        )
    value = {"messages": wire_messages(request.messages)}
    if request.tools or request.response_format is not None:
        raise InvalidRequestError("tools, response_format: this dialect has no place for them")

    def read(found: Sequence[Any], raw: Any) -> ChatResponse:
        message = Message.assistant(_text(endpoint, found[0]))
        return ChatResponse(model=request.model, choices=(Choice(message=message),), raw=raw)

    return _asked(server, request, [value], read)


def complete(endpoint: Endpoint, server: Answering, request: CompletionRequest) -> Http[CompletionResponse]:
    """Plan texts, several of them as a batch."""

    def read(found: Sequence[Any], raw: Any) -> CompletionResponse:
        choices = tuple([CompletionChoice(index=index, text=_text(endpoint, each)) for index, each in enumerate(found)])
        return CompletionResponse(model=request.model, choices=choices, raw=raw)

    return _asked(server, request, request.prompt, read)


def embed(endpoint: Endpoint, server: Answering, request: EmbedRequest) -> Http[EmbedResponse]:
    """Plan vectors, several of them as a batch."""

    def read(found: Sequence[Any], raw: Any) -> EmbedResponse:
        written = [_content(endpoint, each) for each in found]
        return EmbedResponse(vectors=vectors(written, dimensions=request.dimensions), model=request.model, raw=raw)

    return _asked(server, request, request.inputs, read)


def predict(endpoint: Endpoint, server: Answering, request: PredictRequest) -> Http[PredictResponse]:
    """Plan tensors as nested lists: the only one as it is, several by their names."""
    values = {tensor.name: _plain(tensor) for tensor in request.inputs}
    if len(values) != len(request.inputs):
        raise InvalidRequestError("inputs: two have the same name")

    def read(found: Sequence[Any], raw: Any) -> PredictResponse:
        content = _content(endpoint, found[0])
        named = content if isinstance(content, Mapping) else {"": content}
        wanted = request.outputs if request.outputs is not None else tuple(named)
        missing = [name for name in wanted if name not in named]
        if missing:
            raise InvalidResponseError(f"the answer has no output {missing[0]!r}, but {', '.join(named)}")
        return PredictResponse(
            outputs=tuple([_tensor(named[name], name) for name in wanted]), model=request.model, raw=raw
        )

    value = values[""] if list(values) == [""] else values
    return _asked(server, request, [value], read, given(request, ("version",)))


def _asked(
    server: Answering,
    request: Any,
    values: Sequence[Any],
    read: Callable[[Sequence[Any], Any], T],
    unsupported: tuple[str, ...] = (),
) -> Http[T]:
    several = len(values) > 1
    body: dict[str, Any] = {"inputs": list(values)} if several else {"input": values[0]}
    parameters = {name: getattr(request, name) for name in given(request, _PARAMETERS)}
    if parameters:
        body["parameters"] = parameters
    body |= {**request.extra, **_merged(parameters, request.extra)}

    def parse(response: HttpResponse) -> T:
        raw = response.json()
        found = field(checked(raw), "results", list) if several else [raw]
        if len(found) != len(values):
            raise InvalidResponseError(f"the answer has {len(found)} results for {len(values)} inputs")
        return read(found, raw)

    send = post_json(place(request.model, "/batch_infer" if several else "/infer"), body)
    return Http(send=server.send(send), parse=parse, unsupported=unsupported)


def _merged(parameters: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    own = extra.get("parameters")
    return {"parameters": {**parameters, **own}} if parameters and isinstance(own, Mapping) else {}


def _content(endpoint: Endpoint, value: Any) -> Any:
    """Return what is at the place that the endpoint's options name."""
    path = endpoint.options.content
    for name in path.split(".") if path else ():
        if isinstance(value, Mapping) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            raise InvalidResponseError(f"the answer has nothing at {path!r}, where the option content says it is")
    return value


def _wrong(endpoint: Endpoint, value: Any, wanted: str) -> InvalidResponseError:
    where = f" at {endpoint.options.content!r}" if endpoint.options.content else ""
    return InvalidResponseError(
        f"the answer{where} is a JSON {type(value).__name__} instead of {wanted}",
        hint="say in the endpoint's option content where in the answers it is, such as output or results.0.text",
    )


def _text(endpoint: Endpoint, value: Any) -> str:
    content = _content(endpoint, value)
    if not isinstance(content, str):
        raise _wrong(endpoint, content, "text")
    return content


def _plain(tensor: Any) -> Any:
    """Return a tensor as nested lists."""
    if not isinstance(tensor, Tensor):
        return nested(tensor.values, tensor.shape)
    if tensor.datatype == "BYTES":
        return nested(tensor.to_strings(), tensor.shape)
    return tensor.to_list()


def _tensor(value: Any, name: str) -> Tensor:
    try:
        return Tensor.from_list(value, name=name)
    except InvalidValueError as error:
        raise InvalidResponseError(f"an output is no array: {error}") from None


def models(server: Answering) -> Http[tuple[ModelInfo, ...]]:
    """Plan GET /models: a list, or an object that has one."""
    return Http(send=server.send(get("/models")), parse=lambda response: tuple(_listed(response.json())))


def one_model(server: Answering, model: str) -> Http[ModelInfo]:
    """Plan GET /models/{id}."""
    return Http(send=server.send(get(place(model))), parse=lambda response: _model({"id": model, **_said(response)}))


def _said(response: HttpResponse) -> dict[str, Any]:
    return {name: value for name, value in checked(response.json()).items() if value is not None}


def _listed(body: Any) -> Iterable[ModelInfo]:
    if isinstance(body, Mapping):
        body = next((body[name] for name in ("models", "data") if isinstance(body.get(name), list)), None)
    if not isinstance(body, list):
        raise InvalidResponseError("the list of models is neither a list nor an object with models or data")
    return [_model({"id": item} if isinstance(item, str) else item) for item in body]


def _model(item: Any) -> ModelInfo:
    name = item.get("id") or item.get("name") if isinstance(item, Mapping) else None
    if not isinstance(name, str):
        raise InvalidResponseError(
            f"a model of the list has neither id nor name: {strict_json.dumps(item).decode()[:80]}"
        )
    description = item.get("description")
    return ModelInfo(id=name, description=description if isinstance(description, str) else None, raw=item)
