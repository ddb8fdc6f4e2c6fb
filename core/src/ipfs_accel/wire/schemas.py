"""Chats and completions that have to follow a schema, at servers of one's own: which one enforces what of it.

A backend whose endpoint may be any server of a dialect asks it once, for free, and only if there is a schema.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ipfs_accel.errors import APIConnectionError, APIError
from ipfs_accel.plans import Endpoint, Held, Http, HttpRequest, HttpResponse
from ipfs_accel.types import JsonSchema

from .schema_keywords import lost, refused, tables

if TYPE_CHECKING:
    from ipfs_accel.types import Request

__all__ = ["held", "own_server", "schema_of"]

_OWNERS = {"llamacpp": "llama.cpp", "vllm": "vLLM", "library": "Ollama"}
"""Who owns a model, by what lists it; Ollama says so of what has no other owner."""
_MEMO = "server that answers"


def held(plan: Any, request: Request, server: str | None, way_out: str | None = None) -> Any:
    """Return the plan of a request as one whose answer is held to its schemas.

    Args:
        plan: What to perform.
        request: A chat or a completion; returned is the plan itself if there is no schema in it.
        server: Its name in `schema_keywords.tables`; None, or one that is not there, if nothing is known of it.
        way_out: What to do where the server does not enforce a schema.
    """
    schema = schema_of(request)
    tools = {tool.name: tool.parameters for tool in getattr(request, "tools", ()) if tool.strict}
    if schema is None and not tools:
        return plan
    known: dict[str, Any] = {}
    if server is not None and server in tables():
        known = {"lost": partial(lost, server), "refused": partial(refused, server)}
    return Held(plan=plan, schema=schema, tools=tools, server=server or "the server", way_out=way_out, **known)


def schema_of(request: Request) -> JsonSchema | None:
    """Return the schema of the answer, where the caller put it: servers' own names for it in `extra` count too."""
    given = getattr(request, "response_format", None)
    if isinstance(given, JsonSchema):
        return given
    extra = request.extra
    if not extra:
        return None
    inner = [extra.get("structured_outputs"), extra.get("response_format")]
    wrapped = [each.get("json_schema") or {} for each in inner if isinstance(each, Mapping)]
    found = [extra.get("json_schema"), extra.get("guided_json"), extra.get("format")]
    found += [each.get("json") for each in inner if isinstance(each, Mapping)]
    found += [each.get("schema") for each in wrapped if isinstance(each, Mapping)]
    return next((JsonSchema(schema=each) for each in found if isinstance(each, Mapping)), None)


def own_server(endpoint: Endpoint, ask: HttpRequest) -> Generator[Any, Any, str | None]:
    """Return which server of one's own an endpoint is, as far as its list of models tells; it is asked once.

    What is reached over TLS is taken for a service, which is not asked.
    """
    if not endpoint.base_url.startswith("http://"):
        return None
    if _MEMO not in endpoint.memo:
        try:
            endpoint.memo[_MEMO] = yield Http(send=ask, parse=_read)
        except APIConnectionError:
            raise  # the call itself would fare no better
        except APIError:
            endpoint.memo[_MEMO] = None
    return endpoint.memo[_MEMO]  # type: ignore[no-any-return]


def _read(response: HttpResponse) -> str | None:
    if response.headers.get("server") == "llama.cpp":
        return "llama.cpp"
    body = response.json()
    items = body.get("data") if isinstance(body, dict) else None
    owners = [item.get("owned_by") for item in items or () if isinstance(item, dict)]
    return next((_OWNERS[owner] for owner in owners if owner in _OWNERS), None)
