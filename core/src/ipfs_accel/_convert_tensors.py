"""As `_convert`, for tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._convert import checked
from .errors import InvalidRequestError
from .types import PredictRequest, Tensor, Values
from .types._tensors import tensor_or_values

__all__ = ["predict_request"]


def predict_request(model: str, inputs: Any, options: dict[str, Any]) -> PredictRequest:
    """Make the request of `predict` from named inputs, `Tensor`s that have names, or the only input."""
    version = options.pop("version", None)
    if version is not None and (isinstance(version, bool) or not isinstance(version, str | int) or version == ""):
        raise InvalidRequestError(f"version: expected a name or a number, got {version!r}")
    return PredictRequest(
        model=model,
        inputs=_inputs(inputs),
        version=None if version is None else str(version),
        **checked(PredictRequest, options),
    )


def _inputs(inputs: Any) -> tuple[Tensor | Values, ...]:
    if isinstance(inputs, Mapping):
        for name in inputs:
            if not isinstance(name, str) or not name:
                raise InvalidRequestError(f"inputs: {name!r} is no name of an input")
        found = [tensor_or_values(value, name) for name, value in inputs.items()]
    elif isinstance(inputs, list | tuple) and inputs and all(isinstance(each, Tensor | Values) for each in inputs):
        found = list(inputs)
    else:
        found = [tensor_or_values(inputs)]
    if not found:
        raise InvalidRequestError("inputs: there is none")
    names = [tensor.name for tensor in found]
    if len(found) > 1 and "" in names:
        raise InvalidRequestError("inputs: there are several, and one has no name", hint="give a dict of names")
    if len(set(names)) < len(names):
        raise InvalidRequestError(f"inputs: {max(names, key=names.count)!r} is there twice")
    return tuple(found)
