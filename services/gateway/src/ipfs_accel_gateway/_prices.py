"""What a request may take and cost at most, before anybody is asked, by what is known of its targets' prices.

A token is a byte at least, so that a body has at most as many tokens as bytes. Tables of what tokenizers make of texts
would tell it closer, and take longer than the rest of a request by far.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ipfs_accel import AccelError

from ._abilities import has_media
from ._budgets import DOLLAR
from ._errors import Refusal

if TYPE_CHECKING:
    from ipfs_accel import AsyncClient
    from ipfs_accel.types import ModelInfo, RelayRequest

    from ._settings import Settings

__all__ = ["Need", "Prices", "check_price"]

_PER_TOKEN = DOLLAR / 1_000_000
_ANSWERED = frozenset({"chat", "stream", "complete", "stream_complete"})
_HEARD = frozenset({"transcribe", "translate"})
_AROUND, _AROUND_TOOLS = 100, 1_000
"""Tokens that may stand around a conversation, and around tools, which a body does not show."""
_UNSEEN = 200_000
"""Tokens of what a body only names (pictures, files, what a provider keeps), where no context window is known."""
_LIKELY = 2
"""Bytes of a body that are a token at least in all but rare texts: what is settled where nobody tells the usage."""
_BYTES_PER_SECOND = 500
"""Of sound in the most frugal form that is in use: so long it may be."""
_TOKENS_PER_SECOND = 50
_Place: TypeAlias = tuple[str, str]


def _places(*names: str) -> tuple[_Place, ...]:
    """Return names of members; one within another stands behind a dot."""
    parts = [name.rpartition(".") for name in names]
    return tuple([(outer, inner) for outer, _, inner in parts])


# Where each dialect says how long an answer may be. What another dialect has is not looked at: a server that does not
# know it would not heed it.
_MOST: Mapping[str, tuple[_Place, ...]] = {
    "openai.chat": _places("max_completion_tokens", "max_tokens"),
    "openai.chat.items": _places("max_output_tokens", "max_completion_tokens", "max_tokens"),
    "openai.completions": _places("max_tokens"),
    "openai.responses": _places("max_output_tokens"),
    "anthropic.messages": _places("max_tokens"),
    "ollama.chat": _places("options.num_predict"),
    "ollama.generate": _places("options.num_predict"),
    "gemini.generate": _places(
        "generationConfig.maxOutputTokens",
        "generationConfig.max_output_tokens",
        "generation_config.maxOutputTokens",
        "generation_config.max_output_tokens",
    ),
}
_SEVERAL = _places(
    "n",
    "best_of",
    "generationConfig.candidateCount",
    "generationConfig.candidate_count",
    "generation_config.candidateCount",
    "generation_config.candidate_count",
)
_MANY = frozenset(["prompt", *[outer or inner for outer, inner in _SEVERAL]])
_KEPT = frozenset(
    [
        "previous_response_id",
        "conversation",
        "cachedContent",
        "cached_content",
        "container",
        "mcp_servers",
        "web_search_options",
    ]
)
# Tools that the provider runs, which put into a conversation what no body shows.
_RUN_THERE = re.compile("search|fetch|code|mcp|image_gen|url_?context|retriev", re.IGNORECASE)
_USUAL_TIERS = (None, "auto", "default", "standard", "standard_only", "on_demand")


class Tariff(NamedTuple):
    """What is known of one target: limits in tokens, prices in billionths of a dollar.

    Attributes:
        name: `endpoint/model`.
        into: For a token of input, the dearest sort; None if no price is known.
        out: Likewise of output.
        most_output: Tokens that an answer has at most.
        window: Tokens of the context window.
        holds_to: Tokens of input up to which the prices hold.
        picture: For a picture.
        second: For a second of sound.
        letter: For a character that is spoken.
        least_seconds: What a shorter sound is charged as.
    """

    name: str
    into: float | None = None
    out: float | None = None
    most_output: int | None = None
    window: int | None = None
    holds_to: int | None = None
    picture: float | None = None
    second: float | None = None
    letter: float | None = None
    least_seconds: float = 0.0

    @classmethod
    def of(cls, name: str, info: ModelInfo) -> Tariff:
        """Read what is known of a model."""
        into = (info.input_price, info.cache_write_price, info.audio_input_price, info.image_input_price)
        out = (info.output_price, info.audio_output_price, info.image_output_price)
        return cls(
            name,
            into=None if info.input_price is None else _dearest(into),
            out=_dearest(out),
            most_output=info.max_output_tokens,
            window=info.context_window,
            holds_to=info.prices_hold_to,
            picture=None if info.image_price is None else info.image_price * DOLLAR,
            second=None if info.second_price is None else info.second_price * DOLLAR,
            letter=None if info.character_price is None else info.character_price * _PER_TOKEN,
            least_seconds=info.least_seconds or 0.0,
        )


class Need(NamedTuple):
    """What a request may take.

    Attributes:
        input: Tokens at most.
        output: Likewise.
        likely: Tokens of input that are settled where nobody tells them.
        dollars: Billionths at most; None if no price is known.
        unpriced: The target of which none is.
        into: Billionths for a token of input.
        out: Likewise of output.
        fixed: Billionths for what is not paid by tokens.
    """

    input: int = 0
    output: int = 0
    likely: int = 0
    dollars: int | None = 0
    unpriced: str = ""
    into: float = 0.0
    out: float = 0.0
    fixed: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens at most."""
        return self.input + self.output

    def cost(self, into: int, out: int) -> int:
        """Return what so many tokens cost, in billionths of a dollar."""
        return math.ceil(round(into * self.into + out * self.out + self.fixed, 3))


class Prices:
    """What the targets of served names cost; looked up once each.

    Args:
        client: Of the core.
        assumed_output: Tokens of an answer whose length neither the request nor the model limits.
    """

    def __init__(self, client: AsyncClient, assumed_output: int) -> None:
        self._client = client
        self._assumed = assumed_output
        self._known: dict[str, tuple[Tariff, ...]] = {}

    async def need(self, request: RelayRequest, target: str, size: int) -> Need:
        """Return what a request may take, whichever of the targets answers.

        Args:
            request: As it came.
            target: What the client is asked for.
            size: Bytes of the body.
        """
        if request.operation == "count_tokens":
            return NOTHING
        tariffs = self._known.get(target) or await self._look_up(target)
        found = [self._at(tariff, request, size) for tariff in tariffs]
        if len(found) == 1:
            return found[0]
        dearest = max(found, key=lambda need: math.inf if need.dollars is None else need.dollars)
        return dearest._replace(input=max([need.input for need in found]), output=max([need.output for need in found]))

    async def _look_up(self, target: str) -> tuple[Tariff, ...]:
        config = self._client.config
        name = config.aliases.get(target, target)
        names: Sequence[str] = config.routes[name].targets if name in config.routes else (name,)
        found = tuple([await self._tariff(config.aliases.get(each, each)) for each in names])
        self._known[target] = found
        return found

    async def _tariff(self, name: str) -> Tariff:
        try:
            return Tariff.of(name, await self._client.show_model(name, offline=True))
        except AccelError:  # nobody knows it, which is what a tariff without prices says
            return Tariff(name)

    def _at(self, tariff: Tariff, request: RelayRequest, size: int) -> Need:
        operation, members = request.operation, request.members
        fixed = _fixed(tariff, operation, members, size)
        if fixed is not None:
            return Need(dollars=math.ceil(round(fixed, 3)), fixed=fixed)
        most, likely = _input(tariff, operation, members, size)
        output = 0
        if operation in _ANSWERED:
            output = _times(members) * _longest(tariff, request, self._assumed)
        elif operation not in {"embed", "rerank", "moderate"}:
            output = _times(members) * (tariff.most_output or self._assumed)
        need = Need(most, output, likely, None, tariff.name)
        if tariff.into is None or (output and tariff.out is None) or _tier(members) not in _USUAL_TIERS:
            return need
        if tariff.holds_to is not None:
            if likely > tariff.holds_to:
                return need
            need = need._replace(input=min(most, tariff.holds_to))
        need = need._replace(into=tariff.into, out=tariff.out or 0.0, unpriced="")
        return need._replace(dollars=need.cost(need.input, output))


NOTHING = Need()
"""What costs nothing needs nothing."""


def _fixed(tariff: Tariff, operation: str, members: Mapping[str, Any], size: int) -> float | None:
    """Return what something that is not paid by tokens may cost; None if it is paid by them, or nobody knows."""
    if operation in _HEARD and tariff.second is not None:
        return max(size / _BYTES_PER_SECOND, tariff.least_seconds) * tariff.second
    if "image" in operation and tariff.picture is not None:
        return _times(members) * tariff.picture
    if operation.endswith("speak") and tariff.letter is not None:
        return len(str(members.get("input") or "")) * tariff.letter
    return None


def _input(tariff: Tariff, operation: str, members: Mapping[str, Any], size: int) -> tuple[int, int]:
    """Return the tokens of the input at most, and what is settled where nobody tells them."""
    if operation in _HEARD:
        sound = size // _BYTES_PER_SECOND * _TOKENS_PER_SECOND + _AROUND
        return sound, sound
    most = size + (_AROUND_TOOLS if members.get("tools") else _AROUND)
    likely = most // _LIKELY
    if operation in _ANSWERED and _has_unseen(members):
        most += tariff.window or _UNSEEN
    return (most if tariff.window is None else min(most, tariff.window)), likely


def _has_unseen(members: Mapping[str, Any]) -> bool:
    """Whether models are shown something that the body only names, or that takes other tokens than its bytes."""
    if not _KEPT.isdisjoint(members) and any(members.get(name) for name in _KEPT):
        return True
    tools = members.get("tools")
    if isinstance(tools, list) and any(_is_run_there(tool) for tool in tools if isinstance(tool, dict)):
        return True
    return has_media(members) or isinstance(members.get("prompt"), dict)


def _is_run_there(tool: Mapping[str, Any]) -> bool:
    kind = tool.get("type")
    names = [kind] if isinstance(kind, str) else [*tool]
    return any(_RUN_THERE.search(name) for name in names)


def _times(members: Mapping[str, Any]) -> int:
    """Return how many answers a body asks for."""
    if _MANY.isdisjoint(members):
        return 1
    prompts = members.get("prompt")
    several = len(prompts) if isinstance(prompts, list) and prompts and not isinstance(prompts[0], int) else 1
    return several * max([1, *_numbers(members, _SEVERAL)])


def _longest(tariff: Tariff, request: RelayRequest, assumed: int) -> int:
    """Return how many tokens each answer has at most."""
    limit = tariff.most_output or tariff.window
    said = _numbers(request.members, _MOST.get(request.dialect, ()))
    if not said:
        return assumed if limit is None else limit
    return max(said) if limit is None else min(max(said), limit)


def _numbers(members: Mapping[str, Any], places: Sequence[_Place]) -> list[int]:
    """Return the numbers above 0 that stand in these places."""
    found = []
    for outer, inner in places:
        within = members.get(outer) if outer else members
        value = within.get(inner) if isinstance(within, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf:
            found.append(math.ceil(value))
    return found


def _tier(members: Mapping[str, Any]) -> Any:
    tier = members.get("service_tier", members.get("serviceTier"))
    return tier if tier is None or isinstance(tier, str) else "another"


def _dearest(prices: Sequence[float | None]) -> float | None:
    known = [price for price in prices if price is not None]
    return max(known) * _PER_TOKEN if known else None


def check_price(settings: Settings, units: Collection[str], need: Need) -> None:
    """Refuse what no budget of its key can count.

    Args:
        settings: Of the gateway.
        units: What the key's budgets limit.
        need: Of the request.

    Raises:
        Refusal: A price is not known.
    """
    if need.dollars is not None or "dollars" not in units:
        return
    said = f"no price is known of {need.unpriced} as it is asked here, so that no budget of this key can count it"
    endpoint, _, model = need.unpriced.partition("/")
    way = f'state input_price and output_price in [endpoints.{endpoint}.models."{model}"]'
    if settings.unknown_price == "count_tokens":
        if "tokens" in units:
            return
        said += f"; the operator can {way}, or give the key tokens_per_day or tokens_per_month beside its budget"
    else:
        said += f'; the operator can {way}, or set gateway.unknown_price = "count_tokens"'
    raise Refusal(403, "permission", said, code="unknown_price")
