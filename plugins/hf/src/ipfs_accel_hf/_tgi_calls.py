"""Calls of TGI's own beyond what all backends have; a user reaches them with `client.call("tgi", name, …)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ipfs_accel.plans import Endpoint, Http, HttpResponse, Plan, post_json
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.openai_errors import checked

from ._places import root
from ._server import COMMON_CALLS

__all__ = ["CALLS"]


def apply_template(endpoint: Endpoint, *, messages: Sequence[Any], **fields: Any) -> Plan[str]:
    """The prompt that the chat template makes of messages, and of tools if they are given, in the wire's form."""

    def read(response: HttpResponse) -> str:
        return field(checked(response.json()), "templated_text", str)

    body = {"messages": list(messages), **fields}
    return Http(send=post_json("/chat_tokenize", body, base_url=root(endpoint)), parse=read)


def generate(endpoint: Endpoint, *, inputs: str, **parameters: Any) -> Plan[Any]:
    """One generation as the server's JSON, with any parameters; POST /generate."""
    body = {"inputs": inputs, "parameters": parameters}
    return Http(send=post_json("/generate", body, base_url=root(endpoint)), parse=HttpResponse.json)


def compatible(endpoint: Endpoint, *, inputs: str, **parameters: Any) -> Plan[Any]:
    """The same by POST /, whose answer is a list and repeats the prompt by default for models of text generation."""
    body = {"inputs": inputs, "parameters": parameters, "stream": False}
    return Http(send=post_json("/", body, base_url=root(endpoint)), parse=HttpResponse.json)


CALLS: Mapping[str, Callable[..., Plan[Any]]] = {
    **COMMON_CALLS,
    "apply_template": apply_template,
    "compatible": compatible,
    "generate": generate,
}
