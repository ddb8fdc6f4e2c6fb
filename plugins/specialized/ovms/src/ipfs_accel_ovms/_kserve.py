"""KServe v2 over REST (the Open Inference Protocol), with its binary tensor extension."""

from __future__ import annotations

import math
from array import array
from base64 import b64decode
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from ipfs_accel.errors import InvalidRequestError, InvalidResponseError, InvalidValueError
from ipfs_accel.plans import HttpRequest, HttpResponse, post_json
from ipfs_accel.types import PredictRequest, PredictResponse, Tensor, Values
from ipfs_accel.wire.collector import Collector
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.openai_errors import checked, event_object
from ipfs_accel.wire.sse import ServerSentEvent

from ._server import Server
from ._specs import ModelSpec, TensorSpec

__all__ = ["read_spec", "reader", "selected", "send", "stream_decoder"]

Json = dict[str, Any]

_LENGTH = "inference-header-content-length"
_BINARY = "application/octet-stream"
_ONLY_BINARY = ("FP16", "BF16")
_IN_JSON = {"mlserver": ("FP16",)}
"""What some servers take in JSON all the same."""
_FLOATS = {"FP16", "FP32", "FP64"}
_ENCODED = "base64"
_SIZE = "binary_data_size"
_UNKNOWN = "INVALID"


def send(
    path: str,
    request: PredictRequest,
    tensors: Sequence[Tensor],
    server: Server,
    *,
    binary: bool,
    outputs: Sequence[str],
) -> HttpRequest:
    """Make the request: as bytes with a JSON head, or as JSON.

    Args:
        path: Where to.
        request: The caller's.
        tensors: Its inputs, as the model wants them.
        server: Who gets them.
        binary: Whether to send them, and ask for the answer, as bytes.
        outputs: Names of those that are wanted; empty for all.
    """
    if not all(tensor.name for tensor in tensors):
        raise InvalidRequestError("inputs: the server does not tell their names here", hint="give a dict of names")
    body: Json = {"inputs": [_input(tensor, server, binary=binary) for tensor in tensors]}
    if outputs:
        body["outputs"] = [
            {"name": name, "parameters": {"binary_data": True}} if binary else {"name": name} for name in outputs
        ]
    if not binary:
        return post_json(path, {**body, **request.extra})
    # Triton goes by this for all outputs, OVMS by what is said of each.
    body["parameters"] = {"binary_data_output": True}
    extra = dict(request.extra)
    body["parameters"] |= extra.pop("parameters", {})
    plan = post_json(path, {**body, **extra})
    head = plan.content
    assert isinstance(head, bytes)  # noqa: S101 - post_json has just made it
    return attrs.evolve(
        plan,
        headers=(("content-type", _BINARY), ("accept", f"{_BINARY}, application/json"), (_LENGTH, str(len(head)))),
        content=b"".join([head, *[tensor.data for tensor in tensors]]),
    )


def _input(tensor: Tensor, server: Server, *, binary: bool) -> Json:
    item: Json = {"name": tensor.name, "shape": list(tensor.shape), "datatype": tensor.datatype}
    if binary:
        item["parameters"] = {**tensor.parameters, _SIZE: len(tensor.data)}
        return item
    if tensor.parameters:
        item["parameters"] = dict(tensor.parameters)
    item["data"] = _plain(tensor, server)
    return item


def _plain(tensor: Tensor, server: Server) -> list[Any]:
    """Return the elements as JSON has them."""
    if tensor.datatype in _ONLY_BINARY and tensor.datatype not in _IN_JSON.get(server.kind, ()):
        raise _needs_binary(tensor, server, f"{tensor.datatype} has no form in JSON")
    if tensor.datatype == "BYTES":
        try:
            return tensor.to_strings()
        except UnicodeDecodeError:
            raise _needs_binary(tensor, server, "it is not UTF-8, which JSON needs") from None
    values = tensor.flat()
    if tensor.datatype in _FLOATS and not all(map(math.isfinite, values)):
        raise _needs_binary(tensor, server, "it holds NaN or Infinity, which JSON has not")
    if server.kind == "ovms" and not _fits_32_bits(tensor.datatype, values):
        raise _needs_binary(tensor, server, f"of {tensor.datatype} in JSON this server reads 32 bits, and it has more")
    return values


def _fits_32_bits(datatype: str, values: Sequence[Any]) -> bool:
    """Whether OVMS's parser would neither refuse nor round these."""
    match datatype:
        case "INT64":
            return all(-(2**31) <= value < 2**31 for value in values)
        case "UINT64":
            return all(value < 2**32 for value in values)
        case "FP64":
            return array("f", values).tolist() == values
        case _:
            return True


def _needs_binary(tensor: Tensor, server: Server, reason: str) -> InvalidRequestError:
    who = server.title or "this server"
    if server.has_binary:
        return InvalidRequestError(f"inputs: {tensor.name}: {reason}", hint="set the endpoint's option binary = 'auto'")
    return InvalidRequestError(
        f"inputs: {tensor.name}: {reason}, and {who} is not known to take tensors as bytes",
        hint="if it does, set the endpoint's option binary = 'always'",
    )


def reader(wanted: Sequence[str] | None, on_null: str) -> Callable[[HttpResponse], PredictResponse]:
    """Return what reads the answer; servers may send more outputs than were asked for.

    Args:
        wanted: Names of the outputs that are read; None for all.
        on_null: What to do about an output with null in it.
    """

    def read(response: HttpResponse) -> PredictResponse:
        head, rest = _split(response)
        return _answer(checked(head.json()), rest, wanted, on_null)

    return read


def stream_decoder(wanted: Sequence[str] | None, on_null: str) -> Callable[[ServerSentEvent, Collector[Any]], None]:
    """Return what reads a stream of answers; arguments as for `reader`."""

    def decode(event: ServerSentEvent, out: Collector[Any]) -> None:
        answer = _answer(event_object(event), b"", wanted, on_null)
        out.kept.append(answer)
        out.emit(answer)

    return decode


def _answer(body: Json, rest: bytes, wanted: Sequence[str] | None, on_null: str) -> PredictResponse:
    outputs, at = [], 0
    for item in field(body, "outputs", list):
        size = _size_of(item)
        # What nobody asked for is not read, so that nothing can be wrong with it.
        if wanted is None or field(item, "name", str) in wanted:
            outputs.append(_output(item, rest, at, on_null))
        at += size or 0
    if at != len(rest):
        raise InvalidResponseError(f"the answer has {len(rest)} bytes of tensors, and its outputs {at}")
    version = body.get("model_version")
    return PredictResponse(
        outputs=selected(outputs, wanted),
        model=body.get("model_name"),
        version=None if version is None else str(version),
        id=body.get("id"),
        parameters=body.get("parameters") or {},
        raw=body,
    )


def selected(outputs: Sequence[Tensor], wanted: Sequence[str] | None) -> tuple[Tensor, ...]:
    """Return the outputs that were asked for, in the caller's order."""
    if wanted is None:
        return tuple(outputs)
    found = {tensor.name: tensor for tensor in outputs}
    missing = [name for name in wanted if name not in found]
    if missing:
        raise InvalidResponseError(f"the answer has no output {missing[0]!r}; it has {', '.join(found) or 'none'}")
    return tuple([found[name] for name in wanted])


def _split(response: HttpResponse) -> tuple[HttpResponse, bytes]:
    """Return the JSON and the bytes after it; the header tells, whatever the content type says."""
    length = response.headers.get(_LENGTH)
    if length is None:
        return response, b""
    size = int(length) if length.isascii() and length.isdigit() else -1
    if not 0 <= size <= len(response.body):
        raise InvalidResponseError(
            f"the answer has {len(response.body)} bytes, and its header {_LENGTH} says {length!r}"
        )
    return attrs.evolve(response, body=response.body[:size]), response.body[size:]


def _size_of(item: Any) -> int | None:
    """Return how many of the answer's bytes are an output's; None if it is in the JSON."""
    parameters = item.get("parameters") if isinstance(item, dict) else None
    size = (parameters or {}).get(_SIZE)
    if size is not None and (not isinstance(size, int) or size < 0):
        raise InvalidResponseError(
            f"the answer does not have the form of this API: it ends within its output {item.get('name')!r}, "
            f"whose size is {size!r}"
        )
    return size


def _output(item: Any, rest: bytes, at: int, on_null: str) -> Tensor:
    name, datatype = field(item, "name", str), field(item, "datatype", str)
    shape = tuple(field(item, "shape", list))
    parameters = dict(item.get("parameters") or {})
    size = parameters.pop(_SIZE, None)
    data = item.get("data")
    if size is None and data is None:
        data = []  # OVMS says so of an output without elements
    try:
        if size is None:
            return _from_json(name, datatype, shape, parameters, data)
        if at + size > len(rest):
            raise InvalidResponseError(f"the answer ends within its output {name!r}")
        return Tensor(name=name, datatype=datatype, shape=shape, data=rest[at : at + size], parameters=parameters)
    except InvalidValueError as error:
        wrong = InvalidResponseError(f"the answer's output {error}")
        if datatype in _FLOATS and "None (element" in str(error):
            wrong = InvalidResponseError(f"the answer's output {error}: servers write NaN and Infinity as null in JSON")
            wrong.hint = on_null
        raise wrong from None


def _from_json(name: str, datatype: str, shape: tuple[int, ...], parameters: Json, data: Any) -> Tensor:
    values = data if isinstance(data, list) else [data]
    while values and isinstance(values[0], list):  # MLServer passes on what the model gave
        values = [value for row in values for value in row]
    if datatype == "BYTES" and parameters.get("content_type") == _ENCODED:
        del parameters["content_type"]  # which the tensor's own bytes do not have any more
        values = [_decoded(name, value) for value in values]
    if datatype == "BOOL":
        values = [bool(value) if value in (0, 1) else value for value in values]
    elif "INT" in datatype:  # models in Python forget to convert
        values = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
    tensor = Values(name=name, shape=shape, values=tuple(values)).typed(datatype)
    return attrs.evolve(tensor, parameters=parameters) if parameters else tensor


def _decoded(name: str, value: Any) -> bytes:
    """Return the bytes that MLServer's codec has put into JSON."""
    try:
        return b64decode(value, validate=True)
    except (TypeError, ValueError):
        raise InvalidResponseError(f"the answer's output {name!r} is not the base64 that it says it is") from None


def read_spec(response: HttpResponse) -> tuple[ModelSpec, Json]:
    """Read a model's metadata; some servers leave inputs and outputs out, or say null."""
    body = checked(response.json())
    return ModelSpec(inputs=_specs(body.get("inputs")), outputs=_specs(body.get("outputs"))), body


def _specs(items: Any) -> tuple[TensorSpec, ...]:
    return tuple([_spec(item) for item in items or ()])


def _spec(item: Any) -> TensorSpec:
    datatype = item.get("datatype")
    shape = item.get("shape")
    is_known = isinstance(datatype, str) and datatype not in {"", _UNKNOWN}
    return TensorSpec(
        name=field(item, "name", str),
        datatype=datatype if is_known else None,
        shape=tuple([int(size) for size in shape]) if is_known and isinstance(shape, list) else None,
    )
