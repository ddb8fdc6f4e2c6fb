"""Calls of vLLM's, MLC's and infer servers' own. Answers are the server's JSON, or None where it says nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ipfs_accel.errors import ConfigError
from ipfs_accel.plans import Endpoint, HttpRequest, Pairs, Plan, get, post_json, segment

from ._calls import Call, anything, ask
from ._infer import place

__all__ = ["CALLS"]

_VLLM, _MLC, _INFER = ("vllm",), ("mlc",), ("infer",)


def _posting(path: str, kinds: Sequence[str], about: str) -> Call:
    """Make a call that sends its arguments as they are."""

    def call(endpoint: Endpoint, *, model: str = "", **fields: Any) -> Plan[Any]:
        body = {"model": model, **fields} if model else fields
        return ask(endpoint, model, post_json(path, body), anything, kinds)

    call.__doc__ = about
    return call


def _getting(path: str, kinds: Sequence[str], about: str) -> Call:
    def call(endpoint: Endpoint) -> Plan[Any]:
        return ask(endpoint, "", get(path), anything, kinds)

    call.__doc__ = about
    return call


def _told(path: str, query: Pairs = ()) -> HttpRequest:
    return HttpRequest(method="POST", path=path, query=query, headers=(("accept", "application/json"),))


def chat_batch(endpoint: Endpoint, *, conversations: Sequence[Any], model: str = "", **fields: Any) -> Plan[Any]:
    """Answer several conversations, each a list of messages in the wire form, in one request."""
    body = {**({"model": model} if model else {}), "messages": list(conversations), **fields}
    return ask(endpoint, model, post_json("/v1/chat/completions/batch", body), kinds=_VLLM)


def score(
    endpoint: Endpoint, *, queries: str | Sequence[str], documents: str | Sequence[str], model: str = "", **fields: Any
) -> Plan[Any]:
    """Score documents against a query, or each against its own."""
    body = {**({"model": model} if model else {}), "text_1": queries, "text_2": documents, **fields}
    return ask(endpoint, model, post_json("/score", body), kinds=_VLLM)


def vllm_response(endpoint: Endpoint, *, id: str) -> Plan[Any]:  # noqa: A002 - the field's own name
    """Return a response that is kept."""
    return ask(endpoint, "", get(f"/v1/responses/{segment(id)}"), kinds=_VLLM)


def vllm_cancel_response(endpoint: Endpoint, *, id: str) -> Plan[Any]:  # noqa: A002 - the field's own name
    """End a response that is made in the background."""
    return ask(endpoint, "", _told(f"/v1/responses/{segment(id)}/cancel"), kinds=_VLLM)


def load_lora_adapter(
    endpoint: Endpoint, *, lora_name: str, lora_path: str, load_inplace: bool = False, **fields: Any
) -> Plan[Any]:
    """Load a LoRA adapter, which is then a model of this name; the server has to allow it."""
    body = {"lora_name": lora_name, "lora_path": lora_path, "load_inplace": load_inplace, **fields}
    return ask(endpoint, "", post_json("/v1/load_lora_adapter", body), anything, _VLLM)


def unload_lora_adapter(endpoint: Endpoint, *, lora_name: str, **fields: Any) -> Plan[Any]:
    """Unload it."""
    body = {"lora_name": lora_name, **fields}
    return ask(endpoint, "", post_json("/v1/unload_lora_adapter", body), anything, _VLLM)


def sleep(endpoint: Endpoint, *, level: int = 1, mode: str | None = None) -> Plan[Any]:
    """Free the memory of a GPU: level 1 keeps the weights in main memory, level 2 drops them; in development mode."""
    query = (("level", str(int(level))), *((("mode", mode),) if mode is not None else ()))
    return ask(endpoint, "", _told("/sleep", query), anything, _VLLM)


def wake_up(endpoint: Endpoint, *, tags: Sequence[str] = ()) -> Plan[Any]:
    """End the sleep, of everything or of what is named, such as weights; in development mode."""
    query = tuple([("tags", tag) for tag in tags])
    return ask(endpoint, "", _told("/wake_up", query), anything, _VLLM)


def reset_prefix_cache(endpoint: Endpoint) -> Plan[Any]:
    """Empty the cache of prefixes; in development mode."""
    return ask(endpoint, "", _told("/reset_prefix_cache"), anything, _VLLM)


# Servers with /models/{id}/infer


def infer(
    endpoint: Endpoint,
    *,
    model: str,
    input: Any,  # noqa: A002 - the field's own name
    parameters: Mapping[str, Any] | None = None,
) -> Plan[Any]:
    """Give a model any JSON and return what it gives."""
    body = {"input": input, **({"parameters": dict(parameters)} if parameters is not None else {})}
    return ask(endpoint, "", post_json(place(model, "/infer"), body), anything, _INFER)


def batch_infer(
    endpoint: Endpoint, *, model: str, inputs: Sequence[Any], parameters: Mapping[str, Any] | None = None
) -> Plan[Any]:
    """Give a model several values at once; the results are in their order."""
    body = {"inputs": list(inputs), **({"parameters": dict(parameters)} if parameters is not None else {})}
    return ask(endpoint, "", post_json(place(model, "/batch_infer"), body), anything, _INFER)


def statistics(endpoint: Endpoint, *, model: str) -> Plan[Any]:
    """Return what the server counted of a model."""
    return ask(endpoint, "", get(place(model, "/statistics")), anything, _INFER)


def optimize_model(endpoint: Endpoint, *, model: str, optimization_type: str) -> Plan[Any]:
    """Have a model optimised for speed, memory or balanced."""
    body = {"optimization_type": optimization_type}
    return ask(endpoint, "", post_json(place(model, "/optimize"), body), anything, _INFER)


def reload_model(endpoint: Endpoint, *, model: str) -> Plan[Any]:
    """Have a model loaded anew."""
    return ask(endpoint, "", _told(place(model, "/reload")), anything, _INFER)


def _running(path: str, about: str) -> Call:
    def call(endpoint: Endpoint, *, parameters: Mapping[str, Any] | None = None, **given: Any) -> Plan[Any]:
        if not endpoint.options.runs_code:
            raise ConfigError(
                f"endpoint {endpoint.name!r}: {path} runs code on the server, which is not allowed",
                hint="set the endpoint's option runs_code = true if that is wanted",
            )
        body = {**given, **({"parameters": dict(parameters)} if parameters is not None else {})}
        return ask(endpoint, "", post_json(path, body), anything, _INFER)

    call.__doc__ = about
    return call


CALLS: Mapping[str, Call] = {
    "batch_execute": _running("/batch_execute", "Run several pieces of LLVM IR, given as `inputs`."),
    "batch_infer": batch_infer,
    "chat_batch": chat_batch,
    "decisions": _posting("/v1/decisions", _VLLM, "Make decisions; arguments as on the wire."),
    "embed_cohere": _posting("/v2/embed", _VLLM, "Make vectors in Cohere's form; arguments as on the wire."),
    "execute": _running("/execute", "Run LLVM IR, given as `input`."),
    "generate": _posting("/inference/v1/generate", _VLLM, "Generate from token ids; arguments as on the wire."),
    "infer": infer,
    "invocations": _posting("/invocations", _VLLM, "Call the model as SageMaker does; arguments as on the wire."),
    "is_sleeping": _getting("/is_sleeping", _VLLM, "Tell whether the server sleeps; in development mode."),
    "load": _getting("/load", _VLLM, "Tell how many requests the server works on."),
    "load_lora_adapter": load_lora_adapter,
    "mlc_dump_engine_metrics": _posting("/debug/dump_engine_metrics", _MLC, "Return the engine's numbers."),
    "mlc_dump_event_trace": _posting("/debug/dump_event_trace", _MLC, "Return the engine's events."),
    "mlc_prep_recv": _posting("/microserving/prep_recv", _MLC, "Prepare to receive a cache of another engine."),
    "mlc_profiler_start": _posting("/debug/cuda_profiler_start", _MLC, "Start the profiler."),
    "mlc_profiler_stop": _posting("/debug/cuda_profiler_stop", _MLC, "Stop the profiler."),
    "mlc_remote_send": _posting("/microserving/remote_send", _MLC, "Send a cache to another engine."),
    "mlc_reset_engine": _posting("/debug/reset_engine", _MLC, "Reset the engine."),
    "mlc_start_generate": _posting("/microserving/start_generate", _MLC, "Generate on a cache that was received."),
    "optimize": _running("/optimize", "Optimise LLVM IR, given as `input`."),
    "optimize_model": optimize_model,
    "ping": _getting("/ping", _VLLM, "Check the server as SageMaker does."),
    "pooling": _posting("/pooling", _VLLM, "Return the raw output of a pooling model: `input`, `task`."),
    "reload_model": reload_model,
    "render_completion": _posting("/v1/completions/render", _VLLM, "Return the tokens of a prompt."),
    "reset_prefix_cache": reset_prefix_cache,
    "responses": _posting("/v1/responses", ("vllm", "llama.cpp"), "Answer by the Responses API; arguments as there."),
    "score": score,
    "server_info": _getting("/server_info", _VLLM, "Return the server's settings; in development mode."),
    "sleep": sleep,
    "statistics": statistics,
    "status": _getting("/status", _INFER, "Return what the server says of itself."),
    "systemone": _posting("/v1/systemone", ("vllm", "llama.cpp"), "Ask a decision model; arguments as on the wire."),
    "tokenizer_info": _getting("/tokenizer_info", _VLLM, "Return the tokenizer's settings, if it may."),
    "unload_lora_adapter": unload_lora_adapter,
    "version": _getting("/version", _VLLM, "Return the server's version."),
    "vllm_cancel_response": vllm_cancel_response,
    "vllm_response": vllm_response,
    "wake_up": wake_up,
}
