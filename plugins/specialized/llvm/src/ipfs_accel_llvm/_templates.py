"""Chat templates: what llama.cpp renders otherwise than the library that they are written for, or does not take at all.

The constructs were rendered by both, llama.cpp b11549 and transformers 5.24.0 on Jinja2 3.1.6; the tests render the
examples anew. What a template may hold of them is looked for in its text, so that a few are found that do no harm.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import attrs

__all__ = ["DIFFER", "REFUSED", "Construct", "differing", "refused"]


@attrs.frozen(kw_only=True)
class Construct:
    """Something that a template may hold.

    Attributes:
        name: As people know it.
        instead: What llama.cpp makes of it.
        example: A template that shows it, given the messages of `SHOWN`.
        found: Whether a template holds it; given its code without texts, and the whole.
    """

    name: str
    instead: str
    example: str
    found: Callable[[str, str], Any] = attrs.field(repr=False)


def _code(pattern: str) -> Callable[[str, str], Any]:
    test = re.compile(pattern).search
    return lambda code, _template: test(code)


def _text(pattern: str, unless: str | None = None) -> Callable[[str, str], Any]:
    test, other = re.compile(pattern).search, re.compile(unless or r"(?!)").search
    return lambda _code, template: test(template) and not other(template)


_OF_TEXT = r"\b(?:content|text|reasoning_content|arguments)\b\s*"
_SAY = "{{ messages[0].content }}"

DIFFER: tuple[Construct, ...] = (
    Construct(
        name="the length of a text",
        instead="bytes are counted, not characters",
        example="{{ messages[0].content|length }}",
        found=_code(_OF_TEXT + r"(?:\|\s*trim\s*)?\|\s*length\b"),
    ),
    Construct(
        name="a slice of a text",
        instead="it counts bytes, and may cut a character",
        example="{{ messages[0].content[:1] }}",
        found=_code(_OF_TEXT + r"\[\s*-?\d*\s*:"),
    ),
    Construct(
        name="upper and lower",
        instead="only ASCII letters change",
        example="{{ messages[0].content|upper }}",
        found=_code(r"\|\s*(?:upper|lower)\b|\.(?:upper|lower)\s*\("),
    ),
    Construct(
        name="split without a separator",
        instead="empty parts stay",
        example="{% for each in ' a  b '.split() %}[{{ each }}]{% endfor %}",
        found=_code(r"\.split\s*\(\s*\)"),
    ),
    Construct(
        name="the method title",
        instead="other letters become capitals",
        example="{{ messages[2].content.title() }}",
        found=_code(r"\.title\s*\("),
    ),
    Construct(
        name="the filter format",
        instead="the text stays as it is",
        example="{{ '%s!'|format(messages[0].content) }}",
        found=_code(r"\|\s*format\s*\("),
    ),
    Construct(
        name="select by odd or even",
        instead="nothing is found",
        example="{{ [1, 2, 3]|select('odd')|list|length }}",
        found=_text(r"\|\s*(?:select|reject)\s*\(\s*['\"](?:odd|even|none)['\"]"),
    ),
    Construct(
        name="tools is not none",
        instead="it is true without tools, as `tools` is then not defined",
        example="{% if tools is not none %}tools{% endif %}" + _SAY,
        found=_text(r"\btools\s+is\s+not\s+none\b", r"set\s+tools\s*=\s*none|tools\s+is\s+(?:not\s+)?defined"),
    ),
    Construct(
        name="date_string where it is not given",
        instead="it is today, where templates otherwise have a fixed date",
        example="{% if date_string is not defined %}{% set date_string = '26 Jul 2024' %}{% endif %}{{ date_string }}",
        found=_text(r"\bdate_string\s+is\s+(?:not\s+)?defined\b"),
    ),
    Construct(
        name="enable_thinking where it is not given",
        instead="it is true",
        example="{% if enable_thinking is not defined %}silent{% endif %}" + _SAY,
        found=_text(r"\bif\s+(?:not\s+)?enable_thinking\s*-?%\}|enable_thinking\s+is\s+(?:not\s+defined|undefined)"),
    ),
    Construct(
        name="no place for a system message",
        instead="its text goes before that of the user",
        example="{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}",
        found=lambda _code, template: "system" not in template and "role" in template and "user" in template,
    ),
)
"""What is rendered otherwise, without an error."""


def _stops(name: str, pattern: str, example: str) -> Construct:
    return Construct(name=name, instead="the template is refused", example=example + _SAY, found=_code(pattern))


REFUSED: tuple[Construct, ...] = (
    _stops("find, count, index", r"\.(?:find|count|index)\s*\(", "{{ 'ab'.find('b') }}"),
    _stops("join, splitlines, partition", r"\.(?:join|splitlines|partition)\s*\(", "{{ ''.join(['a']) }}"),
    _stops("isdigit", r"\.isdigit\s*\(", "{{ '1'.isdigit() }}"),
    _stops("whole division and powers", r"//|\*\*", "{{ 7 // 2 }}"),
    _stops("a text with %", r"''\s*%(?!\})", "{{ '%s' % 1 }}"),
    _stops("unique, sum, batch", r"\|\s*(?:unique|sum|batch)\b", "{{ [1, 1]|unique|list|length }}"),
    _stops("urlencode, groupby", r"\|\s*(?:urlencode|groupby)\b", "{{ 'a b'|urlencode }}"),
    _stops("loop.cycle", r"\bloop\.cycle\s*\(", "{% for x in [1] %}{{ loop.cycle('a', 'b') }}{% endfor %}"),
    _stops("raw and with", r"^\s*(?:raw|with)\b", "{% with a = 1 %}{{ a }}{% endwith %}"),
)
"""What stops llama.cpp from loading a template."""

_CODE = re.compile(r"\{[{%][-+]?(.*?)[-+]?[}%]\}", re.DOTALL)
_TEXTS = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)


def differing(template: str) -> list[Construct]:
    """Return what a template holds that is rendered otherwise."""
    return _found(template, DIFFER)


def refused(template: str) -> list[Construct]:
    """Return what a template holds that llama.cpp does not take."""
    return _found(template, REFUSED)


def _found(template: str, constructs: tuple[Construct, ...]) -> list[Construct]:
    pieces = [_TEXTS.sub("''", each) for each in _CODE.findall(template)]
    return [each for each in constructs if any(each.found(piece, template) for piece in pieces)]
