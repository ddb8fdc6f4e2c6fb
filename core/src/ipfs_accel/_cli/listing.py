"""The models of endpoints: as their servers list them, else as the plugins' dated catalogues know them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import attrs

from ipfs_accel._calls.offline import known_models
from ipfs_accel._client.clients import Client
from ipfs_accel._endpoints.target import Target
from ipfs_accel._url import masked_url
from ipfs_accel._values import frozen
from ipfs_accel.errors import AccelError
from ipfs_accel.types import ModelInfo

from .inspect import Inspection, backend_of

__all__ = ["NOT_ASKED", "Listing", "Place", "inspect_place", "list_models"]

NOT_ASKED = "not asked"
Lister: TypeAlias = Literal["server", "catalogue"]


@frozen(kw_only=True)
class Listing:
    """The models of one endpoint.

    Attributes:
        source: Who lists them; None if nobody does.
        catalogue_date: Of the plugin's catalogue, if that knows models of this endpoint.
        reason: Why the server did not list them.
        models: By their ids.
    """

    source: Lister | None
    catalogue_date: str | None = None
    reason: str | None = None
    models: tuple[ModelInfo, ...] = ()


@frozen(kw_only=True)
class Place:
    """An endpoint and the plugin that it uses, for people; what is not known is None.

    Attributes:
        backend: Name of the plugin.
        title: Of the backend.
        base_url: Without credentials.
        base_url_source: Where that is from.
        key: set, missing or none.
        key_source: Where it is from, or which variable would hold it.
        state: Of the plugin.
        distribution: Which brings it; empty for one that was given as an object.
        version: Of that.
        entry_point: What it names.
    """

    backend: str
    title: str | None = None
    base_url: str | None = None
    base_url_source: str | None = None
    key: str | None = None
    key_source: str | None = None
    state: str | None = None
    distribution: str | None = None
    version: str | None = None
    entry_point: str | None = None


def inspect_place(inspection: Inspection, endpoint: str) -> Place:
    """Tell where an endpoint is and what it uses."""
    backend = backend_of(inspection.config, endpoint)
    records = [*[record for record, _ in inspection.plugins()], *inspection.hosts()]
    record = next((record for record in records if record.name == backend), None)
    place = Place(backend=backend)
    if record is not None:
        names = ("state", "distribution", "version", "entry_point")
        place = attrs.evolve(place, **{name: getattr(record, name) for name in names})
    target = inspection.target(endpoint)
    if isinstance(target, AccelError):
        return place
    (url, url_source), (key, key_source) = target.sources["base_url"], target.sources["key"]
    return attrs.evolve(
        place,
        title=target.backend.info.title or None,
        base_url=masked_url(url) or None,
        base_url_source=url_source,
        key=key,
        key_source=key_source,
    )


def list_models(client: Client, inspection: Inspection, endpoints: Iterable[str], *, asks: bool) -> dict[str, Listing]:
    """List the models of endpoints.

    Args:
        client: Who asks the servers, side by side.
        inspection: What is installed and configured.
        endpoints: Whose models.
        asks: Whether any server is asked.
    """
    names = list(endpoints)
    told: dict[str, list[ModelInfo]] = {name: [] for name in names}
    reasons = dict.fromkeys(names, NOT_ASKED)
    if asks:
        found = client.find(endpoints=names)
        for match in found:
            told[match.endpoint].append(match.model)
        reasons = dict(found.skipped)
    return {name: _listing(inspection.target(name), told[name], reasons.get(name)) for name in names}


def _listing(target: Target | AccelError, told: list[ModelInfo], reason: str | None) -> Listing:
    known = () if isinstance(target, AccelError) else known_models(target)
    known = tuple([model for model in known if model.source == "catalogue"])
    date = next((model.catalogue_date for model in known), None)
    if reason is None:
        return Listing(source="server", catalogue_date=date, models=_sorted(told))
    source: Lister | None = "catalogue" if known else None
    return Listing(source=source, catalogue_date=date, reason=reason, models=known)


def _sorted(models: Iterable[ModelInfo]) -> tuple[ModelInfo, ...]:
    return tuple(sorted(models, key=lambda model: model.id))
