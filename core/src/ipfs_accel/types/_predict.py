"""Models that take and give tensors: requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ._answers import Answer
from ._requests import Request
from ._tensors import Tensor, Values


@attrs.frozen(kw_only=True)
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


@attrs.frozen(kw_only=True)
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
