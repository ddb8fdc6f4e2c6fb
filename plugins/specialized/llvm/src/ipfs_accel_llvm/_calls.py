"""Calls of llama.cpp's own, beyond what all backends have; those of other servers are in `_more_calls`.

A user reaches them with `client.call("llvm", name, …)`. `model` is a model id as everywhere: empty for the server's
own, or a GGUF file for the embedded engine. Answers are the server's JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeAlias

from ipfs_accel.plans import Endpoint, Flow, Http, HttpRequest, HttpResponse, Plan, get, post_json

from ._reach import reach
from ._servers import Answering

__all__ = ["CALLS", "Call", "ask"]

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
    "slot_erase": _slot_action("erase"),
    "slot_restore": _slot_action("restore"),
    "slot_save": _slot_action("save"),
    "slots": slots,
}
