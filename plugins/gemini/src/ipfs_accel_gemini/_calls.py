"""What only Gemini has: cached contents, vectors of pictures and sounds, videos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse, Plan, post_json
from ipfs_accel.types import Answer, Audio, ChatRequest, Document, EmbedResponse, Image, Message, Text, Tool
from ipfs_accel.wire.fields import field, optional, seconds

from ._embed import embed_contents
from ._fields import Json, number
from ._parts import parts_of
from ._requests import body as chat_body
from ._routes import ask, checked, listed, model_name, model_path, nothing, path_of, post, root, scope
from ._rules import rules_of

__all__ = ["CALLS", "CachedContent", "Operation"]

MAX_PAGE = 100
_OF_CHAT = ("contents", "systemInstruction", "tools", "toolConfig")


@attrs.frozen(kw_only=True)
class CachedContent(Answer):
    """The beginning of chats that the provider keeps ready; a chat refers to it by `extra={"cachedContent": name}`.

    Attributes:
        name: By which it is referred to.
        model: The only one that can use it.
        display_name: The caller's own.
        created: Seconds since 1970.
        expires: Seconds since 1970.
        tokens: How many it has.
    """

    name: str
    model: str | None = None
    display_name: str | None = None
    created: float | None = None
    expires: float | None = None
    tokens: int | None = None


@attrs.frozen(kw_only=True)
class Operation(Answer):
    """Work that goes on after its request was answered; ask for it again until it is done.

    Attributes:
        name: By which to ask for it.
        done: Whether it is over.
        response: What came of it, in the provider's form.
        error: Why nothing did, likewise.
    """

    name: str
    done: bool = False
    response: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None


def create_cache(
    endpoint: Endpoint,
    model: str,
    messages: Sequence[Message],
    *,
    tools: Sequence[Tool] = (),
    ttl: float | None = None,
    display_name: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Plan[CachedContent]:
    """Plan POST /cachedContents.

    Args:
        endpoint: Where.
        model: Which model will use it.
        messages: How the chats begin; a system message alone will do.
        tools: That they have.
        ttl: Seconds until it is deleted.
        display_name: A name for people.
        extra: Fields of the provider's own.
    """
    made = chat_body(
        ChatRequest(model=model, messages=tuple(messages), tools=tuple(tools)), rules_of(model), may_be_empty=True
    )
    body: Json = {"model": _resource(endpoint, model), **{name: made[name] for name in _OF_CHAT if made.get(name)}}
    if ttl is not None:
        body["ttl"] = _duration(ttl)
    if display_name is not None:
        body["displayName"] = display_name
    send = post(endpoint, path_of(endpoint, "cachedContents"), body | dict(extra or {}))
    return Http(send=send, parse=_read_cache)


def list_caches(endpoint: Endpoint, limit: int | None = None) -> Plan[tuple[CachedContent, ...]]:
    """Plan GET /cachedContents, page by page."""
    return listed(endpoint, path_of(endpoint, "cachedContents"), "cachedContents", _cache, limit=limit, most=MAX_PAGE)


def get_cache(endpoint: Endpoint, cache: str) -> Plan[CachedContent]:
    """Plan GET /cachedContents/{id}."""
    return Http(send=ask(endpoint, path_of(endpoint, _cache_name(cache))), parse=_read_cache)


def update_cache(endpoint: Endpoint, cache: str, ttl: float) -> Plan[CachedContent]:
    """Plan PATCH /cachedContents/{id}: let it live for another `ttl` seconds."""
    send = post_json(path_of(endpoint, _cache_name(cache)), {"ttl": _duration(ttl)}, base_url=root(endpoint))
    return Http(send=attrs.evolve(send, method="PATCH"), parse=_read_cache)


def delete_cache(endpoint: Endpoint, cache: str) -> Plan[None]:
    """Plan DELETE /cachedContents/{id}."""
    return Http(send=ask(endpoint, path_of(endpoint, _cache_name(cache)), method="DELETE"), parse=nothing)


def embed_parts(
    endpoint: Endpoint,
    model: str,
    inputs: Sequence[str | Image | Audio | Document | Sequence[str | Image | Audio | Document]],
    dimensions: int | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Plan[EmbedResponse]:
    """Plan vectors of texts, pictures, sounds and documents, one for each input; several parts may be one input."""
    rules = rules_of(model)
    contents: list[Json] = []
    for index, each in enumerate(inputs):
        message = Message(role="user", content=Text(text=each) if isinstance(each, str) else each)
        parts = parts_of(message, rules, lambda _result: "")
        if not parts:
            raise InvalidRequestError(f"inputs[{index}]: there is nothing in it")
        contents.append({"role": "user", "parts": parts})
    size = {} if dimensions is None else {"outputDimensionality": dimensions}
    return embed_contents(endpoint, model, contents, {**size, **(extra or {})})


def generate_video(
    endpoint: Endpoint,
    model: str,
    prompt: str,
    image: Image | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> Plan[Operation]:
    """Plan POST /models/{id}:predictLongRunning; `get_operation` tells when the video is there and where.

    Args:
        endpoint: Where.
        model: Such as veo-3.1-generate-001.
        prompt: What to show.
        image: The first frame.
        parameters: In the provider's words, such as {"aspectRatio": "16:9", "durationSeconds": 8}.
    """
    instance: Json = {"prompt": prompt}
    if image is not None:
        if image.data is None:
            raise InvalidRequestError("image: Veo takes the bytes of a picture, not its URL")
        instance["image"] = {"bytesBase64Encoded": image.base64(), "mimeType": image.media_type}
    body: Json = {"instances": [instance], **({"parameters": dict(parameters)} if parameters else {})}
    send = post(endpoint, model_path(endpoint, model, "predictLongRunning"), body)
    return Http(send=send, parse=_read_operation)


def get_operation(endpoint: Endpoint, operation: str) -> Plan[Operation]:
    """Plan a look at work that goes on: GET of its name, or POST :fetchPredictOperation on Vertex AI."""
    return Http(send=_operation(endpoint, operation), parse=_read_operation)


def _operation(endpoint: Endpoint, name: str) -> HttpRequest:
    above, found, _ = name.partition("/operations/")
    if not found:
        raise InvalidRequestError(f"operation: {name!r} is no name of one, such as models/…/operations/…")
    if endpoint.options.vertex:
        return post(endpoint, path_of(endpoint, above, "fetchPredictOperation"), {"operationName": name})
    return ask(endpoint, path_of(endpoint, name))


def _resource(endpoint: Endpoint, model: str) -> str:
    name = model_name(endpoint, model)
    is_whole = not endpoint.options.vertex or name.startswith("projects/") or not endpoint.options.project
    return name if is_whole else f"{scope(endpoint)}/{name}"


def _duration(span: float) -> str:
    return f"{span:g}s"


def _cache_name(name: str) -> str:
    return name if "/" in name else f"cachedContents/{name}"


def _read_cache(response: HttpResponse) -> CachedContent:
    return _cache(checked(response))


def _cache(item: Any) -> CachedContent:
    return CachedContent(
        name=field(item, "name", str),
        model=optional(item, "model", str),
        display_name=optional(item, "displayName", str),
        created=seconds(item.get("createTime")),
        expires=seconds(item.get("expireTime")),
        tokens=number(optional(item, "usageMetadata", dict) or {}, "totalTokenCount"),
        raw=item,
    )


def _read_operation(response: HttpResponse) -> Operation:
    body = response.json()
    if not isinstance(body, dict) or "name" not in body:
        body = checked(response)
    return Operation(
        name=field(body, "name", str),
        done=bool(body.get("done")),
        response=optional(body, "response", dict),
        error=optional(body, "error", dict),
        raw=body,
    )


CALLS: Mapping[str, Callable[..., Plan[Any]]] = {
    each.__name__: each
    for each in (
        *(create_cache, list_caches, get_cache, update_cache, delete_cache),
        *(embed_parts, generate_video, get_operation),
    )
}
"""The backend's own calls by their names."""
