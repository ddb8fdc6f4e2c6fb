"""Calls of these servers beyond what all backends have; a user reaches them with `client.call("ovms", name, …)`."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import attrs
from ipfs_accel.errors import BadRequestError, ModelNotFoundError, OverloadedError
from ipfs_accel.plans import (
    Endpoint,
    Flow,
    Http,
    HttpRequest,
    HttpResponse,
    HttpStream,
    Plan,
    Ready,
    StreamFlow,
    StreamPlan,
    get,
    post_json,
    segment,
)
from ipfs_accel.types import ChatResponse, PredictRequest, as_inputs
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.openai_errors import checked
from ipfs_accel.wire.openai_responses_answers import ResponseDecoder, assembler, read_response
from ipfs_accel.wire.sse import SSEDecoder

from ._predict import stream_steps
from ._server import at_root, detect, is_bare_no, model_route, openai_route, root_of, says_so, version_of
from ._streams import guarded

__all__ = ["CALLS"]

_NAME = "ovms"

Call: TypeAlias = Callable[..., Plan[Any] | StreamPlan[Any]]


def _ask(
    endpoint: Endpoint, request: HttpRequest, parse: Callable[[HttpResponse], Any] = HttpResponse.json
) -> Plan[Any]:
    return Http(send=at_root(endpoint, request), parse=parse)


def _is(endpoint: Endpoint, path: str, parse: Callable[[HttpResponse], bool] = says_so) -> Plan[bool]:
    """Plan a question that the status answers, or the body; some servers send none, or say 400 for no."""

    def steps() -> Generator[Any, Any, Plan[bool]]:
        try:
            return Ready(value=(yield _ask(endpoint, get(path), parse)))
        except (ModelNotFoundError, OverloadedError):
            return Ready(value=False)
        except BadRequestError as error:
            if not is_bare_no(error):
                raise
            return Ready(value=False)

    return Flow(steps=steps)


def server_live(endpoint: Endpoint) -> Plan[bool]:
    """Whether the server runs."""
    return _is(endpoint, "/v2/health/live")


def server_ready(endpoint: Endpoint) -> Plan[bool]:
    """Whether the server can serve its models."""
    return _is(endpoint, "/v2/health/ready")


def server_metadata(endpoint: Endpoint) -> Plan[Any]:
    """Name, version and extensions of the server."""
    return _ask(endpoint, get("/v2"))


def model_ready(endpoint: Endpoint, *, model: str, version: str | int | None = None) -> Plan[bool]:
    """Whether a model is there and ready; of a server without KServe v2, whether one of its versions is."""
    v1, v2 = (_route(endpoint, model, version, prefix) for prefix in ("/v1", "/v2"))

    def read(response: HttpResponse) -> bool:
        body = checked(response.json())
        states = body.get("model_version_status") or ()
        return body.get("ready") is True or any(field(each, "state", str) == "AVAILABLE" for each in states)

    def steps() -> Generator[Any, Any, Plan[bool]]:
        server = yield from detect(endpoint)
        return _is(endpoint, f"{v2}/ready") if server.has_v2 else _is(endpoint, v1, read)

    return Flow(steps=steps)


def model_metadata(endpoint: Endpoint, *, model: str, version: str | int | None = None) -> Plan[Any]:
    """Inputs, outputs and versions of a model, by KServe v2."""
    return _ask(endpoint, get(_route(endpoint, model, version)))


def tf_metadata(endpoint: Endpoint, *, model: str, version: str | int | None = None) -> Plan[Any]:
    """The same by TensorFlow Serving's API, with its signatures."""
    return _ask(endpoint, get(f"{_route(endpoint, model, version, '/v1')}/metadata"))


def model_status(endpoint: Endpoint, *, model: str, version: str | int | None = None) -> Plan[Any]:
    """State of each version of a model: {"model_version_status": […]}; OVMS from 2026.3 on tells it in `config`."""
    path = _route(endpoint, model, version, "/v1")
    meant = version_of(endpoint, None if version is None else str(version))

    def read(response: HttpResponse) -> Any:
        models = checked(response.json())
        if model not in models:
            raise ModelNotFoundError(f"the server has no model {model!r}")
        states = field(models[model], "model_version_status", list)
        found = [each for each in states if field(each, "version", str) == meant or not meant]
        if meant and not found:
            raise ModelNotFoundError(f"the server has no version {meant} of {model!r}")
        return {"model_version_status": found}

    def steps() -> Generator[Any, Any, Plan[Any]]:
        server = yield from detect(endpoint)
        return _ask(endpoint, get(path)) if server.has_tfserving else _ask(endpoint, get("/v1/config"), read)

    return Flow(steps=steps)


def config(endpoint: Endpoint) -> Plan[Any]:
    """State of every version of every model of OVMS."""
    return _ask(endpoint, get("/v1/config"))


def reload_config(endpoint: Endpoint) -> Plan[Any]:
    """Make OVMS read its configuration file again: {"reloaded": whether there was anything to do, "config": …}."""

    def read(response: HttpResponse) -> Any:
        return {"reloaded": response.status == 201, "config": response.json()}  # noqa: PLR2004 - created

    return _ask(endpoint, HttpRequest(method="POST", path="/v1/config/reload", content=b""), read)


def metrics(endpoint: Endpoint, *, port: int | None = None) -> Plan[Any]:
    """Counters as Prometheus text; OVMS has to be started with --metrics_enable, others have them at another port."""
    request = get("/metrics")
    if port is None:
        return _ask(endpoint, request, HttpResponse.text)
    parts = urlsplit(root_of(endpoint))
    host = parts.netloc.rpartition("@")[2].removesuffix(f":{parts.port}")
    return Http(send=attrs.evolve(request, base_url=f"{parts.scheme}://{host}:{int(port)}"), parse=HttpResponse.text)


def repository_index(endpoint: Endpoint, *, ready: bool | None = None) -> Plan[Any]:
    """Models of the repository with their states; Triton and MLServer."""
    return _ask(endpoint, post_json("/v2/repository/index", {} if ready is None else {"ready": ready}))


def _repository(action: str) -> Call:
    def act(endpoint: Endpoint, *, model: str, parameters: Mapping[str, Any] | None = None) -> Plan[Any]:
        body = {} if parameters is None else {"parameters": dict(parameters)}
        path = f"/v2/repository/models/{segment(model)}/{action}"
        return _ask(endpoint, post_json(path, body), lambda response: response.json() if response.body else None)

    act.__doc__ = f"Make Triton, MLServer or KServe {action} a model."
    return act


def _tf_examples(verb: str) -> Call:
    def ask(
        endpoint: Endpoint,
        *,
        model: str,
        examples: Sequence[Mapping[str, Any]],
        version: str | int | None = None,
        context: Mapping[str, Any] | None = None,
        signature_name: str | None = None,
    ) -> Plan[Any]:
        body: dict[str, Any] = {"examples": list(examples)}
        if context is not None:
            body["context"] = dict(context)
        if signature_name is not None:
            body["signature_name"] = signature_name
        return _ask(endpoint, post_json(f"{_route(endpoint, model, version, '/v1')}:{verb}", body))

    ask.__doc__ = f"TensorFlow Serving's :{verb} of examples."
    return ask


def infer_stream(
    endpoint: Endpoint,
    *,
    model: str,
    inputs: Any,
    outputs: str | Sequence[str] | None = None,
    version: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> StreamPlan[Any]:
    """A prediction of MLServer that comes in pieces, each a `PredictResponse`; arguments as for `predict`."""
    wanted = (outputs,) if isinstance(outputs, str) else None if outputs is None else tuple(outputs)
    tensors = as_inputs(inputs)
    request = PredictRequest(model=model, inputs=tensors, outputs=wanted, version=version, extra=extra or {})
    return StreamFlow(steps=lambda: stream_steps(endpoint, request))


def responses(endpoint: Endpoint, *, model: str, input: Any, **fields: Any) -> Plan[Any]:  # noqa: A002 - the field's own name
    """A chat by OVMS's form of OpenAI's Responses API; `fields` are those of its body."""
    body = {"model": model, "input": input, **fields, "stream": False}
    send = post_json(openai_route(endpoint, "/responses"), body)
    return Http(send=send, parse=partial(read_response, backend=_NAME))


def stream_responses(endpoint: Endpoint, *, model: str, input: Any, **fields: Any) -> StreamPlan[Any]:  # noqa: A002 - as above
    """The same as a stream, with the events of a chat."""
    plan: HttpStream[ChatResponse] = HttpStream(
        send=post_json(
            openai_route(endpoint, "/responses"), {"model": model, "input": input, **fields, "stream": True}
        ),
        frames=SSEDecoder,
        decoder=partial(ResponseDecoder, _NAME),
        assembler=partial(assembler, _NAME),
    )
    return guarded(plan)


def _route(endpoint: Endpoint, model: str, version: str | int | None, prefix: str = "/v2") -> str:
    return model_route(model, version_of(endpoint, None if version is None else str(version)), prefix=prefix)


CALLS: Mapping[str, Call] = {
    "config": config,
    "infer_stream": infer_stream,
    "load_model": _repository("load"),
    "metrics": metrics,
    "model_metadata": model_metadata,
    "model_ready": model_ready,
    "model_status": model_status,
    "reload_config": reload_config,
    "repository_index": repository_index,
    "responses": responses,
    "server_live": server_live,
    "server_metadata": server_metadata,
    "server_ready": server_ready,
    "stream_responses": stream_responses,
    "tf_classify": _tf_examples("classify"),
    "tf_metadata": tf_metadata,
    "tf_regress": _tf_examples("regress"),
    "unload_model": _repository("unload"),
}
