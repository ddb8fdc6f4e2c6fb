"""What a plugin knows of a provider's models beforehand: a dated data file, below what servers and users say.

The file is JSON: a `date`, `families` of features, and `models` by id, each with the fields of `ModelInfo` that are
known and the `family` that it belongs to. A model that the file does not know is not refused: nothing is said of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

import attrs

from ipfs_accel._values import frozen

from . import strict_json
from .capabilities import Support
from .types import ModelInfo

__all__ = ["Catalogue"]

# Providers answer with the dated name of what an undated name stands for.
_DATE = re.compile(r"-20\d\d-?\d\d-?\d\d$")
_SETS = {"input_modalities", "output_modalities"}


@frozen(kw_only=True)
class Catalogue:
    """Models of one provider.

    Attributes:
        date: When the data was collected, as an ISO date.
        models: Model id to its known fields.
    """

    date: str
    models: Mapping[str, Mapping[str, Any]] = attrs.field(repr=lambda models: f"<{len(models)} models>")

    @classmethod
    def load(cls, package: str, name: str = "catalogue.json") -> Self:
        """Read the data file that a plugin's package carries."""
        from importlib.resources import files  # noqa: PLC0415 - chats with servers of one's own read no catalogue

        data = strict_json.loads((files(package) / name).read_bytes())
        families = data["families"]
        models = {
            model: {**families.get(fields.get("family"), {}), **fields} for model, fields in data["models"].items()
        }
        return cls(date=data["date"], models=models)

    def describe(self, model: ModelInfo) -> ModelInfo:
        """Add what is known; what the server said stays."""
        known = self.models.get(model.id) or self.models.get(_DATE.sub("", model.id))
        if known is None:
            return model
        features = {name: Support(value, "catalogue") for name, value in known.get("features", {}).items()}
        changes: dict[str, Any] = {"features": {**features, **model.features}}
        for field in attrs.fields(ModelInfo):
            if field.name in known and field.name != "features" and getattr(model, field.name) is None:
                value = known[field.name]
                changes[field.name] = frozenset(value) if field.name in _SETS else value
        return attrs.evolve(model, **changes)
