"""Keeps addresses, card numbers and keys out of what ipfs-accel sends, and puts them back into the answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal

import attrs
from ipfs_accel import AccelError, hookimpl
from ipfs_accel.errors import ConfigError
from ipfs_accel.hookspecs import OPERATIONS
from ipfs_accel.middleware import CallContext, map_texts, texts_of
from ipfs_accel.types import (
    AudioDelta,
    ChatRequest,
    Image,
    ReasoningDelta,
    RefusalDelta,
    Request,
    TextDelta,
    ToolCallDelta,
    ToolResult,
)

from ._finder import KINDS, Finder
from ._vault import Vault

__all__ = ["Redaction", "UnseenError"]

# Event to its field with a piece of text.
_PIECES: dict[type[Any], str] = {
    TextDelta: "text",
    ReasoningDelta: "text",
    RefusalDelta: "text",
    AudioDelta: "transcript",
    ToolCallDelta: "arguments",
}


class UnseenError(AccelError):
    """The request has a part that cannot be searched, and the settings do not let such parts pass; nothing was sent."""


def _compiled(_redaction: object, _attribute: object, patterns: Mapping[str, str]) -> None:
    for name, pattern in patterns.items():
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(f"patterns.{name}: {pattern!r} is no regular expression: {error}") from None
        if not re.fullmatch(r"[A-Z][A-Z_]*", name):
            raise ConfigError(f"patterns.{name}: names are of capital letters and _, as they stand in placeholders")


def _known(_redaction: object, _attribute: object, kinds: tuple[str, ...]) -> None:
    for kind in kinds:
        if kind not in KINDS:
            raise ConfigError(f"kinds: {kind!r} is not one of {', '.join(KINDS)}")


@attrs.define(kw_only=True, eq=False)
class Redaction:
    """The middleware; its fields are the settings.

    The same text gets the same placeholder throughout a call, such as `[EMAIL_1]`, numbered as they appear, so that a
    conversation that grows begins the same each time.

    Attributes:
        kinds: What is looked for: EMAIL, CARD (13 to 19 digits with the right check digit), KEY (of known services).
        patterns: Name to a regular expression for more, such as `EMPLOYEE = "E-[0-9]{6}"`.
        trusted: Endpoints that may see everything, such as servers of one's own. A call that may fall back to another
            one is not trusted.
        restore: Whether answers get the original texts back.
        unseen: Whether pictures, sound and documents, which are not searched, pass or make the call an error.
    """

    kinds: tuple[str, ...] = attrs.field(default=tuple(KINDS), validator=_known)
    patterns: Mapping[str, str] = attrs.field(factory=dict, validator=_compiled)
    trusted: tuple[str, ...] = ()
    restore: bool = True
    unseen: Literal["pass", "refuse"] = "pass"
    _finder: Finder = attrs.field(init=False, repr=False)

    api_version = 1

    def __attrs_post_init__(self) -> None:
        self._finder = Finder({kind: KINDS[kind] for kind in self.kinds} | dict(self.patterns))

    @hookimpl
    def rewrite_request(self, call: CallContext, request: Any) -> Any:
        """Put placeholders where something was found."""
        is_about_ids = call.operation in OPERATIONS and not isinstance(request, Request)
        if is_about_ids or all(target.partition("/")[0] in self.trusted for target in call.targets):
            return None
        if self.unseen == "refuse" and _has_unseen(request):
            raise UnseenError(
                f"{call.operation}: pictures, sound and documents cannot be searched for what must not go out",
                hint='leave them out, or let them pass with unseen = "pass" in [plugins.options.redaction]',
            )
        vault = Vault(texts_of(request))
        hidden = map_texts(request, lambda text: self._finder.replace(text, vault.hide))
        if self.restore and vault:
            call.memo["vault"] = vault
        return hidden

    @hookimpl
    def rewrite_answer(self, call: CallContext, answer: Any) -> Any:
        """Put the original texts back."""
        vault = call.memo.get("vault")
        return None if vault is None else map_texts(answer, vault.show)

    @hookimpl
    def rewrite_event(self, call: CallContext, event: Any) -> Any:
        """Put them back into a stream, where a placeholder may come in several pieces."""
        vault: Vault | None = call.memo.get("vault")
        if vault is None:
            return None
        held = call.memo.setdefault("held", {})
        place = (getattr(event, "choice", 0), getattr(event, "block", 0))
        before = held.pop(place, None)
        field = _PIECES.get(type(event))
        if field is None:
            return [each for each in (before, map_texts(event, vault.show)) if each is not None]
        text = getattr(event, field) if before is None else getattr(before, field) + getattr(event, field)
        whole, begun = vault.cut(text)
        if begun:
            data = {"data": b""} if isinstance(event, AudioDelta) else {}
            held[place] = attrs.evolve(event, **{field: begun}, **data)
        shown = vault.show(whole, _escaped) if isinstance(event, ToolCallDelta) else vault.show(whole)
        has_sound = isinstance(event, AudioDelta) and event.data
        return [attrs.evolve(event, **{field: shown})] if shown or has_sound else []

    @hookimpl
    def end_stream(self, call: CallContext) -> Any:
        """Hand on what began like a placeholder and was none."""
        return list(call.memo.get("held", {}).values())


def _escaped(text: str) -> str:
    """Return a text as it stands in JSON: what a tool is called with comes as pieces of that."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _has_unseen(request: Any) -> bool:
    """Whether a request has a part that is no text."""
    if isinstance(request, ChatRequest):
        parts = [part for message in request.messages for part in message.content]
        parts += [inner for part in parts if isinstance(part, ToolResult) for inner in part.content]
        return any(hasattr(part, "media_type") for part in parts)
    names = ("image", "images", "audio", "data", "file", "files", "source")
    return any(getattr(request, name, None) for name in names) or any(
        isinstance(each, Image) for inputs in getattr(request, "inputs", ()) for each in _listed(inputs)
    )


def _listed(value: Any) -> Any:
    return value if isinstance(value, tuple) else (value,)
