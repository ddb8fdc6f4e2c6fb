"""How values show themselves in notebooks: as Markdown, or as the picture that they are; loaded by who shows one.

What models wrote is Markdown and shown as such. All other words, such as names, are escaped. The values stand above
this module, which therefore knows them by what they have, and parts by the names of their classes.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

__all__ = ["answer", "capabilities", "found", "message", "picture", "pictures", "vectors"]

MAX_TEXT = 50_000
"""Characters of a text that are shown."""
MAX_BYTES = 8 * 1024 * 1024
"""Bytes of a picture that are shown: a notebook keeps them in its file, a third larger."""
MAX_ROWS = 50

_PICTURES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_MEANING = re.compile(r"([\\`*_\[\]<>|~$&#])")
_UNITS = ("bytes", "kB", "MB", "GB")


def escaped(text: object) -> str:
    """Return words that mean nothing in Markdown, HTML, formulas and tables, in one line."""
    return _MEANING.sub(r"\\\1", " ".join(str(text).split()))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table; None is an empty cell, and what is too long is cut."""
    every = list(rows)
    lines = [head, ["---"] * len(head), *[[_cell(cell) for cell in row] for row in every[:MAX_ROWS]]]
    shown = "\n".join([f"| {' | '.join(line)} |" for line in lines])
    return shown + (f"\n\n*and {len(every) - MAX_ROWS:,} more*" if len(every) > MAX_ROWS else "")


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else escaped(value)


def _blocks(*blocks: str) -> str:
    return "\n\n".join([block for block in blocks if block])


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…\n\n*and {len(text) - MAX_TEXT:,} more characters*"


def _code(text: str, language: str = "") -> str:
    """Return a text as code, whatever it holds."""
    fence = "`" * max(3, 1 + max([len(run) for run in re.findall("`+", text)], default=0))
    return f"{fence}{language}\n{_cut(text)}\n{fence}"


def _quoted(text: str) -> str:
    return "\n".join([f"> {line}".rstrip() for line in _cut(text).splitlines()])


def _note(*facts: object) -> str:
    said = [escaped(fact) for fact in facts if fact not in {None, ""}]
    return f"*{', '.join(said)}*" if said else ""


# Pictures


def picture(value: Any) -> dict[str, str]:
    """Return a picture under its media type, as base64; under text/markdown what is none that can be shown."""
    kind = value.media_type
    if _can_show(value):
        return {kind: base64.b64encode(value.data).decode("ascii")}
    return {"text/markdown": _media(value)}


def pictures(value: Any) -> dict[str, str]:
    """Return the only picture of an answer as `picture` does, or all of them as Markdown, with what was said beside."""
    if len(value.images) == 1 and not value.text and not value.images[0].revised_prompt:
        return picture(value.images[0])
    shown = [_blocks(_media(each), _note(each.revised_prompt)) for each in value.images]
    return {"text/markdown": _blocks(_cut(value.text), *shown)}


def _can_show(value: Any) -> bool:
    return value.data is not None and value.media_type in _PICTURES and len(value.data) <= MAX_BYTES


def _media(part: Any) -> str:
    """Return a picture to look at, and what is known of other media."""
    kind = getattr(part, "kind", "image")
    if _can_show(part):
        return f"![{kind}](data:{part.media_type};base64,{base64.b64encode(part.data).decode('ascii')})"
    if kind == "image" and re.match(r"https?://\S+$", part.url or ""):
        address = part.url.replace("<", "%3C").replace(">", "%3E")
        return f"![{kind}](<{address}>)"
    named = getattr(part, "name", None) or part.url or getattr(part, "file_id", None)
    size = None if part.data is None else _size(len(part.data))
    return _note(part.media_type or kind, named, size)


def _size(count: float) -> str:
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:  # noqa: PLR2004 - units of the SI
        count, unit = count / 1000, unit + 1
    return f"{count:.3g} {_UNITS[unit]}"


# Chats


def message(value: Any) -> str:
    """Return a message with who speaks."""
    who = f"**{escaped(value.role)}**" + (f" ({escaped(value.name)})" if value.name else "")
    return _blocks(who, _parts(value.content))


def answer(value: Any) -> str:
    """Return an answer: what was said, and in small letters by whom and at what price."""
    several = len(value.choices) > 1
    said = []
    for choice in value.choices:
        shown = _parts(choice.message.content)
        said.append(_blocks(f"**{choice.index}**", shown) if several else shown)
    cut = [choice.finish_reason for choice in value.choices if choice.finish_reason not in {None, "stop", "tool_calls"}]
    return _blocks(*said, _note(value.model, _tokens(value.usage), _dollars(value.cost), *cut))


def _tokens(usage: Any) -> str | None:
    return None if usage.total_tokens is None else f"{usage.total_tokens:,} tokens"


def _dollars(cost: float | None) -> str | None:
    return None if cost is None else f"${cost:,.2f}" if cost >= 1 else f"${cost:.2g}"


def _parts(parts: Iterable[Any]) -> str:
    return _blocks(*[_PARTS[type(part).__name__](part) for part in parts if type(part).__name__ in _PARTS])


def _audio(part: Any) -> str:
    return _blocks(_media(part), _quoted(part.transcript or ""))


def _result(part: Any) -> str:
    what = "failed" if part.is_error else "gave"
    return _blocks(f"**{escaped(part.tool_call_id)}** {what}:", _parts(part.content))


# Opaque ones are for their provider alone.
_PARTS: Mapping[str, Callable[[Any], str]] = {
    "Text": lambda part: _cut(part.text),
    "Reasoning": lambda part: _quoted(part.text),
    "Refusal": lambda part: _cut(part.text),
    "ToolCall": lambda part: _blocks(f"**{escaped(part.name)}**", _code(part.arguments, "json")),
    "ToolResult": _result,
    "Image": _media,
    "Audio": _audio,
    "Document": _media,
}


# Tables


def vectors(value: Any) -> str:
    """Return how many vectors there are, of how many numbers, and the first numbers of each."""
    sizes = sorted({len(vector) for vector in value.vectors})
    count = f"{len(value.vectors):,} vector{'' if len(value.vectors) == 1 else 's'}"
    of = f" of {' or '.join([f'{size:,}' for size in sizes])} numbers" if sizes else ""
    first = 4
    rows = [
        (index, ", ".join([f"{number:.4g}" for number in vector[:first]]) + (", …" if len(vector) > first else ""))
        for index, vector in enumerate(value.vectors)
    ]
    return _blocks(
        f"**{count}**{of}", _note(value.model, _tokens(value.usage)), table(("", "begins"), rows) if rows else ""
    )


def capabilities(value: Any) -> str:
    """Return what an endpoint or a model can do as tables."""
    model = value.model
    name = value.endpoint if model is None else f"{value.endpoint}/{model.id}"
    rows = [(operation, support) for operation, support in value.operations.items()]
    return _blocks(
        f"**{escaped(name)}**, by the backend {escaped(value.backend)}",
        "" if model is None else _model(model),
        table(("operation", "support"), rows),
        _note("own calls: " + ", ".join(value.calls)) if value.calls else "",
    )


def _model(model: Any) -> str:
    facts = [
        ("context window, in tokens", model.context_window),
        ("longest answer, in tokens", model.max_output_tokens),
        ("takes", _joined(model.input_modalities)),
        ("gives", _joined(model.output_modalities)),
        ("dollars for a million input tokens", _price(model.input_price)),
        ("dollars for a million output tokens", _price(model.output_price)),
        ("ends on", model.retired),
        *model.features.items(),
    ]
    known = [(name, fact) for name, fact in facts if fact is not None]
    return _blocks(escaped(model.description or ""), table(("of the model", ""), known) if known else "")


def _joined(names: Iterable[str] | None) -> str | None:
    return None if names is None else ", ".join(sorted(names))


def _price(price: float | None) -> str | None:
    return None if price is None else f"{price:g}"


def found(value: Any) -> str:
    """Return the models that fit as a table, and what could not be asked."""
    head = ("model", "context", "input $", "output $", "not known")
    rows = [
        (
            match.name,
            match.model.context_window,
            _price(match.model.input_price),
            _price(match.model.output_price),
            ", ".join(match.unknown) or None,
        )
        for match in value.matches
    ]
    shown = table([escaped(each) for each in head], rows) if rows else "*no model fits*"
    return _blocks(shown, table(("not asked", "why"), list(value.skipped.items())) if value.skipped else "")
