"""One model of a server that has no route for one, such as vLLM: it is looked up in the list, in OpenAI's form."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import attrs

from ipfs_accel.errors import ModelNotFoundError, NotFoundError
from ipfs_accel.plans import Http, HttpRequest, Plan, Ready

from .openai_answers import read_models

if TYPE_CHECKING:
    from ipfs_accel.types import ModelInfo

__all__ = ["shown"]


def shown(plan: Plan[ModelInfo], model: str, ask: HttpRequest) -> Generator[Any, Any, Ready[ModelInfo]]:
    """Perform `plan`; where its route is not there, look for the model in what `ask` lists.

    llama.cpp answers to any name with its only model.
    """
    try:
        return Ready(value=(yield plan))
    except ModelNotFoundError:
        raise
    except NotFoundError as error:
        models = yield Http(send=ask, parse=read_models)
        found = next((each for each in models if each.id == model), None)
        if found is None and len(models) == 1 and models[0].owned_by == "llamacpp":
            found = attrs.evolve(models[0], id=model)
        if found is None:
            raise error from None
        return Ready(value=found)
