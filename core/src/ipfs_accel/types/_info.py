"""What is known of models, and of the state of endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import attrs

from ipfs_accel._values import frozen

from ._answers import Answer

if TYPE_CHECKING:
    from ipfs_accel.capabilities import Support


HealthStatus: TypeAlias = Literal["ok", "loading", "unhealthy", "unreachable", "misconfigured"]


@frozen(kw_only=True)
class ModelInfo:
    """What is known of a model; None and absent features mean that nobody told.

    Attributes:
        id: As the endpoint knows it.
        description: In the provider's words.
        category: What it is for, in a word such as chat, vision, audio, speech or guard.
        owned_by: Who made or serves it, as the provider says.
        created: Seconds since 1970.
        context_window: Most tokens of prompt and answer together.
        max_output_tokens: Most tokens of an answer.
        input_modalities: Among text, image, audio, document, video.
        output_modalities: Likewise.
        features: Operation or feature name to whether the model has it.
        input_price: US dollars per million input tokens.
        output_price: US dollars per million output tokens.
        cached_input_price: US dollars per million input tokens that come from the cache.
        cache_write_price: The same for those that are written to it; likewise for the next four.
        audio_input_price: For input tokens that are sound.
        audio_output_price: For output tokens that are sound.
        image_input_price: For input tokens that are pictures.
        image_output_price: For output tokens that are pictures.
        prices_hold_to: Input tokens up to which the prices hold; a longer prompt costs more.
        second_price: US dollars per second of sound.
        least_seconds: What a shorter sound is charged as.
        character_price: US dollars per million characters.
        image_price: US dollars per picture.
        retired: Date (ISO) on which the provider ends it, if that is set.
        replacement: Id of the model that the provider recommends instead.
        source: Who told of it where no server was asked: catalogue (the plugin's data) or configuration (the user).
        catalogue_date: Date (ISO) of that data.
        raw: The provider's own JSON.
    """

    id: str = attrs.field(validator=attrs.validators.instance_of(str))
    description: str | None = None
    category: str | None = None
    owned_by: str | None = None
    created: int | None = None
    context_window: int | None = None
    max_output_tokens: int | None = None
    input_modalities: frozenset[str] | None = None
    output_modalities: frozenset[str] | None = None
    features: Mapping[str, Support] = attrs.field(factory=dict)
    input_price: float | None = None
    output_price: float | None = None
    cached_input_price: float | None = None
    cache_write_price: float | None = None
    audio_input_price: float | None = None
    audio_output_price: float | None = None
    image_input_price: float | None = None
    image_output_price: float | None = None
    prices_hold_to: int | None = None
    second_price: float | None = None
    least_seconds: float | None = None
    character_price: float | None = None
    image_price: float | None = None
    retired: str | None = None
    replacement: str | None = None
    source: Literal["catalogue", "configuration"] | None = None
    catalogue_date: str | None = None
    raw: Any = attrs.field(default=None, eq=False, repr=False)


@frozen(kw_only=True)
class Health(Answer):
    """Whether an endpoint can serve.

    Attributes:
        status: ok, loading, unhealthy (it answers, but not well), unreachable, or misconfigured (such as no key).
        server: Which server answers, with its version where it tells.
        detail: One sentence for people.
        latency: Seconds that the check took; None if nothing was sent.
    """

    status: HealthStatus
    server: str | None = None
    detail: str | None = None
    latency: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the endpoint serves now."""
        return self.status == "ok"
