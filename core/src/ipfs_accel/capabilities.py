"""What backends, endpoints and models can do: three values, each with its source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

import attrs

if TYPE_CHECKING:
    from .types import ModelInfo

SupportValue: TypeAlias = Literal["yes", "no", "unknown"]
SupportSource: TypeAlias = Literal["hook", "server", "catalogue", "configuration", "nobody"]


@attrs.frozen
class Support:
    """Whether something is supported, and who says so.

    It has no truth value on purpose: "unknown" is neither true nor false. Compare `value`.

    Attributes:
        value: yes, no or unknown.
        source: hook (the plugin has it for this endpoint or not), server (it said so itself), catalogue (the plugin's
            dated data), configuration (the user's word), or nobody.
    """

    value: SupportValue
    source: SupportSource

    def __bool__(self) -> bool:
        """Refuse: a caller has to decide what unknown means to it."""
        raise TypeError("a Support is yes, no or unknown: compare its .value instead of testing its truth")

    def __str__(self) -> str:
        """Return, for example, `yes (server)`."""
        return f"{self.value} ({self.source})"


UNKNOWN = Support("unknown", "nobody")


@attrs.frozen(kw_only=True)
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


@attrs.frozen(kw_only=True)
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


@attrs.frozen(kw_only=True)
class Found:
    """The result of a query: certain matches first, then by price and context window.

    Attributes:
        matches: The models that fit.
        skipped: Endpoint name to the reason why its models could not be asked for.
    """

    matches: tuple[Match, ...]
    skipped: Mapping[str, str]

    def __iter__(self) -> Iterator[Match]:
        """Iterate over the matches."""
        return iter(self.matches)

    def __len__(self) -> int:
        """Return how many models match."""
        return len(self.matches)
