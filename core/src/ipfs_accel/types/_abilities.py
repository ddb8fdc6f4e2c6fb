"""What endpoints and models can do, as it is told to whoever asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ipfs_accel._values import frozen
from ipfs_accel.capabilities import UNKNOWN, Support

from ._info import ModelInfo


@frozen(kw_only=True)
class Capabilities:
    """What an endpoint, or one model behind it, can do.

    Attributes:
        endpoint: The endpoint's name.
        backend: The plugin that it uses.
        model: What is known of the model, if one was asked about.
        operations: Operation name to support.
        calls: Names of the backend's own calls beyond the common operations, for `Client.call`.
    """

    endpoint: str
    backend: str
    model: ModelInfo | None = None
    operations: Mapping[str, Support]
    calls: tuple[str, ...] = ()

    def supports(self, name: str) -> Support:
        """Return the support of an operation or of a model's feature, such as `vision` or `tools`.

        An operation that the plugin implements is still "no" for a model that is known not to have it.
        """
        operation = self.operations.get(name, UNKNOWN)
        if operation.value == "no" or self.model is None:
            return operation
        return self.model.features.get(name, operation)

    def _repr_markdown_(self) -> str:
        from . import _shown  # noqa: PLC0415 - only notebooks ask

        return _shown.capabilities(self)


@frozen(kw_only=True)
class Match:
    """A model that fits a query.

    Attributes:
        endpoint: Where it is served.
        model: What is known of it.
        unknown: Criteria of the query that nobody could confirm; empty for a certain match.
    """

    endpoint: str
    model: ModelInfo
    unknown: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The `endpoint/model` name to call it by."""
        return f"{self.endpoint}/{self.model.id}"


@frozen(kw_only=True)
class Found:
    """The result of a query: certain matches first, then by price and context window.

    Attributes:
        matches: The models that fit.
        skipped: Endpoint name to the reason why its models could not be asked for.
        unset: Those of them that nobody has set up: without a key or an address, and no server is at the usual one.
    """

    matches: tuple[Match, ...]
    skipped: Mapping[str, str]
    unset: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Match]:
        """Iterate over the matches."""
        return iter(self.matches)

    def __len__(self) -> int:
        """Return how many models match."""
        return len(self.matches)

    def _repr_markdown_(self) -> str:
        from . import _shown  # noqa: PLC0415 - only notebooks ask

        return _shown.found(self)
