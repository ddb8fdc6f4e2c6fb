"""TensorFlow Serving's REST: rows and columns, and the metadata that says what they hold."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from ipfs_accel.errors import InvalidRequestError, InvalidResponseError, InvalidValueError
from ipfs_accel.plans import HttpRequest, HttpResponse, post_json
from ipfs_accel.types import PredictRequest, PredictResponse, Tensor, Values
from ipfs_accel.wire.fields import field
from ipfs_accel.wire.openai_errors import checked

from ._kserve import selected
from ._specs import ModelSpec, TensorSpec

__all__ = ["SIGNATURE", "read_spec", "reader", "send"]

Json = dict[str, Any]

SIGNATURE = "serving_default"
_DATATYPES = {
    "DT_BOOL": "BOOL",
    "DT_UINT8": "UINT8",
    "DT_UINT16": "UINT16",
    "DT_UINT32": "UINT32",
    "DT_UINT64": "UINT64",
    "DT_INT8": "INT8",
    "DT_INT16": "INT16",
    "DT_INT32": "INT32",
    "DT_INT64": "INT64",
    "DT_HALF": "FP16",
    "DT_BFLOAT16": "BF16",
    "DT_FLOAT": "FP32",
    "DT_DOUBLE": "FP64",
    "DT_STRING": "BYTES",
}

_FLOATS = ("FP16", "BF16", "FP32", "FP64")


def send(path: str, request: PredictRequest, tensors: Sequence[Tensor], *, rows: bool) -> HttpRequest:
    """Make the request, as one object per row or as one column per input."""
    named = {tensor.name: _plain(tensor) for tensor in tensors}
    body = {"instances": _rows(tensors, named)} if rows else {"inputs": named.get("", named)}
    return post_json(f"{path}:predict", {**body, **request.extra})


def _rows(tensors: Sequence[Tensor], named: Mapping[str, Any]) -> list[Any]:
    first = tensors[0]
    for tensor in tensors:
        if not tensor.shape or tensor.shape[:1] != first.shape[:1]:
            raise InvalidRequestError(
                f"inputs: {tensor.name} has the shape {list(tensor.shape)}, {first.name} {list(first.shape)}: "
                "rows need the same first dimension everywhere",
                hint="columns do not: set the endpoint's option rows = false",
            )
    if len(named) == 1:
        return list(named[first.name])
    return [{name: values[row] for name, values in named.items()} for row in range(first.shape[0])]


def _plain(tensor: Tensor) -> Any:
    """Return the elements as this JSON has them: texts, and other strings of bytes in base64."""
    if tensor.datatype == "BYTES":
        return _strings(tensor.to_list())
    if tensor.datatype in _FLOATS and not all(map(math.isfinite, tensor.flat())):
        raise InvalidRequestError(f"inputs: {tensor.name}: it holds NaN or Infinity, which JSON has not")
    return tensor.to_list()


def _strings(value: Any) -> Any:
    if isinstance(value, list):
        return [_strings(each) for each in value]
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}


def reader(spec: ModelSpec, wanted: Sequence[str] | None) -> Callable[[HttpResponse], PredictResponse]:
    """Return what reads the answer, in either form."""

    def read(response: HttpResponse) -> PredictResponse:
        body = checked(response.json())
        if "outputs" in body:
            columns = _columns(body["outputs"], spec)
        else:
            columns = _columns(_turned(field(body, "predictions", list)), spec)
        outputs = [_tensor(name, value, spec) for name, value in columns.items()]
        return PredictResponse(outputs=selected(outputs, wanted), raw=body)

    return read


def _columns(value: Any, spec: ModelSpec) -> dict[str, Any]:
    """Return values by name; the only output comes without its name."""
    if isinstance(value, dict) and not _is_bytes(value):
        return value
    return {spec.outputs[0].name if len(spec.outputs) == 1 else "": value}


def _turned(rows: list[Any]) -> Any:
    """Return rows of several outputs as columns."""
    if not rows or not isinstance(rows[0], dict) or _is_bytes(rows[0]):
        return rows
    return {name: [row[name] for row in rows] for name in rows[0]}


def _is_bytes(value: Any) -> bool:
    return isinstance(value, dict) and list(value) == ["b64"]


def _tensor(name: str, value: Any, spec: ModelSpec) -> Tensor:
    datatype = next((each.datatype for each in spec.outputs if each.name == name), None)
    try:
        return Values.of(_decoded(value), name).typed(datatype)
    except InvalidValueError as error:
        raise InvalidResponseError(f"the answer's output {error}") from None


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        is_flat = not any(isinstance(each, list | dict) for each in value)
        return value if is_flat else [_decoded(each) for each in value]
    if not _is_bytes(value):
        return value
    try:
        return base64.b64decode(value["b64"], validate=True)
    except binascii.Error as error:
        raise InvalidResponseError(f"a string of the answer is not base64: {error}") from None


def read_spec(signature: str) -> Callable[[HttpResponse], tuple[ModelSpec, Json]]:
    """Return what reads a model's metadata; OVMS and TensorFlow Serving write its members differently."""

    def read(response: HttpResponse) -> tuple[ModelSpec, Json]:
        body = checked(response.json())
        signatures = _either(_either(field(body, "metadata", dict), "signature_def"), "signature_def")
        found = signatures.get(signature)
        if not isinstance(found, dict):
            return ModelSpec(), body
        return ModelSpec(inputs=_specs(found.get("inputs")), outputs=_specs(found.get("outputs"))), body

    return read


def _either(value: Json, name: str) -> Json:
    """Return a member by its name or by the same in camel case."""
    head, *tail = name.split("_")
    found = value.get(name, value.get(head + "".join([each.title() for each in tail])))
    return found if isinstance(found, dict) else {}


def _specs(items: Any) -> tuple[TensorSpec, ...]:
    return tuple([_spec(name, item) for name, item in (items or {}).items()])


def _spec(name: str, item: Json) -> TensorSpec:
    shape = _either(item, "tensor_shape")
    is_unknown = shape.get("unknown_rank") or shape.get("unknownRank")
    sizes = tuple([int(each["size"]) for each in shape.get("dim") or ()])
    return attrs.evolve(
        TensorSpec(name=name, datatype=_DATATYPES.get(str(item.get("dtype")))),
        shape=None if is_unknown or not shape else sizes,
    )
