"""What a model takes and gives, and whether given tensors fit."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from ipfs_accel.errors import InvalidRequestError
from ipfs_accel.types import Tensor, Values

from ._options import Check

__all__ = ["ModelSpec", "TensorSpec", "fit", "need_outputs"]

_IMAGE_RANKS = (4, 5)
_WAY_OUT = "the endpoint's option check says what is compared: all, types or none"


@attrs.frozen(kw_only=True)
class TensorSpec:
    """An input or output.

    Attributes:
        name: As the model calls it.
        datatype: None where the server does not tell.
        shape: -1 for what may vary; None where the server does not tell.
    """

    name: str
    datatype: str | None = None
    shape: tuple[int, ...] | None = None

    def __str__(self) -> str:
        """Return, for example, `x: FP32 [-1, 4]`."""
        shape = "" if self.shape is None else f" {list(self.shape)}"
        return f"{self.name}: {self.datatype or 'any type'}{shape}"


@attrs.frozen(kw_only=True)
class ModelSpec:
    """Inputs and outputs of a model; empty where the server does not tell."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    @property
    def takes_tensors(self) -> bool:
        """Whether the server says so; of graphs for text it tells no datatypes."""
        return any(spec.datatype is not None for spec in self.inputs)


def fit(spec: ModelSpec, inputs: Sequence[Tensor | Values], check: Check, *, images: bool) -> tuple[Tensor, ...]:
    """Return tensors with the names and datatypes of the model's inputs.

    Args:
        spec: The model's.
        inputs: The caller's.
        check: How much is compared.
        images: Whether the server takes encoded pictures for inputs of four or five dimensions.

    Raises:
        InvalidRequestError: One does not fit; the message names it and what is expected.
    """
    if check == "none" or not spec.inputs:
        return tuple([_typed(each, None) for each in inputs])
    known = {each.name: each for each in spec.inputs}
    found = []
    for each in inputs:
        tensor = attrs.evolve(each, name=_only_name(spec)) if not each.name else each
        wanted = known.get(tensor.name)
        if wanted is None:
            raise InvalidRequestError(f"inputs: the model has no {tensor.name!r}", hint=_listing(spec.inputs))
        found.append(_fitting(tensor, wanted, check, images=images))
    missing = [name for name in known if name not in {tensor.name for tensor in found}]
    if missing and check == "all":
        raise InvalidRequestError(
            f"inputs: {known[missing[0]]} is missing", hint=f"{_listing(spec.inputs)}; if it is optional: {_WAY_OUT}"
        )
    return tuple(found)


def need_outputs(spec: ModelSpec, wanted: Sequence[str] | None, check: Check) -> None:
    """Refuse outputs that the model does not have; OVMS would not say so."""
    known = [each.name for each in spec.outputs]
    missing = [name for name in wanted or () if name not in known]
    if missing and known and check != "none":
        raise InvalidRequestError(f"outputs: the model has no {missing[0]!r}", hint=_listing(spec.outputs))


def _only_name(spec: ModelSpec) -> str:
    name, *others = [each.name for each in spec.inputs]
    if others:
        raise InvalidRequestError("inputs: the model has several, give a dict of names", hint=_listing(spec.inputs))
    return name


def _listing(specs: Sequence[TensorSpec]) -> str:
    return f"it has {'; '.join([str(each) for each in specs])}"


def _typed(given: Tensor | Values, datatype: str | None) -> Tensor:
    return given if isinstance(given, Tensor) else given.typed(datatype)


def _fitting(given: Tensor | Values, wanted: TensorSpec, check: Check, *, images: bool) -> Tensor:
    is_image = images and given.datatype == "BYTES" and wanted.shape is not None and len(wanted.shape) in _IMAGE_RANKS
    if is_image:
        tensor = _typed(given, "BYTES")
        # The server takes a row of encoded pictures.
        return tensor if tensor.shape else attrs.evolve(tensor, shape=(1,))
    tensor = _typed(given, wanted.datatype)
    if wanted.datatype is not None and tensor.datatype != wanted.datatype:
        raise InvalidRequestError(
            f"inputs: {tensor.name} is {tensor.datatype}, expected {wanted}", hint="convert it before the call"
        )
    if check == "all" and wanted.shape is not None and not _matches(tensor.shape, wanted.shape):
        raise InvalidRequestError(
            f"inputs: {tensor.name} has the shape {list(tensor.shape)}, expected {wanted}", hint=_WAY_OUT
        )
    return tensor


def _matches(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(want < 0 or size == want for size, want in zip(shape, wanted, strict=True))
