"""OpenAI's dialect, vectors: how they are asked for, in base64 unless the server refuses that."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ipfs_accel.errors import APIStatusError, BadRequestError, UnprocessableEntityError
from ipfs_accel.plans import Endpoint, Http, HttpRequest, HttpResponse

from .openai_answers import read_embeddings

if TYPE_CHECKING:
    from ipfs_accel.types import EmbedRequest, EmbedResponse

__all__ = ["embedding"]

_ENCODING = "encoding_format"


def embedding(
    endpoint: Endpoint,
    request: EmbedRequest,
    body: dict[str, Any],
    send: Callable[[dict[str, Any]], HttpRequest],
    *,
    unsupported: tuple[str, ...] = (),
    first: int = 0,
) -> Http[EmbedResponse]:
    """Plan POST /embeddings.

    A server that refuses `encoding_format`, which the caller did not name, is asked once more without it, and from then
    on, for this model, at once.

    Args:
        endpoint: Whose memo has what was learnt.
        request: For these inputs.
        body: What to send for it.
        send: Makes the request with a body.
        unsupported: As for `Http`.
        first: Position of the first input, where others are sent in other requests.
    """
    count, place, asked = len(request.inputs), (_ENCODING, request.model), body.get("dimensions")
    dimensions = asked if isinstance(asked, int) else None

    def read(response: HttpResponse) -> EmbedResponse:
        return read_embeddings(response, count, dimensions, first)

    def read_plain(response: HttpResponse) -> EmbedResponse:
        answer = read(response)
        endpoint.memo[place] = True
        return answer

    def plain(error: APIStatusError) -> Http[EmbedResponse] | None:
        if not _names_encoding(error):
            return None
        return Http(send=send(_plain(body)), parse=read_plain, unsupported=unsupported)

    if _ENCODING not in body or _ENCODING in request.extra:
        return Http(send=send(body), parse=read, unsupported=unsupported)
    if place in endpoint.memo:
        return Http(send=send(_plain(body)), parse=read, unsupported=unsupported)
    return Http(send=send(body), parse=read, unsupported=unsupported, instead=plain)


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != _ENCODING}


def _names_encoding(error: APIStatusError) -> bool:
    """Whether a server says that it does not know in which form vectors were asked for."""
    if not isinstance(error, BadRequestError | UnprocessableEntityError):
        return False
    return _ENCODING in error.message or "base64" in error.message
