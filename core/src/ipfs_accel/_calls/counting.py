"""The tokens of a chat's input without a server: by a public tokenizer that is at hand, else between bounds."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ipfs_accel import strict_json
from ipfs_accel._values import frozen
from ipfs_accel.hookspecs import TokenRules
from ipfs_accel.types import (
    Audio,
    Document,
    Image,
    JsonSchema,
    Reasoning,
    Refusal,
    Text,
    TokenCount,
    ToolCall,
    ToolResult,
)
from ipfs_accel.wire import openai_tokens
from ipfs_accel.wire.documents import text_of
from ipfs_accel.wire.token_ranges import METHOD, text_range

if TYPE_CHECKING:
    from ipfs_accel._endpoints.target import Target
    from ipfs_accel.types import ChatRequest

__all__ = ["Counted", "bounds_of", "rules_of", "token_count"]

# What stands around texts is in nobody's request, and depends on the model: the bounds are from nothing to more than is
# known, which is 61 tokens before a chat of gpt-oss. They are chosen, not measured.
_AROUND_TURN = 8
_AROUND_CHAT = 80
# Tags around a document that is text, and its name, of which a token is a byte at least.
_AROUND_DOCUMENT = 32
# Claude's instructions for tools are 300 to 500 tokens, depending on the model.
_AROUND_TOOLS = 600
_AROUND_TOOL = 16
_AROUND_SCHEMA = 600
# Models are shown tools in other forms than the JSON that is sent, shorter or longer. Chosen likewise.
_TOOL_FORM = (0.4, 1.6)


@frozen(kw_only=True)
class Counted:
    """Between which numbers the tokens of an input lie.

    Attributes:
        low: At least so many.
        high: At most so many; None where a part cannot be counted.
        method: The tokenizer that counted the texts, or `estimate`.
        unknown: The parts that cannot be counted.
    """

    low: int
    high: int | None
    method: str
    unknown: tuple[str, ...] = ()


def rules_of(target: Target, model: str) -> TokenRules:
    """Return what is published of how an endpoint counts."""
    told = target.backend.info.token_rules
    return TokenRules() if told is None else told(target.endpoint, model)


def bounds_of(request: ChatRequest, rules: TokenRules) -> Counted:
    """Count what a chat will send; may read an encoding from disk the first time."""
    counting = _Counting(rules)
    for number, message in enumerate(request.messages):
        counting.add(0, _AROUND_TURN)
        counting.text(message.name or "")
        counting.parts(message.content, f"messages[{number}].content")
    counting.add(0, _AROUND_CHAT)
    counting.tools(request)
    if request.extra:
        counting.leave("extra")  # what a field of the provider's own adds nobody here knows
    high = None if counting.unknown else math.ceil(counting.high)
    return Counted(
        low=max(1, math.floor(counting.low)), high=high, method=counting.method, unknown=tuple(counting.unknown)
    )


def token_count(request: ChatRequest, rules: TokenRules, found: Counted) -> TokenCount | None:
    """Return bounds as a count, which is likely at best; None where there is no upper one."""
    if found.high is None:
        return None
    by_rule = openai_tokens.count(request, rules.encoding, lambda image: _most(rules, image))
    likely = min(max(by_rule.input_tokens, found.low), found.high)
    return TokenCount(input_tokens=likely, exact=False, method=found.method, low=found.low, high=found.high)


def _most(rules: TokenRules, image: Image) -> int:
    told = None if rules.media is None else rules.media(image)
    return 0 if told is None else told[1]  # where one is unknown there is no count at all


class _Counting:
    """The sums of one input."""

    def __init__(self, rules: TokenRules) -> None:
        self._media = rules.media
        self._scale = rules.scale
        found = None if rules.encoding is None else openai_tokens.encoder(rules.encoding)
        self.method = METHOD if found is None else found[0]
        self._tokens = None if found is None else found[1]
        self.low = self.high = 0.0
        self.unknown: list[str] = []

    def add(self, low: float, high: float) -> None:
        self.low += low
        self.high += high

    def leave(self, where: str) -> None:
        """Note a part that cannot be counted; it is not nothing."""
        self.unknown.append(where)

    def text(self, text: str, least: float = 1.0, most: float = 1.0) -> None:
        """Add a text that is sent in another form, which is between `least` and `most` times as long."""
        if self._tokens is not None:
            low = high = float(self._tokens(text))
        else:
            low, high = text_range(text)
            low, high = low * self._scale[0], high * self._scale[1]
        self.add(low * least, high * most)

    def tools(self, request: ChatRequest) -> None:
        for tool in request.tools or ():
            shown = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
            self.text(strict_json.dumps(shown).decode(), *_TOOL_FORM)
            self.add(0, _AROUND_TOOL)
        if request.tools:
            self.add(0, _AROUND_TOOLS)
        form = request.response_format
        if isinstance(form, JsonSchema):
            # Some servers read it to enforce it, and show the model nothing.
            self.text(strict_json.dumps(form.schema).decode() + (form.description or ""), 0.0, _TOOL_FORM[1])
        if form is not None:
            self.add(0, _AROUND_SCHEMA)

    def parts(self, parts: Iterable[Any], where: str) -> None:
        for number, part in enumerate(parts):
            place = f"{where}[{number}]"
            if isinstance(part, Text | Refusal):
                self.text(part.text)
            elif isinstance(part, Reasoning):
                self.text(part.text, 0.0)  # many leave out what was thought before
            elif isinstance(part, ToolCall):
                self.text(part.name)
                self.text(part.arguments, *_TOOL_FORM)
                self.add(0, 2 * _AROUND_TURN)
            elif isinstance(part, ToolResult):
                self.add(0, 2 * _AROUND_TURN)
                self.parts(part.content, f"{place}.content")
            elif isinstance(part, Image | Audio | Document):
                self._file(part, place)
            else:
                self.leave(f"{place}: {type(part).__name__.lower()}")

    def _file(self, part: Image | Audio | Document, place: str) -> None:
        told = None if self._media is None else self._media(part)
        if told is not None:
            self.add(*told)
            return
        if isinstance(part, Document) and (said := text_of(part)) is not None:
            self.text(said)
            self.add(0, _AROUND_DOCUMENT + len((part.name or "").encode()))
            return
        self.low += 1
        self.leave(f"{place}: {part.kind}")
