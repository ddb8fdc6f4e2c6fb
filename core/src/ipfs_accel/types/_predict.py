"""Models that take and give tensors: requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ipfs_accel._invalid import InvalidValueError
from ipfs_accel._values import frozen

from ._answers import Answer
from ._requests import Request
from ._tensors import Tensor, Values, tensor_or_values


@frozen(kw_only=True)
class PredictRequest(Request):
    """Tensors for a model.

    Attributes:
        inputs: In any order; one without a name is the model's only input.
        outputs: Names of those that are wanted; None means all.
        version: Of the model; None means what the server calls the latest.
    """

    inputs: tuple[Tensor | Values, ...]
    outputs: tuple[str, ...] | None = None
    version: str | None = None


@frozen(kw_only=True)
class PredictResponse(Answer):
    """What a model made of tensors.

    Attributes:
        outputs: In the server's order.
        model: As the server names it.
        version: Which version answered, where the server tells.
        id: Of the request, where the server tells.
        parameters: What else the protocol carries beside the tensors.
    """

    outputs: tuple[Tensor, ...]
    model: str | None = None
    version: str | None = None
    id: str | None = None
    parameters: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def output(self) -> Tensor:
        """The only output.

        Raises:
            ValueError: There are several, or none.
        """
        if len(self.outputs) != 1:
            raise ValueError(f"the model has {len(self.outputs)} outputs: {self._names()}")
        return self.outputs[0]

    def __getitem__(self, name: str) -> Tensor:
        """Return the output of this name."""
        for tensor in self.outputs:
            if tensor.name == name:
                return tensor
        raise KeyError(f"{name!r} is none of the outputs: {self._names()}")

    def _names(self) -> str:
        return ", ".join([tensor.name for tensor in self.outputs])


def as_inputs(inputs: Any) -> tuple[Tensor | Values, ...]:
    """Return a model's inputs from what `Client.predict` takes: a mapping of names, named tensors, or the only one.

    Raises:
        InvalidValueError: There is none, or names are missing or there twice.
    """
    if isinstance(inputs, Mapping):
        for name in inputs:
            if not isinstance(name, str) or not name:
                raise InvalidValueError(f"inputs: {name!r} is no name of an input")
        found = [tensor_or_values(value, name) for name, value in inputs.items()]
    elif isinstance(inputs, list | tuple) and inputs and all(isinstance(each, Tensor | Values) for each in inputs):
        found = list(inputs)
    else:
        found = [tensor_or_values(inputs)]
    if not found:
        raise InvalidValueError("inputs: there is none")
    names = [tensor.name for tensor in found]
    if len(found) > 1 and "" in names:
        raise InvalidValueError("inputs: there are several, and one has no name", hint="give a dict of names")
    if len(set(names)) < len(names):
        raise InvalidValueError(f"inputs: {max(names, key=names.count)!r} is there twice")
    return tuple(found)
