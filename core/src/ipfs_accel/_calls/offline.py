"""What is known of models without asking anybody: the plugin's dated catalogue, and the user's own word."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import attrs

from ipfs_accel._suggest import did_you_mean
from ipfs_accel._telemetry.pricing import merge_override
from ipfs_accel.errors import InvalidRequestError, UnsupportedOperationError
from ipfs_accel.types import ModelInfo

if TYPE_CHECKING:
    from ipfs_accel._endpoints.target import Target

__all__ = ["known_model", "known_models", "no_catalogue", "refuse_unknown"]


def known_models(target: Target) -> tuple[ModelInfo, ...]:
    """Return the models of an endpoint that are known beforehand and are not over, by their ids."""
    catalogue = None if target.backend.info.catalogue is None else target.backend.info.catalogue()
    names = {*target.models, *(() if catalogue is None else catalogue.models)}
    found = [model for model in (known_model(target, name) for name in sorted(names)) if model is not None]
    today = "" if catalogue is None else catalogue.date
    return tuple([model for model in found if model.retired is None or model.retired > today])


def known_model(target: Target, name: str) -> ModelInfo | None:
    """Return what is known beforehand of one model; None if nobody said anything of it."""
    info, bare = target.backend.info, ModelInfo(id=name)
    known = bare if info.describe_model is None else info.describe_model(target.endpoint, bare)
    said = target.models.get(name)
    if _says_something(known, bare):
        date = None if info.catalogue is None else info.catalogue().date
        known = attrs.evolve(known, source="catalogue", catalogue_date=date)
    elif said is None:
        return None
    else:
        known = attrs.evolve(bare, source="configuration")
    return merge_override(known, said)


def _says_something(known: ModelInfo, bare: ModelInfo) -> bool:
    told = [support.value != "unknown" for support in known.features.values()]
    return any(told) or attrs.evolve(known, features={}) != bare


def refuse_unknown(target: Target, name: str) -> NoReturn:
    """Raise because nothing is known beforehand of a model, or of any.

    Raises:
        UnsupportedOperationError: The endpoint has no catalogue.
        InvalidRequestError: The catalogue does not know the model.
    """
    known = [model.id for model in known_models(target)]
    if not known:
        raise no_catalogue(target)
    near = did_you_mean(name, known)
    way_out = "to ask the server, leave out offline"
    raise InvalidRequestError(
        f"model: the catalogue of {target.endpoint.name!r} does not know {name!r}",
        hint=f"{near} {way_out}" if near else way_out,
        endpoint=target.endpoint.name,
        model=name or None,
    )


def no_catalogue(target: Target) -> UnsupportedOperationError:
    """Return the error that says that only the server knows an endpoint's models."""
    return UnsupportedOperationError(
        f"the endpoint {target.endpoint.name!r} has no catalogue of models",
        hint="only its server knows them: leave out offline",
        endpoint=target.endpoint.name,
    )
