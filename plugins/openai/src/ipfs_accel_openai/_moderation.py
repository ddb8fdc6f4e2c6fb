"""Judging texts and pictures: POST /moderations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ipfs_accel import types
from ipfs_accel.errors import InvalidResponseError
from ipfs_accel.plans import HttpResponse
from ipfs_accel.types import Image
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.openai_errors import checked

if TYPE_CHECKING:
    from ipfs_accel.types import ModerateRequest, ModerateResponse, Moderation

__all__ = ["bodies", "read"]

Json = dict[str, Any]


def bodies(request: ModerateRequest) -> list[Json]:
    """Return the bodies to send: one for inputs that are texts, else one each, since parts are one input together."""
    base: Json = {"model": request.model} if request.model else {}
    if all(isinstance(item, str) for item in request.inputs):
        inputs: Any = request.inputs[0] if len(request.inputs) == 1 else list(request.inputs)
        return [{**base, "input": inputs, **request.extra}]
    return [{**base, "input": _parts(item), **request.extra} for item in request.inputs]


def _parts(item: Any) -> list[Json]:
    several = item if isinstance(item, tuple) else (item,)
    return [
        {"type": "image_url", "image_url": {"url": part.to_url()}}
        if isinstance(part, Image)
        else {"type": "text", "text": part}
        for part in several
    ]


def read(response: HttpResponse, count: int) -> ModerateResponse:
    """Read the judgements of `count` inputs."""
    body = checked(response.json())
    results = field(body, "results", list)
    if len(results) != count:
        raise InvalidResponseError(f"the answer has {len(results)} judgements for {count} inputs")
    return types.ModerateResponse(results=tuple([_result(item) for item in results]), model=body.get("model"), raw=body)


def _result(item: Json) -> Moderation:
    # Models that know only text leave some categories at null: nothing is said of them.
    categories = {name: value for name, value in (item.get("categories") or {}).items() if value is not None}
    scores = {name: value for name, value in (item.get("category_scores") or {}).items() if value is not None}
    return types.Moderation(flagged=field(item, "flagged", bool), categories=categories, scores=scores)
