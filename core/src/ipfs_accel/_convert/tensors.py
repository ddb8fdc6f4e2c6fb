"""As `texts`, for tensors."""

from __future__ import annotations

from typing import Any

from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import PredictRequest, as_inputs

from .texts import checked

__all__ = ["predict_request"]


def predict_request(model: str, inputs: Any, options: dict[str, Any]) -> PredictRequest:
    """Make the request of `predict` from named inputs, `Tensor`s that have names, or the only input."""
    version = options.pop("version", None)
    if version is not None and (isinstance(version, bool) or not isinstance(version, str | int) or version == ""):
        raise InvalidRequestError(f"version: expected a name or a number, got {version!r}")
    return PredictRequest(
        model=model,
        inputs=as_inputs(inputs),
        version=None if version is None else str(version),
        **checked(PredictRequest, options),
    )
