"""Predictions: which server, what the model takes, then the call."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Any

import attrs
from ipfs_accel.errors import (
    BadRequestError,
    InvalidRequestError,
    InvalidResponseError,
    NotFoundError,
    UnsupportedOperationError,
)
from ipfs_accel.plans import Endpoint, Http, HttpStream, Plan, Ready, StreamPlan, get
from ipfs_accel.types import PredictRequest, PredictResponse, Tensor
from ipfs_accel.wire.collector import Collector
from ipfs_accel.wire.sse import SSEDecoder

from . import _kserve, _tfserving
from ._server import Server, at_root, detect, forget, model_route, need_number, version_of
from ._specs import ModelSpec, fit, need_outputs

__all__ = ["metadata", "predict_steps", "stream_steps", "uses_v2"]

MAX_BYTES = 1024 * 1024 * 1024
"""The longest answer that is read; as much as OVMS takes in a request."""


def uses_v2(endpoint: Endpoint, server: Server) -> bool:
    """Whether tensors go by KServe v2."""
    dialect = endpoint.options.dialect
    return server.has_v2 if dialect == "auto" else dialect == "kserve"


def metadata(
    endpoint: Endpoint, server: Server, model: str, version: str, signature: str = _tfserving.SIGNATURE
) -> Http[tuple[ModelSpec, dict[str, Any]]]:
    """Plan the question what a model takes and gives."""
    if uses_v2(endpoint, server):
        return Http(send=at_root(endpoint, get(model_route(model, version))), parse=_kserve.read_spec)
    route = f"{model_route(model, version, prefix='/v1')}/metadata"
    return Http(send=at_root(endpoint, get(route)), parse=_tfserving.read_spec(signature))


def predict_steps(endpoint: Endpoint, request: PredictRequest) -> Generator[Any, Any, Plan[Any]]:
    """Ask for the metadata once, hold the tensors to it, and send them.

    A model may have been changed since it was asked about: what does not fit is held to fresh metadata before it is
    refused, and a request that the server refuses makes the next call ask anew.
    """
    version = version_of(endpoint, request.version)
    model_route(request.model, version)
    ask = _Ask(endpoint=endpoint, server=(yield from detect(endpoint)), request=request, version=version)
    ask.check()
    try:
        spec, tensors = yield from ask.prepare()
        answer = yield ask.plan(spec, tensors)
    except (BadRequestError, NotFoundError) as error:
        endpoint.memo.pop(ask.key, None)
        if type(error) is NotFoundError:  # no such route: it may be another server by now
            forget(endpoint)
        raise
    return Ready(value=answer)


def stream_steps(endpoint: Endpoint, request: PredictRequest) -> Generator[Any, Any, StreamPlan[Any]]:
    """Do the same for a prediction that comes in pieces."""
    version = version_of(endpoint, request.version)
    model_route(request.model, version)
    ask = _Ask(endpoint=endpoint, server=(yield from detect(endpoint)), request=request, version=version)
    if not uses_v2(endpoint, ask.server):
        raise UnsupportedOperationError("only servers of KServe v2 stream predictions")
    ask.check()
    spec, tensors = yield from ask.prepare()
    return ask.stream(spec, tensors)


@attrs.frozen(kw_only=True)
class _Ask:
    """One prediction: at which server, by which dialect."""

    endpoint: Endpoint
    server: Server
    request: PredictRequest
    version: str

    @property
    def signature(self) -> str:
        """Which of TensorFlow's signatures is meant."""
        return str(self.request.extra.get("signature_name", _tfserving.SIGNATURE))

    @property
    def key(self) -> tuple[str, ...]:
        """Where the metadata is kept."""
        return ("spec", self.request.model, self.version, self.signature)

    def check(self) -> None:
        """Refuse what the server is known not to have."""
        if uses_v2(self.endpoint, self.server):
            need_number(self.server, self.version)
        elif not self.server.has_tfserving:
            raise UnsupportedOperationError(
                f"{self.server.title} does not have TensorFlow Serving's API any more",
                hint="leave the endpoint's option dialect at auto",
            )

    def prepare(self) -> Generator[Any, Any, tuple[ModelSpec, tuple[Tensor, ...]]]:
        """Return what the model takes and gives, and the inputs as it wants them."""
        kept: ModelSpec | None = self.endpoint.memo.get(self.key)
        if kept is not None:
            with suppress(InvalidRequestError):
                return kept, self.fit(kept)
        spec = yield from self.spec()
        tensors = self.fit(spec)
        self.endpoint.memo[self.key] = spec
        return spec, tensors

    def spec(self) -> Generator[Any, Any, ModelSpec]:
        """Ask what the model takes and gives."""
        is_v2 = uses_v2(self.endpoint, self.server)
        if is_v2 and self.endpoint.options.check == "none":
            return ModelSpec()
        try:
            found = yield metadata(self.endpoint, self.server, self.request.model, self.version, self.signature)
        except (NotFoundError, InvalidResponseError):
            if is_v2:
                raise
            return ModelSpec()  # a server with nothing but :predict has no metadata
        spec: ModelSpec = found[0]
        return spec

    def fit(self, spec: ModelSpec) -> tuple[Tensor, ...]:
        """Hold the request to it."""
        check = self.endpoint.options.check
        need_outputs(spec, self.request.outputs, check)
        return fit(spec, self.request.inputs, check, images=self.server.kind in {"ovms", ""})

    def plan(self, spec: ModelSpec, tensors: tuple[Tensor, ...]) -> Http[PredictResponse]:
        """Plan the call itself."""
        request, options = self.request, self.endpoint.options
        if uses_v2(self.endpoint, self.server):
            binary = self.server.has_binary if options.binary == "auto" else options.binary == "always"
            path = f"{model_route(request.model, self.version)}/infer"
            send = _kserve.send(path, request, tensors, self.server, binary=binary, outputs=self._outputs(spec))
            parse = _kserve.reader(request.outputs, _on_null(self.server, binary=binary))
        else:
            path = model_route(request.model, self.version, prefix="/v1")
            send = _tfserving.send(path, request, tensors, rows=options.rows)
            parse = _tfserving.reader(spec, request.outputs)
        # All but OVMS say 500 when the model itself fails, or to what they cannot read: it would run, and fail, again.
        is_work = self.server.kind != "ovms"
        return Http(send=at_root(self.endpoint, send), parse=parse, max_bytes=MAX_BYTES, is_work=is_work)

    def stream(self, spec: ModelSpec, tensors: tuple[Tensor, ...]) -> HttpStream[tuple[PredictResponse, ...]]:
        """Plan the call as a stream, which has no bytes and no terminal signal."""
        path = f"{model_route(self.request.model, self.version)}/infer_stream"
        send = _kserve.send(path, self.request, tensors, self.server, binary=False, outputs=self._outputs(spec))
        return HttpStream(
            send=at_root(self.endpoint, send),
            frames=SSEDecoder,
            decoder=lambda: _kserve.stream_decoder(self.request.outputs, _on_null(self.server, binary=False)),
            assembler=lambda: Collector(lambda out: tuple(out.kept), eof_is_end=True),
        )

    def _outputs(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the outputs to name; OVMS gives bytes only for those that are named, so there it is all of them."""
        if self.request.outputs is not None:
            return self.request.outputs
        return tuple([output.name for output in spec.outputs]) if self.server.kind == "ovms" else ()


def _on_null(server: Server, *, binary: bool) -> str:
    """Return what to do about an output with null in it."""
    if server.has_binary and not binary:
        return "as bytes it comes as it is: set the endpoint's option binary = 'auto'"
    return "name the other outputs, or let the model give finite numbers"
