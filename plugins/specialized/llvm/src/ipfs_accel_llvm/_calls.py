"""Calls of llama.cpp's own, beyond what all backends have; those of other servers are in `_more_calls`.

A user reaches them with `client.call("llvm", name, …)`. `model` is a model id as everywhere: empty for the server's
own, or a GGUF file for the embedded engine. Answers are the server's JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeAlias

from ipfs_accel.plans import Endpoint, Flow, Http, HttpRequest, HttpResponse, Plan, get, post_json
from ipfs_accel.types import ChatRequest, Message, Tool
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.openai_requests import chat_body, wire_messages

from ._reach import reach
from ._servers import Answering

__all__ = ["CALLS", "Call", "anything", "ask"]

Call: TypeAlias = Callable[..., Plan[Any]]


def ask(
    endpoint: Endpoint,
    model: str,
    request: HttpRequest,
    parse: Callable[[HttpResponse], Any] = HttpResponse.json,
    kinds: Sequence[str] = ("llama.cpp",),
) -> Plan[Any]:
    """Plan a request to a server of one of these kinds."""

    def steps() -> Generator[Any, Any, Any]:
        server: Answering = yield from reach(endpoint, model)
        server.need(request.path, *kinds)
        return Http(send=server.send(request), parse=parse)

    return Flow(steps=steps)


def anything(response: HttpResponse) -> Any:
    """Read JSON, or the sentence that some routes answer with, or nothing."""
    if not response.body.strip():
        return None
    is_json = response.headers.get("content-type", "application/json").startswith("application/json")
    return response.json() if is_json else response.text()


def props(endpoint: Endpoint, *, model: str = "") -> Plan[Any]:
    """Settings, modalities, chat template and build of the server."""
    return ask(endpoint, model, get("/props"))


def slots(endpoint: Endpoint, *, model: str = "") -> Plan[Any]:
    """What each slot does now; the server has to allow it."""
    return ask(endpoint, model, get("/slots"))


def metrics(endpoint: Endpoint, *, model: str = "") -> Plan[Any]:
    """Counters as Prometheus text; the server has to allow it."""
    return ask(endpoint, model, get("/metrics"), HttpResponse.text, ("llama.cpp", "vllm", "mlc"))


def lora_adapters(endpoint: Endpoint, *, model: str = "") -> Plan[Any]:
    """The loaded LoRA adapters and their scales."""
    return ask(endpoint, model, get("/lora-adapters"))


def apply_template(endpoint: Endpoint, *, messages: Sequence[Any], model: str = "") -> Plan[Any]:
    """The prompt that the chat template makes of messages in the wire form; {"prompt": …}."""
    return ask(endpoint, model, post_json("/apply-template", {"messages": list(messages)}))


def render(
    endpoint: Endpoint, *, messages: Any, tools: Sequence[Any] = (), model: str = "", **fields: Any
) -> Plan[Any]:
    """The text that a model gets of a chat, as its template makes it of the messages and tools.

    Args:
        endpoint: Where to ask.
        messages: A text, a `Message`, or a list of these, or of messages in the wire form.
        tools: `Tool`s, or tools in the wire form.
        model: As for chats.
        fields: More of the request, such as `chat_template_kwargs` or `add_generation_prompt`.

    vLLM's own route of this meaning takes the wire form and returns tokens; its operator has to allow it.
    """

    def steps() -> Generator[Any, Any, Any]:
        server: Answering = yield from reach(endpoint, model)
        server.need("render", "llama.cpp", "vllm")
        if server.kind == "vllm":
            body = {**({"model": model} if model else {}), "messages": messages, **({"tools": tools} if tools else {})}
            return Http(send=server.send(post_json("/v1/chat/completions/render", body | fields)), parse=anything)
        body = {"messages": _on_the_wire(messages), **fields}
        if tools:
            body["tools"] = [tool if isinstance(tool, Mapping) else _tool(tool) for tool in tools]
        return Http(send=server.send(post_json("/apply-template", body)), parse=_prompt)

    return Flow(steps=steps)


def _on_the_wire(messages: Any) -> list[Any]:
    given = [messages] if isinstance(messages, str | Message | Mapping) else list(messages)
    typed = [Message.user(each) if isinstance(each, str) else each for each in given]
    written = [[each] if isinstance(each, Mapping) else wire_messages([each]) for each in typed]
    return [message for each in written for message in each]


def _tool(tool: Tool) -> dict[str, Any]:
    request = ChatRequest(messages=(), tools=(tool,))
    found: dict[str, Any] = chat_body(request, stream=False)["tools"][0]
    return found


def _prompt(response: HttpResponse) -> str:
    found: str = field(response.json(), "prompt", str)
    return found


def completion(endpoint: Endpoint, *, prompt: Any, model: str = "", **parameters: Any) -> Plan[Any]:
    """Complete a text by llama.cpp's native route, with every sampling field it has; not streamed."""
    return ask(endpoint, model, post_json("/completion", {"prompt": prompt, **parameters, "stream": False}))


def infill(
    endpoint: Endpoint,
    *,
    input_prefix: str,
    input_suffix: str,
    input_extra: Sequence[Mapping[str, str]] = (),
    prompt: str = "",
    model: str = "",
    **parameters: Any,
) -> Plan[Any]:
    """Text for the gap between prefix and suffix; the model has to know fill-in-the-middle."""
    body = {
        "input_prefix": input_prefix,
        "input_suffix": input_suffix,
        "input_extra": list(input_extra),
        "prompt": prompt,
        **parameters,
        "stream": False,
    }
    return ask(endpoint, model, post_json("/infill", body))


def _slot_action(action: str) -> Call:
    def act(endpoint: Endpoint, *, slot: int, filename: str | None = None, model: str = "") -> Plan[Any]:
        body = {} if filename is None else {"filename": filename}
        request = post_json(f"/slots/{int(slot)}?action={action}", body)
        return ask(endpoint, model, request)

    act.__doc__ = f"Make slot number `slot` {action} its cache; the server has to allow it."
    return act


CALLS: Mapping[str, Call] = {
    "apply_template": apply_template,
    "completion": completion,
    "infill": infill,
    "lora_adapters": lora_adapters,
    "metrics": metrics,
    "props": props,
    "render": render,
    "slot_erase": _slot_action("erase"),
    "slot_restore": _slot_action("restore"),
    "slot_save": _slot_action("save"),
    "slots": slots,
}
