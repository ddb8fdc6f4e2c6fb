"""What a request uses, in whichever dialect: a route's targets that are known to lack it are not asked.

It is looked for in the words of all dialects at once: what they have in common is where things stand, and none has a
word of another's for something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ipfs_accel.types import Capabilities

__all__ = ["has_media", "suits", "uses"]

_CONVERSATIONS = ("messages", "input", "contents")
# Type of a part, and the feature that it needs.
_PARTS = {
    "image_url": "vision",
    "input_image": "vision",
    "image": "vision",
    "input_audio": "audio",
    "file": "documents",
    "input_file": "documents",
    "document": "documents",
}
# First part of a media type, likewise; what is none of these is a document.
_MEDIA = {"image": "vision", "audio": "audio", "video": "video"}
_FILES = ("inlineData", "inline_data", "fileData", "file_data")
# What models and tools said to each other, which may have any form.
_FREE = frozenset({"input", "args", "arguments", "response"})
_NO_EFFORT = {None, False, "", "none", "off", "disabled"}


def suits(operation: str, members: Mapping[str, Any]) -> Callable[[Capabilities], str | None]:
    """Return what says of a target why it cannot do what a body asks for; unknown counts as can.

    What is asked for is found out with the first target: most names stand for one, of which nobody asks.
    """
    wanted: list[str] = []

    def reason(known: Capabilities) -> str | None:
        if not wanted:
            wanted.extend((operation, *sorted(uses(members))))
        missing = next((name for name in wanted if known.supports(name).value == "no"), None)
        return None if missing is None else f"{known.endpoint} has no {missing}"

    return reason


def uses(members: Mapping[str, Any]) -> set[str]:
    """Return the features that a body needs, by the names that the catalogues of models have for them."""
    found = {each for name in _CONVERSATIONS for each in _in_parts(members.get(name))}
    if members.get("tools"):
        found.add("tools")
    if _has_schema(members):
        found.add("json_schema")
    if any(effort not in _NO_EFFORT for effort in _efforts(members)):
        found.add("reasoning")
    return found


def has_media(members: Mapping[str, Any]) -> bool:
    """Whether a body shows a model something else than text."""
    return any(True for name in _CONVERSATIONS if name in members for _ in _in_parts(members[name]))


def _in_parts(conversation: Any) -> Iterator[str]:
    todo = [conversation]
    while todo:
        each = todo.pop()
        if isinstance(each, list):
            todo += each
        elif isinstance(each, dict):
            kind = each.get("type")
            if isinstance(kind, str) and kind in _PARTS:
                yield _PARTS[kind]
            if each.get("images"):
                yield "vision"
            for name in _FILES:
                if isinstance(each.get(name), dict):
                    yield _of_media(each[name])
            todo += [value for name, value in each.items() if name not in _FREE]


def _of_media(file: Mapping[str, Any]) -> str:
    kind = str(file.get("mimeType") or file.get("mime_type"))
    return _MEDIA.get(kind.partition("/")[0], "documents")


def _has_schema(members: Mapping[str, Any]) -> bool:
    config = _object(members, "generationConfig", "generation_config")
    if any(name.replace("_", "").lower() in {"responseschema", "responsejsonschema"} for name in config):
        return True
    forms = (
        _object(members, "response_format", "output_format"),
        _object(_object(members, "text"), "format"),
        _object(_object(members, "output_config"), "format"),
    )
    return any(form.get("type") == "json_schema" for form in forms) or isinstance(members.get("format"), dict)


def _efforts(members: Mapping[str, Any]) -> Iterator[Any]:
    config = _object(members, "generationConfig", "generation_config")
    thinking = _object(config, "thinkingConfig", "thinking_config")
    for value in (
        members.get("reasoning_effort"),
        members.get("think"),
        _object(members, "reasoning").get("effort"),
        _object(members, "thinking").get("type"),
        thinking.get("thinkingLevel", thinking.get("thinking_level")),
        thinking.get("thinkingBudget", thinking.get("thinking_budget")),
    ):
        yield value if isinstance(value, str | bool | int | None) else None


def _object(value: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    return next((value[name] for name in names if isinstance(value.get(name), dict)), {})
